//! The gRPC edge: decode, ask enrollment, call, encode.

mod commands;
mod decide;
mod read;
mod refusals;

use crate::{
    Config,
    store::{Consent, Files, MAX_FILE_BYTES},
};
use caller::Caller;
use facts::RemoteFacts;
use journal::Stored;
use journal_service::{Open, Opened};
use problem::Problem;
use proto::consent::{
    self as pb,
    consent_service_server::{ConsentService, ConsentServiceServer},
};
use std::sync::Arc;
use tonic::{Request, Response, Status};
use vocabulary::command as cmd;

/// The consent service over its journal.
pub(crate) fn service(journal: Consent, files: Files, config: Config) -> ConsentServiceServer<Api> {
    let inner = Inner { journal, files, enrollment: config.enrollment };
    ConsentServiceServer::new(Api(Arc::new(inner)))
        .max_decoding_message_size(admission::MAX_COMMAND_BYTES + MAX_FILE_BYTES)
}

pub(crate) struct Api(Arc<Inner>);

struct Inner {
    journal: Consent,
    files: Files,
    enrollment: RemoteFacts,
}

macro_rules! service {
    (
        commands { $($method:ident: $command:ident($request:ident) -> $response:ident,)* }
        answers { $($answer:ident($question:ident) -> $answered:ident,)* }
    ) => {
        #[tonic::async_trait]
        impl ConsentService for Api {
            $(async fn $method(&self, request: Request<pb::$request>) -> Result<Response<pb::$response>, Status> {
                let receipt = self.0.record::<cmd::$command>(request.into_inner().envelope).await?;
                Ok(Response::new(pb::$response { receipt: Some(receipt) }))
            })*

            $(async fn $answer(&self, request: Request<pb::$question>) -> Result<Response<pb::$answered>, Status> {
                let (from, request) = Caller::take(request);
                Ok(Response::new(self.0.$answer(&from, request).await?))
            })*
        }
    };
}

service! {
    commands {
        withdraw_consent: WithdrawConsent(WithdrawConsentRequest) -> WithdrawConsentResponse,
        grant_access: GrantAccess(GrantAccessRequest) -> GrantAccessResponse,
        revoke_access: RevokeAccess(RevokeAccessRequest) -> RevokeAccessResponse,
    }
    answers {
        publish_document(PublishDocumentRequest) -> PublishDocumentResponse,
        give_consent(GiveConsentRequest) -> GiveConsentResponse,
        request_consent(RequestConsentRequest) -> RequestConsentResponse,
        access_data(AccessDataRequest) -> AccessDataResponse,
        decide(DecideRequest) -> DecideResponse,
        list_documents(ListDocumentsRequest) -> ListDocumentsResponse,
        get_document(GetDocumentRequest) -> GetDocumentResponse,
        get_consent(GetConsentRequest) -> GetConsentResponse,
        list_consents(ListConsentsRequest) -> ListConsentsResponse,
        list_accesses(ListAccessesRequest) -> ListAccessesResponse,
        get_consent_copy(GetConsentCopyRequest) -> GetConsentCopyResponse,
        read_consent(ReadConsentRequest) -> ReadConsentResponse,
    }
}

fn not_found() -> Problem {
    Problem::new(tonic::Code::NotFound, "NOT_FOUND", "there is no such entry or document that the caller may see")
}

/// Envelopes are stored in the clear.
pub(crate) struct InTheClear;

#[tonic::async_trait]
impl Open for InTheClear {
    async fn open(&self, stored: &Stored) -> Option<Opened> {
        Some(Opened { envelope: stored.stored.clone(), ..Opened::default() })
    }
}
