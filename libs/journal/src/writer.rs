//! The one writer of a database: takes proposals from a queue, commits them in groups, then answers.

use crate::{
    AppendError, Config, OpenError, Proposal, ReadError, Reader,
    group::{Group, Tip},
    read::check_facts,
    store,
};
use seal::{Hash, entry::Head, id::StreamId, receipt::Receipt};
use sqlx::SqliteConnection;
use std::{
    collections::HashMap,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::sync::{broadcast, mpsc, oneshot};

/// The most proposals of one commit group.
const MAX_GROUP: usize = 512;
/// The most proposals waiting; further callers wait before they may propose.
const QUEUE: usize = 2_048;

type Answer<E> = oneshot::Sender<Result<Receipt, AppendError<E>>>;
type Waiting<E> = (Proposal<E>, Answer<E>);

/// A journal database, open for appending and reading. Cheap to clone.
pub struct Journal<E> {
    queue: mpsc::Sender<Waiting<E>>,
    heads: broadcast::Sender<Head>,
    reader: Reader,
}

impl<E> Clone for Journal<E> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), heads: self.heads.clone(), reader: self.reader.clone() }
    }
}

impl<E: Send + 'static> Journal<E> {
    /// Opens the database and starts its writer.
    pub async fn open(config: Config) -> Result<Self, OpenError> {
        let connection = store::open(&config.file).await?;
        let reader = Reader::new(&config.file);
        let (queue, waiting) = mpsc::channel(QUEUE);
        let (heads, _) = broadcast::channel(1_024);
        let (tips, heads_of, reads) = (HashMap::new(), heads.clone(), reader.clone());
        let writer = Writer { connection, config, tips, heads: heads_of, reader: reads, log_holds_replaced: false };
        tokio::spawn(writer.run(waiting));
        Ok(Self { queue, heads, reader })
    }

    /// Records a proposal. Returns after the entry is durable.
    pub async fn append(&self, proposal: Proposal<E>) -> Result<Receipt, AppendError<E>> {
        let (answer, answered) = oneshot::channel();
        self.queue.send((proposal, answer)).await.map_err(|_| AppendError::Storage)?;
        answered.await.map_err(|_| AppendError::Storage)?
    }

    /// Reads beside the writer.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    pub(crate) fn heads_sender(&self) -> broadcast::Sender<Head> {
        self.heads.clone()
    }
}

struct Writer {
    connection: SqliteConnection,
    config: Config,
    tips: HashMap<StreamId, Tip>,
    heads: broadcast::Sender<Head>,
    reader: Reader,
    /// Whether the write-ahead log may still hold what was replaced.
    log_holds_replaced: bool,
}

/// What becomes of a proposal once its group is durable.
enum Outcome<E> {
    Accepted(usize),
    Repeated(StreamId, u64),
    Refused(AppendError<E>),
}

