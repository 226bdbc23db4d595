//! The gRPC edge: decode, call, encode.

use crate::{
    prove::{Prover, Wanted},
    store::Store,
    tiles::{Source, TileHashes, Tiles, TilesError},
};
use problem::{Problem, study};
use proto::anchoring::{
    AnchoredBlock, GetBundleRequest, GetBundleResponse, GetCheckpointRequest, GetCheckpointResponse,
    GetConsistencyProofRequest, GetConsistencyProofResponse, GetRecordBundleRequest, GetRecordBundleResponse,
    ListBlocksRequest, ListBlocksResponse,
    anchoring_service_server::{AnchoringService, AnchoringServiceServer},
};
use seal::{
    Hash,
    id::{Service, StreamId},
};
use std::sync::Arc;
use telemetry::Causes;
use tlog::tile;
use tonic::{Code, Request, Response, Status};

/// The anchoring service.
pub(crate) fn service(store: Store, tiles: Tiles, prover: Arc<Prover>) -> AnchoringServiceServer<Api> {
    AnchoringServiceServer::new(Api { store, tiles, prover })
}

pub(crate) struct Api {
    store: Store,
    tiles: Tiles,
    prover: Arc<Prover>,
}

#[tonic::async_trait]
impl AnchoringService for Api {
    async fn get_checkpoint(
        &self,
        request: Request<GetCheckpointRequest>,
    ) -> Result<Response<GetCheckpointResponse>, Status> {
        let at_most = Some(request.into_inner().at_most).filter(|size| *size > 0).unwrap_or(u64::MAX);
        let found = self.store.checkpoint(at_most).await.map_err(|error| unavailable(&error))?;
        let (_, checkpoint) = found.ok_or_else(size_unknown)?;
        Ok(Response::new(GetCheckpointResponse { checkpoint }))
    }

    async fn get_consistency_proof(
        &self,
        request: Request<GetConsistencyProofRequest>,
    ) -> Result<Response<GetConsistencyProofResponse>, Status> {
        let GetConsistencyProofRequest { first, second } = request.into_inner();
        let published = self.store.checkpoint(u64::MAX).await.map_err(|error| unavailable(&error))?;
        let size = published.map(|(size, _)| size).ok_or_else(size_unknown)?;
        if first > second || second > size {
            return Err(size_unknown());
        }
        if first == 0 {
            return Ok(Response::new(GetConsistencyProofResponse { hashes: Vec::new() }));
        }
        let wanted = tile::tiles_for_consistency(first, second);
        let tiles =
            self.tiles.fetch(wanted, TileHashes::new(), Source::Copies).await.map_err(|error| lacking(&error))?;
        let proof = tile::consistency_proof(&tiles, first, second).map_err(|_| size_unknown())?;
        let hashes = proof.iter().map(|hash| hash.0.to_vec()).collect();
        Ok(Response::new(GetConsistencyProofResponse { hashes }))
    }

    async fn list_blocks(&self, request: Request<ListBlocksRequest>) -> Result<Response<ListBlocksResponse>, Status> {
        let ListBlocksRequest { stream, from, page_size } = request.into_inner();
        let stream = Hash::from_slice(&stream).map(StreamId);
        let stream = stream.ok_or_else(|| Problem::field("MALFORMED", "stream", "not 32 bytes"))?;
        let size = if page_size == 0 { 100 } else { page_size.min(1_000) };
        let blocks = self.store.of_stream(stream, from, size).await.map_err(|error| unavailable(&error))?;
        let blocks = blocks.into_iter().map(|block| AnchoredBlock { block: block.bytes, index: block.place }).collect();
        Ok(Response::new(ListBlocksResponse { blocks }))
    }

    async fn get_bundle(&self, request: Request<GetBundleRequest>) -> Result<Response<GetBundleResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let GetBundleRequest { study: of_study, entry, item, repeat } = request;
        let wanted = Wanted { study: study(&of_study)?, entry, item, repeat };
        let bundle = self.prover.bundle(wanted, &metadata).await?;
        Ok(Response::new(GetBundleResponse { bundle }))
    }

    async fn get_record_bundle(
        &self,
        request: Request<GetRecordBundleRequest>,
    ) -> Result<Response<GetRecordBundleResponse>, Status> {
        let GetRecordBundleRequest { study: of_study, service, entry, envelope } = request.into_inner();
        let named = Service::ALL.into_iter().find(|known| known.name() == service);
        let service =
            named.ok_or_else(|| Problem::field("MALFORMED", "service", "not one of the recording services"))?;
        let bundle = self.prover.record(study(&of_study)?, service, entry, envelope).await?;
        Ok(Response::new(GetRecordBundleResponse { bundle }))
    }
}

fn size_unknown() -> Status {
    Problem::new(Code::NotFound, "SIZE_UNKNOWN", "not the size of a published checkpoint").into()
}

fn lacking(error: &TilesError) -> Status {
    tracing::error!(error = %Causes(error), "a tile is unavailable");
    Problem::unavailable("STORAGE_UNAVAILABLE", "the chain cannot be read now: try again").into()
}

fn unavailable(error: &sqlx::Error) -> Status {
    tracing::error!(error = %Causes(error), "the database of blocks failed");
    Problem::unavailable("STORAGE_UNAVAILABLE", "the chain cannot be read now: try again").into()
}
