//! The chain's files over HTTP: `checkpoint`, `tile/...` (C2SP tlog-tiles).

mod answer;

use crate::{
    store::Store,
    tiles::{Tiles, TilesError},
};
use answer::{File, cross_origin};
use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    middleware::from_fn,
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
    routes.layer(from_fn(cross_origin)).with_state(Files { store, tiles })
}

/// The database's checkpoint, not the object store's copy, which may be behind.
async fn checkpoint(State(files): State<Files>, asked: HeaderMap) -> Response {
    match files.store.checkpoint(u64::MAX).await {
        Ok(Some((_, note))) => File {
            bytes: note.into_bytes(),
            content_type: "text/plain; charset=utf-8",
            cache_control: "max-age=1",
            compresses: true,
        }
        .answer(&asked),
        Ok(None) => (StatusCode::NOT_FOUND, "no checkpoint has been published yet\n").into_response(),
        Err(error) => unavailable(&error.into()),
    }
}

async fn tile(State(files): State<Files>, Path(path): Path<String>, asked: HeaderMap) -> Response {
    let name = format!("tile/{path}");
    let is_bundle = EntriesId::parse(&name).is_some();
    if TileId::parse(&name).is_none() && !is_bundle {
        return (StatusCode::BAD_REQUEST, "not a tile path: tile/<level>/<index>[.p/<width>]\n").into_response();
    }
    match files.read(&name).await {
        Ok(bytes) => File {
            bytes,
            content_type: "application/octet-stream",
            cache_control: "public, max-age=31536000, immutable",
            compresses: is_bundle,
        }
        .answer(&asked),
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
