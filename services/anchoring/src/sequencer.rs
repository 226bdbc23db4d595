//! The sequencer: follows the journals, makes blocks of what is new, and has the chain grow.

use crate::{
    Journals,
    chain::Chain,
    domain::{Broken, Tip, next_block},
    store::Store,
};
use journal::api::parse_head;
use proto::journal::{EntryView, FollowHeadsRequest, ReadEntriesRequest, journal_service_client::JournalServiceClient};
use seal::{
    Hash,
    block::{Block, MAX_ENTRIES},
    id::{Service, StreamId},
};
use server::now_ms;
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::Notify, time::sleep};
use tonic::Request;

const RECONNECT: Duration = Duration::from_millis(200);
/// After this time without news the chain is tried again, for witnesses that were away.
const IDLE: Duration = Duration::from_secs(1);
/// The most entries read for one block, so that a long import is anchored while it runs.
const BLOCK: u64 = 16_384;

/// Where the journals are known to stand.
#[derive(Default)]
struct Known {
    heads: Mutex<HashMap<StreamId, (Service, u64)>>,
    moved: Notify,
}

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
pub(crate) fn start(chain: Chain, store: Store, journals: Journals, interval: Duration) {
    let known = Arc::new(Known::default());
    for service in Service::ALL {
        tokio::spawn(follow(service, journals.clone(), known.clone()));
    }
    tokio::spawn(
        Sequencer { chain, store, journals, known, tips: HashMap::new(), stopped: HashSet::new() }.run(interval),
    );
}

async fn follow(service: Service, journals: Journals, known: Arc<Known>) {
    let mut client = JournalServiceClient::new(journals.channel(service));
    loop {
        let request = journals.services.attach(Request::new(FollowHeadsRequest {}));
        if let Ok(heads) = client.follow_heads(request).await {
            let mut heads = heads.into_inner();
            while let Ok(Some(message)) = heads.message().await {
                if let (Some(head), Ok(mut all)) = (message.head.as_ref().and_then(parse_head), known.heads.lock()) {
                    all.insert(head.stream, (service, head.number));
                    known.moved.notify_one();
                }
            }
        }
        sleep(RECONNECT).await;
    }
}

struct Sequencer {
    chain: Chain,
    store: Store,
    journals: Journals,
    known: Arc<Known>,
    tips: HashMap<StreamId, Tip>,
    stopped: HashSet<StreamId>,
}

impl Sequencer {
    async fn run(mut self, interval: Duration) {
        loop {
            let more = self.round().await;
            if !more {
                tokio::select! {
                    () = self.known.moved.notified() => {}
                    () = sleep(IDLE) => {}
                }
            }
            sleep(interval).await;
        }
    }

    /// Makes the blocks that can be made now and publishes. Says whether there is more to do at once.
    async fn round(&mut self) -> bool {
        let (mut blocks, mut more) = (Vec::new(), false);
        let heads: Vec<(StreamId, (Service, u64))> = self
            .known
            .heads
            .lock()
            .map(|heads| heads.iter().map(|(id, head)| (*id, *head)).collect())
            .unwrap_or_default();
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
                Err(ReadError::Broken(broken)) => {
                    tracing::error!(error = %broken, "a journal is damaged and is not put on the chain any more");
                    self.stopped.insert(stream);
                }
                Err(error) => tracing::warn!(%stream, %error, "a journal was not read"),
            }
        }
        if !blocks.is_empty() {
            if let Err(error) = self.store.add(&blocks).await {
                tracing::warn!(%error, "blocks were not written");
                self.tips.clear();
                return false;
            }
            for (block, hashes) in &blocks {
                self.tips.insert(block.stream, tip_after(block, hashes));
            }
        }
        if let Err(error) = self.chain.publish().await {
            tracing::warn!(%error, "no new checkpoint");
        }
        more
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
        let Some(count) = head.checked_sub(tip.entry).map(|more| more + 1) else { return Ok(None) };
        let request = ReadEntriesRequest {
            stream: stream.0.0.to_vec(),
            from: tip.entry,
            limit: count.min(BLOCK).min(u64::from(MAX_ENTRIES)),
            view: EntryView::Bare.into(),
            study: String::new(),
        };
        let mut client = JournalServiceClient::new(self.journals.channel(service));
        let request = self.journals.services.attach(Request::new(request));
        let mut messages = client.read_entries(request).await.map_err(Box::new)?.into_inner();
        let mut entries = Vec::new();
        while let Some(message) = messages.message().await.map_err(Box::new)? {
            entries.push(message.entry);
        }
        if entries.is_empty() {
            return Ok(None);
        }
        Ok(Some(next_block(stream, &tip, &entries, now_ms())?))
    }
}

fn tip_after(block: &Block, hashes: &[Hash]) -> Tip {
    Tip {
        block: block.number + 1,
        entry: block.first + u64::from(block.count),
        block_hash: seal::entry::hash(&block.to_bytes()),
        entry_hash: hashes.last().copied().unwrap_or(Hash::ZERO),
    }
}
