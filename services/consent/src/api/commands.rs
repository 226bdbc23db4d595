//! Commands: each asks enrollment for the facts it needs, and is recorded.

use super::{Inner, problem::refused};
use crate::{
    copy,
    domain::{self, Next, Refusal, Refused, Rule},
    store::MAX_FILE_BYTES,
};
use access::{Caller, FactSource};
use journal::{AppendError, Appended, Decision, Proposal, api::receipt_message};
use proto::{consent as pb, types::Receipt};
use seal::{
    MAX_ACCESS_AHEAD_MS,
    entry::{Entry, Head},
    id::Service,
    sha256,
};
use server::{Problem, Received, now_ms, receive};
use tonic::Code;
use vocabulary::{
    command::{AccessData, GiveConsent, PublishDocument, RequestConsent},
    fact::{Fact, Facts},
};

impl Inner {
    pub(super) async fn record<P: Rule + Send + Sync + 'static>(&self, envelope: Vec<u8>) -> Result<Receipt, Problem> {
        self.recorded(receive::<P>(envelope).await?).await
    }

    async fn recorded<P: Rule + Send + Sync + 'static>(&self, received: Received<P>) -> Result<Receipt, Problem> {
        Ok(receipt_message(self.appended(received).await?.receipt))
    }

    async fn appended<P: Rule + Send + Sync + 'static>(&self, received: Received<P>) -> Result<Appended, Problem> {
        let needs = received.command.needs_enrollment(&received.envelope);
        let asked_ms = now_ms();
        let (head, facts) = self.enrollment.facts(received.command.study(), &needs).await?;
        let head = head.ok_or_else(|| refused(Refusal::StudyUnknown))?;
        Ok(self.journal.append_noting(proposal(received, head, facts, asked_ms)).await?)
    }

    pub(super) async fn publish_document(
        &self,
        _: &Caller,
        request: pb::PublishDocumentRequest,
    ) -> Result<pb::PublishDocumentResponse, Problem> {
        let received = receive::<PublishDocument>(request.envelope).await?;
        if received.command.terms.is_some() {
            self.foresee(&received).await?;
            self.keep(&received.command, request.file).await?;
        }
        Ok(pb::PublishDocumentResponse { receipt: Some(self.recorded(received).await?) })
    }

    /// Checks that a command would be recorded now, so that nothing is kept for one that is refused. One that was recorded
    /// before passes: the journal answers it.
    async fn foresee<P: Rule + Sync>(&self, received: &Received<P>) -> Result<(), Problem> {
        let (command, stream) = (&received.command, received.stream(Service::Consent));
        let before = self.journal.reader().envelope_of(stream, command.request()).await?;
        if before == Some(received.hash) {
            return Ok(());
        }
        let study = command.study();
        let (_, mut facts) = self.enrollment.facts(study, &command.needs_enrollment(&received.envelope)).await?;
        let (head, own) = self.own_facts(study, &command.needs(&facts)).await?;
        facts.extend(own);
        let next = Next { number: head.map_or(0, |head| head.number + 1), time: now_ms() };
        domain::decide(command, &received.envelope, &facts, next).map_err(refused)?;
        match before {
            None => Ok(()),
            Some(_) => Err(AppendError::<Refused>::RequestReused.into()), // only now: said to who may record this
        }
    }

    /// Makes the document's file durable.
    async fn keep(&self, command: &PublishDocument, file: Vec<u8>) -> Result<(), Problem> {
        let hash = command.content.0;
        if file.len() > MAX_FILE_BYTES || (!file.is_empty() && sha256(&[&file]) != hash) {
            return Err(Problem::field("MALFORMED", "file", "larger than 8 MiB, or its SHA-256 is not the signed one"));
        }
        let kept = if file.is_empty() {
            self.files.get(&hash).await.map(|found| found.is_some())
        } else {
            self.files.keep(&hash, file).await.map(|()| true)
        };
        match kept {
            Ok(true) => Ok(()),
            Ok(false) => {
                let what = "send the document's file with the command: it is not kept here yet";
                Err(Problem::new(Code::FailedPrecondition, "DOCUMENT_FILE_MISSING", what))
            }
            Err(error) => {
                tracing::error!(%error, "the documents' files cannot be written or read");
                Err(Problem::unavailable("STORAGE_UNAVAILABLE", "the document cannot be stored now: try again"))
            }
        }
    }

    pub(super) async fn give_consent(
        &self,
        _: &Caller,
        request: pb::GiveConsentRequest,
    ) -> Result<pb::GiveConsentResponse, Problem> {
        let received = receive::<GiveConsent>(request.envelope).await?;
        let (study, manner) = (received.command.study, received.command.manner.is_some());
        let receipt = self.recorded(received).await?;
        if !manner {
            return Ok(pb::GiveConsentResponse { receipt: Some(receipt), ..Default::default() });
        }
        let number = Entry::parse(&receipt.entry).map(|entry| entry.number).map_err(|_| super::not_found())?;
        let consent = self.consent(study, number).await?;
        Ok(pb::GiveConsentResponse {
            receipt: Some(receipt),
            copy: copy::words(&consent),
            machine_copy: copy::receipt(&consent, now_ms()),
        })
    }

    pub(super) async fn access_data(
        &self,
        _: &Caller,
        request: pb::AccessDataRequest,
    ) -> Result<pb::AccessDataResponse, Problem> {
        let received = receive::<AccessData>(request.envelope).await?;
        if received.command.time > now_ms().saturating_add(MAX_ACCESS_AHEAD_MS) {
            return Err(refused(Refusal::AccessAhead)); // whatever rules the study runs under
        }
        let Appended { receipt, repeated } = self.appended(received).await?;
        Ok(pb::AccessDataResponse { receipt: Some(receipt_message(receipt)), recorded_before: repeated })
    }

    pub(super) async fn request_consent(
        &self,
        _: &Caller,
        request: pb::RequestConsentRequest,
    ) -> Result<pb::RequestConsentResponse, Problem> {
        let received = receive::<RequestConsent>(request.envelope).await?;
        let (said, stream) = (&received.command, received.stream(Service::Consent));
        // What was recorded before the resource ended is answered with its receipt afterwards too.
        if self.journal.reader().recorded(stream, &[said.request.0]).await?.is_empty() {
            states(&request.resource, said)?;
        }
        Ok(pb::RequestConsentResponse { receipt: Some(self.recorded(received).await?) })
    }
}

