//! Every call has a number, a span, a line in the log and its place in the metrics. None of them says who or what about.

use crate::{
    answer::{Protocol, with_body},
    body::Watched,
    call::Call,
    deadline::Until,
    ended::{About, Ended},
    methods::{self, Method},
    shared::Shared,
};
use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use std::sync::Arc;
use tls::Peer;
use tokio::time::sleep_until;
use tracing::{Instrument, Span, field::Empty, info_span};

/// The number of a request, of the caller's making or ours: a UUID, or 16 to 32 hex digits. Nothing else is taken over, so
/// that nobody's name gets into a log by it.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

pub(crate) async fn observe(State(shared): State<Arc<Shared>>, mut request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let method = methods::method(request.uri().path());
    let span = span(method, &id);
    telemetry::adopt(&span, request.headers());
    let protocol = Protocol::of(&request);
    let address = request.extensions().get::<Peer>().map(|peer| peer.address.ip());
    let mut call = Call { address, allowance: shared.allowance.clone(), ..Call::default() };
    let id_header = HeaderValue::from_str(&id).ok();
    name(request.headers_mut(), id_header.clone());
    let about = About { method, protocol, span: span.clone(), request_id: id, caller: call.kind.clone() };
    let mut ended = Ended::begin(about);
    let mut answer = call.clone().scope(next.run(request)).instrument(span).await;
    ended.headers(&answer);
    name(answer.headers_mut(), id_header);
    call.deadline = answer.extensions().get::<Until>().map(|until| until.0);
    let deadline = call.deadline.map(|until| Box::pin(sleep_until(until)));
    let endless = methods::is_endless(method).then(|| shared.stopping.wait());
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
