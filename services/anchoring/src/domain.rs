//! From entries to blocks. No clock, no I/O.

use seal::{
    Hash,
    block::Block,
    entry::{self, Entry},
    id::StreamId,
};
use tlog::merkle::Tree;

/// Where a stream stands on the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip {
    /// The number of the next block.
    pub block: u64,
    /// The number of the next entry.
    pub entry: u64,
    /// The hash of the last block; zero if there is none.
    pub block_hash: Hash,
    /// The hash of the last entry; zero if there is none.
    pub entry_hash: Hash,
}

impl Tip {
    /// A stream that is not on the chain yet.
    pub const START: Tip = Tip { block: 0, entry: 0, block_hash: Hash::ZERO, entry_hash: Hash::ZERO };
}

/// A journal that cannot be put on the chain: it contradicts itself, or what is on the chain already.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry {number} of the journal {stream} {what}")]
pub struct Broken {
    /// The journal.
    pub stream: StreamId,
    /// The entry.
    pub number: u64,
    /// What is wrong with it.
    pub what: &'static str,
}

/// The next block of a stream, over the bytes of its next entries as they are stored; and the entries' hashes.
pub fn next_block(stream: StreamId, tip: &Tip, entries: &[Vec<u8>], time: u64) -> Result<(Block, Vec<Hash>), Broken> {
    let mut previous = tip.entry_hash;
    let mut hashes = Vec::with_capacity(entries.len());
    for (bytes, number) in entries.iter().zip(tip.entry..) {
        let broken = |what| Broken { stream, number, what };
        let entry = Entry::parse(bytes).map_err(|_| broken("cannot be read"))?;
        if entry.stream != stream || entry.number != number {
            return Err(broken("is of another journal or number"));
        }
        if entry.previous != previous {
            return Err(broken("does not follow the entry before"));
        }
        previous = entry::hash(bytes);
        hashes.push(previous);
    }
    let count = u32::try_from(entries.len()).ok().filter(|count| (1..=seal::block::MAX_ENTRIES).contains(count));
    let count = count.ok_or(Broken { stream, number: tip.entry, what: "begins a block of a size not allowed" })?;
    let root = Tree::new(&hashes).root();
    Ok((Block { stream, number: tip.block, first: tip.entry, count, root, time, previous: tip.block_hash }, hashes))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use seal::id::{Service, Uuid};

    fn journal(length: u64) -> (StreamId, Vec<Vec<u8>>) {
        let stream = Service::Capture.stream(Uuid::from_random([1; 16]));
        let mut previous = Hash::ZERO;
        let entries = (0..length)
            .map(|number| {
                let entry = Entry {
                    stream,
                    number,
                    previous,
                    time: number,
                    nonce: [0; 16],
                    kind: "submit-form".to_owned(),
                    envelope: Hash::ZERO,
                    state_root: None,
                    basis: Vec::new(),
                };
                previous = entry.head().hash;
                entry.to_bytes()
            })
            .collect();
        (stream, entries)
    }

    #[test]
    fn blocks_follow_each_other_without_gaps() {
        let (stream, entries) = journal(10);
        let (first, hashes) = next_block(stream, &Tip::START, &entries[..4], 7).unwrap();
        assert_eq!((first.number, first.first, first.count), (0, 0, 4));
        let tip = Tip { block: 1, entry: 4, block_hash: Hash([9; 32]), entry_hash: hashes[3] };
        let (second, _) = next_block(stream, &tip, &entries[4..], 8).unwrap();
        assert_eq!((second.number, second.first, second.count, second.previous), (1, 4, 6, Hash([9; 32])));
        assert!(Block::parse(&second.to_bytes()).is_ok());
    }

    #[test]
    fn a_changed_missing_or_foreign_entry_stops_the_chain() {
        let (stream, entries) = journal(6);
        for place in 0..5 {
            let mut changed = entries.clone();
            let at = changed[place].len() - 3;
            changed[place][at] ^= 1;
            assert!(next_block(stream, &Tip::START, &changed, 0).is_err(), "changed {place}");
            let mut missing = entries.clone();
            missing.remove(place);
            assert!(next_block(stream, &Tip::START, &missing, 0).is_err(), "missing {place}");
        }
        assert!(next_block(StreamId(Hash::ZERO), &Tip::START, &entries, 0).is_err());
        assert!(next_block(stream, &Tip::START, &[], 0).is_err());
    }
}
