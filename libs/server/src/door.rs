//! Where requests come from.

use crate::{answer::Protocol, methods, stack::Stack};
use axum::{
    BoxError, Router,
    body::{Body, Bytes, HttpBody},
    http::Request,
    response::Response,
};
use std::{
    convert::Infallible,
    future::{Future, ready},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tls::Peer;
use tower::Service;

/// What a connection leads to. Requests for which there is no room get no further; the others are told where they come from.
#[derive(Clone)]
pub(crate) struct Entered {
    pub(crate) router: Router,
    pub(crate) stack: Arc<Stack>,
    pub(crate) peer: Peer,
}

impl<B> Service<Request<B>> for Entered
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(())) // a router always is
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let is_health = methods::asks_for_health(request.uri().path());
        let present = if is_health { None } else { self.stack.room.enter() };
        if !is_health && present.is_none() {
            return Box::pin(ready(Ok(self.stack.refusal.to(Protocol::of(&request)))));
        }
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(self.peer.clone());
        let answer = self.router.call(request);
        Box::pin(async move {
            let _until_answered = present;
            answer.await
        })
    }
}
