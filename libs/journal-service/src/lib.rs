//! The `Journal` gRPC service that every recording service serves.

use access::{AccessLog, admit_auditor, admit_service};
use caller::Caller;
use facts::FactSource;
use futures_util::Stream;
use journal::{FactProof, Heads, Journal, ReadError, Reader, Stored};
use messages::head_message;
use problem::Problem;
use proto::journal::{
    EntryView, Fact, FactProof as FactProofMessage, FollowHeadsRequest, FollowHeadsResponse, ListStreamsRequest,
    ListStreamsResponse, ProveFactsRequest, ProveFactsResponse, ReadEntriesRequest, ReadEntriesResponse,
    ReadFactsRequest, ReadFactsResponse,
    journal_service_server::{JournalService, JournalServiceServer},
};
use seal::{
    Hash,
    entry::{Entry, Head},
    id::{Service, StreamId},
    map::Terminal,
};
use std::{pin::Pin, sync::Arc};
use telemetry::Causes;
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status};

/// Entries read at once, alone and with what is behind them, which may be 4 MiB for each.
const BARE: u32 = 256;
const FULL: u32 = 16;
/// The most bytes behind the entries that are read at once.
const FULL_BYTES: u64 = 4 << 20;
const MAX_KEYS: usize = 256;

/// What is behind what was stored.
#[derive(Debug, Default)]
pub struct Opened {
    /// The envelope.
    pub envelope: Vec<u8>,
    /// The datapoints that came with it; of one that was taken out, its leaf hash.
    pub datapoints: Vec<Vec<u8>>,
    /// The places of those that were taken out.
    pub redacted: Vec<u32>,
}

/// Opens what a journal stored.
#[tonic::async_trait]
pub trait Open: Send + Sync + 'static {
    /// What is behind what was stored, if it can be opened.
    async fn open(&self, stored: &Stored) -> Option<Opened>;
}

/// Who may read the journals of a service: the deployment's services, and auditors of a journal's study.
pub struct Readers {
    /// Whose journals they are.
    pub service: Service,
    /// The facts by which auditors are known.
    pub facts: Arc<dyn FactSource>,
    /// Where a read of participants' values is recorded first; nothing where journals hold no such values.
    pub accesses: Option<AccessLog>,
}

impl Readers {
    async fn admit(&self, from: &Caller, stream: StreamId, study: &str, full: bool) -> Result<(), Problem> {
        let accesses = self.accesses.as_ref().filter(|_| full);
        let journal = access::Journal { service: self.service, stream, study };
        admit_auditor(from, self.facts.as_ref(), accesses, journal).await
    }
}

/// The service over one journal database.
pub struct Api<O> {
    reader: Reader,
    heads: Heads,
    readers: Readers,
    opener: Arc<O>,
}

/// The gRPC service over `journal`.
pub fn service<E, O>(journal: &Journal<E>, readers: Readers, opener: O) -> JournalServiceServer<Api<O>>
where
    E: Send + 'static,
    O: Open,
{
    let (reader, heads) = (journal.reader().clone(), journal.heads().clone());
    JournalServiceServer::new(Api { reader, heads, readers, opener: Arc::new(opener) })
}

/// Why a journal was not read, as clients see it.
pub fn not_read(error: ReadError) -> Problem {
    let said = error.to_string();
    match error {
        ReadError::NotFound => Problem::new(Code::NotFound, "NOT_FOUND", said),
        ReadError::Broken => Problem::new(Code::DataLoss, "STREAM_BROKEN", said),
        ReadError::Database(source) => {
            tracing::error!(error = %source, "a read failed");
            Problem::unavailable("STORAGE_UNAVAILABLE", said)
        }
    }
}

fn malformed(field: &str, what: &str) -> Problem {
    Problem::field("MALFORMED", field, what)
}

fn hash(bytes: &[u8], field: &str) -> Result<Hash, Problem> {
    Hash::from_slice(bytes).ok_or_else(|| malformed(field, "not 32 bytes"))
}

fn keys(keys: &[Vec<u8>]) -> Result<Vec<Hash>, Problem> {
    if keys.len() > MAX_KEYS {
        return Err(malformed("keys", &format!("more than {MAX_KEYS}")));
    }
    keys.iter().map(|key| hash(key, "keys")).collect()
}

fn caller<T>(request: &Request<T>) -> Caller {
    Caller::of(request.metadata(), request.extensions())
}

