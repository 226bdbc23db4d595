//! The gRPC edge: decode, authorise, call, encode.

mod forms;
mod lookup;
mod order;
mod problem;
mod read;
mod sight;
mod submit;
mod withheld;

use crate::{
    Config,
    gate::Gate,
    store::{Capture, Store},
};
use access::{AccessLog, Caller, Consents, RemoteFacts};
use futures_util::{Stream, StreamExt};
use journal::{
    Stored,
    api::{Call, Opened},
};
use moka::sync::Cache;
use proto::capture::{
    self as pb,
    capture_service_server::{CaptureService, CaptureServiceServer},
};
use seal::{
    command::DefineForms,
    id::{Name, Service, StreamId, Uuid},
};
use std::{pin::Pin, sync::Arc};
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status, Streaming};
use vault::{Content, Kept};

/// The most messages of one stream that are unanswered.
const IN_FLIGHT: usize = 256;
/// The most bytes of them; a message that has more is handled alone.
const IN_FLIGHT_BYTES: usize = 4 << 20;
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

fn bytes_of(message: &pb::SubmitFormsRequest) -> usize {
    message.envelope.len() + message.datapoints.iter().map(Vec::len).sum::<usize>()
}

type Answers = Pin<Box<dyn Stream<Item = Result<pb::SubmitFormsResponse, Status>> + Send>>;

#[tonic::async_trait]
impl CaptureService for Api {
    type SubmitFormsStream = Answers;

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
    ) -> Result<Response<Answers>, Status> {
        let (inner, room) = (self.0.clone(), Arc::new(Semaphore::new(IN_FLIGHT_BYTES)));
        let (turns, unanswered) = (self.0.clone(), Arc::new(Semaphore::new(IN_FLIGHT)));
        let answers = request
            .into_inner()
            .then(move |message| {
                let bytes = message.as_ref().map_or(0, bytes_of).min(IN_FLIGHT_BYTES);
                let place = room.clone().acquire_many_owned(u32::try_from(bytes).unwrap_or(u32::MAX));
                let one = unanswered.clone().acquire_owned();
                async move { (message, (one.await, place.await)) }
            })
            .map(move |(message, until_answered)| {
                let inner = inner.clone();
                // A task each, so that signatures are verified on every core.
                let prepare = async move { inner.prepare_message(message).await };
                let task = tokio::spawn(server::carry(prepare));
                async move {
                    let prepared = task.await;
                    (prepared.unwrap_or_else(|_| Err(Status::internal("the submission was not handled"))), until_answered)
                }
            })
            .buffered(IN_FLIGHT)
            // One after the other: they are recorded in the order they came in.
            .then(move |(prepared, until_answered)| {
                let turns = turns.clone();
                async move {
                    let answer = match prepared {
                        Ok(prepared) => Ok(turns.take_turn(prepared).await),
                        Err(status) => Err(status),
                    };
                    (answer, until_answered)
                }
            })
            .enumerate()
            .map(|(sequence, (answer, until_answered))| async move {
                let _until_answered = until_answered;
                Ok(pb::SubmitFormsResponse { sequence: sequence as u64, ..answer?.await })
            })
            .buffered(IN_FLIGHT);
        Ok(Response::new(Box::pin(answers)))
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

/// Who reads the capture journal.
pub(crate) struct Keeper {
    pub(crate) store: Store,
    pub(crate) enrollment: RemoteFacts,
    pub(crate) accesses: AccessLog,
}

#[tonic::async_trait]
impl journal::api::Keeper for Keeper {
    async fn admit(
        &self,
        (metadata, extensions): Call<'_>,
        stream: StreamId,
        study: &str,
        full: bool,
    ) -> Result<(), Status> {
        let accesses = Some(&self.accesses).filter(|_| full);
        let of = (Service::Capture, stream, study);
        let from = Caller::of(metadata, extensions);
        Ok(server::admit_auditor(&from, &self.enrollment, accesses, of).await?)
    }

    fn admit_service(&self, (metadata, extensions): Call<'_>) -> Result<(), Status> {
        Ok(server::admit_service(&Caller::of(metadata, extensions))?)
    }

    async fn open(&self, _: StreamId, stored: &Stored) -> Option<Opened> {
        let Content { envelope, datapoints } = self.store.open(stored).await?;
        let redacted = datapoints.iter().zip(0..).filter(|(kept, _)| kept.whole().is_none());
        let redacted = redacted.map(|(_, place)| place).collect();
        let bytes = |kept| match kept {
            Kept::Whole(bytes) => bytes,
            Kept::Leaf(hash) => hash.to_vec(),
        };
        Some(Opened { envelope, datapoints: datapoints.into_iter().map(bytes).collect(), redacted })
    }
}
