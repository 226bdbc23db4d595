//! The writers of a journal: each takes proposals from a queue, commits them in groups, then answers.
//!
//! **Invariants.** A proposal is decided on the state it is recorded after, and answered only once its entry is durable. A
//! stream is extended only if its last entry is the one this process knows, or one that a receipt of ours was signed over.
//! A request id is recorded at most once. For each group:
//!
//! 1. *Lock* the rows of the streams, so that no other replica extends them meanwhile.
//! 2. *Read* each stream's last entry, the facts that its proposals need, and which of their requests are recorded. A damaged
//!    stream is refused; the others continue.
//! 3. *Decide* the proposals in order; each rule sees the facts as changed by the proposals before it.
//! 4. *Commit* all entries in one transaction, signed once. If that fails, nobody is told that anything was recorded.
//! 5. *Publish* the new heads, and answer.

use crate::{
    AppendError, Appended, Config, Proposal, ReadError, Reader,
    group::{Group, Tip},
    heads::Heads,
    outcome::Outcome,
    read::{self, check_facts},
    store::{self, Locked},
    trace,
};
use bus::Moved;
use database::Transaction;
use seal::{
    Hash,
    entry::{self, Head},
    id::StreamId,
    receipt::Receipt,
};
use sqlx::AnyConnection;
use std::{
    collections::HashMap,
    io::ErrorKind,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use telemetry::{Causes, meters};
use tokio::{
    sync::{broadcast, mpsc, oneshot},
    time::timeout,
};
use tracing::{Instrument, Span};

/// The most proposals of one commit group.
const MAX_GROUP: usize = 512;
/// The most proposals waiting for a writer; further callers wait before they may propose.
const QUEUE: usize = 2_048;
/// The writers of one process on a database that is shared: a stream always goes to the same one, and streams of different
/// writers do not wait for each other's commits. A SQLite file has one lock, and so one writer.
const WRITERS: usize = 4;
/// How long a group may take on a shared database before its connection is given up: the network may have lost it.
const PATIENCE: Duration = Duration::from_secs(20);

type Answer<E> = oneshot::Sender<Result<Appended, AppendError<E>>>;
type Waiting<E> = (Proposal<E>, Answer<E>);
/// A waiting proposal, and the trace of its proposer.
type Queued<E> = (Waiting<E>, Option<String>);

/// A journal database, open for appending and reading. Cheap to clone.
pub struct Journal<E> {
    queues: Vec<mpsc::Sender<Queued<E>>>,
    heads: Heads,
    reader: Reader,
}

impl<E> Clone for Journal<E> {
    fn clone(&self) -> Self {
        Self { queues: self.queues.clone(), heads: self.heads.clone(), reader: self.reader.clone() }
    }
}

impl<E: Send + 'static> Journal<E> {
    /// Starts the journal's writers, in the runtime this is called in.
    pub fn open(config: Config) -> Self {
        let (reader, heads) = (Reader::new(config.database.clone()), Heads::new());
        let shared = config.database.dialect().is_shared();
        if shared {
            heads.sweep(reader.clone(), config.bus.follow(config.service));
        }
        let config = Arc::new(config);
        let queues = (0..if shared { WRITERS } else { 1 }).map(|_| {
            let (queue, waiting) = mpsc::channel(QUEUE);
            tokio::spawn(Writer::new(config.clone(), heads.clone(), reader.clone()).run(waiting));
            queue
        });
        Self { queues: queues.collect(), heads, reader }
    }

    /// Records a proposal. Returns after the entry is durable.
    ///
    /// After [`AppendError::Storage`] it is unknown whether it was recorded: proposing it again returns its receipt if so.
    pub async fn append(&self, proposal: Proposal<E>) -> Result<Receipt, AppendError<E>> {
        self.append_noting(proposal).await.map(|appended| appended.receipt)
    }

    /// The same, and says whether it was already recorded before.
    pub async fn append_noting(&self, proposal: Proposal<E>) -> Result<Appended, AppendError<E>> {
        self.propose(proposal).await?.await
    }

    /// Queues a proposal, and returns a future of its result. Proposals of one stream are decided and recorded in the order
    /// in which they were queued.
    pub async fn propose(
        &self,
        proposal: Proposal<E>,
    ) -> Result<impl Future<Output = Result<Appended, AppendError<E>>> + Send + use<E>, AppendError<E>> {
        let (answer, answered) = oneshot::channel();
        let turn = usize::from(proposal.stream.0.0[0]) % self.queues.len().max(1);
        let queue = self.queues.get(turn).ok_or(AppendError::Storage)?;
        let trace = telemetry::traceparent(&Span::current());
        let place = queue.reserve().await.map_err(|_| AppendError::Storage)?;
        meters().queue.change(1); // before the writer can take it off: the gauge never falls below 0
        place.send(((proposal, answer), trace));
        Ok(async move { answered.await.map_err(|_| AppendError::Storage)? })
    }

    /// The reader of this journal.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The heads from now on: those committed here, and those of other replicas as their messages arrive. A follower that
    /// falls behind must read the database.
    pub fn follow(&self) -> broadcast::Receiver<Head> {
        self.heads.follow()
    }

    /// Where its streams stand.
    pub fn heads(&self) -> &Heads {
        &self.heads
    }
}

