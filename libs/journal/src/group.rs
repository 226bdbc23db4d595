//! One commit group in the making: proposals decided in order, not yet written.

use crate::{
    AppendError, Config, Decision, Found, Next, Proposal, ReadError,
    map::{self, Fresh},
    quota::{Counted, Quota},
    store::{self, NewEntry, NewFact},
};
use seal::{
    Hash,
    entry::{self, Entry, Head},
    id::StreamId,
    receipt::Receipt,
};
use sqlx::AnyConnection;
use std::collections::{HashMap, HashSet};
use tlog::merkle::Tree;
use vocabulary::fact;

/// Where a stream stands.
#[derive(Debug, Clone)]
pub(crate) struct Tip {
    pub(crate) row: i64,
    pub(crate) head: Option<(u64, Hash)>,
    pub(crate) time: u64,
    pub(crate) root: Hash,
    pub(crate) counted: Counted,
}

impl Tip {
    /// Reads where a stream stands, checking its last entry.
    pub(crate) async fn load(connection: &mut AnyConnection, row: i64, stream: StreamId) -> Result<Self, ReadError> {
        Ok(match store::last_entry(connection, row, stream).await? {
            None => Self { row, head: None, time: 0, root: seal::map::EMPTY, counted: Counted::default() },
            Some((entry, hash)) => Self {
                row,
                head: Some((entry.number, hash)),
                time: entry.time,
                root: entry.state_root.unwrap_or(seal::map::EMPTY),
                counted: Counted::default(),
            },
        })
    }

    /// How many entries the stream has.
    pub(crate) fn entries(&self) -> u64 {
        self.head.map_or(0, |(number, _)| number + 1)
    }

    /// How much of a quota the stream uses, percent.
    pub(crate) fn percent(&self, quota: &Quota) -> u64 {
        quota.percent(self.entries(), self.counted.bytes)
    }

    fn next(&self, now: u64) -> Next {
        Next { number: self.entries(), time: now.max(self.time) }
    }
}

/// What is to be written in one transaction.
pub(crate) struct Group {
    pub(crate) tips: HashMap<StreamId, Tip>,
    /// Rows of streams that were made for this group.
    pub(crate) made: Vec<i64>,
    entries: Vec<NewEntry>,
    hashes: Vec<Hash>,
    facts: Vec<NewFact>,
    replaced: Vec<(i64, u64, Vec<u8>)>,
    fresh: Fresh,
    known: map::MapCache,
    latest: HashMap<(i64, Hash), Vec<u8>>,
    requests: HashMap<(i64, [u8; 16]), (Hash, usize)>,
}

