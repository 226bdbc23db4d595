//! A call that was admitted waits for its turn; the answer to a call there is no capacity for.

use crate::{Limits, answer::Protocol, capacity::Capacity, methods, shared::Shared};
use axum::{
    extract::{Request, State},
    http::HeaderMap,
    middleware::Next,
    response::Response,
};
use problem::Problem;
use std::sync::Arc;
use tonic::{Code, Status, body::Body};

/// Handles a call that was admitted, once it is its turn.
pub(crate) async fn take_turn(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    if methods::asks_for_health(request.uri().path()) {
        return next.run(request).await;
    }
    let protocol = Protocol::of(&request);
    let capacity = request.extensions().get::<Arc<Capacity>>().unwrap_or(&shared.capacity).clone();
    match capacity.handle(next.run(request)).await {
        Some(answer) => answer,
        None => shared.overloaded.to(protocol),
    }
}

/// The answer to a call there is no capacity for, made once.
pub(crate) struct Overloaded {
    problem: Problem,
    headers: HeaderMap,
}

impl Overloaded {
    pub(crate) fn new(limits: &Limits) -> Self {
        let what = "the service is busy: nothing was done; try again as RetryInfo says";
        let problem = Problem::new(Code::ResourceExhausted, "OVERLOADED", what).retry_after(limits.patience * 2);
        let headers = Protocol::Grpc.refuse(problem.clone()).headers().clone();
        Self { problem, headers }
    }

    /// The status, counted.
    pub(crate) fn status(&self) -> Status {
        telemetry::meters().shed.add(1);
        self.problem.clone().into()
    }

    /// The answer, counted.
    pub(crate) fn to(&self, protocol: Protocol) -> Response {
        telemetry::meters().shed.add(1);
        match protocol {
            Protocol::Grpc => {
                let mut answer = Response::new(axum::body::Body::new(Body::empty()));
                *answer.headers_mut() = self.headers.clone();
                answer
            }
            Protocol::Http => protocol.refuse(self.problem.clone()),
        }
    }
}
