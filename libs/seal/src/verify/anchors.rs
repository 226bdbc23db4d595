//! Links 3 and 4: every entry in a block, every block on the chain, the chain cosigned.

use super::{check, walk::Walked};
use crate::{
    block::Block,
    bundle::{Bundle, EntryPart},
    policy::Policy,
    report::{CheckpointClaim, Cosigner, Failure, Link, LinkName},
};
use std::collections::{BTreeMap, HashSet};
use tlog::Hash;

/// Checks links 3 and 4 for every entry of the bundle.
pub(super) fn check(
    bundle: &Bundle,
    walked: &Walked<'_>,
    policy: &Policy,
    links: &mut Vec<Link>,
) -> Result<CheckpointClaim, Failure> {
    let blocks = bundle.blocks.iter().map(|part| Block::parse(&part.block.0)).collect::<Result<Vec<_>, _>>();
    let blocks = blocks.map_err(|error| Failure { link: LinkName::Block, reason: error.to_string() })?;
    entries_in_blocks(bundle, walked, &blocks)?;
    links.push(Link {
        link: LinkName::Block,
        established: format!("{} entries are in {} blocks", bundle.entries.len(), blocks.len()),
    });

    let verified = policy.tlog.verify_checkpoint(bundle.checkpoint.as_bytes());
    let verified = verified.map_err(|error| Failure { link: LinkName::Checkpoint, reason: error.to_string() })?;
    let checkpoint = verified.checkpoint;
    for part in &bundle.blocks {
        let leaf = check::hash(&part.block.0);
        if !check::included(&leaf, (part.index, checkpoint.size), &part.path, &checkpoint.root) {
            let reason = format!("a block is not at place {} of the chain", part.index);
            return Err(Failure { link: LinkName::Chain, reason });
        }
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

fn entries_in_blocks(bundle: &Bundle, walked: &Walked<'_>, blocks: &[Block]) -> Result<(), Failure> {
    let covering = covering(blocks)?;
    let mut used = HashSet::new();
    for (place, part) in bundle.entries.iter().enumerate() {
        // One that the walk did not come by is left over, if it is in a block at all.
        let leaf = walked.hash_of(place).unwrap_or_else(|| check::hash(&part.entry.0));
        let place = block_of((part, &leaf), bundle, (blocks, &covering)).ok_or_else(|| Failure {
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

/// The places of the blocks, by stream and number of their first entry.
type Covering = BTreeMap<(Hash, u64), usize>;

/// Where the blocks are, none of which covers an entry that another of its stream covers.
fn covering(blocks: &[Block]) -> Result<Covering, Failure> {
    let mut covering = Covering::new();
    for (place, block) in blocks.iter().enumerate() {
        covering.insert((block.stream.0, block.first), place);
    }
    let places = covering.values().zip(covering.values().skip(1));
    let mut neighbours = places.filter_map(|(before, after)| blocks.get(*before).zip(blocks.get(*after)));
    let twice =
        neighbours.any(|(before, after)| before.stream == after.stream && before.index_of(after.first).is_some());
    if covering.len() == blocks.len() && !twice {
        return Ok(covering);
    }
    Err(Failure { link: LinkName::Block, reason: "two blocks of one journal cover the same entry".to_owned() })
}

/// The place of the block that an entry is in. One block at most covers its number, so one path is checked.
fn block_of(
    (part, leaf): (&EntryPart, &Hash),
    bundle: &Bundle,
    (blocks, covering): (&[Block], &Covering),
) -> Option<usize> {
    let stream = part.service.stream(bundle.study).0;
    let (_, place) = covering.range((stream, 0)..=(stream, part.number)).next_back()?;
    let block = blocks.get(*place)?;
    let index = block.index_of(part.number)?;
    let inside = check::included(leaf, (index, u64::from(block.count)), &part.path, &block.root);
    inside.then_some(*place)
}
