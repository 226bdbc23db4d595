//! The metrics where Prometheus looks for them.

use crate::StartError;
use axum::{Router, http::header, routing::get};
use opentelemetry_prometheus::PrometheusExporter;
use prometheus::{Encoder, Registry, TextEncoder};
use std::{future::Future, io, sync::LazyLock};
use tokio::net::TcpListener;

static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::new);

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

/// Serves `/metrics`, and what is `beside` it, over plain HTTP until `stop` completes.
pub async fn expose(
    listener: TcpListener,
    beside: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let metrics = || async { ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], prometheus_text()) };
    let router = Router::new().route("/metrics", get(metrics)).merge(beside);
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}
