//! How long a call may take: as long as its caller says (`grpc-timeout`), and its answer begins in reasonable time.

use crate::{
    answer::{Protocol, too_late},
    methods,
    shared::Shared,
};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

/// Until when the caller has use for the answer's body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Until(pub(crate) Instant);

pub(crate) async fn deadline(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let (protocol, now) = (Protocol::of(&request), Instant::now());
    let asked = channel::timeout(request.headers()).and_then(|timeout| now.checked_add(timeout));
    let endless = methods::is_endless(methods::method(request.uri().path()));
    let ours = Some(now + shared.limits.deadline).filter(|_| !endless);
    let Some(until) = asked.into_iter().chain(ours).min() else { return next.run(request).await };
    match timeout_at(until, channel::with_deadline(until, next.run(request))).await {
        Ok(mut answer) => {
            if let Some(asked) = asked {
                answer.extensions_mut().insert(Until(asked));
            }
            answer
        }
        Err(_) => protocol.refuse(too_late()),
    }
}
