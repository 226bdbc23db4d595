//! A bundle's entries and facts, each handed out only after its own check, and struck off as it is used. Each is parsed and
//! checked once, however many steps of a walk rest on it.

#[cfg(test)]
use super::counted::{Check, count, count_many, forgiven};
use super::{
    check,
    parts::{Demand, Part, Supplier},
};
use crate::{
    MAX_CLOCK_AHEAD_MS,
    bundle::{Bundle, EntryPart, FactPart},
    command::Payload,
    dsse::{self, AnyCommand, Envelope},
    entry::Entry,
    fact::{self, Fact},
    id::{Service, Uuid},
    report::{Failure, LinkName},
    subject::Subject,
};
use std::{
    any::Any,
    borrow::Cow,
    collections::{HashMap, hash_map},
    rc::Rc,
};
use tlog::Hash;

/// Why a walk stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A link does not hold.
    Broken(Failure),
    /// It needs more steps than a bundle may rest on. Nothing else is wrong with what was walked.
    TooLong(Failure),
    /// The bundle lacks a part.
    Missing(LinkName, Demand),
}

impl Fault {
    /// As a verifier sees it: what is missing does not hold.
    pub fn into_failure(self) -> Failure {
        match self {
            Fault::Broken(failure) | Fault::TooLong(failure) => failure,
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
    if holds {
        return Ok(());
    }
    let reason = reason.into();
    #[cfg(test)]
    if forgiven(&reason) {
        return Ok(());
    }
    broken(link, reason)
}

/// A command with the entry that recorded it.
pub(super) struct Recorded<P> {
    pub(super) entry: Entry,
    pub(super) envelope: Rc<Envelope>,
    pub(super) command: P,
}

type EntryKey = (Service, u64);
type FactKey = (Service, u64, Hash);

/// An entry that was checked, and its envelope once that was.
struct Read {
    entry: Entry,
    hash: Hash,
    signed: Option<Signed>,
}

/// An envelope that is the one its entry records, and its command once that was checked.
struct Signed {
    envelope: Rc<Envelope>,
    command: Option<Box<dyn Any>>,
}

pub(super) struct Evidence<'a> {
    study: Uuid,
    entries: Cow<'a, [EntryPart]>,
    facts: Cow<'a, [FactPart]>,
    entry_places: HashMap<EntryKey, usize>,
    fact_places: HashMap<FactKey, usize>,
    /// By place. What is not here was not used; nor was an envelope that is not in it.
    read: HashMap<usize, Read>,
    /// By place: that it is in the state, and the fact if it can be read. What is not here was not used.
    checked: HashMap<usize, Option<Fact>>,
    supplier: Option<&'a mut Supplier<'a>>,
    /// Whether entries are to be recorded after what they rest on: from rules 3 on.
    pub(super) in_order: bool,
}

impl<'a> Evidence<'a> {
    /// What a bundle holds, and nothing more.
    pub(super) fn new(bundle: &'a Bundle) -> Self {
        Self::of(bundle.study, Cow::Borrowed(&bundle.entries), Cow::Borrowed(&bundle.facts), None)
    }

    /// What a bundle holds, and whatever else `supplier` has.
    pub(super) fn supplied(bundle: &mut Bundle, supplier: &'a mut Supplier<'a>) -> Self {
        let (entries, facts) = (std::mem::take(&mut bundle.entries), std::mem::take(&mut bundle.facts));
        Self::of(bundle.study, Cow::Owned(entries), Cow::Owned(facts), Some(supplier))
    }

    fn of(
        study: Uuid,
        entries: Cow<'a, [EntryPart]>,
        facts: Cow<'a, [FactPart]>,
        supplier: Option<&'a mut Supplier<'a>>,
    ) -> Self {
        let entry_places = entries.iter().enumerate().map(|(i, e)| ((e.service, e.number), i)).collect();
        let fact_places = facts.iter().enumerate().map(|(i, f)| ((f.service, f.number, f.key.0), i)).collect();
        let (read, checked) = (HashMap::new(), HashMap::new());
        Self { study, entries, facts, entry_places, fact_places, read, checked, supplier, in_order: false }
    }

