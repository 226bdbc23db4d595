//! Load shedding: a call beyond the process's capacity is refused at the least cost, before it has a span and before anybody
//! asks who is calling. What a refusal costs is taken from the calls that were admitted.

use crate::{answer::Protocol, memory_budget::BudgetedBody, methods, shared::Shared};
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

/// What a connection leads to. Calls for which there is no capacity get no further; the others carry where they come from.
#[derive(Clone)]
pub(crate) struct LoadShedding {
    pub(crate) router: Router,
    pub(crate) shared: Arc<Shared>,
    pub(crate) peer: Peer,
}

impl<B> Service<Request<B>> for LoadShedding
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
        let shared = &self.shared;
        let capacity = if is_service(&self.peer) { &shared.capacity_of_services } else { &shared.capacity };
        let admitted = if is_health { None } else { capacity.admit() };
        if !is_health && admitted.is_none() {
            return Box::pin(ready(Ok(shared.overloaded.to(Protocol::of(&request)))));
        }
        let reservation = capacity.reserve();
        let mut request = match Protocol::of(&request) {
            Protocol::Grpc => {
                let shared = shared.clone();
                let refuse = move || shared.overloaded.status();
                request.map(|body| Body::new(BudgetedBody::new(Body::new(body), reservation.clone(), refuse)))
            }
            Protocol::Http => request.map(Body::new),
        };
        request.extensions_mut().insert(self.peer.clone());
        request.extensions_mut().insert(capacity.clone());
        let answer = self.router.call(request);
        Box::pin(async move {
            let _until_answered = (admitted, reservation);
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
