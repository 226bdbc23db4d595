//! Links 3 and 4: every entry in a block, every block on the chain, the chain cosigned.

use crate::{
    block::Block,
    bundle::{Bundle, EntryPart},
    entry,
    policy::Policy,
    report::{CheckpointClaim, Cosigner, Failure, Link, LinkName},
};
use std::collections::HashSet;
use tlog::{Hash, merkle};

/// Checks links 3 and 4 for every entry of the bundle.
pub(super) fn check(bundle: &Bundle, policy: &Policy, links: &mut Vec<Link>) -> Result<CheckpointClaim, Failure> {
    let blocks = bundle.blocks.iter().map(|part| Block::parse(&part.block.0)).collect::<Result<Vec<_>, _>>();
    let blocks = blocks.map_err(|error| Failure { link: LinkName::Block, reason: error.to_string() })?;
    entries_in_blocks(bundle, &blocks)?;
    links.push(Link {
        link: LinkName::Block,
        established: format!("{} entries are in {} blocks", bundle.entries.len(), blocks.len()),
    });

    let verified = policy.tlog.verify_checkpoint(bundle.checkpoint.as_bytes());
    let verified = verified.map_err(|error| Failure { link: LinkName::Checkpoint, reason: error.to_string() })?;
    let checkpoint = verified.checkpoint;
    for part in &bundle.blocks {
        let leaf = entry::hash(&part.block.0);
        merkle::verify_inclusion(&leaf, part.index, checkpoint.size, &hashes(&part.path), &checkpoint.root).map_err(
            |_| Failure {
                link: LinkName::Chain,
                reason: format!("a block is not at place {} of the chain", part.index),
            },
        )?;
    }
    let origin = &checkpoint.origin;
    links.push(Link {
        link: LinkName::Chain,
        established: format!("the blocks are on the chain {origin} of {} blocks", checkpoint.size),
    });
    let cosigned_by: Vec<Cosigner> =
        verified.cosigned_by.into_iter().map(|(name, _, time)| Cosigner { name, time }).collect();
    let names: Vec<&str> = cosigned_by.iter().map(|cosigner| cosigner.name.as_str()).collect();
    links.push(Link {
        link: LinkName::Checkpoint,
        established: format!("signed by the chain, cosigned by {}", names.join(", ")),
    });
    Ok(CheckpointClaim { origin: checkpoint.origin, size: checkpoint.size, root: checkpoint.root.into(), cosigned_by })
}

fn entries_in_blocks(bundle: &Bundle, blocks: &[Block]) -> Result<(), Failure> {
    let mut used = HashSet::new();
    for part in &bundle.entries {
        let place = block_of(part, bundle, blocks).ok_or_else(|| Failure {
            link: LinkName::Block,
            reason: format!("{} entry {} is not in any block of the bundle", part.service, part.number),
        })?;
        used.insert(place);
    }
    if used.len() == blocks.len() {
        return Ok(());
    }
    Err(Failure { link: LinkName::Leftovers, reason: "the bundle holds a block that nothing rests on".to_owned() })
}

fn block_of(part: &EntryPart, bundle: &Bundle, blocks: &[Block]) -> Option<usize> {
    let stream = part.service.stream(bundle.study);
    blocks.iter().position(|block| {
        block.stream == stream
            && block.index_of(part.number).is_some_and(|index| {
                let leaf = entry::hash(&part.entry.0);
                merkle::verify_inclusion(&leaf, index, u64::from(block.count), &hashes(&part.path), &block.root).is_ok()
            })
    })
}

fn hashes(path: &[crate::text::Hex]) -> Vec<Hash> {
    path.iter().map(|hash| hash.0).collect()
}
