//! A bundle's entries and facts, each handed out only after its own check, and struck off as it is used.

use crate::{
    bundle::{Bundle, FactPart, is_as_written},
    command::Payload,
    dsse::{self, Envelope},
    entry::{self, Entry, Head},
    fact::{self, Fact, Subject},
    id::{Name, Service, Uuid},
    map::{Path, Proven, Terminal},
    report::{Failure, LinkName},
};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use tlog::{Hash, sha256};

/// What a bundle lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Demand {
    /// An entry, with its envelope if so marked.
    Entry {
        /// Whose journal.
        service: Service,
        /// The entry's number.
        number: u64,
        /// Whether the envelope is needed.
        envelope: bool,
    },
    /// One of these facts, in the state after an entry.
    Fact {
        /// Whose journal.
        service: Service,
        /// The entry's number.
        number: u64,
        /// The facts, any of which may serve.
        subjects: Vec<Subject>,
    },
}

/// Why a walk stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A link does not hold.
    Broken(Failure),
    /// The bundle lacks a part.
    Missing(LinkName, Demand),
}

impl Fault {
    /// As a verifier sees it: what is missing does not hold.
    pub fn into_failure(self) -> Failure {
        match self {
            Fault::Broken(failure) => failure,
            Fault::Missing(link, Demand::Entry { service, number, .. }) => {
                Failure { link, reason: format!("the bundle lacks {service} entry {number} or its envelope") }
            }
            Fault::Missing(link, Demand::Fact { service, number, .. }) => Failure {
                link,
                reason: format!("the bundle lacks a proof of the fact needed in {service} state {number}"),
            },
        }
    }
}

/// Shorthand for a link that does not hold.
pub(super) fn broken<T>(link: LinkName, reason: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Broken(Failure { link, reason: reason.into() }))
}

pub(super) fn ensure(holds: bool, link: LinkName, reason: impl Into<String>) -> Result<(), Fault> {
    if holds { Ok(()) } else { broken(link, reason) }
}

/// A command with the entry that recorded it.
pub(super) struct Recorded<P> {
    pub(super) entry: Entry,
    pub(super) envelope: Envelope,
    pub(super) command: P,
}

type EntryKey = (Service, u64);
type FactKey = (Service, u64, Hash);

pub(super) struct Evidence<'a> {
    bundle: &'a Bundle,
    entries: HashMap<EntryKey, usize>,
    facts: HashMap<FactKey, usize>,
    used_entries: HashSet<usize>,
    used_envelopes: HashSet<usize>,
    used_facts: HashSet<usize>,
}

impl<'a> Evidence<'a> {
    pub(super) fn new(bundle: &'a Bundle) -> Self {
        let entries = bundle.entries.iter().enumerate().map(|(i, e)| ((e.service, e.number), i)).collect();
        let facts = bundle.facts.iter().enumerate().map(|(i, f)| ((f.service, f.number, f.key.0), i)).collect();
        Self {
            bundle,
            entries,
            facts,
            used_entries: HashSet::new(),
            used_envelopes: HashSet::new(),
            used_facts: HashSet::new(),
        }
    }

    /// An entry and its hash, checked to be of the study's journal and to have the number asked for.
    pub(super) fn entry(&mut self, link: LinkName, service: Service, number: u64) -> Result<(Entry, Hash), Fault> {
        let Some(place) = self.entries.get(&(service, number)).copied() else {
            return Err(Fault::Missing(link, Demand::Entry { service, number, envelope: false }));
        };
        let part = &self.bundle.entries[place];
        let entry = match Entry::parse(&part.entry.0) {
            Ok(entry) => entry,
            Err(error) => return broken(link, format!("{service} entry {number}: {error}")),
        };
        let stream = service.stream(self.bundle.study);
        ensure(
            entry.stream == stream && entry.number == number,
            link,
            format!("{service} entry {number} is of another journal or number"),
        )?;
        self.used_entries.insert(place);
        Ok((entry, entry::hash(&part.entry.0)))
    }

    /// An entry with the command it recorded.
    pub(super) fn command<P: Payload>(
        &mut self,
        link: LinkName,
        service: Service,
        number: u64,
    ) -> Result<Recorded<P>, Fault> {
        let (entry, _) = self.entry(link, service, number)?;
        let (envelope, bytes) = self.envelope(link, service, number)?;
        ensure(sha256(&[bytes]) == entry.envelope, link, format!("{service} entry {number} records another envelope"))?;
        let command: P = match envelope.payload() {
            Ok(command) => command,
            Err(error) => return broken(link, format!("{service} entry {number}: {error}")),
        };
        let written = is_as_written(envelope.payload_bytes(), &command);
        ensure(written, link, format!("the payload of {service} entry {number} is not written with objects"))?;
        let agrees = entry.kind == P::KIND && command.study() == self.bundle.study;
        ensure(agrees, link, format!("{service} entry {number} is not a {} of this study", P::KIND))?;
        Ok(Recorded { entry, envelope, command })
    }

