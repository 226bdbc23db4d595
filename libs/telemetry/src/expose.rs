//! The metrics where Prometheus looks for them.

use crate::StartError;
use axum::{
    Router,
    http::{HeaderMap, header},
    routing::get,
};
use opentelemetry_prometheus::PrometheusExporter;
use prometheus::{Encoder, Registry, TextEncoder};
use std::{fmt::Write, future::Future, io, sync::LazyLock};
use tokio::net::TcpListener;

static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::new);

const OPENMETRICS: &str = "application/openmetrics-text";
const OPENMETRICS_1: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(crate) fn reader() -> Result<PrometheusExporter, StartError> {
    let exporter = opentelemetry_prometheus::exporter().with_registry(REGISTRY.clone()).scope_info_enabled(false);
    exporter.build().map_err(StartError::Prometheus)
}

/// The metrics as they stand, in Prometheus's text format.
pub fn prometheus_text() -> String {
    let mut text = Vec::new();
    if let Err(error) = TextEncoder::new().encode(&REGISTRY.gather(), &mut text) {
        tracing::warn!(%error, "the metrics cannot be written as text");
    }
    String::from_utf8(text).unwrap_or_default()
}

/// Serves `/metrics`, and what is `beside` it, over plain HTTP until `stop` completes: as OpenMetrics 1.0 for who accepts
/// it, else in Prometheus's text format.
pub async fn expose(
    listener: TcpListener,
    beside: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let metrics = |headers: HeaderMap| async move {
        let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let text = prometheus_text();
        match accepted.into_iter().any(|value| value.contains(OPENMETRICS)) {
            true => ([(header::CONTENT_TYPE, OPENMETRICS_1)], openmetrics(&text)),
            false => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text),
        }
    };
    let router = Router::new().route("/metrics", get(metrics)).merge(beside);
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}

/// Prometheus's text format as OpenMetrics 1.0: counters are named without `_total`, units are named, bounds of buckets are
/// written as decimal fractions, and the end is said.
fn openmetrics(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 4_096);
    for line in text.lines() {
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        let described = rest.split_once(' ').filter(|_| name == "#");
        match described.and_then(|(keyword, of)| Some((keyword, of.split_once(' ')?))) {
            Some((keyword, (family, what))) => {
                let family = family.strip_suffix("_total").unwrap_or(family);
                let _never_fails = writeln!(out, "# {keyword} {family} {what}");
                let unit = ["seconds", "ratio"].into_iter().find(|unit| keyword == "TYPE" && family.ends_with(unit));
                if let Some(unit) = unit {
                    let _never_fails = writeln!(out, "# UNIT {family} {unit}");
                }
            }
            None => {
                out.push_str(&with_decimal_bound(line));
                out.push('\n');
            }
        }
    }
    out.push_str("# EOF\n");
    out
}

/// A line whose bucket's bound, if it is a whole number, is written with a fraction.
fn with_decimal_bound(line: &str) -> String {
    const BOUND: &str = "le=\"";
    let Some((before, (bound, after))) =
        line.split_once(BOUND).and_then(|(before, rest)| Some((before, rest.split_once('"')?)))
    else {
        return line.to_owned();
    };
    let fraction = if bound.bytes().all(|digit| digit.is_ascii_digit()) { ".0" } else { "" };
    format!("{before}{BOUND}{bound}{fraction}\"{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_openmetrics() {
        let text = "# HELP refused_total Refused.\n# TYPE refused_total counter\nrefused_total{why=\"busy\"} 3\n\
            # HELP took_seconds Time.\n# TYPE took_seconds histogram\ntook_seconds_bucket{le=\"0.5\"} 1\n\
            took_seconds_bucket{le=\"1\"} 2\ntook_seconds_bucket{le=\"+Inf\"} 2\n";
        let expected = "# HELP refused Refused.\n# TYPE refused counter\nrefused_total{why=\"busy\"} 3\n\
            # HELP took_seconds Time.\n# TYPE took_seconds histogram\n# UNIT took_seconds seconds\ntook_seconds_bucket{le=\"0.5\"} 1\n\
            took_seconds_bucket{le=\"1.0\"} 2\ntook_seconds_bucket{le=\"+Inf\"} 2\n# EOF\n";
        assert_eq!(openmetrics(text), expected);
    }
}
