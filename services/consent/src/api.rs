//! The gRPC edge: decode, ask enrollment, call, encode.

use crate::{
    Config,
    domain::{Next, Refusal, Rule, permits},
    store::Consent,
};
use access::{FactSource, RemoteFacts, ServiceToken};
use journal::{
    Decision, Proposal, Stored,
    api::{head_message, receipt_message},
};
use proto::{
    consent::{
        self as pb, ErrorReason,
        consent_service_server::{ConsentService, ConsentServiceServer},
    },
    types::Receipt,
};
use seal::{
    command::{self as cmd, Provision, Task},
    entry::Head,
    fact::{Fact, Facts, Subject},
    id::{Name, Service, StreamId, Uuid},
};
use server::{Problem, Received, now_ms, receive, study};
use tonic::{Code, Request, Response, Status, metadata::MetadataMap};

/// The consent service over its journal.
pub(crate) fn service(journal: Consent, config: Config) -> ConsentServiceServer<Api> {
    let api = Api { journal, enrollment: config.enrollment, services: config.services };
    ConsentServiceServer::new(api).max_decoding_message_size(server::MAX_COMMAND_BYTES)
}

pub(crate) struct Api {
    journal: Consent,
    enrollment: RemoteFacts,
    services: ServiceToken,
}

impl Api {
    async fn record<P: Rule + Send + Sync + 'static>(&self, envelope: Vec<u8>) -> Result<Receipt, Problem> {
        let received = receive::<P>(envelope)?;
        let needs = received.command.needs_enrollment(&received.envelope);
        let asked_ms = now_ms();
        let (head, facts) = self.enrollment.facts(received.command.study(), &needs).await?;
        let head = head.ok_or(Refusal::StudyUnknown)?;
        let receipt = self.journal.append(proposal(received, head, facts, asked_ms)).await?;
        Ok(receipt_message(receipt))
    }

    async fn decide(&self, metadata: &MetadataMap, request: pb::DecideRequest) -> Result<pb::DecideResponse, Problem> {
        let study = study(&request.study)?;
        let participant: Name = request
            .participant
            .parse()
            .map_err(|error: seal::id::IdError| Problem::field("MALFORMED", "participant", error.to_string()))?;
        let provision = match request.provision() {
            pb::Provision::DataCollection => Provision::data_collection(),
            pb::Provision::Unspecified => return Err(Problem::field("MALFORMED", "provision", "required")),
        };
        self.may_ask(metadata, study, &participant).await?;
        let subject = Subject::Consent(participant);
        let key = subject.map_key(study);
        let (head, found) = self.journal.reader().facts(Service::Consent.stream(study), &[key]).await?;
        let fact = found.into_iter().next().map(|(_, bytes)| bytes);
        let refusal = permits(fact.as_deref().and_then(Fact::parse).as_ref(), provision).err();
        let reason = match refusal {
            None => ErrorReason::Unspecified,
            Some(Refusal::ConsentWithdrawn) => ErrorReason::ConsentWithdrawn,
            Some(_) => ErrorReason::ConsentMissing,
        };
        Ok(pb::DecideResponse {
            permitted: reason == ErrorReason::Unspecified,
            reason: reason.into(),
            head: head.map(head_message),
            fact: fact.unwrap_or_default(),
            fact_key: key.0.to_vec(),
        })
    }

    async fn may_ask(&self, metadata: &MetadataMap, study: Uuid, participant: &Name) -> Result<(), Problem> {
        if self.services.admits(metadata) {
            return Ok(());
        }
        let now = now_ms();
        let caller = access::actor(metadata, study, &self.enrollment, now).await?;
        if caller == *participant {
            return Ok(());
        }
        let (_, facts) = self.enrollment.facts(study, &[Subject::Participant(participant.clone())]).await?;
        let everywhere = Name::all_sites();
        let site = facts.site_of(participant).unwrap_or(&everywhere);
        Ok(access::holds_any(&caller, study, &[Task::Capture, Task::Read], site, &self.enrollment, now).await?)
    }
}

