//! One study: its three journals, entry by entry.

use super::{
    Audit, AuditError, Progress, Report, Source, StoredEntry, Wanted, capture::Captured, chain::Blocks, people::People,
    provable::Rights, replay, replay::State,
};
use rayon::prelude::*;
use seal::{
    Hash, MAX_DECISION_AGE_MS,
    block::Block,
    dsse::Envelope,
    entry::{self, Entry, Head},
    id::{Service, StreamId, Uuid},
    key::PublicKey,
    sha256,
};
use std::collections::HashSet;
use tlog::merkle;
use vocabulary::{
    command::{Payload, RecordScreening},
    fact::Fact,
    subject::Subject,
};

/// Entries checked at once.
const CHUNK: usize = 4_096;
/// The most entries that may be missing in one place and still have their blocks found.
pub(super) const MOST_MISSING: usize = 1 << 20;
/// After this time an entry must be on the chain, whatever its receipt says.
const ANCHORED_WITHIN_MS: u64 = 60_000;

/// What the replay of a study knows.
pub(super) struct Study<'a> {
    pub(super) id: Uuid,
    pub(super) root_key: &'a PublicKey,
    pub(super) enrollment: State,
    pub(super) consent: State,
    pub(super) captured: Captured,
    pub(super) people: People,
    pub(super) rights: Rights,
    requests: HashSet<(Service, Uuid)>,
    /// The auditor's clock when the audit began, Unix milliseconds.
    pub(super) begun_ms: u64,
}

/// An entry with what is behind it.
pub(super) struct Record {
    pub(super) entry: Entry,
    hash: Hash,
    pub(super) stored: StoredEntry,
}

/// Replays a study, whose root key is what the policy names.
pub(super) async fn check<S: Source>(
    source: &S,
    id: Uuid,
    audit: &Audit<'_>,
    blocks: &Blocks,
    (report, progress): (&mut Report, &impl Progress),
) -> Result<(), AuditError> {
    let Some(root_key) = audit.policy.studies.get(&id) else {
        report.find(Some(id), None, None, "the policy does not name the study's root key");
        return Ok(());
    };
    let mut study = Study::new(id, root_key, audit.now_ms);
    let anchored = |service: Service| blocks.get(&service.stream(id)).map_or(&[][..], Vec::as_slice);
    let lengths = lengths(source, id, |service| count(anchored(service))).await.map_err(AuditError::of::<S>)?;
    for (length, service) in lengths.into_iter().zip(Service::ALL) {
        study.journal(source, (service, length), anchored(service), (report, progress)).await?;
    }
    study.screenings(report);
    study.consented(report);
    study.withheld(report);
    Ok(())
}

/// How many entries each journal has, of which `known` are known to be there.
///
/// An entry rests on others that were there before it: what is counted first is read last.
///
/// # Errors
///
/// The source cannot be read.
pub async fn lengths<S: Source>(
    source: &S,
    study: Uuid,
    known: impl Fn(Service) -> u64,
) -> Result<[u64; Service::ALL.len()], S::Error> {
    let mut lengths = [0; Service::ALL.len()];
    for (length, service) in lengths.iter_mut().zip(Service::ALL).rev() {
        *length = known(service);
        let wanted = Wanted { study, service, from: *length, limit: 0, full: false };
        source.entries(wanted, |_| *length += 1).await?;
    }
    Ok(lengths)
}

/// How many entries blocks hold.
fn count(blocks: &[Block]) -> u64 {
    blocks.iter().map(|block| u64::from(block.count)).sum()
}

/// Where the reading of a journal stands.
struct Position<'a> {
    stream: StreamId,
    service: Service,
    next: u64,
    /// Nothing if the entry before could not be read.
    previous: Option<Hash>,
    time: u64,
    blocks: std::slice::Iter<'a, Block>,
    block: Option<(&'a Block, Vec<Option<Hash>>)>,
}

impl<'a> Study<'a> {
    pub(super) fn new(id: Uuid, root_key: &'a PublicKey, begun_ms: u64) -> Self {
        Self {
            id,
            root_key,
            enrollment: State::default(),
            consent: State::default(),
            captured: Captured::default(),
            people: People::default(),
            rights: Rights::default(),
            requests: HashSet::new(),
            begun_ms,
        }
    }
}

