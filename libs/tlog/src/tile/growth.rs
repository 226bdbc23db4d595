//! Which tiles appear when a tree grows, and what is in them.

use super::{LEVELS, TILE_WIDTH, Tile, TileError, TileId, TileSource, WIDTH_U64, hashes_at, read, tile_at};
use crate::{hash::Hash, merkle};

/// The tiles that exist at `new_size` and did not at `old_size`: level by level, then by index.
///
/// Empty unless the tree grows. Takes memory in proportion to the growth.
pub fn tiles_for_growth(old_size: u64, new_size: u64) -> Vec<TileId> {
    let grown = (0..LEVELS).take_while(|level| grows(*level, old_size, new_size));
    let tiles = grown.flat_map(|level| {
        let first = hashes_at(level, old_size) / WIDTH_U64;
        let last = hashes_at(level, new_size) / WIDTH_U64;
        (first..=last).filter_map(move |index| tile_at(level, index, new_size))
    });
    tiles.collect()
}

fn grows(level: u8, old_size: u64, new_size: u64) -> bool {
    hashes_at(level, old_size) < hashes_at(level, new_size)
}

/// The partial tiles of the tree of `size` leaves: all that [`grow`] reads.
pub fn right_edge(size: u64) -> Vec<TileId> {
    (0..LEVELS).filter_map(|level| partial_tile(level, size)).collect()
}

fn partial_tile(level: u8, size: u64) -> Option<TileId> {
    let full = hashes_at(level, size) / WIDTH_U64;
    tile_at(level, full, size)
}

/// Appends leaves: the content of each tile of [`tiles_for_growth`], in that order.
///
/// Reads only the partial tiles at `old_size`.
///
/// # Errors
///
/// [`TileError`] if a tile cannot be read or has the wrong width, or the size exceeds 2^64 - 1.
pub fn grow<S: TileSource + ?Sized>(
    source: &S,
    old_size: u64,
    new_leaf_hashes: &[Hash],
) -> Result<Vec<Tile>, TileError<S::Error>> {
    let grown = u64::try_from(new_leaf_hashes.len()).ok();
    let new_size = grown.and_then(|grown| old_size.checked_add(grown));
    let new_size = new_size.ok_or(TileError::OutOfRange)?;
    let mut tiles = Vec::new();
    let mut new_hashes = new_leaf_hashes.to_vec();
    for level in (0..LEVELS).take_while(|level| grows(*level, old_size, new_size)) {
        let mut hashes = match partial_tile(level, old_size) {
            Some(tile) => read(source, tile)?,
            None => Vec::new(),
        };
        hashes.append(&mut new_hashes);
        for (index, tile) in (hashes_at(level, old_size) / WIDTH_U64..).zip(hashes.chunks(TILE_WIDTH)) {
            let id = tile_at(level, index, new_size).ok_or(TileError::OutOfRange)?;
            tiles.push((id, tile.to_vec()));
            // Only full tiles are hashed upward.
            if tile.len() == TILE_WIDTH {
                new_hashes.push(merkle::root(tile));
            }
        }
    }
    Ok(tiles)
}
