//! Where requests come from.

use axum::{
    BoxError, Router,
    body::{Body, Bytes, HttpBody},
    http::Request,
    response::Response,
    routing::future::RouteFuture,
};
use std::{
    convert::Infallible,
    task::{Context, Poll},
};
use tls::Peer;
use tower::Service;

/// What a connection leads to: requests are told where they come from.
#[derive(Clone)]
pub(crate) struct Entered {
    pub(crate) router: Router,
    pub(crate) peer: Peer,
}

impl<B> Service<Request<B>> for Entered
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = RouteFuture<Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(())) // a router always is
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(self.peer.clone());
        self.router.call(request)
    }
}
