//! The checks of each part by itself: what it is of, and where its bytes are named.

#[cfg(test)]
use super::counted::{Check, count};
use super::evidence::{Fault, broken, ensure};
use crate::{
    bundle::{EntryPart, FactPart, is_as_written},
    dsse::Envelope,
    entry::{self, Entry},
    fact::{self, Fact},
    id::{Service, Uuid},
    map::{Path, Proven, Terminal},
    report::LinkName,
};
use serde_json::Value;
use tlog::{Hash, sha256};

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
    Ok((entry, entry::hash(&part.entry.0)))
}

/// The envelope that an entry records. Its signatures are not verified yet.
pub(super) fn envelope(bytes: &[u8], entry: &Entry, service: Service, link: LinkName) -> Result<Envelope, Fault> {
    #[cfg(test)]
    count(Check::Envelope);
    let number = entry.number;
    let envelope = match Envelope::parse(bytes) {
        Ok(envelope) => envelope,
        Err(error) => return broken(link, format!("{service} entry {number}: {error}")),
    };
    let written = is_object(bytes);
    ensure(written, link, format!("the envelope of {service} entry {number} is not written with objects"))?;
    let same = sha256(&[bytes]) == entry.envelope;
    ensure(same, link, format!("{service} entry {number} records another envelope"))?;
    Ok(envelope)
}

/// A fact that is in the state with this root; nothing if it cannot be read.
pub(super) fn fact(part: &FactPart, root: &Hash, link: LinkName) -> Result<Option<Fact>, Fault> {
    #[cfg(test)]
    count(Check::Fact);
    ensure(is_in(part, root), link, format!("a fact is not in the {} state {}", part.service, part.number))?;
    Ok(Fact::parse(&part.fact.0).filter(|fact| is_as_written(&part.fact.0, fact)))
}

/// Whether an envelope and its signatures are JSON objects, not arrays of the fields' values.
fn is_object(envelope: &[u8]) -> bool {
    let Ok(Value::Object(envelope)) = serde_json::from_slice(envelope) else { return false };
    envelope.get("signatures").and_then(Value::as_array).is_some_and(|all| all.iter().all(Value::is_object))
}

/// Whether a fact's bytes are in the state with this root.
fn is_in(part: &FactPart, root: &Hash) -> bool {
    let Ok(salt) = <[u8; 16]>::try_from(part.salt.0.as_slice()) else { return false };
    let value = fact::value_hash(&salt, &part.fact.0);
    let siblings = part.siblings.iter().map(|hash| hash.0).collect();
    let path = Path { siblings, terminal: Terminal::Leaf { key: part.key.0, value } };
    path.proves(&part.key.0, root) == Some(Proven::Present(value))
}