impl Study<'_> {
    async fn journal<S: Source>(
        &mut self,
        source: &S,
        (service, length): (Service, u64),
        blocks: &[Block],
        (report, progress): (&mut Report, &impl Progress),
    ) -> Result<(), AuditError> {
        let (stream, anchored) = (service.stream(self.id), count(blocks));
        if length == 0 {
            return Ok(());
        }
        progress.more(length);
        progress.reading(service.name());
        let mut position = Position {
            stream,
            service,
            next: 0,
            previous: Some(Hash::ZERO),
            time: 0,
            blocks: blocks.iter(),
            block: None,
        };
        let mut chunk = Vec::with_capacity(CHUNK);
        let wanted = Wanted { study: self.id, service, from: 0, limit: length, full: true };
        let each = |stored| {
            chunk.push(stored);
            if chunk.len() == CHUNK {
                progress.done(CHUNK as u64);
                self.chunk(std::mem::take(&mut chunk), &mut position, report);
            }
        };
        source.entries(wanted, each).await.map_err(AuditError::of::<S>)?;
        progress.done(chunk.len() as u64);
        self.chunk(chunk, &mut position, report);
        if position.next < anchored {
            let what = format!("the chain holds {anchored} entries of the journal, which has only {}", position.next);
            report.find(Some(self.id), Some(service), Some(position.next), what);
        }
        Ok(())
    }

    fn chunk(&mut self, entries: Vec<StoredEntry>, position: &mut Position<'_>, report: &mut Report) {
        let parsed: Vec<_> = entries
            .into_par_iter()
            .map(|stored| {
                let hash = entry::hash(&stored.entry);
                Entry::parse(&stored.entry).map(|entry| Record { entry, hash, stored })
            })
            .collect();
        let mut records = Vec::with_capacity(parsed.len());
        for outcome in parsed {
            report.entries += 1;
            match outcome {
                Ok(record) => {
                    if self.place(&record, position, report) {
                        records.push(record);
                    }
                }
                Err(error) => {
                    let number = position.next;
                    self.lose(position, number + 1, report);
                    self.find(report, position.service, number, format!("cannot be read: {error}"));
                }
            }
        }
        match position.service {
            Service::Enrollment | Service::Consent => {
                for record in &records {
                    self.stateful(record, position.service, report);
                }
            }
            Service::Capture => self.captured(&records, report),
        }
    }

    pub(super) fn find(&self, report: &mut Report, service: Service, number: u64, what: impl Into<String>) {
        report.find(Some(self.id), Some(service), Some(number), what);
    }

    /// Checks an entry's place: number, hash link, time, and its block; says whether it is there for the first time.
    fn place(&mut self, record: &Record, position: &mut Position<'_>, report: &mut Report) -> bool {
        let Record { entry, hash, .. } = record;
        let (service, number) = (position.service, position.next);
        if entry.stream != position.stream {
            self.lose(position, number + 1, report);
            self.find(report, service, number, "is of another journal");
            return false;
        }
        if entry.number < number {
            self.find(report, service, entry.number, "is there again");
            return false;
        }
        if entry.number > number {
            let what = format!("is missing, as is every entry before {}", entry.number);
            self.find(report, service, number, what);
            self.lose(position, entry.number, report);
        }
        if position.previous.is_some_and(|previous| entry.previous != previous) {
            self.find(report, service, entry.number, "does not follow the entry before");
        }
        if entry.time < position.time {
            self.find(report, service, entry.number, "was recorded before the entry before it");
        }
        (position.next, position.previous, position.time) = (entry.number.saturating_add(1), Some(*hash), entry.time);
        self.in_block((entry.number, Some((entry.time, *hash))), position, report);
        true
    }

    /// Takes in that no entry before `until` could be read: what rests on them is not judged.
    fn lose(&mut self, position: &mut Position<'_>, until: u64, report: &mut Report) {
        match position.service {
            Service::Capture => self.captured.lost = true,
            service => self.state_mut(service).lose(position.next),
        }
        for number in (position.next..until).take(MOST_MISSING) {
            self.in_block((number, None), position, report);
        }
        (position.next, position.previous) = (until, None);
    }

    /// Checks that an entry is where its block has it, once the block's entries are all there. One that could not be read has neither
    /// time nor hash; blocks that hold such a one are not judged.
    fn in_block(&self, (number, read): (u64, Option<(u64, Hash)>), position: &mut Position<'_>, report: &mut Report) {
        let service = position.service;
        if position.block.is_none() {
            position.block = position.blocks.next().map(|block| (block, Vec::new()));
        }
        let Some((block, hashes)) = &mut position.block else {
            report.waiting += u64::from(read.is_some());
            if read.is_some_and(|(time, _)| self.begun_ms > time.saturating_add(ANCHORED_WITHIN_MS)) {
                self.find(report, service, number, "is not on the chain although its time is long past");
            }
            return;
        };
        if let Some((time, _)) = read {
            report.slowest_anchoring_ms = report.slowest_anchoring_ms.max(block.time.saturating_sub(time));
            if time > block.time.saturating_add(MAX_DECISION_AGE_MS) {
                self.find(report, service, number, "states a time after the block that holds it was made");
            }
        }
        hashes.push(read.map(|(_, hash)| hash));
        if hashes.len() as u64 == u64::from(block.count) {
            let read: Option<Vec<Hash>> = hashes.iter().copied().collect();
            if read.is_some_and(|hashes| merkle::root(&hashes) != block.root) {
                let what =
                    format!("or one just before it is not the entry that block {} on the chain holds", block.number);
                self.find(report, service, number, what);
            }
            position.block = None;
        }
    }

    /// Checks an entry of a journal with a state, and takes its changes in.
    fn stateful(&mut self, record: &Record, service: Service, report: &mut Report) {
        let Record { entry, hash, stored } = record;
        if !self.state(service).is_known(entry.number) || !self.rests_on_what_is_known(entry) {
            report.unjudged += 1;
            let state = self.state_mut(service);
            state.lose(entry.number);
            return state.pass_over(entry, *hash);
        }
        let found = report.found;
        let changes = self.changes(entry, stored, service, report).unwrap_or_else(|what| {
            self.find(report, service, entry.number, what);
            Vec::new()
        });
        report.commands += u64::from(!stored.unreadable);
        report.state_roots += 1;
        let (id, state) = (self.id, self.state_mut(service));
        if state.apply(id, entry, *hash, changes) {
            return;
        }
        state.lose(entry.number);
        if report.found == found {
            self.find(report, service, entry.number, "has another state root than its history makes");
        }
    }

    fn state(&self, service: Service) -> &State {
        if service == Service::Enrollment { &self.enrollment } else { &self.consent }
    }

    fn state_mut(&mut self, service: Service) -> &mut State {
        if service == Service::Enrollment { &mut self.enrollment } else { &mut self.consent }
    }

    /// Whether every entry was read and judged.
    pub(super) fn is_whole(&self) -> bool {
        self.enrollment.is_known(u64::MAX) && self.consent.is_known(u64::MAX) && !self.captured.lost
    }

    /// Whether the states an entry was decided on are known. What rests on others cannot be judged.
    pub(super) fn rests_on_what_is_known(&self, entry: &Entry) -> bool {
        [Service::Enrollment, Service::Consent].into_iter().all(|service| {
            let head = entry.basis_in(service.stream(self.id));
            head.is_none_or(|head| self.state(service).is_known(head.number))
        })
    }

    fn changes(
        &mut self,
        entry: &Entry,
        stored: &StoredEntry,
        service: Service,
        report: &mut Report,
    ) -> Result<Vec<(Subject, Fact)>, String> {
        if service == Service::Enrollment && entry.kind == RecordScreening::KIND && stored.unreadable {
            return self.erased_screening(entry, stored);
        }
        let envelope = envelope(entry, stored)?;
        self.once(service, &envelope)?;
        if service == Service::Enrollment {
            let changes = replay::enrollment(&self.enrollment, entry, &envelope)?;
            if let Err(what) = self.person(entry, &envelope, stored, report) {
                self.find(report, service, entry.number, what);
            }
            self.order(service, entry, (&envelope, &changes), report)?;
            self.provable(entry, (&envelope, &changes), report)?;
            if entry.number == 0 {
                let root = changes.iter().find_map(|(_, fact)| match fact {
                    Fact::Study { root_key, .. } => Some(root_key),
                    _ => None,
                });
                if root != Some(self.root_key) {
                    return Err("creates the study with another root key than the policy names".to_owned());
                }
            }
            return Ok(changes);
        }
        let basis = self.basis(entry, Service::Enrollment, report)?;
        let changes = replay::consent(&self.consent, &self.enrollment, basis, entry, &envelope)?;
        self.order(service, entry, (&envelope, &changes), report)?;
        Ok(changes)
    }

    /// Checks that a request was recorded once and belongs to the study.
    pub(super) fn once(&mut self, service: Service, envelope: &Envelope) -> Result<(), String> {
        #[derive(serde::Deserialize)]
        struct Common {
            study: Uuid,
            request: Uuid,
        }
        let common: Common = envelope.common().map_err(|error| error.to_string())?;
        if common.study != self.id {
            return Err("records a command of another study".to_owned());
        }
        if self.requests.insert((service, common.request)) { Ok(()) } else { Err("records a request twice".to_owned()) }
    }

    /// The number of the head of `service` an entry rests on, after checking the head and its age.
    pub(super) fn basis(&self, entry: &Entry, service: Service, report: &mut Report) -> Result<u64, String> {
        let state = if service == Service::Enrollment { &self.enrollment } else { &self.consent };
        let head: &Head = entry
            .basis_in(service.stream(self.id))
            .ok_or_else(|| format!("does not name the {service} head it is based on"))?;
        if state.hash(head.number) != Some(head.hash) {
            return Err(format!("is based on a {service} entry {} that is not in the journal", head.number));
        }
        let age = state.age(head.number, entry.time);
        report.oldest_decision_ms = report.oldest_decision_ms.max(age);
        if age > MAX_DECISION_AGE_MS {
            return Err(format!("is based on a {service} state that was superseded {age} ms before"));
        }
        Ok(head.number)
    }
}

/// The envelope behind an entry, checked to be the one it records.
pub(super) fn envelope(entry: &Entry, stored: &StoredEntry) -> Result<Envelope, String> {
    if stored.unreadable {
        return Err("its stored bytes cannot be decrypted".to_owned());
    }
    if sha256(&[&stored.envelope]) != entry.envelope {
        return Err("records another envelope than the one stored".to_owned());
    }
    Envelope::parse(&stored.envelope).map_err(|error| error.to_string())
}
