//! The channel: what a generated client calls through.

use crate::{
    Settings, again::ended, attempt::Attempts, balance::Balance, body::Replay, budget::Budget, deadline,
    shared::Shared, target::AddressError, target::Target, trace,
};
use futures_util::future::{BoxFuture, FutureExt};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
};
use tls::Identity;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};
use tonic::{
    Code, Status,
    body::Body,
    codegen::http::{Request, Response},
};
use tower::Service;
use tracing::{Instrument, Span, field::Empty, info_span};

/// Calls one service, wherever it runs. Cheap to clone; connects when first used.
#[derive(Clone)]
pub struct Channel(Arc<Shared>);

/// What went through a channel since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Calls.
    pub calls: u64,
    /// How often one was sent again.
    pub retries: u64,
}

/// In the extensions of a request: it is sent once, whatever happens. For callers who ask again by themselves, and for calls
/// that are refused the second time.
#[derive(Debug, Clone, Copy)]
pub struct Once;

impl Channel {
    /// A channel to the service at `urls`, several separated by commas, each standing for all addresses of its host.
    /// `https` needs `tls`.
    ///
    /// # Errors
    ///
    /// One of them is not a URL, or is `https` without `tls`.
    pub fn new(urls: &str, tls: Option<Identity>, settings: Settings) -> Result<Self, AddressError> {
        let targets = Target::parse_all(urls, tls.is_some())?;
        let balance = Arc::new(Balance::new(targets, tls, settings.clone()));
        let budget = Budget::new(settings.reserve);
        let (retries, calls) = (AtomicU64::new(0), AtomicU64::new(0));
        let places = Semaphore::new(settings.at_once);
        Ok(Self(Arc::new(Shared { balance, budget, settings, retries, calls, places })))
    }

    /// What went through this channel and its clones.
    pub fn counts(&self) -> Counts {
        Counts { calls: self.0.calls.load(Relaxed), retries: self.0.retries.load(Relaxed) }
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Response<Body>, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(())) // which address is ready is known only when one is picked
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let shared = self.0.clone();
        shared.calls.fetch_add(1, Relaxed);
        shared.budget.deposit();
        let span = span(request.uri().path());
        let (mut head, body) = request.into_parts();
        span.in_scope(|| trace::inject(&mut head.headers));
        let own = deadline::timeout(&head.headers).map(|timeout| Instant::now() + timeout);
        let deadline = own.into_iter().chain(deadline::current()).min();
        let asked_once = head.extensions.get::<Once>().is_some();
        let call = async move {
            let body = Replay::of(body, shared.settings.replay).await;
            let places = shared.clone();
            // The semaphore is never closed; whoever waits too long for a place hears of it from the first attempt, whose
            // time is over.
            let place = match deadline {
                Some(deadline) => timeout_at(deadline, places.places.acquire()).await.ok(),
                None => Some(places.places.acquire().await),
            };
            let attempts = Attempts::new(shared, Request::from_parts(head, ()), body, deadline);
            let (answer, retries) = attempts.run(asked_once).await;
            drop(place);
            let code = match &answer {
                Ok(answer) => ended(answer).map_or(Code::Ok, |status| status.code()),
                Err(status) => status.code(),
            };
            Span::current().record("retries", retries).record("rpc.grpc.status_code", i32::from(code));
            answer
        };
        call.instrument(span).boxed()
    }
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Channel")
    }
}

/// The span of a call, named as OpenTelemetry's conventions for RPC have it.
fn span(path: &str) -> Span {
    let path = path.trim_start_matches('/');
    let (service, method) = path.split_once('/').unwrap_or((path, ""));
    info_span!(
        "call",
        otel.name = path,
        otel.kind = "client",
        rpc.system = "grpc",
        rpc.service = service,
        rpc.method = method,
        rpc.grpc.status_code = Empty,
        retries = Empty
    )
}
