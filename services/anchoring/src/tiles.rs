//! The chain's files: `checkpoint`, `tile/...`, on disk and over HTTP (C2SP tlog-tiles).

use axum::{
    Router,
    extract::{Path as UrlPath, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};
use tlog::{
    Hash,
    tile::{EntriesId, TileId, TileSource},
};

/// The directory of a chain. Cheap to clone.
#[derive(Clone)]
pub(crate) struct TileDir {
    root: PathBuf,
}

impl TileDir {
    /// Opens the directory, making it if it does not exist.
    pub(crate) async fn open(root: &Path) -> io::Result<Self> {
        tokio::fs::create_dir_all(root).await?;
        Ok(Self { root: root.to_owned() })
    }

    /// Writes a file whole or not at all; durable when this returns.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.root.join(name);
        let folder = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder)?;
        let part = path.with_extension("part");
        let mut file = File::create(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, &path)?;
        File::open(folder)?.sync_all()
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.root.join(name))
    }
}

impl TileSource for TileDir {
    type Error = io::Error;

    fn hashes(&self, tile: TileId) -> Result<Vec<Hash>, io::Error> {
        let bytes = self.read(&tile.path())?;
        let hashes: Vec<Hash> = bytes.chunks_exact(32).filter_map(Hash::from_slice).collect();
        if hashes.len() == usize::from(tile.width) && bytes.len() == hashes.len() * 32 {
            return Ok(hashes);
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "a tile is of the wrong size"))
    }
}

/// The routes of the chain's files.
pub(crate) fn router(tiles: TileDir) -> Router {
    Router::new().route("/checkpoint", get(checkpoint)).route("/tile/{*path}", get(tile)).with_state(tiles)
}

async fn checkpoint(State(tiles): State<TileDir>) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "max-age=1")];
    match tokio::fs::read(tiles.root.join("checkpoint")).await {
        Ok(bytes) => (headers, bytes).into_response(),
        Err(_) => (StatusCode::NOT_FOUND, "no checkpoint has been published yet\n").into_response(),
    }
}

async fn tile(State(tiles): State<TileDir>, UrlPath(path): UrlPath<String>) -> Response {
    let name = format!("tile/{path}");
    if TileId::parse(&name).is_none() && EntriesId::parse(&name).is_none() {
        return (StatusCode::BAD_REQUEST, "not a tile path: tile/<level>/<index>[.p/<width>]\n").into_response();
    }
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    match tokio::fs::read(tiles.root.join(name)).await {
        Ok(bytes) => (headers, bytes).into_response(),
        Err(_) => (StatusCode::NOT_FOUND, "there is no such tile: it is past the end of the chain\n").into_response(),
    }
}
