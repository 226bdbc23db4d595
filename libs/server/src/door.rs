//! Where requests come from, and who gets no further. Whoever comes when there are enough is told to come back at the least
//! cost: before there is a span, and before anybody asks who they are. What a refusal costs is taken from those let in.

use crate::{answer::Protocol, methods, stack::Stack, weighed::Weighed};
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
use tls::{CertifiedName, Peer, Transport};
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
        let room = if is_service(&self.peer) { &self.stack.room_of_services } else { &self.stack.room };
        let present = if is_health { None } else { room.enter() };
        if !is_health && present.is_none() {
            return Box::pin(ready(Ok(self.stack.refusal.to(Protocol::of(&request)))));
        }
        let held = room.hold();
        let mut request = match Protocol::of(&request) {
            Protocol::Grpc => {
                let stack = self.stack.clone();
                let refuse = move || stack.refusal.status();
                request.map(|body| Body::new(Weighed::new(Body::new(body), held.clone(), refuse)))
            }
            Protocol::Http => request.map(Body::new),
        };
        request.extensions_mut().insert(self.peer.clone());
        request.extensions_mut().insert(room.clone());
        let answer = self.router.call(request);
        Box::pin(async move {
            let _until_answered = (present, held);
            answer.await
        })
    }
}

/// Whether a service of the deployment is at the other end, by its certificate.
fn is_service(peer: &Peer) -> bool {
    let Transport::Tls(Some(presented)) = &peer.transport else { return false };
    matches!(&presented.name, Some(CertifiedName::Service(name)) if name != "client")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, SocketAddr};
    use tls::Presented;

    #[test]
    fn services_are_known_by_their_certificates() {
        let peer = |transport| Peer { address: SocketAddr::from((Ipv4Addr::LOCALHOST, 1)), transport };
        let named = |name| peer(Transport::Tls(Some(Presented { name: Some(name), expires_ms: 0 })));
        assert!(is_service(&named(CertifiedName::Service("capture".to_owned()))));
        assert!(!is_service(&named(CertifiedName::Service("client".to_owned()))));
        assert!(!is_service(&named(CertifiedName::Actor { name: "capture".to_owned(), studies: Vec::new() })));
        assert!(!is_service(&peer(Transport::Tls(None))));
        assert!(!is_service(&peer(Transport::Loopback)));
    }
}
