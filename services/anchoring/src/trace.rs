//! Blocks and checkpoints in traces: each belongs to the trace of the first of what it is made of, and is linked to all.

use bus::Moved;
use seal::id::StreamId;
use tracing::{Span, info_span};

/// The most traces kept of what waits to be put on the chain.
pub(crate) const MOST: usize = 512;

/// The trace of hearing that a journal moved.
pub(crate) fn heard(moved: &Moved) -> Option<String> {
    let head = &moved.head;
    let span = info_span!("bus.receive", otel.kind = "consumer", stream = %head.stream, entry = head.number);
    if let Some(trace) = &moved.trace {
        telemetry::continued(&span, trace.as_str());
    }
    telemetry::traceparent(&span)
}

/// The span of making a block.
pub(crate) fn block(stream: StreamId, first: u64, count: u64, traces: &[String]) -> Span {
    of(info_span!("anchoring.block", %stream, first, count), traces)
}

/// The span of publishing a checkpoint, if there is something new to publish.
pub(crate) fn checkpoint(traces: &[String]) -> Span {
    if traces.is_empty() {
        return Span::none();
    }
    of(info_span!("anchoring.checkpoint", blocks = traces.len()), traces)
}

fn of(span: Span, traces: &[String]) -> Span {
    if let Some((first, others)) = traces.split_first() {
        telemetry::continued(&span, first);
        others.iter().for_each(|trace| telemetry::link(&span, trace));
    }
    span
}