impl Writer {
    async fn run<E: Send + 'static>(mut self, mut waiting: mpsc::Receiver<Waiting<E>>) {
        let mut batch = Vec::with_capacity(MAX_GROUP);
        while waiting.recv_many(&mut batch, MAX_GROUP).await > 0 {
            if let Err(error) = self.commit(std::mem::take(&mut batch)).await {
                // The callers' answers were dropped with the batch: they see a storage error, and nothing was stored.
                self.tips.clear();
                if !is_recoverable(&error) {
                    tracing::error!(%error, "the journal stops: what reached the disk is unknown until a restart");
                    return;
                }
                tracing::warn!(%error, "a commit failed and was rolled back");
            }
        }
    }

    async fn commit<E: Send>(&mut self, batch: Vec<Waiting<E>>) -> Result<(), ReadError> {
        sqlx::query("BEGIN IMMEDIATE").execute(&mut self.connection).await?;
        let decided = match self.decide(batch).await {
            Ok(decided) => decided,
            Err(error) => {
                self.roll_back().await?;
                return Err(error);
            }
        };
        let (group, outcomes) = decided;
        let restores = group.restores();
        let (receipts, tips) = if group.is_empty() {
            self.roll_back().await?;
            (Vec::new(), HashMap::new())
        } else {
            let written = group.write(&mut self.connection, &self.config, now()).await;
            let written = match written {
                Ok(written) => sqlx::query("COMMIT").execute(&mut self.connection).await.map(|_| written),
                failed => failed,
            };
            match written {
                Ok(written) => written,
                Err(error) => {
                    self.roll_back().await?;
                    return Err(error.into());
                }
            }
        };
        self.log_holds_replaced |= restores;
        self.cut_log().await;
        self.publish(tips);
        self.answer(outcomes, &receipts).await;
        Ok(())
    }

    /// Cuts the write-ahead log after something was replaced; if that cannot be done now, after the next commit.
    async fn cut_log(&mut self) {
        if !self.log_holds_replaced {
            return;
        }
        match store::cut_log(&mut self.connection).await {
            Ok(cut) => self.log_holds_replaced = !cut,
            Err(error) => tracing::warn!(%error, "what was replaced is still in the write-ahead log"),
        }
    }

    async fn roll_back(&mut self) -> Result<(), sqlx::Error> {
        // After a full disk SQLite may have rolled back by itself; then there is nothing left to roll back.
        match sqlx::query("ROLLBACK").execute(&mut self.connection).await {
            Err(sqlx::Error::Database(error)) if error.message().contains("no transaction is active") => Ok(()),
            other => other.map(|_| ()),
        }
    }

    async fn decide<E: Send>(
        &mut self,
        batch: Vec<Waiting<E>>,
    ) -> Result<(Group, Vec<(Answer<E>, Outcome<E>)>), ReadError> {
        let mut group = Group::new(self.reader.known().clone());
        let (mut wanted, mut broken) = (HashMap::<StreamId, (Vec<Hash>, Vec<[u8; 16]>)>::new(), Vec::new());
        for (proposal, _) in &batch {
            let (keys, requests) = wanted.entry(proposal.stream).or_default();
            keys.extend(&proposal.reads);
            requests.push(proposal.request.0);
        }
        let mut before = HashMap::new();
        for (stream, (keys, requests)) in wanted {
            let tip = match self.tips.remove(&stream) {
                Some(tip) => tip,
                None => match self.load(stream).await {
                    Ok(tip) => tip,
                    Err(ReadError::Broken) => {
                        tracing::error!(%stream, "the stored journal is damaged and is not extended");
                        broken.push(stream);
                        continue;
                    }
                    Err(error) => return Err(error),
                },
            };
            let facts = store::facts(&mut self.connection, tip.row, &keys).await?;
            if let Some((number, _)) = tip.head.filter(|_| self.config.state_map) {
                let state = (tip.root, number);
                match check_facts(&mut self.connection, self.reader.known(), tip.row, state, &keys, &facts).await {
                    Err(ReadError::Broken) => {
                        tracing::error!(%stream, "stored facts contradict the state root: the journal is not extended");
                        broken.push(stream);
                        continue;
                    }
                    checked => checked?,
                }
            }
            group.know(tip.row, facts);
            for found in store::recorded(&mut self.connection, tip.row, &requests).await? {
                before.insert((tip.row, found.request), (found.envelope, found.number));
            }
            group.tips.insert(stream, tip);
        }
        let mut outcomes = Vec::with_capacity(batch.len());
        for (proposal, answer) in batch {
            let outcome = if broken.contains(&proposal.stream) {
                Outcome::Refused(AppendError::Broken)
            } else {
                self.decide_one(&mut group, &before, proposal).await?
            };
            outcomes.push((answer, outcome));
        }
        Ok((group, outcomes))
    }

    /// Where a stream stands, if its last entry is the one a receipt of ours was signed over.
    async fn load(&mut self, stream: StreamId) -> Result<Tip, ReadError> {
        let tip = Tip::load(&mut self.connection, stream).await?;
        if let Some((number, _)) = tip.head {
            let receipt = self.reader.receipt(stream, number).await?;
            receipt.verify(&[self.config.receipt_key.verifier()]).map_err(|_| ReadError::Broken)?;
        }
        Ok(tip)
    }

    async fn decide_one<E: Send>(
        &mut self,
        group: &mut Group,
        before: &HashMap<(i64, [u8; 16]), (Hash, u64)>,
        proposal: Proposal<E>,
    ) -> Result<Outcome<E>, ReadError> {
        let row = group.tips.get(&proposal.stream).ok_or(ReadError::NotFound)?.row;
        if let Some((envelope, number)) = before.get(&(row, proposal.request.0)) {
            let same = *envelope == proposal.envelope;
            let repeated = Outcome::Repeated(proposal.stream, *number);
            return Ok(if same { repeated } else { Outcome::Refused(AppendError::RequestReused) });
        }
        if let Some((envelope, place)) = group.decided(row, &proposal.request.0) {
            let same = envelope == proposal.envelope;
            return Ok(if same { Outcome::Accepted(place) } else { Outcome::Refused(AppendError::RequestReused) });
        }
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|_| ReadError::Broken)?;
        Ok(match group.decide(&mut self.connection, &self.config, proposal, (now(), nonce)).await {
            Ok(Ok(place)) => Outcome::Accepted(place),
            Ok(Err(refusal)) => Outcome::Refused(AppendError::Refused(refusal)),
            // A damaged state map is the trouble of its stream alone.
            Err(ReadError::Broken) => Outcome::Refused(AppendError::Broken),
            Err(error) => return Err(error),
        })
    }

    fn publish(&mut self, tips: HashMap<StreamId, Tip>) {
        for (stream, tip) in tips {
            if let Some(head) = tip.as_head(stream) {
                let _nobody_follows = self.heads.send(head);
            }
            self.tips.insert(stream, tip);
        }
    }

    async fn answer<E>(&self, outcomes: Vec<(Answer<E>, Outcome<E>)>, receipts: &[Receipt]) {
        for (answer, outcome) in outcomes {
            let result = match outcome {
                Outcome::Accepted(place) => receipts.get(place).cloned().ok_or(AppendError::Storage),
                Outcome::Repeated(stream, number) => {
                    self.reader.receipt(stream, number).await.map_err(|_| AppendError::Storage)
                }
                Outcome::Refused(error) => Err(error),
            };
            let _caller_left = answer.send(result);
        }
    }
}

/// A full disk rolls back cleanly and may be over soon. After any other failure what was written is unknown, and is not
/// to be read back and built upon.
fn is_recoverable(error: &ReadError) -> bool {
    match error {
        ReadError::Database(sqlx::Error::Database(error)) => {
            error.code().is_some_and(|code| code == "13" || code == "5")
        }
        ReadError::Database(_) => false,
        ReadError::NotFound | ReadError::Broken => true,
    }
}

/// The clock of entries, Unix milliseconds.
fn now() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}
