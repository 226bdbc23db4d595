//! No traces: the feature `otlp` is not built in, so nothing records them.

use axum::http::HeaderMap;
use tracing::Span;

/// Leaves the headers of an outgoing call as they are.
pub fn inject(_: &mut HeaderMap) {}

/// Leaves `span` as it is.
pub fn adopt(_: &Span, _: &HeaderMap) {}

/// Leaves `span` as it is.
pub fn continued(_: &Span, _: &str) {}

/// Leaves `span` as it is.
pub fn link(_: &Span, _: &str) {}

/// The `traceparent` of a span, where traces are recorded.
pub fn traceparent(_: &Span) -> Option<String> {
    None
}

/// The id of a span's trace, 32 hex digits, where traces are recorded.
pub fn trace_id(_: &Span) -> Option<String> {
    None
}
