//! Commands: each asks enrollment for the facts it needs, and is recorded.

use super::{Inner, refusals::refused};
use crate::{
    copy,
    domain::{self, Next, Refusal, Refused},
    store::MAX_FILE_BYTES,
};
use admission::{Received, receive};
use clock::now_ms;
use facts::FactSource;
use journal::Appended;
use journal_service::not_read;
use messages::receipt_message;
use problem::Problem;
use proto::{consent as pb, types::Receipt};
use record::{Before, Rule, Signed, foresee, is_too_old, not_recorded};
use seal::{MAX_ACCESS_AHEAD_MS, dsse::Envelope, entry::Entry, id::Service, sha256};
use tonic::Code;
use vocabulary::{
    command::{AccessData, GiveConsent, PublishDocument, RequestConsent},
    fact::{Fact, Facts},
    subject::Subject,
};

impl Inner {
    pub(super) async fn record<P: domain::Rule + Send + Sync + 'static>(
        &self,
        envelope: Vec<u8>,
    ) -> Result<Receipt, Problem> {
        self.recorded(receive::<P>(envelope).await?).await
    }

    async fn recorded<P: domain::Rule + Send + Sync + 'static>(
        &self,
        received: Received<P>,
    ) -> Result<Receipt, Problem> {
        Ok(receipt_message(self.appended(received).await?.receipt))
    }

    async fn appended<P: domain::Rule + Send + Sync + 'static>(
        &self,
        received: Received<P>,
    ) -> Result<Appended, Problem> {
        let needs = received.command.needs_enrollment(&received.envelope);
        let asked_ms = now_ms();
        let (head, facts) = self.enrollment.facts(received.command.study(), &needs).await?;
        let head = head.ok_or_else(|| refused(Refusal::StudyUnknown))?;
        let signed = Signed::of(&received, Service::Consent);
        let Received { bytes, envelope, command, .. } = received;
        let rule = Consenting { command, envelope, enrollment: facts, asked_ms };
        self.journal.append_noting(signed.propose(bytes, vec![head], rule)).await.map_err(not_recorded)
    }

    pub(super) async fn publish_document(
        &self,
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
    async fn foresee<P>(&self, received: &Received<P>) -> Result<(), Problem>
    where
        P: domain::Rule + Clone + Send + Sync + 'static,
    {
        let before = Before::find(self.journal.reader(), &Signed::of(received, Service::Consent)).await?;
        if before == Before::Itself {
            return Ok(());
        }
        let (command, envelope) = (received.command.clone(), received.envelope.clone());
        let (study, asked_ms) = (command.study(), now_ms());
        let (_, enrollment) = self.enrollment.facts(study, &command.needs_enrollment(&envelope)).await?;
        let rule = Consenting { command, envelope, enrollment, asked_ms };
        let (head, own) = self.own_facts(study, &rule.needs()).await?;
        foresee(rule, head, own)?;
        before.must_be_new()
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

    pub(super) async fn access_data(&self, request: pb::AccessDataRequest) -> Result<pb::AccessDataResponse, Problem> {
        let received = receive::<AccessData>(request.envelope).await?;
        if received.command.time > now_ms().saturating_add(MAX_ACCESS_AHEAD_MS) {
            return Err(refused(Refusal::AccessAhead)); // whatever rules the study runs under
        }
        let Appended { receipt, repeated } = self.appended(received).await?;
        Ok(pb::AccessDataResponse { receipt: Some(receipt_message(receipt)), recorded_before: repeated })
    }

    pub(super) async fn request_consent(
        &self,
        request: pb::RequestConsentRequest,
    ) -> Result<pb::RequestConsentResponse, Problem> {
        let received = receive::<RequestConsent>(request.envelope).await?;
        let (said, stream) = (&received.command, received.stream(Service::Consent));
        // What was recorded before the resource ended is answered with its receipt afterwards too.
        if self.journal.reader().recorded(stream, &[said.request.0]).await.map_err(not_read)?.is_empty() {
            states(&request.resource, said)?;
        }
        Ok(pb::RequestConsentResponse { receipt: Some(self.recorded(received).await?) })
    }
}

/// Checks that a resource is in force, and states what a command says of it.
fn states(resource: &[u8], said: &RequestConsent) -> Result<(), Problem> {
    let read = copy::read_fhir(resource, now_ms())?;
    if read.ended {
        return Err(super::refusals::resource_ended());
    }
    if said.source.as_str() != copy::FHIR_R4 || read.content != said.content.0 || read.provisions != said.provisions {
        let what = "source, content and provisions are those of the resource, as ReadConsent says them now";
        return Err(Problem::field("MALFORMED", "envelope.payload.provisions", what));
    }
    Ok(())
}

/// A command, as the rules of consent decide it.
struct Consenting<P> {
    command: P,
    envelope: Envelope,
    /// What the enrollment journal says, asked for at `asked_ms`.
    enrollment: Facts,
    asked_ms: u64,
}

impl<P: domain::Rule + Send + 'static> Rule for Consenting<P> {
    type Refusal = Refused;

    fn needs(&self) -> Vec<Subject> {
        self.command.needs(&self.enrollment)
    }

    fn decide(self, found: Facts, next: journal::Next) -> Result<Vec<(Subject, Fact)>, Refused> {
        if is_too_old(self.asked_ms, next) {
            return Err(Refused::DecisionTooOld);
        }
        let mut facts = self.enrollment;
        facts.extend(found);
        let next = Next { number: next.number, time: next.time };
        Ok(domain::decide(&self.command, &self.envelope, &facts, next)?)
    }
}
