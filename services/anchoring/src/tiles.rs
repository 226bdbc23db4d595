//! The chain's files: tiles of hashes and bundles of entries (C2SP tlog-tiles).
//!
//! The blocks in the database are the truth; a file is a copy that can always be made again from them. So nothing waits for
//! the object store: where it is away, or lacks a file or part of one, the blocks answer, and a whole tile is put back.

use crate::store::{Anchored, Store};
use objects::Objects;
use seal::entry;
use std::{
    collections::{HashMap, hash_map::Entry},
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tlog::{
    Hash, merkle,
    tile::{self, EntriesId, TILE_WIDTH, TileId, parse_entry_bundle},
};
use tokio::time::timeout;

/// The largest file of a chain: 256 entries of 65,535 bytes, each with its length.
const MAX_FILE: usize = TILE_WIDTH * (tile::MAX_ENTRY_BYTES + 2);
/// After this time the blocks are asked instead of the object store.
const PATIENCE: Duration = Duration::from_secs(2);
/// An object store that did not answer is not asked for so long: a tree's edge is many files, and each would be waited for.
const AWAY: Duration = Duration::from_secs(5);
const WIDTH: u64 = TILE_WIDTH as u64;

/// Tiles by their names.
pub(crate) type TileHashes = HashMap<TileId, Vec<Hash>>;

/// Why a file cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TilesError {
    #[error("the database of blocks failed")]
    Database(#[from] sqlx::Error),
    #[error("the chain has fewer blocks than the file")]
    PastTheEnd,
    #[error("a block is too large for a bundle")]
    TooLarge,
}

/// What tiles are made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The object store's copies, and the blocks for what it lacks. Proofs made of them are checked by who gets them.
    Copies,
    /// The blocks alone.
    Blocks,
}

/// The chain's files. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Tiles {
    objects: Objects,
    store: Store,
    /// When the object store last did not answer.
    away: Arc<Mutex<Option<Instant>>>,
}

impl Tiles {
    pub(crate) fn new(objects: Objects, store: Store) -> Self {
        Self { objects, store, away: Arc::default() }
    }

    pub(crate) fn objects(&self) -> &Objects {
        &self.objects
    }

    /// The tiles named, beside those `known` already.
    pub(crate) async fn fetch(
        &self,
        wanted: Vec<TileId>,
        mut known: TileHashes,
        from: Source,
    ) -> Result<TileHashes, TilesError> {
        for id in wanted {
            if let Entry::Vacant(lacking) = known.entry(id) {
                lacking.insert(self.tile(id, from).await?);
            }
        }
        Ok(known)
    }

    /// The hashes of a tile.
    pub(crate) fn tile(
        &self,
        id: TileId,
        from: Source,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<Hash>, TilesError>> + Send + '_>> {
        Box::pin(async move {
            if from == Source::Copies
                && let Some(hashes) = self.copy(&id.path()).await.and_then(|bytes| hashes(&bytes, id.width))
            {
                return Ok(hashes);
            }
            let made = self.made(id, from).await?;
            if from == Source::Copies && usize::from(id.width) == TILE_WIDTH {
                self.put_back(&id.path(), bytes(&made)).await;
            }
            Ok(made)
        })
    }

    /// The hashes of a tile, made from the blocks or from the tiles below it.
    pub(crate) async fn made(&self, id: TileId, from: Source) -> Result<Vec<Hash>, TilesError> {
        let Some(below) = id.level.checked_sub(1) else {
            let blocks = self.blocks(id.index, id.width).await?;
            return Ok(blocks.iter().map(|block| entry::hash(&block.bytes)).collect());
        };
        let first = id.index.checked_mul(WIDTH).ok_or(TilesError::PastTheEnd)?;
        let mut hashes = Vec::with_capacity(usize::from(id.width));
        for index in first..first.saturating_add(id.width.into()) {
            let full = TileId { level: below, index, width: tile_width() };
            hashes.push(merkle::root(&self.tile(full, from).await?));
        }
        Ok(hashes)
    }

