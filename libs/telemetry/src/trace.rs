//! Passing a trace on (W3C Trace Context): into calls and messages, and out of them.
//!
//! Only `traceparent` travels. `tracestate` and baggage are a caller's own words, and are not taken over.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    Context,
    propagation::{Extractor, Injector, TextMapPropagator},
    trace::TraceContextExt,
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

const TRACEPARENT: &str = "traceparent";

/// Puts the current span's trace into the headers of an outgoing call.
pub fn inject(headers: &mut HeaderMap) {
    let text = traceparent(&Span::current());
    if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
        headers.insert(HeaderName::from_static(TRACEPARENT), value);
    }
}

/// Makes `span`, just made, part of the trace in the headers of an incoming call, if there is one.
pub fn adopt(span: &Span, headers: &HeaderMap) {
    if let Some(text) = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok()) {
        continued(span, text);
    }
}

/// Makes `span`, just made, part of the trace of `traceparent`.
pub fn continued(span: &Span, traceparent: &str) {
    if let Some(context) = parsed(traceparent) {
        let _nothing_is_traced = span.set_parent(context);
    }
}

/// Links `span` to the span of `traceparent`, which led to it without being what called it.
pub fn link(span: &Span, traceparent: &str) {
    if let Some(context) = parsed(traceparent) {
        span.add_link(context.span().span_context().clone());
    }
}

/// The `traceparent` of a span, where traces are recorded.
pub fn traceparent(span: &Span) -> Option<String> {
    let mut text = Carrier(None);
    TraceContextPropagator::new().inject_context(&span.context(), &mut text);
    text.0
}

/// The id of a span's trace, 32 hex digits, where traces are recorded.
pub fn trace_id(span: &Span) -> Option<String> {
    let context = span.context();
    let span = context.span().span_context().clone();
    span.is_valid().then(|| span.trace_id().to_string())
}

fn parsed(traceparent: &str) -> Option<Context> {
    let context =
        TraceContextPropagator::new().extract_with_context(&Context::new(), &Carrier(Some(traceparent.into())));
    context.has_active_span().then_some(context)
}

struct Carrier(Option<String>);

impl Injector for Carrier {
    fn set(&mut self, key: &str, value: String) {
        if key == TRACEPARENT {
            self.0 = Some(value);
        }
    }
}

impl Extractor for Carrier {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.as_deref().filter(|_| key == TRACEPARENT)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}
