//! The chain's files over HTTP: `checkpoint`, `tile/...` (C2SP tlog-tiles).

use crate::{
    store::Store,
    tiles::{Tiles, TilesError},
};
use axum::{
    Router,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use telemetry::Causes;
use tlog::tile::{EntriesId, TileId};

#[derive(Clone)]
struct Files {
    store: Store,
    tiles: Tiles,
}

/// The routes of the chain's files.
pub(crate) fn router(store: Store, tiles: Tiles) -> Router {
    let routes = Router::new().route("/checkpoint", get(checkpoint)).route("/tile/{*path}", get(tile));
    routes.with_state(Files { store, tiles })
}

/// The database's checkpoint, not the object store's copy, which may be behind.
async fn checkpoint(State(files): State<Files>) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "max-age=1")];
    match files.store.checkpoint(u64::MAX).await {
        Ok(Some((_, note))) => (headers, note).into_response(),
        Ok(None) => (StatusCode::NOT_FOUND, "no checkpoint has been published yet\n").into_response(),
        Err(error) => unavailable(&error.into()),
    }
}

async fn tile(State(files): State<Files>, Path(path): Path<String>) -> Response {
    let name = format!("tile/{path}");
    if TileId::parse(&name).is_none() && EntriesId::parse(&name).is_none() {
        return (StatusCode::BAD_REQUEST, "not a tile path: tile/<level>/<index>[.p/<width>]\n").into_response();
    }
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    match files.read(&name).await {
        Ok(bytes) => (headers, bytes).into_response(),
        Err(TilesError::PastTheEnd) => {
            (StatusCode::NOT_FOUND, "there is no such tile: it is past the end of the chain\n").into_response()
        }
        Err(error) => unavailable(&error),
    }
}

impl Files {
    /// A file of the chain as far as it is published.
    async fn read(&self, name: &str) -> Result<Vec<u8>, TilesError> {
        let (size, _) = self.store.checkpoint(u64::MAX).await?.ok_or(TilesError::PastTheEnd)?;
        self.tiles.file(name, size).await
    }
}

fn unavailable(error: &TilesError) -> Response {
    tracing::error!(error = %Causes(error), "a file of the chain cannot be served");
    (StatusCode::SERVICE_UNAVAILABLE, "the chain cannot be read now: try again\n").into_response()
}