    /// The bytes of an entry bundle, made from the blocks; with the leaf hashes, which are the tile beside it.
    pub(crate) async fn made_bundle(&self, id: EntriesId) -> Result<(Vec<u8>, Vec<Hash>), TilesError> {
        let blocks = self.blocks(id.index, id.width).await?;
        let entries: Vec<&[u8]> = blocks.iter().map(|block| block.bytes.as_slice()).collect();
        let leaves = entries.iter().map(|bytes| entry::hash(bytes)).collect();
        Ok((tile::entry_bundle(&entries).ok_or(TilesError::TooLarge)?, leaves))
    }

    /// A file of a chain of `size` blocks, if it has one of that name. Only names of tiles and bundles are.
    pub(crate) async fn file(&self, name: &str, size: u64) -> Result<Vec<u8>, TilesError> {
        if let Some(id) = EntriesId::parse(name) {
            within(0, id.index, id.width, size)?;
            if let Some(copy) = self.copy(name).await.filter(|copy| parse_entry_bundle(copy, id.width).is_ok()) {
                return Ok(copy);
            }
            let (bundle, _) = self.made_bundle(id).await?;
            if usize::from(id.width) == TILE_WIDTH {
                self.put_back(name, bundle.clone()).await;
            }
            return Ok(bundle);
        }
        let id = TileId::parse(name).ok_or(TilesError::PastTheEnd)?;
        within(id.level, id.index, id.width, size)?;
        Ok(bytes(&self.tile(id, Source::Copies).await?))
    }

    /// Replaces copies that were found damaged.
    pub(crate) async fn mend(&self, tiles: &TileHashes) {
        for (id, hashes) in tiles {
            self.put_back(&id.path(), bytes(hashes)).await;
        }
    }

    async fn copy(&self, name: &str) -> Option<Vec<u8>> {
        if self.is_away() {
            return None;
        }
        match timeout(PATIENCE, self.objects.get(name, MAX_FILE)).await {
            Ok(Ok(found)) => return found,
            Ok(Err(error)) => {
                tracing::warn!(%error, name, "a file of the chain cannot be read: it is made from the blocks");
            }
            Err(_) => {}
        }
        self.went_away();
        None
    }

    fn is_away(&self) -> bool {
        self.away.lock().is_ok_and(|away| away.is_some_and(|since| since.elapsed() < AWAY))
    }

    fn went_away(&self) {
        if let Ok(mut away) = self.away.lock() {
            *away = Some(Instant::now());
        }
    }

    /// Whole tiles never change, so any replica may put one back.
    async fn put_back(&self, name: &str, bytes: Vec<u8>) {
        if self.is_away() {
            return;
        }
        match timeout(PATIENCE, self.objects.put(name, bytes)).await {
            Ok(Ok(())) => return tracing::info!(name, "a file of the chain was made again from the blocks"),
            Ok(Err(error)) => tracing::warn!(%error, name, "a file of the chain cannot be written"),
            Err(_) => {}
        }
        self.went_away();
    }

    async fn blocks(&self, index: u64, width: u16) -> Result<Vec<Anchored>, TilesError> {
        let first = index.checked_mul(WIDTH).ok_or(TilesError::PastTheEnd)?;
        let blocks = self.store.blocks(first, first.saturating_add(width.into())).await?;
        let whole =
            blocks.len() == usize::from(width) && blocks.iter().zip(first..).all(|(block, at)| block.place == at);
        if whole { Ok(blocks) } else { Err(TilesError::PastTheEnd) }
    }
}

/// The bytes of a tile.
pub(crate) fn bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// The inverse of [`bytes`], for a tile of `width` hashes.
fn hashes(bytes: &[u8], width: u16) -> Option<Vec<Hash>> {
    let hashes: Vec<Hash> = bytes.chunks_exact(32).filter_map(Hash::from_slice).collect();
    (hashes.len() == usize::from(width) && bytes.len() == hashes.len() * 32).then_some(hashes)
}

/// Whether the tree of `size` leaves holds the first `width` hashes of a tile.
fn within(level: u8, index: u64, width: u16, size: u64) -> Result<(), TilesError> {
    let end = index.checked_mul(WIDTH).and_then(|first| first.checked_add(width.into()));
    let hashes = size.checked_shr(u32::from(level) * 8).unwrap_or_default();
    if end.is_some_and(|end| end <= hashes) { Ok(()) } else { Err(TilesError::PastTheEnd) }
}

fn tile_width() -> u16 {
    u16::try_from(TILE_WIDTH).unwrap_or(u16::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
