//! One study: its three journals, entry by entry.

use super::{Audit, Report, chain::Blocks, replay, replay::State};
use anyhow::{Context, Result};
use capture::domain;
use client::Reader;
use indicatif::ProgressBar;
use proto::journal::{EntryView, ReadEntriesRequest, ReadEntriesResponse};
use rayon::prelude::*;
use seal::{
    Hash, MAX_DECISION_AGE_MS,
    authority::authorise,
    block::Block,
    command::{DefineForms, FormInstance, Payload, Provision, Submission, Task},
    dsse::Envelope,
    entry::{self, Entry, Head},
    fact::{Fact, Subject},
    id::{Name, Service, StreamId, Uuid},
    key::PublicKey,
    sha256,
};
use std::collections::{HashMap, HashSet};
use tlog::merkle;

/// Entries checked at once.
const CHUNK: usize = 4_096;
/// After this time an entry must be on the chain, whatever its receipt says.
const ANCHORED_WITHIN_MS: u64 = 60_000;

/// What the replay of a study knows.
struct Study<'a> {
    id: Uuid,
    root_key: &'a PublicKey,
    enrollment: State,
    consent: State,
    forms: HashMap<Name, (u64, DefineForms)>,
    latest: HashMap<FormInstance, u64>,
    requests: HashSet<(Service, Uuid)>,
}

/// An entry with what is behind it.
struct Record {
    entry: Entry,
    hash: Hash,
    message: ReadEntriesResponse,
}

pub(super) async fn check(
    audit: &Audit<'_>,
    reader: &Reader,
    blocks: &Blocks,
    report: &mut Report,
    bar: &ProgressBar,
) -> Result<()> {
    let Some(root_key) = audit.policy.studies.get(&reader.study) else {
        report.find(Some(reader.study), None, None, "the policy does not name the study's root key");
        return Ok(());
    };
    let mut study = Study {
        id: reader.study,
        root_key,
        enrollment: State::default(),
        consent: State::default(),
        forms: HashMap::new(),
        latest: HashMap::new(),
        requests: HashSet::new(),
    };
    for service in Service::ALL {
        let stream = service.stream(reader.study);
        let empty = Vec::new();
        let anchored = blocks.get(&stream).unwrap_or(&empty);
        study.journal(audit, reader, service, anchored, report, bar).await?;
    }
    Ok(())
}

/// Where the reading of a journal stands.
struct Position<'a> {
    stream: StreamId,
    service: Service,
    next: u64,
    previous: Hash,
    time: u64,
    blocks: std::slice::Iter<'a, Block>,
    block: Option<(&'a Block, Vec<Hash>)>,
}

