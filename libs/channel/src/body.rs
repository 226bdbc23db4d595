//! Requests that can be sent again: those that are complete in memory.

use axum::body::Body as Streamed;
use futures_util::{Stream, StreamExt, stream};
use http_body_util::{BodyDataStream, Full};
use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};
use tonic::{Status, body::Body, codegen::Bytes};

type Pieces = BodyDataStream<Body>;

/// The body of a request.
pub(crate) enum Replay {
    /// Complete: it can be sent as often as needed.
    Whole(Bytes),
    /// Still being made, or too large to keep: it can be sent once.
    Once(Body),
    /// Sent.
    Gone,
}

impl Replay {
    /// Keeps what is there at once, up to `limit` bytes. A unary request is; of a stream that goes on, nothing is awaited.
    pub(crate) async fn of(body: Body, limit: usize) -> Self {
        let (mut pieces, mut kept) = (BodyDataStream::new(body), Vec::new());
        let whole = poll_fn(|cx| Poll::Ready(take(&mut pieces, &mut kept, limit, cx))).await;
        if whole {
            return Self::Whole(joined(kept.into_iter().flatten().collect()));
        }
        Self::Once(Body::new(Streamed::from_stream(stream::iter(kept).chain(pieces))))
    }

    /// Whether it can be sent more than once.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self, Self::Whole(_))
    }

    /// The body to send now; nothing if it was sent and cannot be again.
    pub(crate) fn next(&mut self) -> Option<Body> {
        match std::mem::replace(self, Self::Gone) {
            Self::Whole(bytes) => {
                *self = Self::Whole(bytes.clone());
                Some(Body::new(Full::new(bytes)))
            }
            Self::Once(body) => Some(body),
            Self::Gone => None,
        }
    }
}

/// Takes what is ready. Whether that was all, and all of it good.
fn take(pieces: &mut Pieces, kept: &mut Vec<Result<Bytes, Status>>, limit: usize, cx: &mut Context<'_>) -> bool {
    let mut size = 0_usize;
    while size <= limit {
        let Poll::Ready(next) = Pin::new(&mut *pieces).poll_next(cx) else { return false };
        let Some(piece) = next else { return true };
        let length = piece.as_ref().map(Bytes::len).ok();
        kept.push(piece);
        match length {
            Some(length) => size = size.saturating_add(length),
            None => return false,
        }
    }
    false
}

/// One after the other; what is in one piece, as most are, is not copied.
fn joined(mut pieces: Vec<Bytes>) -> Bytes {
    match pieces.pop() {
        Some(only) if pieces.is_empty() => only,
        last => pieces.into_iter().chain(last).flatten().collect(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    fn body(pieces: impl Stream<Item = Result<&'static str, Status>> + Send + 'static) -> Body {
        Body::new(Streamed::from_stream(pieces))
    }

    async fn sent(replay: &mut Replay) -> Result<Bytes, Status> {
        replay.next().unwrap().collect().await.map(|all| all.to_bytes())
    }

    #[tokio::test]
    async fn what_is_complete_can_be_sent_again() {
        let mut replay = Replay::of(body(stream::iter([Ok("one "), Ok("two")])), 7).await;
        assert!(replay.is_whole());
        for _ in 0..3 {
            assert_eq!(sent(&mut replay).await.unwrap(), "one two");
        }
    }

    #[tokio::test]
    async fn what_goes_on_or_is_too_large_is_sent_once_and_in_full() {
        let late = Box::pin(stream::once(async {
            tokio::task::yield_now().await;
            Ok("two")
        }));
        let large = stream::iter([Ok("one "), Ok("two")]);
        for (body, limit) in [(body(stream::iter([Ok("one ")]).chain(late)), 100), (body(large), 6)] {
            let mut replay = Replay::of(body, limit).await;
            assert!(!replay.is_whole());
            assert_eq!(sent(&mut replay).await.unwrap(), "one two");
            assert!(replay.next().is_none());
        }
    }

    #[tokio::test]
    async fn a_request_that_cannot_be_made_is_not_sent_in_part() {
        let broken = stream::iter([Ok("one "), Err(Status::internal("no encoding"))]);
        let mut replay = Replay::of(body(broken), 100).await;
        assert!(!replay.is_whole());
        assert!(sent(&mut replay).await.is_err());
    }
}