struct Writer {
    config: Arc<Config>,
    tips: HashMap<StreamId, Tip>,
    heads: Heads,
    reader: Reader,
    /// Whether the write-ahead log may still contain data that was replaced.
    log_holds_replaced: bool,
}

type Decided<E> = (Group, Vec<(Answer<E>, Outcome<E>)>);

/// What the proposals of one stream need: facts, and what was recorded before under their requests.
#[derive(Default)]
struct Wanted {
    keys: Vec<Hash>,
    requests: Vec<[u8; 16]>,
}

/// The requests of a batch that are already recorded: by stream row and request id, the envelope and the entry's number.
type Before = HashMap<(i64, [u8; 16]), (Hash, u64)>;

impl Writer {
    fn new(config: Arc<Config>, heads: Heads, reader: Reader) -> Self {
        Self { config, tips: HashMap::new(), heads, reader, log_holds_replaced: false }
    }

    async fn run<E: Send + 'static>(mut self, mut waiting: mpsc::Receiver<Queued<E>>) {
        let dialect = self.config.database.dialect();
        let mut batch = Vec::with_capacity(MAX_GROUP);
        while waiting.recv_many(&mut batch, MAX_GROUP).await > 0 {
            meters().queue.change(-i64::try_from(batch.len()).unwrap_or_default());
            let ((batch, traces), start): ((Vec<_>, Vec<_>), _) = (batch.drain(..).unzip(), Instant::now());
            let committing = self.commit(batch).instrument(trace::commit(&traces));
            let committed = match dialect.is_shared() {
                true => timeout(PATIENCE, committing)
                    .await
                    .unwrap_or_else(|_| Err(sqlx::Error::Io(ErrorKind::TimedOut.into()).into())),
                false => committing.await,
            };
            if let Err(error) = committed {
                // The callers' answers were dropped with the batch: they see a storage error.
                self.reader.known().rows.invalidate_all();
                if matches!(&error, ReadError::Database(error) if !dialect.may_go_on(error)) {
                    tracing::error!(error = %Causes(&error), "the journal stops: what reached the disk is unknown until a restart");
                    return;
                }
                tracing::warn!(error = %Causes(&error), "a commit failed");
            }
            meters().commit.since(start);
        }
    }

    async fn commit<E: Send>(&mut self, batch: Vec<Waiting<E>>) -> Result<(), ReadError> {
        let mut transaction = match self.config.database.begin().await {
            Ok(transaction) => transaction,
            Err(error) => {
                tracing::warn!(error = %Causes(&error), "no commit can begin");
                return Ok(());
            }
        };
        let (group, outcomes) = match self.decide(&mut transaction, batch).await {
            Ok(decided) => decided,
            Err(error) => {
                transaction.roll_back().await;
                return Err(error);
            }
        };
        self.log_holds_replaced |= group.restores();
        let (receipts, tips) = self.write(transaction, group).await?;
        meters().commit_size.of(receipts.len());
        self.cut_log().await;
        self.publish(tips);
        self.answer(outcomes, &receipts).await;
        Ok(())
    }

    async fn write(
        &self,
        mut transaction: Transaction,
        group: Group,
    ) -> Result<(Vec<Receipt>, HashMap<StreamId, Tip>), sqlx::Error> {
        if group.is_empty() {
            transaction.roll_back().await;
            return Ok((Vec::new(), group.tips));
        }
        match group.write(&mut transaction, &self.config, now()).await {
            Ok(written) => transaction.commit().await.map(|()| written),
            Err(error) => {
                transaction.roll_back().await;
                Err(error)
            }
        }
    }

    /// Truncates the write-ahead log after data was replaced; if that is not possible now, after the next commit.
    async fn cut_log(&mut self) {
        if !self.log_holds_replaced {
            return;
        }
        match self.config.database.scrub(&[]).await {
            Ok(cut) => self.log_holds_replaced = !cut,
            Err(error) => tracing::warn!(error = %Causes(&error), "replaced data is still in the write-ahead log"),
        }
    }

    async fn decide<E: Send>(
        &self,
        connection: &mut AnyConnection,
        batch: Vec<Waiting<E>>,
    ) -> Result<Decided<E>, ReadError> {
        let mut wanted = HashMap::<StreamId, Wanted>::new();
        for (proposal, _) in &batch {
            let of_stream = wanted.entry(proposal.stream).or_default();
            of_stream.keys.extend(&proposal.reads);
            of_stream.requests.push(proposal.request.0);
        }
        let known = self.reader.known();
        let streams = wanted.keys().copied().collect();
        let dialect = self.config.database.dialect();
        let mut locked = store::lock(connection, dialect, streams, |stream| known.rows.contains_key(stream)).await?;
        let (mut group, mut before) = (Group::new(known.clone()), Before::new());
        for (stream, wanted) in wanted {
            let at = locked.remove(&stream).ok_or(ReadError::NotFound)?;
            group.made.extend(at.made.then_some(at.row));
            match self.prepare(connection, stream, at, wanted, &mut group, &mut before).await {
                Err(ReadError::Broken) => {
                    tracing::error!(%stream, "the stored journal is damaged and is not extended");
                }
                prepared => prepared?,
            }
        }
        let mut outcomes = Vec::with_capacity(batch.len());
        for (proposal, answer) in batch {
            outcomes.push((answer, self.decide_one(connection, &mut group, &before, proposal).await?));
        }
        Ok((group, outcomes))
    }

    /// Reads what the proposals of one stream need (step 2). A damaged stream is left out of the group.
    async fn prepare(
        &self,
        connection: &mut AnyConnection,
        stream: StreamId,
        locked: Locked,
        wanted: Wanted,
        group: &mut Group,
        before: &mut Before,
    ) -> Result<(), ReadError> {
        let Wanted { mut keys, requests } = wanted;
        let mut tip = self.tip(connection, stream, locked).await?;
        let entries = tip.entries();
        tip.counted.catch_up(connection, tip.row, entries, &self.config.quota).await?;
        if let Some((number, _)) = tip.head {
            keys.sort_unstable_by_key(|key| key.0);
            keys.dedup();
            let facts = store::facts(connection, tip.row, number, &keys).await?;
            if self.config.state_map {
                check_facts(connection, self.reader.known(), tip.row, tip.root, &keys, &facts).await?;
            }
            group.know(tip.row, facts);
            for found in store::recorded(connection, tip.row, &requests).await? {
                before.insert((tip.row, found.request), (found.envelope, found.number));
            }
        }
        group.tips.insert(stream, tip);
        Ok(())
    }

    /// The last state of a stream. If its last entry is the one this process knows, that is what it knows; otherwise it is
    /// loaded from the database, and the last entry must be one that a receipt of ours was signed over.
    async fn tip(&self, connection: &mut AnyConnection, stream: StreamId, locked: Locked) -> Result<Tip, ReadError> {
        let (row, last) = (locked.row, locked.last.as_deref().map(entry::hash));
        let known = self.tips.get(&stream);
        if let Some(known) = known.filter(|tip| tip.row == row && tip.head.map(|(_, hash)| hash) == last) {
            return Ok(known.clone());
        }
        let mut tip = Tip::load(connection, row, stream).await?;
        if let Some((number, _)) = tip.head {
            let receipt = read::receipt(connection, row, number).await?;
            receipt.verify(&[self.config.receipt_key.verifier()]).map_err(|_| ReadError::Broken)?;
        }
        // Acknowledged entries are gone: the database was restored, or failed over to a copy that lacked them.
        let number = |tip: &Tip| tip.head.map(|(number, _)| number);
        if known.is_some_and(|known| number(known) > number(&tip)) {
            return Err(ReadError::Broken);
        }
        tip.counted = known.filter(|known| known.row == row).map(|known| known.counted).unwrap_or_default();
        Ok(tip)
    }

    async fn decide_one<E: Send>(
        &self,
        connection: &mut AnyConnection,
        group: &mut Group,
        before: &Before,
        proposal: Proposal<E>,
    ) -> Result<Outcome<E>, ReadError> {
        let Some(row) = group.tips.get(&proposal.stream).map(|tip| tip.row) else {
            return Ok(Outcome::Refused(AppendError::Broken));
        };
        if let Some((envelope, number)) = before.get(&(row, proposal.request.0)) {
            return Ok(Outcome::Repeated(proposal.stream, *number).known(envelope, proposal, group, now()));
        }
        if let Some((envelope, place)) = group.decided(row, &proposal.request.0) {
            return Ok(Outcome::RepeatedHere(place).known(&envelope, proposal, group, now()));
        }
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|_| ReadError::Broken)?;
        Ok(match group.decide(connection, &self.config, proposal, now(), nonce).await {
            Ok(Ok(place)) => Outcome::Accepted(place),
            Ok(Err(error)) => Outcome::Refused(error),
            // A damaged state map affects its stream alone.
            Err(ReadError::Broken) => Outcome::Refused(AppendError::Broken),
            Err(error) => return Err(error),
        })
    }

    fn publish(&mut self, tips: HashMap<StreamId, Tip>) {
        for (stream, tip) in tips {
            // Of a stream without an entry nothing is kept: anybody may name one.
            let Some(head) = tip.as_head(stream) else { continue };
            let known = self.tips.get(&stream);
            if known.is_some_and(|known| known.head == tip.head) {
                self.tips.insert(stream, tip); // more of it may have been counted
                continue;
            }
            self.reader.known().rows.insert(stream, tip.row);
            self.heads.learn(head);
            let trace = trace::publish(&head).and_then(|trace| trace.parse().ok());
            self.config.bus.publish(Moved { service: self.config.service, head, trace });
            let quota = &self.config.quota;
            let before = known.map_or(0, |known| known.percent(quota));
            quota.warn(self.config.service, stream, before, tip.percent(quota));
            self.tips.insert(stream, tip);
        }
    }

    async fn answer<E>(&self, outcomes: Vec<(Answer<E>, Outcome<E>)>, receipts: &[Receipt]) {
        for (answer, outcome) in outcomes {
            let _caller_left = answer.send(outcome.answer(receipts, &self.reader).await);
        }
    }
}

/// The clock of entries, Unix milliseconds.
fn now() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}
