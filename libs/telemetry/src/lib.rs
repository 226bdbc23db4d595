//! Traces, metrics and logs (OpenTelemetry), without any value, identity or secret.
//!
//! A process calls [`start`] once. Logs go to standard error; with `OTEL_EXPORTER_OTLP_ENDPOINT` set, traces, metrics and
//! logs also go there over OTLP (feature `otlp`). What is measured is listed once, in [`Meters`], and can be read by Prometheus through
//! [`expose`]. Libraries record into [`meters`] and pass traces on; before [`start`], or without it, all of that does
//! nothing.
//!
//! What may be told: methods, codes, reasons, counts, durations, opaque stream ids, entry numbers. A caller's own words
//! (names, paths, headers, messages of panics) are never told.

mod causes;
mod contain;
mod expose;
mod logs;
mod meters;
#[cfg(feature = "otlp")]
mod otlp;
#[cfg(not(feature = "otlp"))]
#[path = "unsent.rs"]
mod otlp;
mod start;
#[cfg(feature = "otlp")]
mod trace;
#[cfg(not(feature = "otlp"))]
#[path = "untraced.rs"]
mod trace;
mod waiting;

pub use causes::Causes;
pub use expose::{expose, prometheus_text};
pub use meters::{
    Count, CountBy, Figure, Kind, Level, Meters, Most, Rpc, Size, Span as Duration, State, StateBy, meters, watch,
};
pub use start::{Guard, Service, StartError, start};
pub use trace::{adopt, continued, inject, link, trace_id, traceparent};
pub use waiting::Waiting;
