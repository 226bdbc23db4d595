//! Answers of the stack itself, to gRPC calls and to plain HTTP requests.

use axum::{
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
    response::{IntoResponse, Response},
};
use problem::Problem;
use tonic::{Code, Status};

/// How a request is to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Grpc,
    Http,
}

impl Protocol {
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        if permission::speaks_grpc(request) { Self::Grpc } else { Self::Http }
    }

    /// A refusal.
    pub(crate) fn refuse(self, problem: Problem) -> Response {
        match self {
            Self::Grpc => Status::from(problem).into_http(),
            Self::Http => http(&problem),
        }
    }
}

/// The answer of a port to a path at which it serves nothing.
pub(crate) async fn unserved(request: axum::extract::Request) -> Response {
    match Protocol::of(&request) {
        Protocol::Grpc => Status::unimplemented("this port has no such method").into_http(),
        Protocol::Http => (StatusCode::NOT_FOUND, "nothing is served at this path\n").into_response(),
    }
}

fn http(problem: &Problem) -> Response {
    let status = match problem.code {
        Code::ResourceExhausted if problem.reason == "RATE_LIMITED" => StatusCode::TOO_MANY_REQUESTS,
        Code::ResourceExhausted | Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let retry = problem.retry.map(|wait| (header::RETRY_AFTER, wait.as_secs().max(1).to_string()));
    (status, retry.map(|retry| [retry]), format!("{}: {}\n", problem.reason, problem.message)).into_response()
}

/// The call took longer than it may.
pub(crate) fn too_late() -> Problem {
    let what = "the deadline of the call passed; send the same envelope again to find out whether it was recorded";
    Problem::new(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", what)
}

/// The handler panicked.
pub(crate) fn broken() -> Problem {
    Problem::new(Code::Internal, "INTERNAL", "the call failed because of a bug in the service")
}

/// The process is stopping.
pub(crate) fn stopping() -> Problem {
    Problem::unavailable("STOPPING", "this process is stopping: try another replica, or try again soon")
}

/// The headers or trailers that say how a gRPC call ended.
pub(crate) fn trailers(problem: Problem) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let _always_written = Status::from(problem).add_header(&mut headers);
    headers
}

/// A response of the stack's own body type.
pub(crate) fn with_body(answer: Response, body: impl FnOnce(Body) -> Body) -> Response {
    let (head, old) = answer.into_parts();
    Response::from_parts(head, body(old))
}
