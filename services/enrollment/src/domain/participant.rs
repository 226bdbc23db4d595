//! Participants: enrolment and leaving the trial.

use super::{Changes, Next, Refusal, Rule, must_be_new, study_exists};
use seal::{
    authority::{authorise, signing_key, subjects},
    command::{ActorKind, EnrolParticipant, Task, WithdrawParticipant},
    dsse::Envelope,
    fact::{Fact, Facts, Subject},
    id::is_pseudonym,
};

impl Rule for EnrolParticipant {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let mut needs = subjects(&self.by, envelope.key_ids(), Task::Enrol, &self.site);
        needs.extend([
            Subject::Study,
            Subject::Site(self.site.clone()),
            Subject::Actor(self.participant.clone()),
            Subject::Key(self.key.id()),
        ]);
        needs
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        study_exists(facts)?;
        authorise(facts, envelope, &self.by, Task::Enrol, &self.site, next.time)?;
        if !is_pseudonym(&self.participant) {
            let what = "not `P-` and 16 random characters of A-Z and 2-7";
            return Err(Refusal::Malformed { field: "participant", what });
        }
        if !facts.site_is_open(&self.site) {
            return Err(Refusal::SiteNotOpen);
        }
        let actor = Subject::Actor(self.participant.clone());
        let key = Subject::Key(self.key.id());
        must_be_new(facts, &actor, "participant")?;
        must_be_new(facts, &key, "key")?;
        let registered = next.number;
        Ok(vec![
            (actor, Fact::Actor { kind: ActorKind::Participant, registered }),
            (key, Fact::Key { actor: self.participant.clone(), key: self.key, registered, ended: None }),
            (
                Subject::Participant(self.participant.clone()),
                Fact::Participant { site: self.site.clone(), enrolled: registered, withdrawn: None, stage: None },
            ),
        ])
    }
}

impl Rule for WithdrawParticipant {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let mut needs = subjects(&self.by, envelope.key_ids(), Task::Enrol, &self.site);
        needs.extend([Subject::Study, Subject::Participant(self.participant.clone())]);
        needs
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        study_exists(facts)?;
        if self.by == self.participant {
            signing_key(facts, envelope, &self.by)?;
        } else {
            authorise(facts, envelope, &self.by, Task::Enrol, &self.site, next.time)?;
        }
        let subject = Subject::Participant(self.participant.clone());
        match facts.find(&subject) {
            Some(Fact::Participant { withdrawn: Some(_), .. }) => Err(Refusal::AlreadyEnded("participation")),
            Some(Fact::Participant { site, enrolled, withdrawn: None, stage: None }) if *site == self.site => {
                let withdrawn = Some(next.number);
                Ok(vec![(subject, Fact::Participant { site: site.clone(), enrolled: *enrolled, withdrawn, stage: None })])
            }
            _ => Err(Refusal::NotFound("participant")),
        }
    }
}
