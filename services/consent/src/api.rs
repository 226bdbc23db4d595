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
        plain { $($plain:ident $plain_rpc:ident($plain_request:ident) -> $plain_response:ident: [$($_p:ident),*] $_ps:literal;)* }
        checked { $($_c:ident $checked:ident($checked_request:ident) -> $checked_response:ident: [$($_ct:ident),*] $_cs:literal;)* }
        attached { $($_a:ident $attached:ident($attached_request:ident) -> $attached_response:ident: [$($_at:ident),*] $_as:literal;)* }
        reads { $($read:ident($read_request:ident) -> $read_response:ident,)* }
    ) => {
        #[tonic::async_trait]
        impl ConsentService for Api {
            $(async fn $plain_rpc(
                &self,
                request: Request<pb::$plain_request>,
            ) -> Result<Response<pb::$plain_response>, Status> {
                let receipt = self.0.record::<cmd::$plain>(request.into_inner().envelope).await?;
                Ok(Response::new(pb::$plain_response { receipt: Some(receipt) }))
            })*
            $(async fn $checked(
                &self,
                request: Request<pb::$checked_request>,
            ) -> Result<Response<pb::$checked_response>, Status> {
                Ok(Response::new(self.0.$checked(request.into_inner()).await?))
            })*
            $(async fn $attached(
                &self,
                request: Request<pb::$attached_request>,
            ) -> Result<Response<pb::$attached_response>, Status> {
                Ok(Response::new(self.0.$attached(request.into_inner()).await?))
            })*
            $(async fn $read(
                &self,
                request: Request<pb::$read_request>,
            ) -> Result<Response<pb::$read_response>, Status> {
                let (from, request) = Caller::take(request);
                Ok(Response::new(self.0.$read(&from, request).await?))
            })*
        }
    };
}

vocabulary::consent_commands! { service
    reads {
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
