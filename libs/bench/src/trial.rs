//! A study whose forms are captured.

use anyhow::Result;
use client::{Client, SignedForm, sign_form};
use futures_util::{StreamExt, TryStreamExt, stream};
use rayon::prelude::*;
use seal::id::Name;
use synthetic::{Participant, Study, text_item, value};
use vocabulary::command::FormDef;

/// Commands under way while participants are enrolled.
const AT_ONCE: usize = 64;

/// A study with one site, one form and some who consented.
pub(super) struct Trial {
    study: Study,
    site: Name,
    items: Vec<String>,
    pub(super) participants: Vec<Participant>,
}

impl Trial {
    /// Sets up a study whose form has `items` items.
    pub(super) async fn set_up(client: &Client, title: &str, items: usize, participants: usize) -> Result<Self> {
        let study = Study::create(client, title).await?;
        let site = study.open_site(client, "701", "Synthetic site").await?;
        let items: Vec<String> = (0..items).map(|n| format!("ITEM{n:03}")).collect();
        let defs = items.iter().map(|item| text_item(item)).collect::<Result<_>>()?;
        study.define(client, "1", vec![FormDef { form: "VS".parse()?, items: defs, provision: None }]).await?;
        let mut trial = Self { study, site, items, participants: Vec::new() };
        trial.participants = trial.enrolled(client, participants).await?;
        Ok(trial)
    }

    /// More participants, who consent.
    pub(super) async fn enrolled(&self, client: &Client, count: usize) -> Result<Vec<Participant>> {
        let enrol = |_| async {
            let participant = self.study.enrol(client, &self.site).await?;
            self.study.consent(client, &participant).await?;
            Ok(participant)
        };
        stream::iter(0..count).map(enrol).buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Signs forms, spread over its participants.
    pub(super) fn signed(&self, event: &str, forms: usize) -> Result<Vec<SignedForm>> {
        self.signed_for(&self.participants, event, forms)
    }

    /// The same, for others.
    pub(super) fn signed_for(
        &self,
        participants: &[Participant],
        event: &str,
        forms: usize,
    ) -> Result<Vec<SignedForm>> {
        let form = |n: usize| {
            let participant = &participants[n % participants.len()];
            let header = self.study.header(participant, event, "VS", u32::try_from(n)?)?;
            let values = self.items.iter().map(|item| value(item, &format!("{}.{}", 90 + n % 60, n % 10))).collect();
            Ok(sign_form(header, values, &self.study.coordinator.key)?)
        };
        (0..forms).into_par_iter().map(form).collect()
    }
}
