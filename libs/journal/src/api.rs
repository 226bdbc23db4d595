//! The `Journal` gRPC service that every recording service serves.

use crate::{FactProof, ReadError, Reader, Stored, heads::Heads};
use futures_util::Stream;
use proto::{
    journal::{
        EntryView, Fact, FactProof as FactProofMessage, FollowHeadsRequest, FollowHeadsResponse, ListStreamsRequest,
        ListStreamsResponse, ProveFactsRequest, ProveFactsResponse, ReadEntriesRequest, ReadEntriesResponse,
        ReadFactsRequest, ReadFactsResponse,
        journal_service_server::{JournalService, JournalServiceServer},
    },
    types,
};
use seal::{
    Hash,
    entry::{Entry, Head},
    id::StreamId,
    map::Terminal,
};
use std::{pin::Pin, sync::Arc};
use telemetry::Causes;
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Extensions, Request, Response, Status, metadata::MetadataMap};
use tonic_types::{ErrorDetails, StatusExt};

/// Entries read at once, alone and with what is behind them, which may be 4 MiB for each.
const BARE: u32 = 256;
const FULL: u32 = 16;
/// The most bytes behind the entries that are read at once.
const FULL_BYTES: u64 = 4 << 20;
const MAX_KEYS: usize = 256;

/// What came with a call: its metadata, and what the layers before put into its extensions.
pub type Call<'a> = (&'a MetadataMap, &'a Extensions);

/// What a service decides about its journals: who reads, and how what it stored is opened.
#[tonic::async_trait]
pub trait Keeper: Send + Sync + 'static {
    /// Lets services pass, or an actor of `study` with the task audit; `full` if values are asked for too.
    async fn admit(&self, call: Call<'_>, stream: StreamId, study: &str, full: bool) -> Result<(), Status>;

    /// Lets services pass, nobody else.
    fn admit_service(&self, call: Call<'_>) -> Result<(), Status>;

    /// What is behind what was stored, if it can be opened.
    async fn open(&self, stream: StreamId, stored: &Stored) -> Option<Opened>;
}

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

/// The service over one journal database.
pub struct Api<K> {
    reader: Reader,
    heads: Heads,
    keeper: Arc<K>,
}

impl<E: Send + 'static> crate::Journal<E> {
    /// The gRPC service over this journal.
    pub fn service<K: Keeper>(&self, keeper: K) -> JournalServiceServer<Api<K>> {
        JournalServiceServer::new(Api {
            reader: self.reader().clone(),
            heads: self.heads().clone(),
            keeper: Arc::new(keeper),
        })
    }
}

/// A head as a message.
pub fn head_message(head: Head) -> types::Head {
    types::Head { stream: head.stream.0.0.to_vec(), number: head.number, hash: head.hash.0.to_vec() }
}

/// A head from a message.
pub fn parse_head(head: &types::Head) -> Option<Head> {
    let (stream, hash) = (Hash::from_slice(&head.stream)?, Hash::from_slice(&head.hash)?);
    Some(Head { stream: StreamId(stream), number: head.number, hash })
}

/// A receipt as a message.
pub fn receipt_message(receipt: seal::receipt::Receipt) -> types::Receipt {
    types::Receipt {
        entry: receipt.entry,
        index: receipt.index,
        path: receipt.path.iter().map(|hash| hash.0.to_vec()).collect(),
        note: receipt.note,
    }
}

fn status(error: &ReadError) -> Status {
    let (code, reason) = match error {
        ReadError::NotFound => (Code::NotFound, "NOT_FOUND"),
        ReadError::Broken => (Code::DataLoss, "STREAM_BROKEN"),
        ReadError::Database(source) => {
            tracing::error!(error = %source, "a read failed");
            (Code::Unavailable, "STORAGE_UNAVAILABLE")
        }
    };
    Status::with_error_details(code, error.to_string(), ErrorDetails::with_error_info(reason, "trialseal", []))
}

fn malformed(field: &str, what: &str) -> Status {
    let mut details = ErrorDetails::with_error_info("MALFORMED", "trialseal", []);
    details.add_bad_request_violation(field, what);
    Status::with_error_details(Code::InvalidArgument, format!("{field}: {what}"), details)
}

#[allow(clippy::result_large_err)] // tonic's own error type
fn hash(bytes: &[u8], field: &str) -> Result<Hash, Status> {
    Hash::from_slice(bytes).ok_or_else(|| malformed(field, "not 32 bytes"))
}

#[allow(clippy::result_large_err)] // tonic's own error type
fn keys(keys: &[Vec<u8>]) -> Result<Vec<Hash>, Status> {
    if keys.len() > MAX_KEYS {
        return Err(malformed("keys", &format!("more than {MAX_KEYS}")));
    }
    keys.iter().map(|key| hash(key, "keys")).collect()
}

fn call<T>(request: &Request<T>) -> Call<'_> {
    (request.metadata(), request.extensions())
}

type Streamed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl<K: Keeper> JournalService for Api<K> {
    type ReadEntriesStream = Streamed<ReadEntriesResponse>;
    type FollowHeadsStream = Streamed<FollowHeadsResponse>;

    async fn list_streams(
        &self,
        request: Request<ListStreamsRequest>,
    ) -> Result<Response<ListStreamsResponse>, Status> {
        self.keeper.admit_service(call(&request))?;
        let request = request.into_inner();
        let after = match request.page_token.as_str() {
            "" => 0,
            token => token.parse().map_err(|_| malformed("page_token", "not a page token of this call"))?,
        };
        let size = if request.page_size == 0 { 100 } else { request.page_size.min(1_000) };
        let (heads, next) = self.reader.heads(after, size).await.map_err(|error| status(&error))?;
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
        self.keeper.admit(call(&request), stream, &request.get_ref().study, full).await?;
        let request = request.into_inner();
        let (reader, keeper) = (self.reader.clone(), self.keeper.clone());
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
                        let _reader_left = messages.send(Err(status(&error))).await;
                        return;
                    }
                };
                let Some(last) = page.last() else { return };
                next = last.number + 1;
                for stored in page {
                    let message = entry_message((&reader, keeper.as_ref()), stream, stored, full).await;
                    if messages.send(message.map_err(|error| status(&error))).await.is_err() {
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
        self.keeper.admit_service(call(&request))?;
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
        self.keeper.admit_service(call(&request))?;
        let request = request.into_inner();
        let stream = StreamId(hash(&request.stream, "stream")?);
        let (head, facts) = self.reader.facts(stream, &keys(&request.keys)?).await.map_err(|error| status(&error))?;
        let facts = facts.into_iter().map(|(key, fact)| Fact { key: key.0.to_vec(), fact }).collect();
        Ok(Response::new(ReadFactsResponse { head: head.map(head_message), facts }))
    }

    async fn prove_facts(&self, request: Request<ProveFactsRequest>) -> Result<Response<ProveFactsResponse>, Status> {
        let stream = StreamId(hash(&request.get_ref().stream, "stream")?);
        self.keeper.admit(call(&request), stream, &request.get_ref().study, false).await?;
        let request = request.into_inner();
        let proofs =
            self.reader.prove(stream, request.number, &keys(&request.keys)?).await.map_err(|error| status(&error))?;
        Ok(Response::new(ProveFactsResponse { proofs: proofs.into_iter().map(proof_message).collect() }))
    }
}

async fn entry_message<K: Keeper>(
    (reader, keeper): (&Reader, &K),
    stream: StreamId,
    stored: Stored,
    full: bool,
) -> Result<ReadEntriesResponse, ReadError> {
    let opened = if full { keeper.open(stream, &stored).await } else { None };
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
