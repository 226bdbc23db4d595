//! OTLP over gRPC, as the standard environment variables say.

use crate::StartError;
use opentelemetry_otlp::{ExporterBuildError, LogExporter, MetricExporter, SpanExporter, WithTonicConfig};
use opentelemetry_sdk::{Resource, logs::SdkLoggerProvider, metrics::PeriodicReader, trace::SdkTracerProvider};
use std::{env, fs};
use tonic::transport::{Certificate, ClientTlsConfig};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const CERTIFICATE: &str = "OTEL_EXPORTER_OTLP_CERTIFICATE";
/// A commit has as many links as its group has proposals.
const MAX_LINKS: u32 = 512;

/// Where telemetry goes beside standard error.
pub(crate) struct Pipelines {
    pub(crate) traces: SdkTracerProvider,
    pub(crate) logs: SdkLoggerProvider,
    pub(crate) metrics: PeriodicReader<MetricExporter>,
}

impl Pipelines {
    /// The pipelines to the collector at `OTEL_EXPORTER_OTLP_ENDPOINT`; none if it is not set.
    pub(crate) fn from_env(resource: &Resource) -> Result<Option<Self>, StartError> {
        if env::var(ENDPOINT).unwrap_or_default().is_empty() {
            return Ok(None);
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
        let metrics = PeriodicReader::builder(metric).build();
        Ok(Some(Self { traces: traces.build(), logs: logs.build(), metrics }))
    }
}

impl From<ExporterBuildError> for StartError {
    fn from(source: ExporterBuildError) -> Self {
        StartError::Exporter(source)
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