    /// All parts, those supplied included.
    pub(super) fn into_parts(self) -> (Vec<EntryPart>, Vec<FactPart>) {
        (self.entries.into_owned(), self.facts.into_owned())
    }

    /// Asks for a part that is lacking, and takes it in.
    fn supply(&mut self, link: LinkName, demand: Demand) -> Result<(), Fault> {
        let part = self.supplier.as_mut().and_then(|supplier| supplier(&demand));
        match part.filter(|part| demand.is_met_by(part, self.study)) {
            Some(Part::Entry(part)) => match self.entry_places.get(&(part.service, part.number)) {
                Some(place) => self.entries.to_mut()[*place].envelope = part.envelope,
                None => {
                    self.entry_places.insert((part.service, part.number), self.entries.len());
                    self.entries.to_mut().push(part);
                }
            },
            Some(Part::Fact(part)) => {
                self.fact_places.insert((part.service, part.number, part.key.0), self.facts.len());
                self.facts.to_mut().push(part);
            }
            None => return Err(Fault::Missing(link, demand)),
        }
        Ok(())
    }

    /// An entry and its hash, checked to be of the study's journal and to have the number asked for.
    pub(super) fn entry(&mut self, link: LinkName, service: Service, number: u64) -> Result<(Entry, Hash), Fault> {
        self.read(link, service, number, false).map(|(_, read)| (read.entry.clone(), read.hash))
    }

    /// The place of an entry, and the entry, which was checked once. If it is lacking it is asked for, with its envelope
    /// if that will be needed too.
    fn read(
        &mut self,
        link: LinkName,
        service: Service,
        number: u64,
        envelope: bool,
    ) -> Result<(usize, &mut Read), Fault> {
        if !self.entry_places.contains_key(&(service, number)) {
            self.supply(link, Demand::Entry { service, number, envelope })?;
        }
        let place = self.entry_places[&(service, number)];
        let read = match self.read.entry(place) {
            hash_map::Entry::Occupied(known) => known.into_mut(),
            hash_map::Entry::Vacant(new) => {
                let (entry, hash) = check::entry(&self.entries[place], self.study, link)?;
                new.insert(Read { entry, hash, signed: None })
            }
        };
        Ok((place, read))
    }

    /// An entry and the envelope it records, parsed once.
    fn signed(&mut self, link: LinkName, service: Service, number: u64) -> Result<(Entry, &mut Signed), Fault> {
        let (place, _) = self.read(link, service, number, true)?;
        let demand = Demand::Entry { service, number, envelope: true };
        if self.entries[place].envelope.is_none() {
            self.supply(link, demand.clone())?;
        }
        let (Some(bytes), Some(read)) = (&self.entries[place].envelope, self.read.get_mut(&place)) else {
            return Err(Fault::Missing(link, demand));
        };
        let Read { entry, signed, .. } = read;
        let signed = match signed {
            Some(signed) => signed,
            None => {
                let envelope = Rc::new(check::envelope(&bytes.0, entry, service, link)?);
                signed.insert(Signed { envelope, command: None })
            }
        };
        Ok((entry.clone(), signed))
    }

    /// An entry with the command it recorded.
    pub(super) fn command<P: Payload + Clone + 'static>(
        &mut self,
        link: LinkName,
        service: Service,
        number: u64,
    ) -> Result<Recorded<P>, Fault> {
        let study = self.study;
        let (entry, signed) = self.signed(link, service, number)?;
        let envelope = signed.envelope.clone();
        if let Some(command) = signed.command.as_ref().and_then(|known| known.downcast_ref::<P>()) {
            return Ok(Recorded { entry, envelope, command: command.clone() });
        }
        #[cfg(test)]
        count(Check::Command);
        #[cfg(test)]
        count_many(Check::ReadBytes, envelope.payload_bytes().len());
        let command: P = match envelope.payload_strict() {
            Ok(command) => command,
            Err(error) => return broken(link, format!("{service} entry {number}: {error}")),
        };
        let agrees = entry.kind == P::KIND && command.study() == study;
        ensure(agrees, link, format!("{service} entry {number} is not a {} of this study", P::KIND))?;
        signed.command = Some(Box::new(command.clone()));
        Ok(Recorded { entry, envelope, command })
    }

