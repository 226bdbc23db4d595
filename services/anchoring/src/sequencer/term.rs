//! The time in which this process is the one that makes blocks.

use crate::{
    Journals,
    chain::{Chain, ChainError},
    domain::{Broken, Tip, next_block},
    follow::KnownHeads,
    lease::Token,
    state::State,
    store::Store,
    trace,
};
use channel::Channel;
use clock::now_ms;
use proto::journal::{EntryView, ReadEntriesRequest, journal_service_client::JournalServiceClient};
use seal::{
    Hash,
    block::{Block, MAX_ENTRIES},
    entry,
    id::{Service, StreamId},
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use telemetry::{Causes, meters};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tonic::{Code, Request, Status};
use tracing::Instrument;

/// After this time without news the chain is tried again, for witnesses that were away.
const IDLE: Duration = Duration::from_secs(1);
/// The most entries read for one block, so that a long import is anchored while it runs.
const BLOCK: u64 = 16_384;
/// Entries whose hashes are held for the blocks of one round: 8 MiB.
const HELD: usize = 1 << 18;
/// How long a journal may take to answer: who waits for good makes no blocks and keeps the lease.
const PATIENCE: Duration = Duration::from_secs(20);
/// After this time every journal of a service that was connected to has been heard of.
const HEARD: Duration = Duration::from_secs(10);

/// Why a stream was not read.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error(transparent)]
    Broken(#[from] Broken),
    #[error("the journal cannot be read")]
    Journal(#[from] Box<Status>),
    #[error("the database of blocks failed")]
    Database(#[from] sqlx::Error),
}

impl ReadError {
    /// Whether the service cannot be reached now.
    fn is_away(&self) -> bool {
        matches!(self, Self::Journal(status) if matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded))
    }
}

/// Which journals were seen to hold what the chain holds of them, since the services were last connected to.
struct Checked {
    connections: u64,
    since: Instant,
    streams: HashSet<StreamId>,
    /// Whether journals that no service has any more were looked for.
    all: bool,
}

impl Default for Checked {
    fn default() -> Self {
        Self { connections: 0, since: Instant::now(), streams: HashSet::new(), all: true }
    }
}

/// The time in which this process is the one that makes blocks.
pub(super) struct Term {
    chain: Chain,
    store: Store,
    token: Token,
    journals: Journals,
    pub(super) known: Arc<KnownHeads>,
    state: State,
    publishing: watch::Sender<Option<u64>>,
    tips: HashMap<StreamId, Tip>,
    checked: Checked,
    stopped: HashSet<StreamId>,
    /// Those that are on the chain and in no journal.
    lost: HashSet<StreamId>,
    /// The traces of blocks that no checkpoint covers.
    traces: Vec<String>,
}

impl Term {
    pub(super) fn new(
        chain: Chain,
        store: Store,
        token: Token,
        journals: &Journals,
        state: &State,
        publishing: &watch::Sender<Option<u64>>,
    ) -> Self {
        Self {
            chain,
            store,
            token,
            journals: journals.clone(),
            known: Arc::default(),
            state: state.clone(),
            publishing: publishing.clone(),
            tips: HashMap::new(),
            checked: Checked::default(),
            stopped: HashSet::new(),
            lost: HashSet::new(),
            traces: Vec::new(),
        }
    }

    pub(super) async fn run(mut self, interval: Duration) {
        loop {
            let more = self.round().await;
            self.state.tell(self.chain.halted().is_some(), self.stopped.len() + self.lost.len());
            if !more {
                tokio::select! {
                    () = self.known.moved() => {}
                    () = sleep(IDLE) => {}
                }
            }
            sleep(interval).await;
        }
    }

    /// Makes the blocks that can be made now and publishes. Says whether there is more to do at once.
    async fn round(&mut self) -> bool {
        // A chain that must not grow gets no blocks either: they would have to be taken out again.
        let more = self.chain.halted().is_none() && self.make_blocks().await;
        match self.chain.publish().instrument(trace::checkpoint(&self.traces)).await {
            Ok(()) => {
                self.traces.clear();
                meters().checkpoint.end("");
                meters().chain.set(self.chain.size());
            }
            Err(error) => {
                if self.chain.is_behind() {
                    meters().checkpoint.begin("");
                }
                if !matches!(error, ChainError::Paced) {
                    tracing::warn!(error = %Causes(&error), "no new checkpoint");
                }
            }
        }
        let size = Some(self.chain.size());
        self.publishing.send_if_modified(|told| std::mem::replace(told, size) != size);
        more
    }

    pub(super) async fn make_blocks(&mut self) -> bool {
        self.check_again_behind_new_connections();
        let (mut blocks, mut more, heads) = (Vec::new(), false, self.known.heads());
        let (mut away, mut held) = (HashSet::new(), 0);
        self.find_lost(&heads).await;
        for (stream, (service, head)) in heads.clone() {
            if self.stopped.contains(&stream) || away.contains(&service) {
                continue;
            }
            if held > HELD {
                more = true;
                break;
            }
            match self.read(stream, service, head).await {
                Ok(Some(block)) => {
                    more |= block.0.first + u64::from(block.0.count) <= head;
                    held += block.1.len();
                    blocks.push(block);
                }
                Ok(None) => {}
                Err(error) => {
                    if error.is_away() {
                        away.insert(service); // each of its journals would be waited for, and the others with it
                    }
                    self.not_read(stream, &error);
                }
            }
        }
        let added = self.add(blocks).await;
        meters().lag.set(heads.iter().map(|(stream, (_, head))| self.behind(stream, *head)).sum());
        added && more
    }

    /// How many entries of a journal are in no block.
    fn behind(&self, stream: &StreamId, head: u64) -> u64 {
        (head + 1).saturating_sub(self.tips.get(stream).map_or(0, |tip| tip.entry))
    }

    fn not_read(&mut self, stream: StreamId, error: &ReadError) {
        match error {
            ReadError::Broken(broken) => {
                tracing::error!(error = %broken, "a journal is damaged and is not put on the chain any more");
                self.stopped.insert(stream);
            }
            error => tracing::warn!(%stream, error = %Causes(error), "a journal was not read"),
        }
    }

    async fn add(&mut self, blocks: Vec<(Block, Vec<Hash>)>) -> bool {
        if blocks.is_empty() {
            return true;
        }
        if let Err(error) = self.store.add(self.token, &blocks).await {
            tracing::warn!(error = %Causes(&error), "blocks were not written");
            self.tips.clear();
            return false;
        }
        for (block, hashes) in &blocks {
            self.tips.insert(block.stream, tip_after(block, hashes));
        }
        true
    }

    fn check_again_behind_new_connections(&mut self) {
        let connections = self.known.connections();
        if connections != self.checked.connections {
            self.checked = Checked { connections, since: Instant::now(), streams: HashSet::new(), all: false };
            self.stopped.clear();
        }
    }

    /// Looks for journals that are on the chain and that no service has any more.
    async fn find_lost(&mut self, heads: &HashMap<StreamId, (Service, u64)>) {
        if self.checked.all || self.checked.since.elapsed() < HEARD {
            return;
        }
        match self.lost(heads).await {
            Ok(lost) => (self.lost, self.checked.all) = (lost, true),
            Err(error) => {
                tracing::warn!(error = %Causes(&error), "cannot tell yet whether journals were lost");
                self.checked.since = Instant::now(); // the journals that are there do not wait for this in every round
            }
        }
    }

    async fn lost(&self, heads: &HashMap<StreamId, (Service, u64)>) -> Result<HashSet<StreamId>, ReadError> {
        let mut lost = HashSet::new();
        for stream in self.store.streams().await?.into_iter().filter(|stream| !heads.contains_key(stream)) {
            if !self.is_anywhere(stream).await? {
                tracing::error!(%stream, "a journal that is on the chain was lost");
                lost.insert(stream);
            }
        }
        Ok(lost)
    }

    async fn is_anywhere(&self, stream: StreamId) -> Result<bool, ReadError> {
        for service in Service::ALL {
            if !self.entries(stream, service, 0, 1).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The next block of a stream, if it has entries that are in none.
    async fn read(
        &mut self,
        stream: StreamId,
        service: Service,
        head: u64,
    ) -> Result<Option<(Block, Vec<Hash>)>, ReadError> {
        let tip = match self.tips.get(&stream) {
            Some(tip) => *tip,
            None => self.store.tip(stream).await?.unwrap_or(Tip::START),
        };
        self.tips.insert(stream, tip);
        // News may come late, so a head below the tip is no proof of anything: the journal itself is asked.
        if !self.checked.streams.contains(&stream) || head + 1 < tip.entry {
            self.check(stream, service, &tip).await?;
        }
        let Some(count) = head.checked_sub(tip.entry).map(|more| more + 1) else { return Ok(None) };
        let count = count.min(BLOCK).min(u64::from(MAX_ENTRIES));
        let span = trace::block(stream, tip.entry, count, &self.known.traces(stream));
        let entries = self.entries(stream, service, tip.entry, count).instrument(span.clone()).await?;
        if self.traces.len() < trace::MOST {
            self.traces.extend(telemetry::traceparent(&span));
        }
        if entries.is_empty() {
            return Ok(None);
        }
        Ok(Some(next_block(stream, &tip, &entries, now_ms())?))
    }

    /// Checks that a journal still holds the last entry that the chain holds of it: a database restored to an earlier state
    /// does not, or holds another in its place.
    async fn check(&mut self, stream: StreamId, service: Service, tip: &Tip) -> Result<(), ReadError> {
        let Some(number) = tip.entry.checked_sub(1) else { return Ok(()) };
        let broken = |what| ReadError::Broken(Broken { stream, number, what });
        let found = match self.entries(stream, service, number, 1).await {
            Ok(found) => found,
            Err(error) if error.is_away() => return Err(error),
            Err(_) => return Ok(()),
        };
        match found.first() {
            None => Err(broken("is on the chain and not in the journal: the journal was restored to an earlier state")),
            Some(bytes) if entry::hash(bytes) != tip.entry_hash => {
                Err(broken("is another than on the chain: the journal was restored to an earlier state and went on"))
            }
            Some(_) => {
                self.checked.streams.insert(stream);
                Ok(())
            }
        }
    }

    /// The bytes of up to `limit` entries from number `from` on; none if there is no such journal or entry.
    async fn entries(
        &self,
        stream: StreamId,
        service: Service,
        from: u64,
        limit: u64,
    ) -> Result<Vec<Vec<u8>>, ReadError> {
        let view = EntryView::Bare.into();
        let request = ReadEntriesRequest { stream: stream.0.0.to_vec(), from, limit, view, study: String::new() };
        let request = self.journals.services.attach(Request::new(request));
        match timeout(PATIENCE, collect(self.journals.channel(service), request)).await {
            Ok(Ok(entries)) => Ok(entries),
            Ok(Err(status)) if status.code() == Code::NotFound => Ok(Vec::new()),
            Ok(Err(status)) => Err(Box::new(status).into()),
            Err(_) => Err(Box::new(Status::deadline_exceeded("the journal does not answer")).into()),
        }
    }
}

async fn collect(channel: Channel, request: Request<ReadEntriesRequest>) -> Result<Vec<Vec<u8>>, Status> {
    let mut messages = JournalServiceClient::new(channel).read_entries(request).await?.into_inner();
    let mut entries = Vec::new();
    while let Some(message) = messages.message().await? {
        entries.push(message.entry);
    }
    Ok(entries)
}

fn tip_after(block: &Block, hashes: &[Hash]) -> Tip {
    Tip {
        block: block.number + 1,
        entry: block.first + u64::from(block.count),
        block_hash: entry::hash(&block.to_bytes()),
        entry_hash: hashes.last().copied().unwrap_or(Hash::ZERO),
    }
}
