//! The body of an answer, watched until its end: most of a streaming call happens while it is read.

use crate::{
    answer::{broken, stopping, too_late, trailers},
    call::Call,
    ended::Ended,
};
use axum::{
    Error,
    body::{Body, Bytes, HttpBody},
    http::HeaderMap,
};
use http_body::{Frame, SizeHint};
use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};
use tokio::time::Sleep;

type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A body that is read as part of its call, ends when its time is over, and says how it ended.
pub(crate) struct Watched {
    pub(crate) inner: Body,
    pub(crate) call: Call,
    pub(crate) ended: Ended,
    /// When the caller has no more use for it.
    pub(crate) deadline: Option<Pin<Box<Sleep>>>,
    /// Completes when an answer without an end is to end.
    pub(crate) stopping: Option<Wait>,
    pub(crate) over: bool,
}

impl Watched {
    fn end(&mut self, trailers: HeaderMap) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.over = true;
        self.inner = Body::empty();
        self.ended.trailers(&trailers);
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    /// What the stack itself has to say, instead of what the handler would.
    fn interrupted(&mut self, cx: &mut Context<'_>) -> Option<HeaderMap> {
        if self.deadline.as_mut().is_some_and(|deadline| deadline.as_mut().poll(cx).is_ready()) {
            return Some(trailers(too_late()));
        }
        let stops = self.stopping.as_mut().is_some_and(|stopping| stopping.as_mut().poll(cx).is_ready());
        stops.then(|| trailers(stopping()))
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        if this.over {
            return Poll::Ready(None);
        }
        if let Some(trailers) = this.interrupted(cx) {
            return this.end(trailers);
        }
        let (span, call, inner) = (this.ended.span().clone(), &this.call, Pin::new(&mut this.inner));
        let poll = || span.in_scope(|| call.enter(|| inner.poll_frame(cx)));
        match catch_unwind(AssertUnwindSafe(poll)) {
            Err(_) if this.ended.is_grpc() => this.end(trailers(broken())),
            Err(_) => {
                this.over = true;
                Poll::Ready(Some(Err(Error::new("the answer broke off"))))
            }
            Ok(polled) => {
                match &polled {
                    Poll::Ready(Some(Ok(frame))) => {
                        frame.trailers_ref().into_iter().for_each(|t| this.ended.trailers(t));
                    }
                    Poll::Ready(None) => this.ended.completed(),
                    _ => {}
                }
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
