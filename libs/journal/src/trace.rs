//! Commits in traces. One commit serves many proposals: it belongs to the trace of the first, and is linked to all.

use seal::entry::Head;
use tracing::{Span, info_span};

/// The span of a commit of proposals made in `traces`.
pub(crate) fn commit(traces: &[Option<String>]) -> Span {
    let span = info_span!("journal.commit", proposals = traces.len());
    let mut traces = traces.iter().flatten();
    if let Some(first) = traces.next() {
        telemetry::continued(&span, first);
        traces.for_each(|trace| telemetry::link(&span, trace));
    }
    span
}

/// The trace of telling the bus of a head, within its commit.
pub(crate) fn publish(head: &Head) -> Option<String> {
    let span = info_span!("bus.publish", otel.kind = "producer", stream = %head.stream, entry = head.number);
    telemetry::traceparent(&span)
}