    /// An entry with the command it recorded, of whatever kind, and who says they signed it.
    pub(super) fn any_command(
        &mut self,
        link: LinkName,
        service: Service,
        number: u64,
    ) -> Result<(Entry, Envelope, Name), Fault> {
        #[derive(serde::Deserialize)]
        struct Signed {
            study: Uuid,
            by: Name,
        }
        let (entry, _) = self.entry(link, service, number)?;
        let (envelope, bytes) = self.envelope(link, service, number)?;
        ensure(sha256(&[bytes]) == entry.envelope, link, format!("{service} entry {number} records another envelope"))?;
        let signed: Signed = match envelope.common() {
            Ok(signed) => signed,
            Err(error) => return broken(link, format!("{service} entry {number}: {error}")),
        };
        let kind = envelope.payload_type() == dsse::payload_type(&entry.kind);
        ensure(
            kind && signed.study == self.bundle.study,
            link,
            format!("{service} entry {number} is of another study"),
        )?;
        Ok((entry, envelope, signed.by))
    }

    /// The kind of command an entry states.
    pub(super) fn kind(&mut self, link: LinkName, service: Service, number: u64) -> Result<String, Fault> {
        self.entry(link, service, number).map(|(entry, _)| entry.kind)
    }

    fn envelope(&mut self, link: LinkName, service: Service, number: u64) -> Result<(Envelope, &'a [u8]), Fault> {
        let place = self.entries.get(&(service, number)).copied();
        let bytes = place.and_then(|place| self.bundle.entries[place].envelope.as_ref());
        let (Some(place), Some(bytes)) = (place, bytes) else {
            return Err(Fault::Missing(link, Demand::Entry { service, number, envelope: true }));
        };
        self.used_envelopes.insert(place);
        match Envelope::parse(&bytes.0) {
            Ok(envelope) if is_object(&bytes.0) => Ok((envelope, &bytes.0)),
            Ok(_) => broken(link, format!("the envelope of {service} entry {number} is not written with objects")),
            Err(error) => broken(link, format!("{service} entry {number}: {error}")),
        }
    }

    /// Checks that a head names the very entry the bundle holds.
    pub(super) fn head(&mut self, link: LinkName, service: Service, head: Option<&Head>) -> Result<u64, Fault> {
        let Some(head) = head else { return broken(link, format!("the entry names no {service} head")) };
        let (_, hash) = self.entry(link, service, head.number)?;
        ensure(
            hash == head.hash,
            link,
            format!("the {service} head {} is another entry than the one named", head.number),
        )?;
        Ok(head.number)
    }

    /// The state that `entry` was decided on: the number of the entry before, whose hash it names.
    pub(super) fn before(&mut self, link: LinkName, service: Service, entry: &Entry) -> Result<u64, Fault> {
        let Some(number) = entry.number.checked_sub(1) else { return broken(link, "nothing comes before entry 0") };
        let (before, hash) = self.entry(link, service, number)?;
        ensure(
            fact::precedes(&before, &hash, entry),
            link,
            format!("{service} entry {} does not follow entry {number}", entry.number),
        )?;
        Ok(number)
    }

    /// The first of `subjects` whose fact, in the state after entry `number`, is as `wanted`. A fact that cannot be read
    /// is not as wanted: what it says does not matter, as long as it is in the state.
    pub(super) fn fact<T>(
        &mut self,
        link: LinkName,
        service: Service,
        number: u64,
        subjects: &[Subject],
        wanted: impl Fn(&Subject, &Fact) -> Option<T>,
        otherwise: &str,
    ) -> Result<T, Fault> {
        let (entry, _) = self.entry(link, service, number)?;
        let Some(root) = entry.state_root else {
            return broken(link, format!("{service} entry {number} has no state root"));
        };
        let mut lacking = Vec::new();
        for subject in subjects {
            let key = subject.map_key(self.bundle.study);
            let Some(place) = self.facts.get(&(service, number, key)).copied() else {
                lacking.push(subject.clone());
                continue;
            };
            let part = &self.bundle.facts[place];
            ensure(is_in(part, &root), link, format!("a fact is not in the {service} state {number}"))?;
            self.used_facts.insert(place);
            let fact = Fact::parse(&part.fact.0).filter(|fact| is_as_written(&part.fact.0, fact));
            if let Some(value) = fact.and_then(|fact| wanted(subject, &fact)) {
                return Ok(value);
            }
        }
        if lacking.is_empty() {
            return broken(link, otherwise);
        }
        Err(Fault::Missing(link, Demand::Fact { service, number, subjects: lacking }))
    }

    /// Checks that every part was used: a bundle states nothing that was not checked.
    pub(super) fn nothing_left(&self, bundle: &Bundle) -> Result<(), Failure> {
        let extra = bundle.entries.iter().enumerate().any(|(place, part)| {
            !self.used_entries.contains(&place) || (part.envelope.is_some() && !self.used_envelopes.contains(&place))
        });
        if extra || self.used_facts.len() != bundle.facts.len() {
            return Err(Failure {
                link: LinkName::Leftovers,
                reason: "the bundle holds an entry, envelope or fact that nothing rests on".to_owned(),
            });
        }
        Ok(())
    }
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