fn proposal<P: Rule + Send + Sync + 'static>(
    received: Received<P>,
    head: Head,
    enrollment: Facts,
    asked_ms: u64,
) -> Proposal<Refusal> {
    let study = received.command.study();
    let stream = received.stream(Service::Consent);
    let Received { bytes, hash, envelope, command } = received;
    let needs = command.needs();
    let reads: Vec<_> = needs.iter().map(|subject| subject.map_key(study)).collect();
    let (request, keys) = (command.request(), reads.clone());
    let rule = move |found: &journal::Found, next: journal::Next| {
        if next.time > asked_ms.saturating_add(seal::MAX_DECISION_USE_MS) {
            return Err(Refusal::DecisionTooOld);
        }
        let mut facts = enrollment;
        for (subject, key) in needs.iter().zip(&keys) {
            if let Some(fact) = found.0.get(key).and_then(|bytes| Fact::parse(bytes)) {
                facts.set(subject.clone(), fact);
            }
        }
        let changes = command.decide(&envelope, &facts, Next { number: next.number, time: next.time })?;
        let facts = changes.iter().map(|(subject, fact)| (subject.map_key(study), fact.to_bytes())).collect();
        Ok(Decision { facts })
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

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let said = refusal.to_string();
        match refusal {
            Refusal::Unauthorised(error) => error.into(),
            Refusal::StudyUnknown => Problem::new(Code::NotFound, "STUDY_UNKNOWN", said),
            Refusal::DocumentExists => Problem::new(Code::AlreadyExists, "DOCUMENT_EXISTS", said),
            Refusal::DocumentUnknown => Problem::new(Code::NotFound, "DOCUMENT_UNKNOWN", said),
            Refusal::NotEnrolled => Problem::new(Code::FailedPrecondition, "PARTICIPANT_NOT_ENROLLED", said),
            Refusal::SiteNotOpen => Problem::new(Code::FailedPrecondition, "SITE_NOT_OPEN", said),
            Refusal::ConsentMissing => Problem::new(Code::FailedPrecondition, "CONSENT_MISSING", said),
            Refusal::ConsentWithdrawn => Problem::new(Code::FailedPrecondition, "CONSENT_WITHDRAWN", said),
            Refusal::DecisionTooOld => Problem::unavailable("DEPENDENCY_UNAVAILABLE", said),
            Refusal::Malformed { field, what } => {
                Problem::field("MALFORMED", format!("envelope.payload.{field}"), what)
            }
        }
    }
}

macro_rules! commands {
    ($($method:ident: $command:ident($request:ident) -> $response:ident,)*) => {
        #[tonic::async_trait]
        impl ConsentService for Api {
            $(async fn $method(&self, request: Request<pb::$request>) -> Result<Response<pb::$response>, Status> {
                let receipt = self.record::<cmd::$command>(request.into_inner().envelope).await?;
                Ok(Response::new(pb::$response { receipt: Some(receipt) }))
            })*

            async fn decide(&self, request: Request<pb::DecideRequest>) -> Result<Response<pb::DecideResponse>, Status> {
                let (metadata, _, request) = request.into_parts();
                Ok(Response::new(Api::decide(self, &metadata, request).await?))
            }
        }
    };
}

commands! {
    publish_document: PublishDocument(PublishDocumentRequest) -> PublishDocumentResponse,
    give_consent: GiveConsent(GiveConsentRequest) -> GiveConsentResponse,
    withdraw_consent: WithdrawConsent(WithdrawConsentRequest) -> WithdrawConsentResponse,
}

/// Who reads the consent journal.
pub(crate) struct Keeper {
    pub(crate) enrollment: RemoteFacts,
    pub(crate) services: ServiceToken,
}

#[tonic::async_trait]
impl journal::api::Keeper for Keeper {
    async fn admit(&self, metadata: &MetadataMap, stream: StreamId, study: &str) -> Result<(), Status> {
        Ok(server::admit_auditor(metadata, &self.services, &self.enrollment, Service::Consent, (stream, study)).await?)
    }

    fn admit_service(&self, metadata: &MetadataMap) -> Result<(), Status> {
        Ok(server::admit_service(metadata, &self.services)?)
    }

    async fn open(&self, _: StreamId, stored: &Stored) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
        Some((stored.stored.clone(), Vec::new()))
    }
}
