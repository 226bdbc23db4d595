//! Every call has a number, a span, a line in the log and its place in the metrics. None of them says who or what about.

use crate::{
    answer::{Protocol, with_body},
    body::Watched,
    call::Call,
    deadline::Until,
    methods::{self, Method},
    stack::Stack,
};
use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use caller::Kind;
use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};
use telemetry::meters;
use tls::Peer;
use tokio::time::sleep_until;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use tracing::{Instrument, Span, field::Empty, info_span};

/// The number of a request, of the caller's making or ours: a UUID, or 16 to 32 hex digits. Nothing else is taken over, so
/// that nobody's name gets into a log by it.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

pub(crate) async fn observe(State(stack): State<Arc<Stack>>, mut request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let method = methods::method(request.uri().path());
    let span = span(method, &id);
    telemetry::adopt(&span, request.headers());
    let protocol = Protocol::of(&request);
    let address = request.extensions().get::<Peer>().map(|peer| peer.address.ip());
    let mut call = Call { address, allowance: stack.allowance.clone(), ..Call::default() };
    let id_header = HeaderValue::from_str(&id).ok();
    name(request.headers_mut(), id_header.clone());
    let mut ended = Ended::new(method, protocol, span.clone(), (id, call.kind.clone()));
    let mut answer = call.clone().scope(next.run(request)).instrument(span).await;
    ended.headers(&answer);
    name(answer.headers_mut(), id_header);
    call.deadline = answer.extensions().get::<Until>().map(|until| until.0);
    let deadline = call.deadline.map(|until| Box::pin(sleep_until(until)));
    let endless = methods::is_endless(method).then(|| stack.stopping.wait());
    let inner = |inner| Body::new(Watched { inner, call, ended, deadline, stopping: endless, over: false });
    with_body(answer, inner)
}

fn name(headers: &mut HeaderMap, id: Option<HeaderValue>) {
    if let Some(id) = id {
        headers.insert(REQUEST_ID, id);
    }
}

/// The span of a call, named as OpenTelemetry's conventions for RPC have it.
fn span((service, method): Method, id: &str) -> Span {
    info_span!(
        target: "call",
        "call",
        otel.name = format!("{service}/{method}"),
        otel.kind = "server",
        otel.status_code = Empty,
        rpc.system = "grpc",
        rpc.service = service,
        rpc.method = method,
        rpc.grpc.status_code = Empty,
        request_id = id,
    )
}

fn request_id(headers: &HeaderMap) -> String {
    let said = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    match said.filter(|said| is_request_id(said)) {
        Some(said) => said.to_owned(),
        None => {
            let mut random = [0; 16];
            let _zeros_will_do = getrandom::fill(&mut random);
            hex::encode(random)
        }
    }
}

fn is_request_id(text: &str) -> bool {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let parts: Vec<&str> = text.split('-').collect();
    match parts[..] {
        [digits] => (16..=32).contains(&digits.len()) && is_hex(digits),
        _ => parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12]) && parts.iter().all(|part| is_hex(part)),
    }
}

/// How a call ended, as far as it is known; told when the answer is over or nobody reads it any more.
pub(crate) struct Ended {
    method: Method,
    protocol: Protocol,
    span: Span,
    start: Instant,
    request_id: String,
    caller: Arc<OnceLock<Kind>>,
    code: Option<Code>,
    reason: Option<String>,
}

impl Ended {
    fn new(
        method: Method,
        protocol: Protocol,
        span: Span,
        (request_id, caller): (String, Arc<OnceLock<Kind>>),
    ) -> Self {
        meters().running.change(1);
        Self { method, protocol, span, start: Instant::now(), request_id, caller, code: None, reason: None }
    }

    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    pub(crate) fn is_grpc(&self) -> bool {
        self.protocol == Protocol::Grpc
    }

    fn headers(&mut self, answer: &Response) {
        match self.protocol {
            Protocol::Grpc => self.trailers(answer.headers()),
            Protocol::Http if answer.status().is_server_error() => self.code = Some(Code::Unknown),
            Protocol::Http => self.code = Some(Code::Ok),
        }
    }

    /// Takes note of headers or trailers, if they say how the call ended.
    pub(crate) fn trailers(&mut self, headers: &HeaderMap) {
        let Some(status) = Status::from_header_map(headers) else { return };
        self.code = Some(status.code());
        self.reason = status.get_details_error_info().map(|info| info.reason);
    }

    /// The answer was read to its end.
    pub(crate) fn completed(&mut self) {
        self.code = self.code.or(Some(Code::Unknown));
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        let code = self.code.unwrap_or(Code::Cancelled);
        let (service, method) = self.method;
        meters().running.change(-1);
        meters().calls.answered(self.method, code as i32, self.start);
        let reason = self.reason.take().unwrap_or_default();
        if !reason.is_empty() {
            meters().refusals.of(reason.clone());
        }
        self.span.record("rpc.grpc.status_code", code as i32);
        if matches!(code, Code::Internal | Code::Unknown | Code::DataLoss | Code::Unavailable) {
            self.span.record("otel.status_code", "ERROR");
        }
        if methods::is_health(self.method) {
            return;
        }
        let caller = self.caller.get().copied().unwrap_or(Kind::Anonymous).name();
        let micros = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        tracing::info!(
            target: "call",
            parent: &self.span,
            service, method, code = code as i32, reason, micros, caller, request_id = self.request_id,
            trace_id = telemetry::trace_id(&self.span),
            "call"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_hex_and_cannot_be_a_name() {
        for good in ["0123456789abcdef", "0123456789ABCDEF0123456789abcdef", "01890a5d-ac96-774b-bcce-b302099a8057"] {
            assert!(is_request_id(good), "{good}");
        }
        let long = "0".repeat(33);
        for bad in ["", "anna-svensson", "0123456789abcde", &long, "01890a5d-ac96-774b-bcce", "P-701-0001", "1-2-3-4-5"]
        {
            assert!(!is_request_id(bad), "{bad}");
        }
    }
}
