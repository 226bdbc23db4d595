//! Decisions: what may be captured, what may be read.

use super::{
    Inner,
    refusals::{not_in_force, refused},
};
use crate::domain::{self, Refusal, may_read};
use caller::Caller;
use clock::now_ms;
use facts::FactSource;
use journal_service::not_read;
use messages::head_message;
use problem::{Problem, study};
use proto::consent::{self as pb, ErrorReason};
use seal::{
    dsse::Envelope,
    entry::Head,
    id::{IdError, Name, Service, Uuid},
};
use vocabulary::{
    command::{AccessData, GiveConsent, Provision, Task},
    consent,
    fact::{self, Fact, Facts},
    subject::{self, Subject},
};

/// Tasks that see how a participant's consent stands.
const SEES: [Task; 4] = [Task::ObtainConsent, Task::Capture, Task::Read, Task::Audit];

/// The most changes of a consent among which the first is looked for: what is before it is what was declined.
const FIRST: u32 = 100;

impl Inner {
    pub(super) async fn decide(
        &self,
        from: &Caller,
        request: pb::DecideRequest,
    ) -> Result<pb::DecideResponse, Problem> {
        let study = study(&request.study)?;
        let participant = name("participant", &request.participant)?;
        match request.read {
            Some(read) => self.decide_read(from, study, participant, read).await,
            None => {
                let provision = provision("provision", &request.provision)?;
                if !from.is_service() {
                    self.may_see(from, study, &participant).await?;
                }
                let mut answer = self.decide_capture(study, &participant, &provision).await?;
                if request.first {
                    answer.first_signed_ms = self.first_signed(study, &participant).await?.unwrap_or(0);
                }
                Ok(answer)
            }
        }
    }

    async fn decide_capture(
        &self,
        study: Uuid,
        participant: &Name,
        provision: &Provision,
    ) -> Result<pb::DecideResponse, Problem> {
        let (head, facts) = self.consent_facts(study, participant).await?;
        let decided = consent::in_force(&facts, participant, provision, now_ms());
        let subject = subject::consent(participant);
        let given = provisions(&facts, participant);
        let given = given.iter().filter_map(|provision| consent::given(&facts, participant, provision));
        let standing = given.filter(|given| given.withdrawn.is_none()).count();
        let mut answer = pb::DecideResponse {
            permitted: decided.is_ok(),
            reason: decided.err().map_or(ErrorReason::Unspecified, not_in_force).into(),
            head: head.map(head_message),
            fact: facts.find(&subject).map(Fact::to_bytes).unwrap_or_default(),
            fact_key: subject.map_key(study).0.to_vec(),
            standing: u32::try_from(standing).unwrap_or(u32::MAX),
            ..Default::default()
        };
        if let Ok(in_force) = decided {
            answer.valid_until_ms = in_force.until.unwrap_or(0);
            answer.reconsent_by_ms = in_force.reconsent_by.unwrap_or(0);
        }
        Ok(answer)
    }

    /// When the first consent of a participant was signed, by its signer's clock.
    async fn first_signed(&self, study: Uuid, participant: &Name) -> Result<Option<u64>, Problem> {
        let (stream, key) = (Service::Consent.stream(study), subject::consent(participant).map_key(study));
        let reader = self.journal.reader();
        for (number, _) in reader.history(stream, &key, None, FIRST).await.map_err(not_read)? {
            let given = Envelope::parse(&reader.entry(stream, number).await.map_err(not_read)?.stored);
            if let Ok(given) = given.and_then(|envelope| envelope.payload::<GiveConsent>()) {
                return Ok(Some(given.time));
            }
        }
        Ok(None)
    }

    /// A participant's consent and the documents it was given under, from one state.
    pub(super) async fn consent_facts(
        &self,
        study: Uuid,
        participant: &Name,
    ) -> Result<(Option<Head>, Facts), Problem> {
        let subject = subject::consent(participant);
        let mut subjects = vec![subject.clone()];
        loop {
            let (head, facts) = self.own_facts(study, &subjects).await?;
            let wanted: Vec<Subject> = match facts.find(&subject) {
                Some(Fact::Consent(fact::Consent { provisions, .. })) => {
                    provisions.values().map(consent::document).collect()
                }
                _ => Vec::new(),
            };
            let lacking: Vec<Subject> = wanted.into_iter().filter(|document| !subjects.contains(document)).collect();
            if lacking.is_empty() {
                return Ok((head, facts));
            }
            subjects.extend(lacking); // read again: all of it must hold at one head
        }
    }

    pub(super) async fn own_facts(&self, study: Uuid, subjects: &[Subject]) -> Result<(Option<Head>, Facts), Problem> {
        let (reader, stream) = (self.journal.reader(), Service::Consent.stream(study));
        record::facts(reader, stream, study, subjects).await.map_err(not_read)
    }

