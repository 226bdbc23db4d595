//! The sequencer: makes blocks of what is new in the journals, and has the chain grow.

use crate::{
    Config, Journals,
    chain::Chain,
    domain::{Broken, Tip, next_block},
    follow::{Known, follow},
    mirror,
    state::State,
    store::Store,
    tiles::Tiles,
};
use proto::journal::{EntryView, ReadEntriesRequest, journal_service_client::JournalServiceClient};
use seal::{
    Hash,
    block::{Block, MAX_ENTRIES},
    entry,
    id::{Service, StreamId},
};
use server::now_ms;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use tonic::{Code, Request};

/// After this time without news the chain is tried again, for witnesses that were away.
const IDLE: Duration = Duration::from_secs(1);
/// The most entries read for one block, so that a long import is anchored while it runs.
const BLOCK: u64 = 16_384;
/// After this time every journal of a service that was connected to has been heard of.
const HEARD: Duration = Duration::from_secs(10);

/// Why a stream was not read.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error(transparent)]
    Broken(#[from] Broken),
    #[error("the journal cannot be read")]
    Journal(#[from] Box<tonic::Status>),
    #[error("the database of blocks failed")]
    Database(#[from] sqlx::Error),
}

/// Starts following and sequencing. Both end with the runtime.
pub(crate) fn start(store: Store, tiles: Tiles, state: State, config: Config) {
    let known = Arc::new(Known::default());
    for service in Service::ALL {
        tokio::spawn(follow(service, config.journals.clone(), known.clone()));
    }
    let (publishing, published) = watch::channel(None);
    tokio::spawn(mirror::run(store.clone(), tiles.clone(), published));
    tokio::spawn(sequence(store, tiles, state, config, known, publishing));
}

async fn sequence(
    store: Store,
    tiles: Tiles,
    state: State,
    config: Config,
    known: Arc<Known>,
    publishing: watch::Sender<Option<u64>>,
) {
    loop {
        match Chain::open(store.clone(), tiles.clone(), &config).await {
            Ok(chain) => {
                let term = Term {
                    chain,
                    store: store.clone(),
                    journals: config.journals.clone(),
                    known: known.clone(),
                    state: state.clone(),
                    publishing: publishing.clone(),
                    tips: HashMap::new(),
                    checked: Checked::default(),
                    stopped: HashSet::new(),
                };
                term.run(config.interval).await;
            }
            Err(error) => tracing::warn!(%error, "the chain cannot be taken up"),
        }
        publishing.send_replace(None);
        sleep(IDLE).await;
    }
}

/// Which journals were seen to hold what the chain holds of them, since the services were last connected to.
struct Checked {
    connections: u64,
    since: Instant,
    streams: HashSet<StreamId>,
    lost: bool,
}

impl Default for Checked {
    fn default() -> Self {
        Self { connections: 0, since: Instant::now(), streams: HashSet::new(), lost: true }
    }
}

/// The time in which this process is the one that makes blocks.
struct Term {
    chain: Chain,
    store: Store,
    journals: Journals,
    known: Arc<Known>,
    state: State,
    publishing: watch::Sender<Option<u64>>,
    tips: HashMap<StreamId, Tip>,
    checked: Checked,
    stopped: HashSet<StreamId>,
}

impl Term {
    async fn run(mut self, interval: Duration) {
        loop {
            let more = self.round().await;
            self.state.tell(self.chain.halted().is_some(), self.stopped.len());
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
        match self.chain.publish().await {
            Ok(size) => drop(self.publishing.send_replace(Some(size))),
            Err(error) => {
                self.publishing.send_replace(Some(self.chain.size()));
                tracing::warn!(%error, "no new checkpoint");
            }
        }
        more
    }

    async fn make_blocks(&mut self) -> bool {
        self.check_again_behind_new_connections();
        let (mut blocks, mut more, heads) = (Vec::new(), false, self.known.heads());
        self.find_lost(&heads).await;
        for (stream, (service, head)) in heads {
            if self.stopped.contains(&stream) {
                continue;
            }
            match self.read(stream, service, head).await {
                Ok(Some(block)) => {
                    more |= block.0.first + u64::from(block.0.count) <= head;
                    blocks.push(block);
                }
                Ok(None) => {}
                Err(error) => self.not_read(stream, &error),
            }
        }
        self.add(blocks).await && more
    }

    fn not_read(&mut self, stream: StreamId, error: &ReadError) {
        match error {
            ReadError::Broken(broken) => {
                tracing::error!(error = %broken, "a journal is damaged and is not put on the chain any more");
                self.stopped.insert(stream);
            }
            error => tracing::warn!(%stream, %error, "a journal was not read"),
        }
    }

    async fn add(&mut self, blocks: Vec<(Block, Vec<Hash>)>) -> bool {
        if blocks.is_empty() {
            return true;
        }
        if let Err(error) = self.store.add(&blocks).await {
            tracing::warn!(%error, "blocks were not written");
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
            self.checked = Checked { connections, since: Instant::now(), streams: HashSet::new(), lost: false };
            self.stopped.clear();
        }
    }

    /// Looks for journals that are on the chain and that no service has any more.
    async fn find_lost(&mut self, heads: &HashMap<StreamId, (Service, u64)>) {
        if self.checked.lost || self.checked.since.elapsed() < HEARD {
            return;
        }
        let Ok(streams) = self.store.streams().await else { return };
        for stream in streams.into_iter().filter(|stream| !heads.contains_key(stream)) {
            let lost = Broken { stream, number: 0, what: "is on the chain and in no journal: the journal was lost" };
            match self.is_anywhere(stream).await {
                Ok(true) => {}
                Ok(false) => self.not_read(stream, &lost.into()),
                Err(_) => return, // a service is away: asked again in the next round
            }
        }
        self.checked.lost = true;
    }

    async fn is_anywhere(&self, stream: StreamId) -> Result<bool, ReadError> {
        for service in Service::ALL {
            if !self.entries(stream, service, (0, 1)).await?.is_empty() {
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
        let entries = self.entries(stream, service, (tip.entry, count)).await?;
        if entries.is_empty() {
            return Ok(None);
        }
        Ok(Some(next_block(stream, &tip, &entries, now_ms())?))
    }

    /// Checks that a journal still holds the last entry that the chain holds of it: a database restored to an earlier state
    /// does not, or holds another in its place.
    async fn check(&mut self, stream: StreamId, service: Service, tip: &Tip) -> Result<(), Broken> {
        let Some(number) = tip.entry.checked_sub(1) else { return Ok(()) };
        let broken = |what| Broken { stream, number, what };
        let Ok(found) = self.entries(stream, service, (number, 1)).await else { return Ok(()) };
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

    /// The bytes of up to `count` entries from number `from` on; none if there is no such journal or entry.
    async fn entries(
        &self,
        stream: StreamId,
        service: Service,
        (from, limit): (u64, u64),
    ) -> Result<Vec<Vec<u8>>, ReadError> {
        let view = EntryView::Bare.into();
        let request = ReadEntriesRequest { stream: stream.0.0.to_vec(), from, limit, view, study: String::new() };
        let mut client = JournalServiceClient::new(self.journals.channel(service));
        let request = self.journals.services.attach(Request::new(request));
        let mut messages = match client.read_entries(request).await {
            Ok(messages) => messages.into_inner(),
            Err(status) if status.code() == Code::NotFound => return Ok(Vec::new()),
            Err(status) => return Err(Box::new(status).into()),
        };
        let mut entries = Vec::new();
        loop {
            match messages.message().await {
                Ok(Some(message)) => entries.push(message.entry),
                Ok(None) => return Ok(entries),
                Err(status) if status.code() == Code::NotFound => return Ok(entries),
                Err(status) => return Err(Box::new(status).into()),
            }
        }
    }
}

fn tip_after(block: &Block, hashes: &[Hash]) -> Tip {
    Tip {
        block: block.number + 1,
        entry: block.first + u64::from(block.count),
        block_hash: entry::hash(&block.to_bytes()),
        entry_hash: hashes.last().copied().unwrap_or(Hash::ZERO),
    }
}
