//! The chapters about consent as people live it: declining, agreeing anew, letting somebody read, seeing who looked.

use super::{AGAIN, Demo, IN_FORCE, chapter, told, vital_signs};
use anyhow::{Context, Result, bail, ensure};
use client::{Access, ClientError, Reader, new_key, new_uuid, now_ms, sign_form};
use proto::capture::{GetFormRequest, SubmitFormResponse};
use reports::participant;
use seal::policy::Policy;
use std::{fs, time::Duration};
use synthetic::{Actor, Participant, Study, name, offer, terms, value};
use tokio::time::{Instant, sleep};
use vocabulary::command::{
    DocumentVersion, GrantAccess, Offer, Provision, Reconsent, ReconsentMode, RevokeAccess, Submission, Terms,
};

/// How long participants have to agree to the new version, in milliseconds: weeks, where it is not a story.
const TO_AGREE_MS: u64 = 1_500;

impl Demo {
    pub(super) async fn declined(&self, study: &Study, participants: &[Participant]) -> Result<()> {
        chapter(5, "Two participants declined genetic testing, which was optional: nobody can capture it for them.");
        let genetics = |participant| -> Result<_> {
            let header = study.header(participant, "BASELINE", "GEN", 0)?;
            let header = Submission { provision: Some("genetics".parse()?), ..header };
            Ok(sign_form(header, vec![value("APOE", "E3/E4")], &study.coordinator.key)?)
        };
        self.client.submit(genetics(&participants[0])?).await?;
        told(format!("{}: captured, genetics was agreed to", participants[0].name));
        match self.client.submit(genetics(&participants[1])?).await {
            Err(error) if error.reason().as_deref() == Some("CONSENT_MISSING") => {
                told(format!("{}: refused, {error}", participants[1].name));
                Ok(())
            }
            Err(error) => Err(error.into()),
            Ok(_) => bail!("a genetic result was captured for somebody who declined"),
        }
    }