type Streamed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl<O: Open> JournalService for Api<O> {
    type ReadEntriesStream = Streamed<ReadEntriesResponse>;
    type FollowHeadsStream = Streamed<FollowHeadsResponse>;

    async fn list_streams(
        &self,
        request: Request<ListStreamsRequest>,
    ) -> Result<Response<ListStreamsResponse>, Status> {
        admit_service(&caller(&request))?;
        let request = request.into_inner();
        let after = match request.page_token.as_str() {
            "" => 0,
            token => token.parse().map_err(|_| malformed("page_token", "not a page token of this call"))?,
        };
        let size = if request.page_size == 0 { 100 } else { request.page_size.min(1_000) };
        let (heads, next) = self.reader.heads(after, size).await.map_err(not_read)?;
        let next_page_token = next.map_or_else(String::new, |id| id.to_string());
        let heads = heads.into_iter().map(|(_, head)| head_message(head)).collect();
        Ok(Response::new(ListStreamsResponse { heads, next_page_token }))
    }

    async fn read_entries(
        &self,
        request: Request<ReadEntriesRequest>,
    ) -> Result<Response<Self::ReadEntriesStream>, Status> {
        let stream = StreamId(hash(&request.get_ref().stream, "stream")?);
        let full = request.get_ref().view() == EntryView::Full;
        self.readers.admit(&caller(&request), stream, &request.get_ref().study, full).await?;
        let request = request.into_inner();
        let (reader, opener) = (self.reader.clone(), self.opener.clone());
        let most = if full { FULL } else { BARE };
        // Of entries with what is behind them one waits to be sent, not a page of them.
        let (messages, receiver) = mpsc::channel(if full { 1 } else { BARE as usize });
        tokio::spawn(async move {
            let limit = if request.limit == 0 { u64::MAX } else { request.limit };
            let (mut next, end) = (request.from, request.from.saturating_add(limit));
            while next < end {
                let size = u32::try_from(end - next).unwrap_or(u32::MAX).min(most);
                let page = match full {
                    true => reader.entries_within(stream, next, size, FULL_BYTES).await,
                    false => reader.bare_entries(stream, next, size).await,
                };
                let page = match page {
                    Ok(page) => page,
                    Err(error) => {
                        let _reader_left = messages.send(Err(not_read(error).into())).await;
                        return;
                    }
                };
                let Some(last) = page.last() else { return };
                next = last.number + 1;
                for stored in page {
                    let message = entry_message(&reader, opener.as_ref(), stream, stored, full).await;
                    if messages.send(message.map_err(|error| not_read(error).into())).await.is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn follow_heads(
        &self,
        request: Request<FollowHeadsRequest>,
    ) -> Result<Response<Self::FollowHeadsStream>, Status> {
        admit_service(&caller(&request))?;
        let (reader, mut moved) = (self.reader.clone(), self.heads.follow());
        let (messages, receiver) = mpsc::channel(64);
        tokio::spawn(async move {
            let mut behind = Some(0);
            loop {
                while let Some(after) = behind {
                    let Ok((heads, next)) = reader.heads(after, 1_000).await.inspect_err(|error| {
                        tracing::error!(error = %Causes(&error), "the heads cannot be read");
                    }) else {
                        return;
                    };
                    behind = next;
                    for (_, head) in heads {
                        if messages.send(Ok(followed(head))).await.is_err() {
                            return;
                        }
                    }
                }
                match moved.recv().await {
                    Ok(head) => {
                        if messages.send(Ok(followed(head))).await.is_err() {
                            return;
                        }
                    }
                    Err(broadcast::error::RecvError::Lagged(_)) => behind = Some(0),
                    Err(broadcast::error::RecvError::Closed) => return,
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn read_facts(&self, request: Request<ReadFactsRequest>) -> Result<Response<ReadFactsResponse>, Status> {
        admit_service(&caller(&request))?;
        let request = request.into_inner();
        let stream = StreamId(hash(&request.stream, "stream")?);
        let (head, facts) = self.reader.facts(stream, &keys(&request.keys)?).await.map_err(not_read)?;
        let facts = facts.into_iter().map(|(key, fact)| Fact { key: key.0.to_vec(), fact }).collect();
        Ok(Response::new(ReadFactsResponse { head: head.map(head_message), facts }))
    }

    async fn prove_facts(&self, request: Request<ProveFactsRequest>) -> Result<Response<ProveFactsResponse>, Status> {
        let stream = StreamId(hash(&request.get_ref().stream, "stream")?);
        self.readers.admit(&caller(&request), stream, &request.get_ref().study, false).await?;
        let request = request.into_inner();
        let proofs = self.reader.prove(stream, request.number, &keys(&request.keys)?).await.map_err(not_read)?;
        Ok(Response::new(ProveFactsResponse { proofs: proofs.into_iter().map(proof_message).collect() }))
    }
}

async fn entry_message<O: Open>(
    reader: &Reader,
    opener: &O,
    stream: StreamId,
    stored: Stored,
    full: bool,
) -> Result<ReadEntriesResponse, ReadError> {
    let opened = if full { opener.open(&stored).await } else { None };
    let unreadable = full && opened.is_none();
    let stateful = unreadable && Entry::parse(&stored.entry).is_ok_and(|entry| entry.state_root.is_some());
    let set = if stateful { reader.set_by(stream, stored.number).await? } else { Vec::new() };
    let set = set.into_iter().map(|(key, fact)| Fact { key: key.0.to_vec(), fact }).collect();
    let Opened { envelope, datapoints, redacted } = opened.unwrap_or_default();
    Ok(ReadEntriesResponse { entry: stored.entry, envelope, datapoints, unreadable, redacted, set })
}

fn followed(head: Head) -> FollowHeadsResponse {
    FollowHeadsResponse { head: Some(head_message(head)) }
}

fn proof_message(proof: FactProof) -> FactProofMessage {
    let (fact, salt) = proof.fact.map(|fact| (fact.bytes, fact.salt.to_vec())).unwrap_or_default();
    let other = match proof.path.terminal {
        Terminal::Leaf { key, value } if key != proof.key => Some((key, value)),
        _ => None,
    };
    let (other_key, other_value) = other.map(|(key, value)| (key.0.to_vec(), value.0.to_vec())).unwrap_or_default();
    FactProofMessage {
        fact: Some(Fact { key: proof.key.0.to_vec(), fact }),
        salt,
        siblings: proof.path.siblings.iter().map(|hash| hash.0.to_vec()).collect(),
        other_key,
        other_value,
    }
}
