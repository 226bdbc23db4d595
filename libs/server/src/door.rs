//! Where connections come in.

use crate::observe::From;
use axum::{
    BoxError, Router,
    body::{Body, Bytes, HttpBody},
    http::{Extensions, Request},
    response::Response,
    routing::future::RouteFuture,
    serve::{Listener, ListenerExt, TapIo},
};
use std::{
    convert::Infallible,
    net::SocketAddr,
    task::{Context, Poll},
};
use tokio::net::{TcpListener, TcpStream};
use tower::Service;

/// What is known of the other end of a connection.
pub trait Peer: Clone + Send + Sync + 'static {
    /// Where it is.
    fn address(&self) -> SocketAddr;

    /// Tells a request of that connection what layers and handlers want to know.
    fn tell(&self, extensions: &mut Extensions);
}

impl Peer for SocketAddr {
    fn address(&self) -> SocketAddr {
        *self
    }

    fn tell(&self, _: &mut Extensions) {}
}

/// What accepts connections.
pub trait Door {
    /// It, as it is served.
    type Listener: Listener<Addr: Peer>;

    /// Opens it.
    fn open(self) -> Self::Listener;
}

impl Door for TcpListener {
    type Listener = TapIo<TcpListener, fn(&mut TcpStream)>;

    fn open(self) -> Self::Listener {
        // Small answers must not wait for the peer's delayed acknowledgement (Nagle).
        self.tap_io(|connection| drop(connection.set_nodelay(true)))
    }
}

/// What a connection leads to: requests are told where they come from.
#[derive(Clone)]
pub(crate) struct Entered<P> {
    pub(crate) router: Router,
    pub(crate) peer: P,
}

impl<P: Peer, B> Service<Request<B>> for Entered<P>
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
        request.extensions_mut().insert(From(self.peer.address().ip()));
        self.peer.tell(request.extensions_mut());
        self.router.call(request)
    }
}
