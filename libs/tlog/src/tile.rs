//! The tree of a log as static files (C2SP tlog-tiles).
//!
//! Entry `i` of tile `n` at level `l` is the root over the leaves `[(n·256+i)·256^l,
//! (n·256+i+1)·256^l)`. Full tiles never change; a partial tile is one file per width.

mod entries;
mod growth;
mod id;
mod reader;

pub use entries::{BundleError, MAX_ENTRY_BYTES, entry_bundle, parse_entry_bundle};
pub use growth::{grow, right_edge, tiles_for_growth};
pub use id::{EntriesId, TileId};
pub use reader::{consistency_proof, inclusion_path, root, tiles_for_consistency, tiles_for_inclusion, tiles_for_root};

use std::collections::HashMap;

use crate::hash::Hash;

/// Hashes in a full tile, and entries in a full bundle.
pub const TILE_WIDTH: usize = 256;

/// A tile's name and its hashes.
pub type Tile = (TileId, Vec<Hash>);

/// Where tiles come from. Synchronous: fetch ahead, with the help of [`tiles_for_inclusion`] and
/// its siblings.
pub trait TileSource {
    /// Why a tile could not be had.
    type Error;

    /// The hashes of a tile, exactly `tile.width` of them.
    ///
    /// Asked only for tiles that exist at the tree size in question, full or partial as at that
    /// size. The hashes are not believed: verify the outcome against a signed root.
    fn hashes(&self, tile: TileId) -> Result<Vec<Hash>, Self::Error>;
}

/// The tile that was not in a map of tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tile {} is missing", .0.path())]
pub struct MissingTile(pub TileId);

impl TileSource for HashMap<TileId, Vec<Hash>> {
    type Error = MissingTile;

    fn hashes(&self, tile: TileId) -> Result<Vec<Hash>, MissingTile> {
        self.get(&tile).cloned().ok_or(MissingTile(tile))
    }
}

/// Why tiles gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TileError<E> {
    /// The source failed.
    #[error("a tile could not be read")]
    Source(#[source] E),
    /// The source gave a tile with another number of hashes than its width.
    #[error("tile {} has {found} hashes", tile.path())]
    Width {
        /// The tile asked for.
        tile: TileId,
        /// How many hashes came.
        found: usize,
    },
    /// The index is not below the size, the first size is above the second, or the size overflows.
    #[error("the index or size is outside the tree")]
    OutOfRange,
}

/// Reads one tile and checks its width.
fn read<S: TileSource + ?Sized>(source: &S, tile: TileId) -> Result<Vec<Hash>, TileError<S::Error>> {
    let hashes = source.hashes(tile).map_err(TileError::Source)?;
    if hashes.len() == usize::from(tile.width) {
        Ok(hashes)
    } else {
        Err(TileError::Width { tile, found: hashes.len() })
    }
}

/// [`TILE_WIDTH`] in the types of tree sizes and of tile widths.
const WIDTH_U64: u64 = 256;
const WIDTH_U16: u16 = 256;
/// Levels that a tree of less than 2^64 leaves can have.
const LEVELS: u8 = 8;

/// How many hashes level `level` has in the tree of `size` leaves: `floor(size / 256^level)`.
fn hashes_at(level: u8, size: u64) -> u64 {
    size.checked_shr(u32::from(level) * 8).unwrap_or(0)
}

/// The tile at `index`, as wide as it is in the tree of `size` leaves; `None` if it has no hash.
fn tile_at(level: u8, index: u64, size: u64) -> Option<TileId> {
    let before = index.checked_mul(WIDTH_U64)?;
    let hashes = hashes_at(level, size).checked_sub(before)?;
    let width = u16::try_from(hashes).map_or(WIDTH_U16, |hashes| hashes.min(WIDTH_U16));
    (width > 0).then_some(TileId { level, index, width })
}