impl Study<'_> {
    async fn journal(
        &mut self,
        audit: &Audit<'_>,
        reader: &Reader,
        service: Service,
        blocks: &[Block],
        report: &mut Report,
        bar: &ProgressBar,
    ) -> Result<()> {
        let stream = service.stream(self.id);
        let anchored: u64 = blocks.iter().map(|block| u64::from(block.count)).sum();
        bar.inc_length(anchored);
        bar.set_message(service.name());
        let request = ReadEntriesRequest {
            stream: stream.0.0.to_vec(),
            from: 0,
            limit: 0,
            view: EntryView::Full.into(),
            study: self.id.to_string(),
        };
        let mut position =
            Position { stream, service, next: 0, previous: Hash::ZERO, time: 0, blocks: blocks.iter(), block: None };
        let mut messages = match audit.client.journal(service).read_entries(reader.request(request)).await {
            Ok(messages) => messages.into_inner(),
            Err(status) => {
                return Err(client::ClientError::from(status)).context(format!("reading the {service} journal"));
            }
        };
        let mut chunk = Vec::with_capacity(CHUNK);
        loop {
            let message = match messages.message().await {
                Ok(message) => message,
                Err(status) if status.code() == tonic::Code::NotFound => None,
                Err(status) => return Err(client::ClientError::from(status)).context("reading a journal"),
            };
            let last = message.is_none();
            chunk.extend(message);
            if chunk.len() == CHUNK || last {
                bar.inc(chunk.len() as u64);
                self.chunk(std::mem::take(&mut chunk), &mut position, report);
            }
            if last {
                break;
            }
        }
        if position.next < anchored {
            let what = format!("the chain holds {anchored} entries of the journal, which has only {}", position.next);
            report.find(Some(self.id), Some(service), Some(position.next), what);
        }
        Ok(())
    }

    fn chunk(&mut self, messages: Vec<ReadEntriesResponse>, position: &mut Position<'_>, report: &mut Report) {
        let parsed: Vec<_> = messages
            .into_par_iter()
            .map(|message| {
                let hash = entry::hash(&message.entry);
                Entry::parse(&message.entry).map(|entry| Record { entry, hash, message })
            })
            .collect();
        let mut records = Vec::with_capacity(parsed.len());
        for outcome in parsed {
            report.entries += 1;
            let number = position.next;
            position.next += 1;
            match outcome {
                Ok(record) => {
                    self.place(&record, number, position, report);
                    records.push(record);
                }
                Err(error) => {
                    position.previous = Hash::ZERO;
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

    fn find(&self, report: &mut Report, service: Service, number: u64, what: impl Into<String>) {
        report.find(Some(self.id), Some(service), Some(number), what);
    }

    /// Checks an entry's place: number, hash link, time, and its block.
    fn place<'a>(&self, record: &Record, number: u64, position: &mut Position<'a>, report: &mut Report) {
        let Record { entry, hash, .. } = record;
        let service = position.service;
        if entry.stream != position.stream || entry.number != number {
            self.find(report, service, number, "is of another journal or number");
        }
        if entry.previous != position.previous {
            self.find(report, service, number, "does not follow the entry before");
        }
        if entry.time < position.time {
            self.find(report, service, number, "was recorded before the entry before it");
        }
        (position.previous, position.time) = (*hash, entry.time);

        if position.block.is_none() {
            position.block = position.blocks.next().map(|block| (block, Vec::new()));
        }
        let Some((block, hashes)) = &mut position.block else {
            report.waiting += 1;
            if client::now_ms() > entry.time.saturating_add(ANCHORED_WITHIN_MS) {
                self.find(report, service, number, "is not on the chain although its time is long past");
            }
            return;
        };
        report.slowest_anchoring_ms = report.slowest_anchoring_ms.max(block.time.saturating_sub(entry.time));
        if entry.time > block.time.saturating_add(MAX_DECISION_AGE_MS) {
            self.find(report, service, number, "states a time after the block that holds it was made");
        }
        hashes.push(*hash);
        if hashes.len() as u64 == u64::from(block.count) {
            if merkle::root(hashes) != block.root {
                let what =
                    format!("or one just before it is not the entry that block {} on the chain holds", block.number);
                self.find(report, service, number, what);
            }
            position.block = None;
        }
    }

    /// Checks an entry of a journal with a state, and takes its changes in.
    fn stateful(&mut self, record: &Record, service: Service, report: &mut Report) {
        let Record { entry, hash, message } = record;
        let changes = match self.changes(entry, message, service, report) {
            Ok(changes) => changes,
            Err(what) => {
                self.find(report, service, entry.number, what);
                Vec::new()
            }
        };
        report.signatures += 1;
        report.state_roots += 1;
        let state = if service == Service::Enrollment { &mut self.enrollment } else { &mut self.consent };
        if !state.apply(self.id, entry, *hash, changes) {
            self.find(report, service, entry.number, "has another state root than its history makes");
        }
    }

    fn changes(
        &mut self,
        entry: &Entry,
        message: &ReadEntriesResponse,
        service: Service,
        report: &mut Report,
    ) -> Result<Vec<(Subject, Fact)>, String> {
        let envelope = envelope(entry, message)?;
        self.once(service, &envelope)?;
        if service == Service::Enrollment {
            let changes = replay::enrollment(&self.enrollment, entry, &envelope)?;
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
        replay::consent(&self.consent, &self.enrollment, basis, entry, &envelope)
    }

    /// Checks that a request was recorded once and belongs to the study.
    fn once(&mut self, service: Service, envelope: &Envelope) -> Result<(), String> {
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
    fn basis(&self, entry: &Entry, service: Service, report: &mut Report) -> Result<u64, String> {
        let state = if service == Service::Enrollment { &self.enrollment } else { &self.consent };
        let head: &Head =
            entry.basis_in(service.stream(self.id)).ok_or_else(|| format!("names no {service} head it rests on"))?;
        if state.hash(head.number) != Some(head.hash) {
            return Err(format!("rests on a {service} entry {} that is not in the journal", head.number));
        }
        let age = state.age(head.number, entry.time);
        report.oldest_decision_ms = report.oldest_decision_ms.max(age);
        if age > MAX_DECISION_AGE_MS {
            return Err(format!("rests on a {service} state that was superseded {age} ms before"));
        }
        Ok(head.number)
    }

    /// Checks entries of the capture journal: what needs no order in parallel, then the order.
    fn captured(&mut self, records: &[Record], report: &mut Report) {
        for record in records.iter().filter(|record| record.entry.kind == DefineForms::KIND) {
            if let Err(what) = self.forms(record, report) {
                self.find(report, Service::Capture, record.entry.number, what);
            }
        }
        let this = &*self;
        let checked: Vec<_> = records
            .par_iter()
            .filter(|record| record.entry.kind != DefineForms::KIND)
            .map(|record| {
                let mut part = Report::default();
                let outcome = this.submission(record, &mut part);
                (record.entry.number, outcome, part)
            })
            .collect();
        for (number, outcome, part) in checked {
            report.signatures += 1;
            report.datapoints += part.datapoints;
            report.oldest_decision_ms = report.oldest_decision_ms.max(part.oldest_decision_ms);
            let outcome = outcome.and_then(|(submission, envelope)| {
                self.once(Service::Capture, &envelope)?;
                let latest = self.latest.get(&submission.instance).copied();
                domain::fits(&submission, latest).map_err(|refusal| refusal.to_string())?;
                self.latest.insert(submission.instance, number);
                Ok(())
            });
            if let Err(what) = outcome {
                self.find(report, Service::Capture, number, what);
            }
        }
    }

    fn forms(&mut self, record: &Record, report: &mut Report) -> Result<(), String> {
        let Record { entry, message, .. } = record;
        let envelope = envelope(entry, message)?;
        self.once(Service::Capture, &envelope)?;
        let forms: DefineForms = envelope.payload().map_err(|error| error.to_string())?;
        let basis = self.basis(entry, Service::Enrollment, report)?;
        let everywhere = Name::all_sites();
        let subjects = seal::authority::subjects(&forms.by, envelope.key_ids(), Task::DefineForms, &everywhere);
        let facts = self.enrollment.facts(&subjects, basis);
        authorise(&facts, &envelope, &forms.by, Task::DefineForms, &everywhere, entry.time)
            .map_err(|error| error.to_string())?;
        report.signatures += 1;
        domain::check_forms(&forms).map_err(|refusal| refusal.to_string())?;
        match self.forms.insert(forms.version.clone(), (entry.number, forms)) {
            None => Ok(()),
            Some(_) => Err("defines a version of the forms again".to_owned()),
        }
    }

    fn submission(&self, record: &Record, report: &mut Report) -> Result<(Submission, Envelope), String> {
        let Record { entry, message, .. } = record;
        if entry.kind != Submission::KIND {
            return Err("an unknown kind of command".to_owned());
        }
        let envelope = envelope(entry, message)?;
        let submission: Submission = envelope.payload().map_err(|error| error.to_string())?;
        let said = |refusal: domain::Refusal| refusal.to_string();
        let values = domain::check_header(&submission, &message.datapoints).map_err(said)?;
        report.datapoints = values.len() as u64;
        let enrollment = self.basis(entry, Service::Enrollment, report)?;
        let consent = self.basis(entry, Service::Consent, report)?;
        let facts = self.enrollment.facts(&domain::needs(&submission, &envelope), enrollment);
        domain::admit(&submission, &envelope, &facts, entry.time).map_err(said)?;
        let consented = self.consent.at(&Subject::Consent(submission.instance.participant.clone()), consent);
        consent::domain::permits(consented, Provision::data_collection()).map_err(|refusal| refusal.to_string())?;
        let forms = self.forms.get(&submission.forms_version).filter(|(defined, _)| *defined < entry.number);
        let (_, forms) = forms.ok_or("names form definitions that did not exist")?;
        domain::check_values(&submission, &values, forms).map_err(said)?;
        Ok((submission, envelope))
    }
}

/// The envelope behind an entry, checked to be the one it records.
fn envelope(entry: &Entry, message: &ReadEntriesResponse) -> Result<Envelope, String> {
    if message.unreadable {
        return Err("what is stored of it cannot be opened".to_owned());
    }
    if sha256(&[&message.envelope]) != entry.envelope {
        return Err("records another envelope than the one stored".to_owned());
    }
    Envelope::parse(&message.envelope).map_err(|error| error.to_string())
}
