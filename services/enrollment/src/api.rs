//! The gRPC edge: decode, authorise, call, encode.

mod problem;

use crate::{
    domain::{Next, Refusal, Rule},
    store::{Enrollment, LocalFacts},
};
use access::ServiceToken;
use journal::{
    Decision, Proposal, Stored,
    api::{Opened, receipt_message},
};
use proto::{
    enrollment::{
        self as pb,
        enrollment_service_server::{EnrollmentService, EnrollmentServiceServer},
    },
    types::Receipt,
};
use seal::{
    command as cmd,
    fact::{Fact, Facts},
    id::{Service, StreamId},
};
use server::{Problem, Received, receive};
use tonic::{Request, Response, Status, metadata::MetadataMap};

/// The enrollment service over its journal.
pub(crate) fn service(journal: Enrollment) -> EnrollmentServiceServer<Api> {
    EnrollmentServiceServer::new(Api { journal }).max_decoding_message_size(server::MAX_COMMAND_BYTES)
}

pub(crate) struct Api {
    journal: Enrollment,
}

impl Api {
    async fn record<P: Rule + Send + Sync + 'static>(&self, envelope: Vec<u8>) -> Result<Receipt, Problem> {
        let received = receive::<P>(envelope)?;
        let receipt = self.journal.append(proposal(received)).await?;
        Ok(receipt_message(receipt))
    }
}

fn proposal<P: Rule + Send + Sync + 'static>(received: Received<P>) -> Proposal<Refusal> {
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
        stored: bytes,
        basis: Vec::new(),
        reads,
        rule: Box::new(rule),
    }
}

macro_rules! commands {
    ($($method:ident: $command:ident($request:ident) -> $response:ident,)*) => {
        #[tonic::async_trait]
        impl EnrollmentService for Api {
            $(async fn $method(&self, request: Request<pb::$request>) -> Result<Response<pb::$response>, Status> {
                let receipt = self.record::<cmd::$command>(request.into_inner().envelope).await?;
                Ok(Response::new(pb::$response { receipt: Some(receipt) }))
            })*
        }
    };
}

commands! {
    create_study: CreateStudy(CreateStudyRequest) -> CreateStudyResponse,
    add_protocol_version: AddProtocolVersion(AddProtocolVersionRequest) -> AddProtocolVersionResponse,
    add_site: AddSite(AddSiteRequest) -> AddSiteResponse,
    activate_site: ActivateSite(ActivateSiteRequest) -> ActivateSiteResponse,
    close_site: CloseSite(CloseSiteRequest) -> CloseSiteResponse,
    register_actor: RegisterActor(RegisterActorRequest) -> RegisterActorResponse,
    rotate_key: RotateKey(RotateKeyRequest) -> RotateKeyResponse,
    revoke_key: RevokeKey(RevokeKeyRequest) -> RevokeKeyResponse,
    delegate: Delegate(DelegateRequest) -> DelegateResponse,
    end_delegation: EndDelegation(EndDelegationRequest) -> EndDelegationResponse,
    enrol_participant: EnrolParticipant(EnrolParticipantRequest) -> EnrolParticipantResponse,
    withdraw_participant: WithdrawParticipant(WithdrawParticipantRequest) -> WithdrawParticipantResponse,
}

/// Who reads the enrollment journal.
pub(crate) struct Keeper {
    pub(crate) facts: LocalFacts,
    pub(crate) services: ServiceToken,
}

#[tonic::async_trait]
impl journal::api::Keeper for Keeper {
    async fn admit(&self, metadata: &MetadataMap, stream: StreamId, study: &str, _: bool) -> Result<(), Status> {
        let of = (Service::Enrollment, stream, study);
        Ok(server::admit_auditor(metadata, &self.services, &self.facts, None, of).await?)
    }

    fn admit_service(&self, metadata: &MetadataMap) -> Result<(), Status> {
        Ok(server::admit_service(metadata, &self.services)?)
    }

    async fn open(&self, _: StreamId, stored: &Stored) -> Option<Opened> {
        Some(Opened { envelope: stored.stored.clone(), ..Opened::default() })
    }
}
