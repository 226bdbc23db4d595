//! Submissions in a stream: prepared at once, recorded one after the other.
//!
//! Invariant: what is recorded of a stream is recorded in its order, and answered in it.

use super::{Inner, submit::Prepared};
use futures_util::{Stream, StreamExt};
use problem::Problem;
use proto::capture::{SubmitFormsRequest, SubmitFormsResponse};
use std::{pin::Pin, sync::Arc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Status, Streaming};

/// The most messages of one stream that are unanswered.
const IN_FLIGHT: usize = 256;
/// The most bytes of them; a message that has more is handled alone.
const IN_FLIGHT_BYTES: usize = 4 << 20;

/// The answers to a stream.
pub(crate) type Answers = Pin<Box<dyn Stream<Item = Result<SubmitFormsResponse, Status>> + Send>>;

/// What a message holds until it is answered.
type Place = (Option<OwnedSemaphorePermit>, Option<OwnedSemaphorePermit>);

/// Answers a stream of submissions.
pub(super) fn answers(inner: Arc<Inner>, messages: Streaming<SubmitFormsRequest>) -> Answers {
    let turns = inner.clone();
    let (unanswered, bytes) = (Arc::new(Semaphore::new(IN_FLIGHT)), Arc::new(Semaphore::new(IN_FLIGHT_BYTES)));
    let prepared = messages
        .then(move |message| place(message, unanswered.clone(), bytes.clone()))
        .map(move |(message, place)| prepare(inner.clone(), message, place))
        .buffered(IN_FLIGHT);
    let answers = prepared
        .then(move |(prepared, place)| {
            let turns = turns.clone();
            async move {
                let answer = match prepared {
                    Ok(prepared) => Ok(turns.take_turn(prepared).await),
                    Err(status) => Err(status),
                };
                (answer, place)
            }
        })
        .enumerate()
        .map(|(sequence, (answer, place))| async move {
            let _until_answered = place;
            Ok(SubmitFormsResponse { sequence: sequence as u64, ..answer?.await })
        })
        .buffered(IN_FLIGHT);
    Box::pin(answers)
}

/// Waits until a message may be unanswered besides the others.
async fn place(
    message: Result<SubmitFormsRequest, Status>,
    unanswered: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
) -> (Result<SubmitFormsRequest, Status>, Place) {
    let size = message.as_ref().map_or(0, bytes_of).min(IN_FLIGHT_BYTES);
    let one = unanswered.acquire_owned().await.ok();
    let room = bytes.acquire_many_owned(u32::try_from(size).unwrap_or(u32::MAX)).await.ok();
    (message, (one, room))
}

/// Prepares a submission in a task of its own, so that signatures are verified on every core.
fn prepare(
    inner: Arc<Inner>,
    message: Result<SubmitFormsRequest, Status>,
    place: Place,
) -> impl Future<Output = (Result<Result<Prepared, Problem>, Status>, Place)> {
    let preparing = async move {
        let SubmitFormsRequest { envelope, datapoints } = message?;
        Ok(inner.prepare(envelope, datapoints).await)
    };
    let task = tokio::spawn(server::carry(preparing));
    async move {
        let prepared = task.await.unwrap_or_else(|_| Err(Status::internal("the submission was not handled")));
        (prepared, place)
    }
}

fn bytes_of(message: &SubmitFormsRequest) -> usize {
    message.envelope.len() + message.datapoints.iter().map(Vec::len).sum::<usize>()
}
