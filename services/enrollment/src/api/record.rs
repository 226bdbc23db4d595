//! Recording commands.

use super::{Inner, problem::refused};
use crate::domain::{self, Next, Refusal, Refused, Rule};
use access::FactSource;
use journal::{AppendError, Decision, Proposal, api::receipt_message};
use proto::{enrollment as pb, types::Receipt};
use seal::{
    MAX_DECISION_USE_MS,
    entry::Head,
    id::{Name, Service, Uuid},
};
use server::{Problem, Received, caller_address, now_ms, receive};
use vocabulary::{
    command::{CreateStudy, Provision, RULES, Randomise},
    consent::NotInForce,
    fact::{Fact, Facts},
};

/// The largest envelope of a `create-study`, which is tiny: it comes from somebody who is nobody in any study yet.
const MAX_CREATE_STUDY_BYTES: usize = 16 << 10;

impl Inner {
    /// Records a command as it was received.
    pub(super) async fn record<P: Rule + Send + Sync + 'static>(&self, envelope: Vec<u8>) -> Result<Receipt, Problem> {
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
    pub(super) async fn append<P: Rule + Send + Sync + 'static>(
        &self,
        received: Received<P>,
        sealed: Option<Vec<u8>>,
        consented: Option<Consented>,
    ) -> Result<Receipt, Problem> {
        Ok(receipt_message(self.journal.append(proposal(received, sealed, consented)).await?))
    }

    /// Whether a command would be recorded now, so that nothing is kept for one that is refused. Says no more of one that
    /// was recorded before: the journal then answers with the first receipt, and decides nothing anew.
    pub(super) async fn foresee<P: Rule + Sync>(&self, received: &Received<P>) -> Result<Foreseen, Problem> {
        let (command, stream) = (&received.command, received.stream(Service::Enrollment));
        let before = self.store.reader().envelope_of(stream, command.request()).await?;
        if before == Some(received.hash) {
            return Ok(Foreseen::RecordedBefore);
        }
        let (head, facts) = self.facts.facts(command.study(), &command.needs(&received.envelope)).await?;
        let next = Next { number: head.map_or(0, |head| head.number + 1), time: now_ms() };
        domain::decide(command, &received.envelope, &facts, next).map_err(refused)?;
        match before {
            None => Ok(Foreseen::New(facts)),
            Some(_) => Err(AppendError::<Refused>::RequestReused.into()), // only now: said to who may record this
        }
    }

    pub(super) async fn create_study(&self, request: pb::CreateStudyRequest) -> Result<Receipt, Problem> {
        if request.envelope.len() > MAX_CREATE_STUDY_BYTES {
            return Err(Problem::field("MALFORMED", "envelope", "a create-study may be at most 16 KiB"));
        }
        let received = receive::<CreateStudy>(request.envelope).await?;
        // Who has not shown that the root key is theirs learns nothing of it, and takes nothing of what it may create.
        received.envelope.verify(&received.command.root_key)?;
        let (stream, request) = (received.stream(Service::Enrollment), received.command.request);
        if self.store.reader().envelope_of(stream, request).await? != Some(received.hash) {
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

fn proposal<P: Rule + Send + Sync + 'static>(
    received: Received<P>,
    sealed: Option<Vec<u8>>,
    consented: Option<Consented>,
) -> Proposal<Refused> {
    let study = received.command.study();
    let stream = received.stream(Service::Enrollment);
    let Received { bytes, hash, envelope, command } = received;
    let needs = command.needs(&envelope);
    let reads: Vec<_> = needs.iter().map(|subject| subject.map_key(study)).collect();
    let (request, keys) = (command.request(), reads.clone());
    let until = consented.as_ref().map(|consented| consented.until);
    let rule = move |found: &journal::Found, next: journal::Next| {
        if until.is_some_and(|until| next.time >= until) {
            return Err(Refused::DecisionTooOld);
        }
        let facts: Facts = needs
            .iter()
            .zip(&keys)
            .filter_map(|(subject, key)| Some((subject.clone(), Fact::parse(found.0.get(key)?)?)))
            .collect();
        let changes = domain::decide(&command, &envelope, &facts, Next { number: next.number, time: next.time })?;
        let facts = changes.iter().map(|(subject, fact)| (subject.map_key(study), fact.to_bytes())).collect();
        Ok(Decision { facts, ..Decision::default() })
    };
    Proposal {
        stream,
        request,
        kind: P::KIND,
        envelope: hash,
        stored: sealed.unwrap_or(bytes),
        basis: consented.into_iter().map(|consented| consented.head).collect(),
        reads,
        rule: Box::new(rule),
    }
}
