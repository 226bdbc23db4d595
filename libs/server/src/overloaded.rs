//! The answer to a call there is no capacity for.

use crate::{Limits, answer::Protocol};
use axum::{http::HeaderMap, response::Response};
use problem::Problem;
use tonic::{Code, Status, body::Body};

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