/// Checks that a resource is in force, and states what a command says of it.
fn states(resource: &[u8], said: &RequestConsent) -> Result<(), Problem> {
    let read = copy::read_fhir(resource, now_ms())?;
    if read.ended {
        return Err(super::problem::resource_ended());
    }
    if said.source.as_str() != copy::FHIR_R4 || read.content != said.content.0 || read.provisions != said.provisions {
        let what = "source, content and provisions are those of the resource, as ReadConsent says them now";
        return Err(Problem::field("MALFORMED", "envelope.payload.provisions", what));
    }
    Ok(())
}

fn proposal<P: Rule + Send + Sync + 'static>(
    received: Received<P>,
    head: Head,
    enrollment: Facts,
    asked_ms: u64,
) -> Proposal<Refused> {
    let study = received.command.study();
    let stream = received.stream(Service::Consent);
    let Received { bytes, hash, envelope, command } = received;
    let needs = command.needs(&enrollment);
    let reads: Vec<_> = needs.iter().map(|subject| subject.map_key(study)).collect();
    let (request, keys) = (command.request(), reads.clone());
    let rule = move |found: &journal::Found, next: journal::Next| {
        if next.time > asked_ms.saturating_add(seal::MAX_DECISION_USE_MS) {
            return Err(Refused::DecisionTooOld);
        }
        let mut facts = enrollment;
        for (subject, key) in needs.iter().zip(&keys) {
            if let Some(fact) = found.0.get(key).and_then(|bytes| Fact::parse(bytes)) {
                facts.set(subject.clone(), fact);
            }
        }
        let changes = domain::decide(&command, &envelope, &facts, Next { number: next.number, time: next.time })?;
        let facts = changes.iter().map(|(subject, fact)| (subject.map_key(study), fact.to_bytes())).collect();
        Ok(Decision { facts, ..Decision::default() })
    };
    Proposal {
        stream,
        request,
        kind: P::KIND,
        envelope: hash,
        stored: bytes,
        basis: vec![head],
        reads,
        rule: Box::new(rule),
    }
}
