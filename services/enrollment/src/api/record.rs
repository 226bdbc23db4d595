//! Recording commands.

use super::Inner;
use crate::domain::{Next, Refusal, Rule};
use access::FactSource;
use journal::{Decision, Proposal, api::receipt_message};
use proto::{enrollment as pb, types::Receipt};
use seal::{
    command::{CreateStudy, RULES},
    fact::{Fact, Facts},
    id::Service,
};
use server::{Problem, Received, now_ms, receive};

impl Inner {
    /// Records a command as it was received.
    pub(super) async fn record<P: Rule + Send + Sync + 'static>(&self, envelope: Vec<u8>) -> Result<Receipt, Problem> {
        self.append(receive::<P>(envelope)?, None).await
    }

    /// Records a command; `sealed` is what is stored instead of its envelope.
    pub(super) async fn append<P: Rule + Send + Sync + 'static>(
        &self,
        received: Received<P>,
        sealed: Option<Vec<u8>>,
    ) -> Result<Receipt, Problem> {
        Ok(receipt_message(self.journal.append(proposal(received, sealed)).await?))
    }

    /// Whether a command would be recorded now, so that nothing is kept for one that is refused. Says no more of one that
    /// was recorded before: the journal then answers with the first receipt, and decides nothing anew.
    pub(super) async fn foresee<P: Rule + Sync>(&self, received: &Received<P>) -> Result<Foreseen, Problem> {
        let (command, stream) = (&received.command, received.stream(Service::Enrollment));
        let before = self.store.reader().recorded(stream, &[command.request().0]).await?;
        if !before.is_empty() {
            return Ok(Foreseen::RecordedBefore);
        }
        let (head, facts) = self.facts.facts(command.study(), &command.needs(&received.envelope)).await?;
        let next = Next { number: head.map_or(0, |head| head.number + 1), time: now_ms() };
        command.decide(&received.envelope, &facts, next)?;
        Ok(Foreseen::New(facts))
    }

    pub(super) async fn create_study(&self, request: pb::CreateStudyRequest) -> Result<Receipt, Problem> {
        let received = receive::<CreateStudy>(request.envelope)?;
        match received.command.rules {
            None | Some(0..RULES) => Err(Refusal::RulesOutdated.into()),
            Some(_) => self.append(received, None).await,
        }
    }
}

/// What becomes of a command.
pub(super) enum Foreseen {
    /// It was recorded before.
    RecordedBefore,
    /// It would be recorded, on these facts.
    New(Facts),
}

fn proposal<P: Rule + Send + Sync + 'static>(received: Received<P>, sealed: Option<Vec<u8>>) -> Proposal<Refusal> {
    let study = received.command.study();
    let stream = received.stream(Service::Enrollment);
    let Received { bytes, hash, envelope, command } = received;
    let needs = command.needs(&envelope);
    let reads: Vec<_> = needs.iter().map(|subject| subject.map_key(study)).collect();
    let (request, keys) = (command.request(), reads.clone());
    let rule = move |found: &journal::Found, next: journal::Next| {
        let facts: Facts = needs
            .iter()
            .zip(&keys)
            .filter_map(|(subject, key)| Some((subject.clone(), Fact::parse(found.0.get(key)?)?)))
            .collect();
        let changes = command.decide(&envelope, &facts, Next { number: next.number, time: next.time })?;
        let facts = changes.iter().map(|(subject, fact)| (subject.map_key(study), fact.to_bytes())).collect();
        Ok(Decision { facts, ..Decision::default() })
    };
    Proposal {
        stream,
        request,
        kind: P::KIND,
        envelope: hash,
        stored: sealed.unwrap_or(bytes),
        basis: Vec::new(),
        reads,
        rule: Box::new(rule),
    }
}