    /// An entry with the command it recorded, of whatever kind, and who says they signed it.
    pub(super) fn any_command(
        &mut self,
        link: LinkName,
        service: Service,
        number: u64,
    ) -> Result<(Entry, Rc<Envelope>, AnyCommand), Fault> {
        let study = self.study;
        let (entry, known) = self.signed(link, service, number)?;
        let envelope = known.envelope.clone();
        #[cfg(test)]
        count_many(Check::ReadBytes, envelope.payload_bytes().len());
        let command = match envelope.any_payload() {
            Ok(command) => command,
            Err(error) => return broken(link, format!("{service} entry {number}: {error}")),
        };
        let kind = envelope.payload_type() == dsse::payload_type(&entry.kind);
        ensure(kind && command.study == study, link, format!("{service} entry {number} is of another study"))?;
        Ok((entry, envelope, command))
    }

    /// The hash of the entry at this place, if it was read.
    pub(super) fn hash_of(&self, place: usize) -> Option<Hash> {
        self.read.get(&place).map(|read| read.hash)
    }

    /// The kind of command an entry states: who asks for it needs the command next.
    pub(super) fn kind(&mut self, link: LinkName, service: Service, number: u64) -> Result<String, Fault> {
        self.read(link, service, number, true).map(|(_, read)| read.entry.kind.clone())
    }

    /// Checks that a head names the very entry the bundle holds.
    pub(super) fn head(&mut self, link: LinkName, service: Service, entry: &Entry) -> Result<u64, Fault> {
        let Some(head) = entry.basis_in(service.stream(self.study)) else {
            return broken(link, format!("the entry names no {service} head"));
        };
        let (named, hash) = self.entry(link, service, head.number)?;
        ensure(
            hash == head.hash,
            link,
            format!("the {service} head {} is another entry than the one named", head.number),
        )?;
        self.follows(link, (&named, MAX_CLOCK_AHEAD_MS), entry)?;
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
        self.follows(link, (&before, 0), entry)?;
        Ok(number)
    }

    /// From rules 3 on: checks that `entry` was recorded after the one it rests on, whose clock may have been `ahead` by so
    /// many milliseconds. Without this the age of a signature would say nothing.
    fn follows(&self, link: LinkName, (earlier, ahead): (&Entry, u64), entry: &Entry) -> Result<(), Fault> {
        let good = !self.in_order || earlier.time <= entry.time.saturating_add(ahead);
        ensure(good, link, format!("entry {} was recorded before what it rests on", entry.number))
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
        let Some(root) = self.read(link, service, number, false)?.1.entry.state_root else {
            return broken(link, format!("{service} entry {number} has no state root"));
        };
        let keys: Vec<Hash> = subjects.iter().map(|subject| subject.map_key(self.study)).collect();
        loop {
            let mut lacking = Vec::new();
            for (subject, key) in subjects.iter().zip(&keys) {
                let Some(place) = self.fact_places.get(&(service, number, *key)).copied() else {
                    lacking.push(subject.clone());
                    continue;
                };
                let fact = match self.checked.entry(place) {
                    hash_map::Entry::Occupied(known) => known.into_mut(),
                    hash_map::Entry::Vacant(new) => new.insert(check::fact(&self.facts[place], &root, link)?),
                };
                if let Some(value) = fact.as_ref().and_then(|fact| wanted(subject, fact)) {
                    return Ok(value);
                }
            }
            if lacking.is_empty() {
                return broken(link, otherwise);
            }
            self.supply(link, Demand::Fact { service, number, subjects: lacking })?;
        }
    }

    /// Checks that every part was used: a bundle states nothing that was not checked.
    pub(super) fn nothing_left(&self) -> Result<(), Failure> {
        let is_used = |(place, part): (usize, &EntryPart)| {
            self.read.get(&place).is_some_and(|read| part.envelope.is_none() || read.signed.is_some())
        };
        if self.checked.len() == self.facts.len() && self.entries.iter().enumerate().all(is_used) {
            return Ok(());
        }
        let reason = "the bundle holds an entry, envelope or fact that nothing rests on".to_owned();
        Err(Failure { link: LinkName::Leftovers, reason })
    }
}