impl Group {
    pub(crate) fn new(known: map::MapCache) -> Self {
        Self {
            tips: HashMap::new(),
            made: Vec::new(),
            entries: Vec::new(),
            hashes: Vec::new(),
            facts: Vec::new(),
            replaced: Vec::new(),
            fresh: Fresh::new(),
            known,
            latest: HashMap::new(),
            requests: HashMap::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether what is stored of an earlier entry is replaced.
    pub(crate) fn restores(&self) -> bool {
        !self.replaced.is_empty()
    }

    /// Makes facts read before the group available to its rules.
    pub(crate) fn know(&mut self, row: i64, facts: Vec<store::Fact>) {
        self.latest.extend(facts.into_iter().map(|fact| ((row, fact.key), fact.value)));
    }

    /// The place and envelope of a request decided earlier in this group.
    pub(crate) fn decided(&self, row: i64, request: &[u8; 16]) -> Option<(Hash, usize)> {
        self.requests.get(&(row, *request)).copied()
    }

    /// Decides a proposal; an accepted one gets its place in the group.
    pub(crate) async fn decide<E>(
        &mut self,
        connection: &mut AnyConnection,
        config: &Config,
        proposal: Proposal<E>,
        now: u64,
        nonce: [u8; 16],
    ) -> Result<Result<usize, AppendError<E>>, ReadError> {
        let tip = self.tips.get(&proposal.stream).cloned().ok_or(ReadError::NotFound)?;
        let next = tip.next(now);
        let found = self.found(tip.row, &proposal.reads);
        let Decision { facts, replaced } = match (proposal.rule)(&found, next) {
            Ok(decision) => decision,
            Err(refusal) => return Ok(Err(AppendError::Refused(refusal))),
        };
        // Only now: how full a study is, is said to those alone who may record this.
        let in_reserve = config.in_reserve.contains(&proposal.kind);
        let bytes = tip.counted.bytes.saturating_add(proposal.stored.len() as u64);
        if let Some(what) = config.quota.exceeded(in_reserve, next.number.saturating_add(1), bytes) {
            return Ok(Err(AppendError::Quota(what)));
        }
        let root =
            if config.state_map { self.set_facts(connection, tip.root, &nonce, &facts).await? } else { tip.root };
        let bytes = Entry {
            stream: proposal.stream,
            number: next.number,
            previous: tip.head.map_or(Hash::ZERO, |(_, hash)| hash),
            time: next.time,
            nonce,
            kind: proposal.kind.to_owned(),
            envelope: proposal.envelope,
            state_root: config.state_map.then_some(root),
            basis: proposal.basis,
        }
        .to_bytes();
        let hash = entry::hash(&bytes);
        let place = self.entries.len();
        let mut counted = tip.counted;
        counted.add(next.number, bytes.len() + proposal.stored.len());
        let tip = Tip { row: tip.row, head: Some((next.number, hash)), time: next.time, root, counted };
        self.tips.insert(proposal.stream, tip.clone());
        self.requests.insert((tip.row, proposal.request.0), (proposal.envelope, place));
        self.hashes.push(hash);
        for (key, value) in facts {
            self.latest.insert((tip.row, key), value.clone());
            self.facts.push(NewFact { row: tip.row, key, number: next.number, value });
        }
        self.replaced.extend(replaced.into_iter().map(|(number, stored)| (tip.row, number, stored)));
        self.entries.push(NewEntry {
            row: tip.row,
            number: next.number,
            bytes,
            stored: proposal.stored,
            request: proposal.request.0,
            envelope: proposal.envelope,
        });
        Ok(Ok(place))
    }

    /// What a proposal would be refused for if its request were new.
    pub(crate) fn refusal<E>(&self, proposal: Proposal<E>, now: u64) -> Option<E> {
        let tip = self.tips.get(&proposal.stream)?;
        (proposal.rule)(&self.found(tip.row, &proposal.reads), tip.next(now)).err()
    }

    fn found(&self, row: i64, keys: &[Hash]) -> Found {
        let found = keys.iter().filter_map(|key| Some((*key, self.latest.get(&(row, *key))?.clone())));
        Found(found.collect())
    }

    async fn set_facts(
        &mut self,
        connection: &mut AnyConnection,
        mut root: Hash,
        nonce: &[u8; 16],
        facts: &[(Hash, Vec<u8>)],
    ) -> Result<Hash, ReadError> {
        for (key, value) in facts {
            let path = map::path(connection, &self.known, &self.fresh, root, key).await?;
            let (next, made) = path.set(key, &fact::value_hash(&fact::salt(nonce, key), value));
            self.fresh.extend(made);
            root = next;
        }
        Ok(root)
    }

    /// Writes the group and gives a receipt for each place. The caller commits.
    pub(crate) async fn write(
        self,
        connection: &mut AnyConnection,
        config: &Config,
        now: u64,
    ) -> Result<(Vec<Receipt>, HashMap<StreamId, Tip>), sqlx::Error> {
        let tree = Tree::new(&self.hashes);
        let promise = now.saturating_add(config.anchored_within_ms);
        let note = seal::receipt::sign_group(&tree, promise, &config.receipt_key)
            .ok_or_else(|| sqlx::Error::Configuration("the receipt key cannot sign notes".into()))?;
        let receipts = self.entries.iter().enumerate().map(|(place, entry)| Receipt {
            entry: entry.bytes.clone(),
            index: place as u64,
            path: tree.path(place),
            note: note.clone(),
        });
        let receipts = receipts.collect();
        // Of streams whose every command was refused nothing is left.
        let begun: HashSet<i64> = self.tips.values().filter(|tip| tip.head.is_some()).map(|tip| tip.row).collect();
        let unused: Vec<i64> = self.made.iter().copied().filter(|row| !begun.contains(row)).collect();
        store::forget(connection, &unused).await?;
        let group = store::add_group(connection, &note, self.hashes.iter().flat_map(|hash| hash.0).collect()).await?;
        store::add_entries(connection, group, self.entries).await?;
        store::add_facts(connection, self.facts).await?;
        store::replace(connection, self.replaced).await?;
        map::add(connection, &self.fresh).await?;
        Ok((receipts, self.tips))
    }
}

impl Tip {
    pub(crate) fn as_head(&self, stream: StreamId) -> Option<Head> {
        self.head.map(|(number, hash)| Head { stream, number, hash })
    }
}
