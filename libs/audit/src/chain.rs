//! The chain: every block, every published checkpoint.

use super::{AuditError, Progress, Report, Source};
use rayon::prelude::*;
use seal::{block::Block, entry, id::StreamId, policy::Policy};
use std::collections::HashMap;
use tlog::{
    Hash, merkle,
    policy::VerifiedCheckpoint,
    tile::{EntriesId, TILE_WIDTH, parse_entry_bundle},
};

/// The entries of a full bundle.
const FULL: u16 = TILE_WIDTH as u16;
const MAX_BUNDLE: usize = 256 * (65_535 + 2);

/// The blocks of each stream, in order, as far as they are consistent.
pub(super) type Blocks = HashMap<StreamId, Vec<Block>>;

/// Reads the chain and checks it.
pub(super) async fn check<S: Source>(
    source: &S,
    policy: &Policy,
    report: &mut Report,
    progress: &impl Progress,
) -> Result<Blocks, AuditError> {
    let notes = source.checkpoints().await.map_err(AuditError::of::<S>)?;
    // Without a checkpoint nothing is on the chain: entries whose time is past will be found one by one.
    let Some(latest) = notes.first() else { return Ok(Blocks::new()) };
    let latest = match policy.tlog.verify_checkpoint(latest.as_bytes()) {
        Ok(verified) => {
            report.cosigned_since = policy.tlog.cosigned_since(&verified.cosigned_by);
            verified.checkpoint
        }
        Err(error) => {
            report.find(None, None, None, format!("the latest checkpoint does not verify: {error}"));
            return Ok(Blocks::new());
        }
    };
    progress.more(latest.size);
    let mut leaves = Vec::new();
    let mut blocks = Vec::new();
    for bytes in entries(source, latest.size, progress).await? {
        leaves.push(entry::hash(&bytes));
        blocks.push(bytes);
    }
    let verified: Vec<Result<VerifiedCheckpoint, String>> = notes
        .par_iter()
        .map(|note| policy.tlog.verify_checkpoint(note.as_bytes()).map_err(|error| error.to_string()))
        .collect();
    let roots = roots(&leaves);
    for outcome in verified {
        report.checkpoints += 1;
        match outcome {
            Err(error) => report.find(None, None, None, format!("a published checkpoint does not verify: {error}")),
            Ok(VerifiedCheckpoint { checkpoint, .. }) => {
                let size = usize::try_from(checkpoint.size).ok();
                if size.and_then(|size| roots.get(size)) != Some(&checkpoint.root) {
                    let what =
                        format!("the checkpoint of {} blocks has a different root than the blocks", checkpoint.size);
                    report.find(None, None, None, what);
                }
            }
        }
    }
    report.blocks = blocks.len() as u64;
    Ok(streams(&blocks, report))
}

/// The chain's entries, from its entry bundles.
async fn entries(source: &impl Source, size: u64, progress: &impl Progress) -> Result<Vec<Vec<u8>>, AuditError> {
    let mut entries = Vec::new();
    let full = size / u64::from(FULL);
    for index in 0..=full {
        let width = if index < full { FULL } else { (size % u64::from(FULL)) as u16 };
        if width == 0 {
            continue;
        }
        let id = EntriesId { index, width };
        let bytes = source.file(&id.path(), MAX_BUNDLE).await;
        let bytes = bytes.map_err(|error| AuditError::File { name: id.path(), source: error.into() })?;
        let bundle = parse_entry_bundle(&bytes, width);
        entries.extend(bundle.map_err(|source| AuditError::Bundle { name: id.path(), source })?);
        progress.done(width.into());
    }
    Ok(entries)
}

/// The root of the tree at every size from 0 up, in one pass: the roots of the perfect subtrees that make it up.
fn roots(leaves: &[Hash]) -> Vec<Hash> {
    let mut subtrees: Vec<(u64, Hash)> = Vec::new();
    let mut roots = Vec::with_capacity(leaves.len() + 1);
    roots.push(merkle::empty_root());
    for leaf in leaves {
        let mut last = (1, *leaf);
        while let Some((size, left)) = subtrees.pop_if(|(size, _)| *size == last.0) {
            last = (size * 2, merkle::node_hash(&left, &last.1));
        }
        subtrees.push(last);
        let root = subtrees.iter().rev().map(|(_, hash)| *hash).reduce(|right, left| merkle::node_hash(&left, &right));
        roots.push(root.unwrap_or_else(merkle::empty_root));
    }
    roots
}

/// The blocks by stream, each checked to follow the one before.
fn streams(blocks: &[Vec<u8>], report: &mut Report) -> Blocks {
    let mut streams: HashMap<StreamId, (Vec<Block>, Hash)> = HashMap::new();
    for (bytes, place) in blocks.iter().zip(0_u64..) {
        let block = match Block::parse(bytes) {
            Ok(block) => block,
            Err(error) => {
                report.find(None, None, None, format!("place {place} of the chain is not a block: {error}"));
                continue;
            }
        };
        let (known, last) = streams.entry(block.stream).or_insert((Vec::new(), Hash::ZERO));
        let (number, first) = known.last().map_or((0, 0), |b| (b.number + 1, b.first + u64::from(b.count)));
        if (block.number, block.first, block.previous) == (number, first, *last) {
            *last = entry::hash(bytes);
            known.push(block);
        } else {
            let what = format!("place {place} of the chain: the block does not follow block {number} of its stream");
            report.find(None, None, None, what);
        }
    }
    streams.into_iter().map(|(stream, (blocks, _))| (stream, blocks)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_at_every_size_is_the_trees() {
        let leaves: Vec<Hash> = (0..130_u8).map(|n| merkle::leaf_hash(&[n])).collect();
        for (size, root) in roots(&leaves).iter().enumerate() {
            assert_eq!(*root, merkle::root(&leaves[..size]), "size {size}");
        }
    }
}
