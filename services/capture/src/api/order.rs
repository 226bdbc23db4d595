//! Whether data were collected before their participant's first consent: told by every read, since no rule refuses it. What is
//! known from before the trial may be captured under a consent to that.

use super::Inner;
use crate::domain::When;
use proto::capture as pb;
use seal::id::{Name, Uuid};

/// A date of collection, and where to say whether it is before the first consent.
pub(super) type Dated<'a> = (&'a str, &'a mut Option<bool>);

pub(super) fn of_value(value: &mut pb::ItemValue) -> Dated<'_> {
    (&value.collected, &mut value.collected_before_consent)
}

pub(super) fn of_change(change: &mut pb::ItemChange) -> Dated<'_> {
    (&change.collected, &mut change.collected_before_consent)
}

pub(super) fn of_form(form: &mut pb::Form) -> Vec<Dated<'_>> {
    let whole = (form.collected.as_str(), &mut form.collected_before_consent);
    std::iter::once(whole).chain(form.values.iter_mut().map(of_value)).collect()
}

impl Inner {
    /// Says of each date of collection of a participant whether it is before their first consent. Says nothing while the
    /// consent service cannot be reached: a read does not fail for it.
    pub(super) async fn place_in_time(&self, study: Uuid, participant: &Name, mut dates: Vec<Dated<'_>>) {
        dates.retain(|(collected, _)| !collected.is_empty());
        if dates.is_empty() {
            return;
        }
        let Some(first) = self.first_consent(study, participant).await else { return };
        for (collected, before) in dates {
            *before = Some(When::parse(collected).is_some_and(|when| when.is_before(first)));
        }
    }

    /// When the participant's first consent was signed. It never changes, so it is kept.
    async fn first_consent(&self, study: Uuid, participant: &Name) -> Option<u64> {
        let who = (study, participant.clone());
        if let Some(first) = self.first_consents.get(&who) {
            return Some(first);
        }
        let first = self.consents.first_signed(study, participant).await.ok().flatten()?;
        self.first_consents.insert(who, first);
        Some(first)
    }
}