    pub(super) async fn reconsent(&self, study: &Study, participant: &Participant) -> Result<()> {
        chapter(6, "Version 2.0 of the consent form asks for consent anew; after the deadline capture stops.");
        let by = now_ms() + TO_AGREE_MS;
        let offers = [("data_collection", true), ("genetics", false)].map(|(what, mandatory)| offer(what, mandatory));
        let offers: Vec<Offer> = offers.into_iter().collect::<Result<_>>()?;
        let old = DocumentVersion { version: name("1.0")?, language: name("en")? };
        let demand = Reconsent { by, meanwhile: ReconsentMode::Warn, then: ReconsentMode::Stop };
        let terms = Terms { supersedes: vec![old], reconsent: Some(demand), ..terms(offers)? };
        study.publish(&self.client, "2.0", terms).await?;
        told("version 2.0 published, approved, superseding 1.0");
        let begun = Instant::now();
        let mut warned = false;
        for attempt in 1.. {
            match self.vital_signs(study, participant, "WEEK 3", attempt).await {
                Ok(answer) if answer.reconsent_by_ms > 0 && !warned => {
                    warned = true;
                    told("before the deadline: captured, with the warning that consent anew is due");
                }
                Ok(_) if begun.elapsed() < Duration::from_millis(TO_AGREE_MS) + IN_FORCE => sleep(AGAIN).await,
                Ok(_) => bail!("capture went on long after the deadline"),
                // The deadline passed between the decision and its record: asked again, it is refused.
                Err(error) if error.reason().as_deref() == Some("DEPENDENCY_UNAVAILABLE") => sleep(AGAIN).await,
                Err(error) if error.reason().as_deref() == Some("RECONSENT_REQUIRED") => {
                    told(format!("after it: refused, {error}"));
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        ensure!(warned, "no capture was warned before the deadline");
        let provisions = vec![Provision::data_collection(), "genetics".parse()?];
        let consent = study.consent_to(participant, "2.0", provisions)?;
        self.client.record(&consent, &[&participant.key, &study.investigator.key]).await?;
        told(format!("{} agrees to version 2.0 and has a copy at once", participant.name));
        let until = Instant::now() + IN_FORCE;
        loop {
            match self.vital_signs(study, participant, "WEEK 4", 0).await {
                Ok(_) => break,
                Err(error) if error.reason().as_deref() == Some("RECONSENT_REQUIRED") && Instant::now() < until => {
                    sleep(AGAIN).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        told("captured again");
        Ok(())
    }

    async fn vital_signs(
        &self,
        study: &Study,
        participant: &Participant,
        event: &str,
        repeat: u32,
    ) -> Result<SubmitFormResponse, ClientError> {
        let form = study
            .header(participant, event, "VS", repeat)
            .and_then(|header| Ok(sign_form(header, vital_signs("125"), &study.coordinator.key)?))
            .map_err(|_| ClientError::Nonsense("a form that cannot be signed"))?;
        Ok(self.client.capture.clone().submit_form(form.into_request()).await?.into_inner())
    }

    pub(super) async fn researcher(&self, study: &Study, participant: &Participant) -> Result<()> {
        chapter(8, "A participant lets a researcher read, sees every read, and revokes.");
        let researcher = Actor { name: name("researcher-okafor")?, key: new_key()? };
        study.register(&self.client, &researcher).await?;
        let (grant, purpose) = (name("stroke-study")?, name("stroke research")?);
        let now = now_ms();
        let give = GrantAccess {
            study: study.id,
            request: new_uuid()?,
            by: participant.name.clone(),
            time: now,
            participant: participant.name.clone(),
            site: participant.site.clone(),
            grant: grant.clone(),
            grantee: researcher.name.clone(),
            categories: vec![Provision::data_collection()],
            purpose: purpose.clone(),
            from: now,
            until: now + 3_600_000,
            uses: Some(10),
            seen: None,
        };
        self.client.record(&give, &[&participant.key]).await?;
        told("researcher-okafor may read data_collection for stroke research, for an hour, ten times at most");
        let access = Access {
            participant: participant.name.clone(),
            site: participant.site.clone(),
            categories: vec![Provision::data_collection()],
            purpose,
            grant: Some(grant.clone()),
            only: None,
        };
        let reader = Reader {
            study: study.id,
            actor: researcher.name.clone(),
            key: researcher.key.clone(),
            access: Some(access),
        };
        for event in ["BASELINE", "WEEK 2"] {
            let form = self.form(&reader, participant, event, "VS").await?;
            told(format!("researcher-okafor reads {event}: {} values", form.map_or(0, |form| form.values.len())));
        }
        let genetic = self.form(&reader, participant, "BASELINE", "GEN").await;
        ensure!(genetic.is_err(), "a researcher read genetics, which was not granted");
        told("the genetic form is not shown: it was not granted (the attempt is on record as well)");
        let revoke = RevokeAccess {
            study: study.id,
            request: new_uuid()?,
            by: participant.name.clone(),
            time: now_ms(),
            participant: participant.name.clone(),
            site: participant.site.clone(),
            grant,
        };
        self.client.record(&revoke, &[&participant.key]).await?;
        match self.form(&reader, participant, "BASELINE", "VS").await {
            Err(error) if error.reason().as_deref() == Some("GRANT_ENDED") => told(format!("revoked: {error}")),
            Err(error) => return Err(error.into()),
            Ok(_) => bail!("a researcher read after the grant was revoked"),
        }
        self.who_looked(study, participant, &researcher).await
    }

    async fn form(
        &self,
        reader: &Reader,
        participant: &Participant,
        event: &str,
        form: &str,
    ) -> Result<Option<proto::capture::Form>, ClientError> {
        let instance = proto::capture::FormInstance {
            participant: participant.name.to_string(),
            event: event.to_owned(),
            event_repeat: 0,
            form: form.to_owned(),
            form_repeat: 0,
        };
        let request = GetFormRequest { study: reader.study.to_string(), instance: Some(instance) };
        Ok(self.client.capture.clone().get_form(reader.request(request)).await?.into_inner().form)
    }

    async fn who_looked(&self, study: &Study, participant: &Participant, researcher: &Actor) -> Result<()> {
        chapter(9, "The participant asks who looked, and gets a proof of each read.");
        let (actor, key) = (participant.name.clone(), participant.key.clone());
        let reader = Reader { study: study.id, actor, key, access: None };
        let accesses = participant::accesses(&self.client, &reader, &participant.name).await?;
        let looks = participant::looks(&accesses)?;
        for line in participant::looks_page(&looks).lines() {
            told(line);
        }
        let theirs = looks.iter().filter(|look| look.by == researcher.name.as_str()).count();
        ensure!(theirs == 3, "{theirs} reads are on record, not 3");
        let policy = Policy::parse(&format!("{}{}", self.stage.policy, study.policy_line()))?;
        let folder = self.folder.join("who-looked");
        let files = participant::prove(&self.client, &reader, &accesses, &folder).await?;
        for file in &files {
            let report = seal::verify::verify(&fs::read(file)?, &policy);
            ensure!(report.verified, "the proof of a read does not verify");
        }
        let first = files.first().context("no proof")?;
        let report = seal::verify::verify(&fs::read(first)?, &policy);
        told(format!("{} proofs written, offline each says:", files.len()));
        print!("{}", verify::readable(&report));
        Ok(())
    }
}
