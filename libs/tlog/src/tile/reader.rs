//! Roots and proofs from tiles (RFC 6962 §2.1, §2.1.1 and §2.1.2).

use std::{cell::RefCell, convert::Infallible};

use super::{Tile, TileError, TileId, TileSource, WIDTH_U64, read, tile_at};
use crate::{hash::Hash, merkle};

/// The root of the tree of `size` leaves.
///
/// # Errors
///
/// [`TileError`] if a tile cannot be read or has the wrong width.
pub fn root<S: TileSource + ?Sized>(source: &S, size: u64) -> Result<Hash, TileError<S::Error>> {
    Reader::new(source, size).subtree(0, size)
}

/// The inclusion path of the leaf at `index` in the tree of `size` leaves, from its sibling up.
///
/// # Errors
///
/// [`TileError`]; [`TileError::OutOfRange`] if there is no such leaf.
pub fn inclusion_path<S: TileSource + ?Sized>(
    source: &S,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, TileError<S::Error>> {
    if index >= size {
        return Err(TileError::OutOfRange);
    }
    let mut reader = Reader::new(source, size);
    let (mut start, mut end) = (0, size);
    let mut path = Vec::new();
    while let Some(middle) = split(start, end) {
        if index < middle {
            path.push(reader.subtree(middle, end)?);
            end = middle;
        } else {
            path.push(reader.subtree(start, middle)?);
            start = middle;
        }
    }
    path.reverse(); // found from the root down
    Ok(path)
}

/// The proof that the tree of `size1` leaves is a prefix of the tree of `size2` leaves. Reads tiles
/// as at `size2`. Empty for equal sizes and for `size1` 0.
///
/// # Errors
///
/// [`TileError`]; [`TileError::OutOfRange`] if `size1` is above `size2`.
pub fn consistency_proof<S: TileSource + ?Sized>(
    source: &S,
    size1: u64,
    size2: u64,
) -> Result<Vec<Hash>, TileError<S::Error>> {
    if size1 > size2 {
        return Err(TileError::OutOfRange);
    }
    if size1 == 0 {
        return Ok(Vec::new());
    }
    let mut reader = Reader::new(source, size2);
    let (mut start, mut end) = (0, size2);
    let mut proof = Vec::new();
    while size1 != end {
        let Some(middle) = split(start, end) else { return Err(TileError::OutOfRange) };
        if size1 <= middle {
            proof.push(reader.subtree(middle, end)?);
            end = middle;
        } else {
            proof.push(reader.subtree(start, middle)?);
            start = middle;
        }
    }
    // The verifier holds the first root already if it is the subtree all the way to the left.
    if start != 0 {
        proof.push(reader.subtree(start, end)?);
    }
    proof.reverse(); // found from the root down
    Ok(proof)
}

/// The tiles that [`root`] reads.
pub fn tiles_for_root(size: u64) -> Vec<TileId> {
    recorded(|source| root(source, size).map(drop))
}

/// The tiles that [`inclusion_path`] reads; empty if there is no such leaf.
pub fn tiles_for_inclusion(index: u64, size: u64) -> Vec<TileId> {
    recorded(|source| inclusion_path(source, index, size).map(drop))
}

/// The tiles that [`consistency_proof`] reads; empty if it reads none.
pub fn tiles_for_consistency(size1: u64, size2: u64) -> Vec<TileId> {
    recorded(|source| consistency_proof(source, size1, size2).map(drop))
}

/// Gives zeroes for hashes and remembers the tiles: what is read does not depend on the hashes.
struct Recorder(RefCell<Vec<TileId>>);

impl TileSource for Recorder {
    type Error = Infallible;

    fn hashes(&self, tile: TileId) -> Result<Vec<Hash>, Infallible> {
        self.0.borrow_mut().push(tile);
        Ok(vec![Hash::ZERO; usize::from(tile.width)])
    }
}

fn recorded(run: impl FnOnce(&Recorder) -> Result<(), TileError<Infallible>>) -> Vec<TileId> {
    let recorder = Recorder(RefCell::default());
    // Fails only for a range outside the tree, before anything is read.
    let _ = run(&recorder);
    recorder.0.into_inner()
}

/// Where RFC 6962 splits the leaves `[start, end)`; `None` for fewer than two.
fn split(start: u64, end: u64) -> Option<u64> {
    let last = end.checked_sub(start)?.checked_sub(1)?;
    last.checked_ilog2().map(|height| start + (1 << height))
}

/// Reads subtrees of one tree, each tile once.
struct Reader<'s, S: ?Sized> {
    source: &'s S,
    size: u64,
    tiles: Vec<Tile>,
}

impl<'s, S: TileSource + ?Sized> Reader<'s, S> {
    fn new(source: &'s S, size: u64) -> Self {
        Reader { source, size, tiles: Vec::new() }
    }

    /// The root over the leaves `[start, end)`, a subtree that RFC 6962's splitting leads to.
    fn subtree(&mut self, mut start: u64, end: u64) -> Result<Hash, TileError<S::Error>> {
        let mut complete = Vec::new();
        while let Some(height) = end.checked_sub(start).and_then(u64::checked_ilog2) {
            complete.push(self.complete_subtree(height, start)?);
            start += 1 << height;
        }
        let joined = complete.into_iter().rev();
        let joined = joined.reduce(|right, left| merkle::node_hash(&left, &right));
        Ok(joined.unwrap_or_else(merkle::empty_root))
    }

    /// The root over `2^height` leaves from `start`: those of one tile, hashed at most 7 levels up.
    fn complete_subtree(&mut self, height: u32, start: u64) -> Result<Hash, TileError<S::Error>> {
        let level = u8::try_from(height / 8).map_err(|_| TileError::OutOfRange)?;
        let first = super::hashes_at(level, start);
        let tile = tile_at(level, first / WIDTH_U64, self.size).ok_or(TileError::OutOfRange)?;
        let from = usize::try_from(first % WIDTH_U64).map_err(|_| TileError::OutOfRange)?;
        let hashes = self.tile(tile)?.get(from..from + (1 << (height % 8)));
        hashes.map(merkle::root).ok_or(TileError::OutOfRange)
    }

    fn tile(&mut self, tile: TileId) -> Result<&[Hash], TileError<S::Error>> {
        let at = match self.tiles.iter().position(|(id, _)| *id == tile) {
            Some(at) => at,
            None => {
                self.tiles.push((tile, read(self.source, tile)?));
                self.tiles.len() - 1
            }
        };
        self.tiles.get(at).map(|(_, hashes)| hashes.as_slice()).ok_or(TileError::OutOfRange)
    }
}
