//! OTLP over gRPC, as the standard environment variables say.

use crate::{StartError, logs, start::ENDPOINT};
use opentelemetry::trace::TracerProvider;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::{ExporterBuildError, LogExporter, MetricExporter, SpanExporter, WithTonicConfig};
use opentelemetry_sdk::{
    Resource,
    logs::SdkLoggerProvider,
    metrics::{MeterProviderBuilder, PeriodicReader},
    trace::SdkTracerProvider,
};
use std::{env, fs, time::Duration};
use tonic::transport::{Certificate, ClientTlsConfig};
use tracing::Level;
use tracing_subscriber::{Layer, Registry, filter::filter_fn};

const CERTIFICATE: &str = "OTEL_EXPORTER_OTLP_CERTIFICATE";
/// A commit has as many links as its group has proposals.
const MAX_LINKS: u32 = 512;

/// What is sent to a collector, beside metrics.
pub(crate) struct Sending {
    traces: SdkTracerProvider,
    logs: SdkLoggerProvider,
}

impl Sending {
    /// Sends to the collector at `OTEL_EXPORTER_OTLP_ENDPOINT`, `metrics` too; nothing if it is not set.
    pub(crate) fn from_env(
        resource: &Resource,
        metrics: MeterProviderBuilder,
    ) -> Result<(Option<Self>, MeterProviderBuilder), StartError> {
        if env::var(ENDPOINT).unwrap_or_default().is_empty() {
            return Ok((None, metrics));
        }
        let tls = tls()?;
        let span = with(SpanExporter::builder().with_tonic(), &tls).build()?;
        let log = with(LogExporter::builder().with_tonic(), &tls).build()?;
        let metric = with(MetricExporter::builder().with_tonic(), &tls).build()?;
        let traces = SdkTracerProvider::builder()
            .with_resource(resource.clone())
            .with_max_links_per_span(MAX_LINKS)
            .with_batch_exporter(span);
        let logs = SdkLoggerProvider::builder().with_resource(resource.clone()).with_batch_exporter(log);
        let metrics = metrics.with_reader(PeriodicReader::builder(metric).build());
        Ok((Some(Self { traces: traces.build(), logs: logs.build() }), metrics))
    }

    /// What tells the collector of spans and events.
    pub(crate) fn layers(&self, level: &str) -> Vec<Box<dyn Layer<Registry> + Send + Sync>> {
        let spans = tracing_opentelemetry::layer().with_tracer(self.traces.tracer("trialseal"));
        let spans = spans.with_location(false).with_threads(false).with_target(false).with_tracked_inactivity(false);
        let spans = spans.with_filter(filter_fn(|of| logs::is_ours(of.target()) && *of.level() <= Level::INFO));
        let events = OpenTelemetryTracingBridge::new(&self.logs);
        // What sending itself says would have to be sent again.
        let events = events.with_filter(filter_fn(|of| logs::is_ours(of.target()))).with_filter(logs::chosen(level));
        vec![spans.boxed(), events.boxed()]
    }

    /// Sends what was not sent yet. Whether the collector took it.
    pub(crate) fn end(self, patience: Duration) -> bool {
        let traces = self.traces.shutdown_with_timeout(patience);
        self.logs.shutdown_with_timeout(patience).and(traces).is_ok()
    }
}

impl From<ExporterBuildError> for StartError {
    fn from(source: ExporterBuildError) -> Self {
        StartError::Exporter(Box::new(source))
    }
}

/// Who the collector must be, where its certificate is not one of the system's authorities.
fn tls() -> Result<Option<ClientTlsConfig>, StartError> {
    let Some(file) = env::var_os(CERTIFICATE).filter(|file| !file.is_empty()) else { return Ok(None) };
    let pem = fs::read(file).map_err(StartError::Certificate)?;
    Ok(Some(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem))))
}

fn with<B: WithTonicConfig>(builder: B, tls: &Option<ClientTlsConfig>) -> B {
    match tls {
        Some(tls) => builder.with_tls_config(tls.clone()),
        None => builder,
    }
}
