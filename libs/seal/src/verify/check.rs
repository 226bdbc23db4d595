//! The checks of each part by itself: what it is of, and where its bytes are named.

#[cfg(test)]
use super::counted::{Check, count, count_many};
use super::evidence::{Fault, broken, ensure};
use crate::{
    bundle::{EntryPart, FactPart},
    dsse::Envelope,
    entry::{self, Entry},
    fact::{self, Fact},
    id::{Service, Uuid},
    json,
    map::{Path, Proven, Terminal},
    report::LinkName,
    text::Hex,
};
use tlog::{Hash, merkle};

/// An entry of the study's journal, with the number its part states, and its hash.
pub(super) fn entry(part: &EntryPart, study: Uuid, link: LinkName) -> Result<(Entry, Hash), Fault> {
    #[cfg(test)]
    count(Check::Entry);
    let EntryPart { service, number, .. } = part;
    let entry = match Entry::parse(&part.entry.0) {
        Ok(entry) => entry,
        Err(error) => return broken(link, format!("{service} entry {number}: {error}")),
    };
    ensure(
        entry.stream == service.stream(study) && entry.number == *number,
        link,
        format!("{service} entry {number} is of another journal or number"),
    )?;
    Ok((entry, hash(&part.entry.0)))
}

/// The hash of an entry or block.
pub(super) fn hash(bytes: &[u8]) -> Hash {
    #[cfg(test)]
    count_many(Check::HashedBytes, bytes.len());
    entry::hash(bytes)
}

/// Whether a leaf is at this index of the tree of this size with this root. Hashes no more of the path than such a tree is
/// high.
pub(super) fn included(leaf: &Hash, (index, size): (u64, u64), path: &[Hex], root: &Hash) -> bool {
    #[cfg(test)]
    count_many(Check::HashedBytes, 65 * path.len().min(64));
    let path: Vec<Hash> = path.iter().map(|hash| hash.0).collect();
    merkle::verify_inclusion(leaf, index, size, &path, root).is_ok()
}

/// The envelope that an entry records. Its signatures are not verified yet.
pub(super) fn envelope(bytes: &[u8], entry: &Entry, service: Service, link: LinkName) -> Result<Envelope, Fault> {
    #[cfg(test)]
    count(Check::Envelope);
    let number = entry.number;
    #[cfg(test)]
    count_many(Check::HashedBytes, bytes.len());
    let envelope = match Envelope::parse_strict(bytes) {
        Ok(envelope) => envelope,
        Err(error) => return broken(link, format!("{service} entry {number}: {error}")),
    };
    ensure(envelope.hash() == entry.envelope, link, format!("{service} entry {number} records another envelope"))?;
    Ok(envelope)
}

/// A fact that is in the state with this root; nothing if it cannot be read.
pub(super) fn fact(part: &FactPart, root: &Hash, link: LinkName) -> Result<Option<Fact>, Fault> {
    #[cfg(test)]
    count(Check::Fact);
    ensure(is_in(part, root), link, format!("a fact is not in the {} state {}", part.service, part.number))?;
    #[cfg(test)]
    count_many(Check::ReadBytes, part.fact.0.len());
    Ok(json::read(&part.fact.0).ok())
}

/// Whether a fact's bytes are in the state with this root.
fn is_in(part: &FactPart, root: &Hash) -> bool {
    let Ok(salt) = <[u8; 16]>::try_from(part.salt.0.as_slice()) else { return false };
    #[cfg(test)]
    count_many(Check::HashedBytes, part.fact.0.len() + 65 * part.siblings.len());
    let value = fact::value_hash(&salt, &part.fact.0);
    let siblings = part.siblings.iter().map(|hash| hash.0).collect();
    let path = Path { siblings, terminal: Terminal::Leaf { key: part.key.0, value } };
    path.proves(&part.key.0, root) == Some(Proven::Present(value))
}