    async fn decide_read(
        &self,
        from: &Caller,
        study: Uuid,
        participant: Name,
        read: pb::ReadQuestion,
    ) -> Result<pb::DecideResponse, Problem> {
        let reader = name("read.reader", &read.reader)?;
        let mut sees = from.is_service();
        if !sees {
            let caller = access::actor(from, study, &self.enrollment, now_ms()).await?;
            let seen = if caller == participant { Ok(()) } else { self.sees(&caller, study, &participant).await };
            sees = seen.is_ok();
            if caller != reader {
                seen?;
            }
        }
        let site = self.site_of(study, &participant).await?;
        let categories = read.categories.iter().map(|category| provision("read.categories", category));
        let grant = if read.grant.is_empty() { None } else { Some(name("read.grant", &read.grant)?) };
        let access = AccessData {
            study,
            request: Uuid([0; 16]),
            by: reader,
            time: now_ms(),
            participant: participant.clone(),
            site,
            categories: categories.collect::<Result<_, _>>()?,
            purpose: name("read.purpose", &read.purpose)?,
            grant: grant.clone(),
            only: None,
        };
        let subject = match grant {
            Some(grant) => subject::grant(&participant, &grant),
            None => subject::consent(&participant),
        };
        let (_, mut facts) = self.enrollment.facts(study, &domain::reader_needs(&access)).await?;
        let (head, own) = self.own_facts(study, &[subject.clone(), subject::consent(&participant)]).await?;
        facts.extend(own);
        let refusal = may_read(&access, &facts, now_ms()).err();
        let permitted = refusal.is_none();
        Ok(pb::DecideResponse {
            permitted,
            reason: match refusal {
                // The site is the participant's: what the reader held there would tell where that is.
                Some(Refusal::Unauthorised(_)) if !sees => ErrorReason::DelegationMissing,
                refusal => refusal.map_or(ErrorReason::Unspecified, reason),
            }
            .into(),
            head: head.map(head_message),
            // Who asks whether they may read learns no more of the participant than that, unless they may.
            fact: facts.find(&subject).filter(|_| sees || permitted).map(Fact::to_bytes).unwrap_or_default(),
            fact_key: subject.map_key(study).0.to_vec(),
            ..Default::default()
        })
    }

    /// The participant's site; `*` if there is no such participant, where only tasks of every site reach.
    async fn site_of(&self, study: Uuid, participant: &Name) -> Result<Name, Problem> {
        let (_, facts) = self.enrollment.facts(study, &[subject::participant(participant)]).await?;
        Ok(facts.site_of(participant).cloned().unwrap_or_else(Name::all_sites))
    }

    /// Checks that the caller is the participant, represents them, or is of their site.
    pub(super) async fn may_see(&self, from: &Caller, study: Uuid, of: &Name) -> Result<(), Problem> {
        let caller = access::actor(from, study, &self.enrollment, now_ms()).await?;
        if caller == *of || of.as_str() == Name::ALL_SITES {
            return Ok(());
        }
        self.sees(&caller, study, of).await
    }

    async fn sees(&self, caller: &Name, study: Uuid, participant: &Name) -> Result<(), Problem> {
        let registered = [subject::study(), subject::representative(participant, caller)];
        let (_, mut facts) = self.enrollment.facts(study, &registered).await?;
        if facts.decides_for(participant, caller) {
            let (_, own) = self.own_facts(study, &[subject::consent(participant)]).await?;
            facts.extend(own);
            if consent::decides_for(&facts, participant, caller, now_ms()) {
                return Ok(());
            }
        }
        let site = self.site_of(study, participant).await?;
        let held = access::holds_any(caller, study, &SEES, &site, &self.enrollment, now_ms()).await;
        Ok(held.map_err(access::Denied::of_participant)?)
    }
}

/// The provisions a participant ever gave.
pub(super) fn provisions(facts: &Facts, participant: &Name) -> Vec<Provision> {
    match facts.find(&subject::consent(participant)) {
        Some(Fact::Consent(fact::Consent { provisions, .. })) => provisions.keys().cloned().collect(),
        _ => Vec::new(),
    }
}

fn reason(refusal: Refusal) -> ErrorReason {
    let problem = refused(refusal);
    ErrorReason::from_str_name(&format!("ERROR_REASON_{}", problem.reason)).unwrap_or(ErrorReason::Malformed)
}

pub(super) fn name(field: &str, text: &str) -> Result<Name, Problem> {
    text.parse().map_err(|error: IdError| Problem::field("MALFORMED", field, error.to_string()))
}

fn provision(field: &str, text: &str) -> Result<Provision, Problem> {
    text.parse().map_err(|error: IdError| Problem::field("MALFORMED", field, error.to_string()))
}
