//! The gRPC edge: decode, ask enrollment, call, encode.

mod commands;
mod decide;
mod problem;
mod read;

use crate::{
    Config,
    store::{Consent, Files, MAX_FILE_BYTES},
};
use access::{Caller, RemoteFacts};
use journal::{
    Stored,
    api::{Call, Opened},
};
use proto::consent::{
    self as pb,
    consent_service_server::{ConsentService, ConsentServiceServer},
};
use seal::id::{Service, StreamId};
use server::Problem;
use std::sync::Arc;
use tonic::{Request, Response, Status};
use vocabulary::command as cmd;

/// The consent service over its journal.
pub(crate) fn service(journal: Consent, files: Files, config: Config) -> ConsentServiceServer<Api> {
    let inner = Inner { journal, files, enrollment: config.enrollment };
    ConsentServiceServer::new(Api(Arc::new(inner)))
        .max_decoding_message_size(server::MAX_COMMAND_BYTES + MAX_FILE_BYTES)
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

/// Who reads the consent journal.
pub(crate) struct Keeper {
    pub(crate) enrollment: RemoteFacts,
}

#[tonic::async_trait]
impl journal::api::Keeper for Keeper {
    async fn admit(
        &self,
        (metadata, extensions): Call<'_>,
        stream: StreamId,
        study: &str,
        _: bool,
    ) -> Result<(), Status> {
        let of = (Service::Consent, stream, study);
        let from = Caller::of(metadata, extensions);
        Ok(server::admit_auditor(&from, &self.enrollment, None, of).await?)
    }

    fn admit_service(&self, (metadata, extensions): Call<'_>) -> Result<(), Status> {
        Ok(server::admit_service(&Caller::of(metadata, extensions))?)
    }

    async fn open(&self, _: StreamId, stored: &Stored) -> Option<Opened> {
        Some(Opened { envelope: stored.stored.clone(), ..Opened::default() })
    }
}
