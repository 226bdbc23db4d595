//! The gRPC edge: decode, authorise, call, encode.

mod forms;
mod lookup;
mod order;
mod read;
mod refusals;
mod sight;
mod stream;
mod submit;
mod withheld;

use crate::{
    Config,
    gate::Gate,
    store::{Capture, Store},
};
use access::AccessLog;
use caller::Caller;
use content::{Content, Kept};
use facts::{Consents, RemoteFacts};
use journal::Stored;
use journal_service::{Open, Opened};
use moka::sync::Cache;
use proto::capture::{
    self as pb,
    capture_service_server::{CaptureService, CaptureServiceServer},
};
use seal::id::{Name, Uuid};
use std::sync::Arc;
use tonic::{Request, Response, Status, Streaming};
use vocabulary::command::DefineForms;

/// Form definitions kept in memory.
const FORMS_KEPT: u64 = 256;
/// First consents of participants kept in memory.
const FIRST_CONSENTS_KEPT: u64 = 100_000;

/// The capture service over its journal.
pub(crate) fn service(journal: Capture, store: Store, config: Config) -> CaptureServiceServer<Api> {
    let gate = Gate::new(&config);
    let consents = Consents::new(config.consent_channel.clone(), config.services.clone());
    CaptureServiceServer::new(Api(Arc::new(Inner {
        journal,
        store,
        gate,
        enrollment: config.enrollment,
        accesses: AccessLog::new(config.consent_channel),
        forms: Cache::new(FORMS_KEPT),
        consents,
        first_consents: Cache::new(FIRST_CONSENTS_KEPT),
    })))
}

/// The service. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Api(Arc<Inner>);

pub(crate) struct Inner {
    journal: Capture,
    store: Store,
    gate: Gate,
    enrollment: RemoteFacts,
    accesses: AccessLog,
    forms: Cache<(Uuid, Name), Arc<DefineForms>>,
    consents: Consents,
    first_consents: Cache<(Uuid, Name), u64>,
}

#[tonic::async_trait]
impl CaptureService for Api {
    type SubmitFormsStream = stream::Answers;

    async fn define_forms(
        &self,
        request: Request<pb::DefineFormsRequest>,
    ) -> Result<Response<pb::DefineFormsResponse>, Status> {
        let receipt = self.0.define_forms(request.into_inner().envelope).await?;
        Ok(Response::new(pb::DefineFormsResponse { receipt: Some(receipt) }))
    }

    async fn submit_form(
        &self,
        request: Request<pb::SubmitFormRequest>,
    ) -> Result<Response<pb::SubmitFormResponse>, Status> {
        let pb::SubmitFormRequest { envelope, datapoints } = request.into_inner();
        let (receipt, reconsent_by) = self.0.submit(envelope, datapoints).await?;
        let reconsent_by_ms = reconsent_by.unwrap_or(0);
        Ok(Response::new(pb::SubmitFormResponse { receipt: Some(receipt), reconsent_by_ms }))
    }

    async fn submit_forms(
        &self,
        request: Request<Streaming<pb::SubmitFormsRequest>>,
    ) -> Result<Response<stream::Answers>, Status> {
        Ok(Response::new(stream::answers(self.0.clone(), request.into_inner())))
    }

    async fn redact_value(
        &self,
        request: Request<pb::RedactValueRequest>,
    ) -> Result<Response<pb::RedactValueResponse>, Status> {
        let receipt = self.0.redact_value(request.into_inner().envelope).await?;
        Ok(Response::new(pb::RedactValueResponse { receipt: Some(receipt) }))
    }

    async fn erase_participant(
        &self,
        request: Request<pb::EraseParticipantRequest>,
    ) -> Result<Response<pb::EraseParticipantResponse>, Status> {
        // In a task of its own: a caller who hangs up does not leave an erasure recorded and not done.
        let inner = self.0.clone();
        let erasing = async move { inner.erase_participant(request.into_inner().envelope).await };
        let done = tokio::spawn(server::carry(erasing));
        let receipt = done.await.map_err(|_| Status::internal("the erasure was not handled"))??;
        Ok(Response::new(pb::EraseParticipantResponse { receipt: Some(receipt) }))
    }

    async fn list_entries(
        &self,
        request: Request<pb::ListEntriesRequest>,
    ) -> Result<Response<pb::ListEntriesResponse>, Status> {
        let (from, request) = Caller::take(request);
        Ok(Response::new(self.0.list_entries(&from, request).await?))
    }

    async fn lookup_receipts(
        &self,
        request: Request<pb::LookupReceiptsRequest>,
    ) -> Result<Response<pb::LookupReceiptsResponse>, Status> {
        let (from, request) = Caller::take(request);
        Ok(Response::new(self.0.lookup_receipts(&from, request).await?))
    }

    async fn get_datapoint(
        &self,
        request: Request<pb::GetDatapointRequest>,
    ) -> Result<Response<pb::GetDatapointResponse>, Status> {
        let (from, request) = Caller::take(request);
        Ok(Response::new(self.0.get_datapoint(&from, request).await?))
    }

    async fn get_form(&self, request: Request<pb::GetFormRequest>) -> Result<Response<pb::GetFormResponse>, Status> {
        let (from, request) = Caller::take(request);
        Ok(Response::new(self.0.get_form(&from, request).await?))
    }

    async fn list_forms(
        &self,
        request: Request<pb::ListFormsRequest>,
    ) -> Result<Response<pb::ListFormsResponse>, Status> {
        let (from, request) = Caller::take(request);
        Ok(Response::new(self.0.list_forms(&from, request).await?))
    }

    async fn get_item_history(
        &self,
        request: Request<pb::GetItemHistoryRequest>,
    ) -> Result<Response<pb::GetItemHistoryResponse>, Status> {
        let (from, request) = Caller::take(request);
        Ok(Response::new(self.0.get_item_history(&from, request).await?))
    }

    async fn disclose_datapoint(
        &self,
        request: Request<pb::DiscloseDatapointRequest>,
    ) -> Result<Response<pb::DiscloseDatapointResponse>, Status> {
        let (from, request) = Caller::take(request);
        Ok(Response::new(self.0.disclose_datapoint(&from, request).await?))
    }
}

#[tonic::async_trait]
impl Open for Store {
    async fn open(&self, stored: &Stored) -> Option<Opened> {
        let Content { envelope, datapoints } = self.open_entry(stored).await?;
        let redacted = datapoints.iter().zip(0..).filter(|(kept, _)| kept.whole().is_none());
        let redacted = redacted.map(|(_, place)| place).collect();
        let bytes = |kept| match kept {
            Kept::Whole(bytes) => bytes,
            Kept::Leaf(hash) => hash.to_vec(),
        };
        Some(Opened { envelope, datapoints: datapoints.into_iter().map(bytes).collect(), redacted })
    }
}
