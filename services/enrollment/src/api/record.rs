//! Recording commands.

use super::{Inner, refusals::refused};
use crate::domain::{self, Next, Refusal, Refused};
use admission::{Received, receive};
use clock::now_ms;
use facts::FactSource;
use journal_service::not_read;
use messages::receipt_message;
use problem::Problem;
use proto::{enrollment as pb, types::Receipt};
use record::{Before, Rule, Signed, foresee, not_recorded};
use seal::{
    MAX_DECISION_USE_MS,
    dsse::Envelope,
    entry::Head,
    id::{Name, Service, Uuid},
};
use server::caller_address;
use vocabulary::{
    command::{CreateStudy, Provision, RULES, Randomise},
    consent::NotInForce,
    fact::{Fact, Facts},
    subject::Subject,
};

/// The largest envelope of a `create-study`, which is tiny: it comes from somebody who is nobody in any study yet.
const MAX_CREATE_STUDY_BYTES: usize = 16 << 10;

impl Inner {
    /// Records a command as it was received.
    pub(super) async fn record<P: domain::Rule + Send + Sync + 'static>(
        &self,
        envelope: Vec<u8>,
    ) -> Result<Receipt, Problem> {
        self.append(receive::<P>(envelope).await?, None, None).await
    }

    /// Allocates a participant whose consent is in force.
    pub(super) async fn randomise(&self, request: pb::RandomiseRequest) -> Result<Receipt, Problem> {
        let received = receive::<Randomise>(request.envelope).await?;
        let consented = match self.foresee(&received).await? {
            Foreseen::RecordedBefore => None,
            Foreseen::New(_) => Some(self.consented(received.command.study, &received.command.participant).await?),
        };
        self.append(received, None, consented).await
    }

    /// Checks that the participant consents to data collection now.
    pub(super) async fn consented(&self, study: Uuid, participant: &Name) -> Result<Consented, Problem> {
        let asked_ms = now_ms();
        let decided = self.consents.decide(study, participant, &Provision::data_collection()).await?;
        let in_force = decided.outcome.map_err(|why| refused(Refusal::NotInForce(why)))?;
        let head = decided.head.ok_or_else(|| refused(Refusal::NotInForce(NotInForce::Missing)))?;
        let fresh = asked_ms.saturating_add(MAX_DECISION_USE_MS);
        Ok(Consented { head, until: in_force.until.map_or(fresh, |until| until.min(fresh)) })
    }

    /// Records a command; `sealed` is what is stored instead of its envelope.
    pub(super) async fn append<P: domain::Rule + Send + Sync + 'static>(
        &self,
        received: Received<P>,
        sealed: Option<Vec<u8>>,
        consented: Option<Consented>,
    ) -> Result<Receipt, Problem> {
        let signed = Signed::of(&received, Service::Enrollment);
        let Received { bytes, envelope, command, .. } = received;
        let basis = consented.iter().map(|consented| consented.head).collect();
        let rule = Enrolling { command, envelope, relied_on_until: consented.map(|consented| consented.until) };
        let proposal = signed.propose(sealed.unwrap_or(bytes), basis, rule);
        Ok(receipt_message(self.journal.append(proposal).await.map_err(not_recorded)?))
    }

    /// Whether a command would be recorded now, so that nothing is kept for one that is refused.
    pub(super) async fn foresee<P>(&self, received: &Received<P>) -> Result<Foreseen, Problem>
    where
        P: domain::Rule + Clone + Send + Sync + 'static,
    {
        let before = Before::find(self.store.reader(), &Signed::of(received, Service::Enrollment)).await?;
        if before == Before::Itself {
            return Ok(Foreseen::RecordedBefore);
        }
        let (command, envelope) = (received.command.clone(), received.envelope.clone());
        let rule = Enrolling { command, envelope, relied_on_until: None };
        let (head, facts) = self.facts.facts(received.command.study(), &rule.needs()).await?;
        foresee(rule, head, facts.clone())?;
        before.must_be_new()?;
        Ok(Foreseen::New(facts))
    }

    pub(super) async fn create_study(&self, request: pb::CreateStudyRequest) -> Result<Receipt, Problem> {
        if request.envelope.len() > MAX_CREATE_STUDY_BYTES {
            return Err(Problem::field("MALFORMED", "envelope", "a create-study may be at most 16 KiB"));
        }
        let received = receive::<CreateStudy>(request.envelope).await?;
        // Who has not shown that the root key is theirs learns nothing of it, and takes nothing of what it may create.
        received.envelope.verify(&received.command.root_key)?;
        let (stream, request) = (received.stream(Service::Enrollment), received.command.request);
        if self.store.reader().envelope_of(stream, request).await.map_err(not_read)? != Some(received.hash) {
            if matches!(received.command.rules, None | Some(0..RULES)) {
                return Err(refused(Refusal::RulesOutdated));
            }
            self.creators.take(&received.command.root_key, caller_address(), now_ms())?;
        }
        self.append(received, None, None).await
    }
}

/// What becomes of a command.
pub(super) enum Foreseen {
    /// It was recorded before.
    RecordedBefore,
    /// It would be recorded, on these facts.
    New(Facts),
}

/// A consent in force, and until when that may be relied on, Unix milliseconds.
pub(super) struct Consented {
    head: Head,
    until: u64,
}

/// A command, as the rules of enrollment decide it.
struct Enrolling<P> {
    command: P,
    envelope: Envelope,
    /// Until when the consent it rests on may be relied on, if it rests on one, Unix milliseconds.
    relied_on_until: Option<u64>,
}

impl<P: domain::Rule + Send + 'static> Rule for Enrolling<P> {
    type Refusal = Refused;

    fn needs(&self) -> Vec<Subject> {
        self.command.needs(&self.envelope)
    }

    fn decide(self, found: Facts, next: journal::Next) -> Result<Vec<(Subject, Fact)>, Refused> {
        if self.relied_on_until.is_some_and(|until| next.time >= until) {
            return Err(Refused::DecisionTooOld);
        }
        let next = Next { number: next.number, time: next.time };
        Ok(domain::decide(&self.command, &self.envelope, &found, next)?)
    }
}
