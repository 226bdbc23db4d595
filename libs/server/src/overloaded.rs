//! The place of a call that was let in, and the answer to whoever finds none.

use crate::{Limits, answer::Protocol, methods, room::Room, stack::Stack};
use axum::{
    extract::{Request, State},
    http::HeaderMap,
    middleware::Next,
    response::Response,
};
use problem::Problem;
use std::sync::Arc;
use tonic::{Code, Status, body::Body};

/// Handles a call that was let in, once there is a place.
pub(crate) async fn place(State(stack): State<Arc<Stack>>, request: Request, next: Next) -> Response {
    if methods::asks_for_health(request.uri().path()) {
        return next.run(request).await;
    }
    let protocol = Protocol::of(&request);
    let room = request.extensions().get::<Arc<Room>>().unwrap_or(&stack.room).clone();
    match room.handle(next.run(request)).await {
        Some(answer) => answer,
        None => stack.refusal.to(protocol),
    }
}

/// The answer to whoever finds no room, made once.
pub(crate) struct Refusal {
    problem: Problem,
    headers: HeaderMap,
}

impl Refusal {
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
