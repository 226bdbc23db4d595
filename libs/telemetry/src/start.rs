//! Starting and ending.

use crate::{contain, expose, logs, meters, otlp::Pipelines};
use opentelemetry::{KeyValue, metrics::MeterProvider, trace::TracerProvider};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_sdk::{
    Resource, error::OTelSdkError, logs::SdkLoggerProvider, metrics::SdkMeterProvider, trace::SdkTracerProvider,
};
use std::{env, io, time::Duration};
use tracing::Level;
use tracing_subscriber::{Layer, Registry, filter::filter_fn, layer::SubscriberExt, util::SubscriberInitExt};

/// How long the collector may take to receive what is left when the process ends.
const FLUSH: Duration = Duration::from_secs(5);

/// Who tells.
#[derive(Debug, Clone, Default)]
pub struct Service {
    /// Its name, such as `capture`; `OTEL_SERVICE_NAME` wins.
    pub name: &'static str,
    /// Which of its replicas this is, such as the host's name.
    pub instance: Option<String>,
    /// What is logged unless `RUST_LOG` says otherwise, such as `info`.
    pub level: &'static str,
    /// Whether logs are JSON, one object a line, rather than for people.
    pub json: bool,
}

/// Why telemetry does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It was started before.
    #[error("telemetry was already started")]
    Twice,
    /// The settings of OTLP are not right.
    #[error("the OTEL_EXPORTER_OTLP_ variables are invalid")]
    Exporter(#[source] ExporterBuildError),
    /// The collector's certificate authority cannot be read.
    #[error("the file in OTEL_EXPORTER_OTLP_CERTIFICATE cannot be read")]
    Certificate(#[source] io::Error),
    /// The metrics cannot be read by Prometheus.
    #[error("the metrics cannot be exposed")]
    Prometheus(#[source] OTelSdkError),
}

/// Telemetry that runs until [`finish`](Guard::finish).
#[must_use = "what was not sent yet is lost without `finish`"]
pub struct Guard {
    traces: Option<SdkTracerProvider>,
    logs: Option<SdkLoggerProvider>,
    metrics: SdkMeterProvider,
}

/// Starts telemetry for the whole process, once. Needs a tokio runtime.
pub fn start(service: &Service) -> Result<Guard, StartError> {
    let resource = resource(service);
    let pipelines = Pipelines::from_env(&resource)?;
    let mut metrics = SdkMeterProvider::builder().with_resource(resource).with_reader(expose::reader()?);
    let (mut traces, mut sent_logs) = (None, None);
    if let Some(pipelines) = pipelines {
        metrics = metrics.with_reader(pipelines.metrics);
        (traces, sent_logs) = (Some(pipelines.traces), Some(pipelines.logs));
    }
    let spans = traces.as_ref().map(|traces| {
        let layer = tracing_opentelemetry::layer().with_tracer(traces.tracer("trialseal"));
        let layer = layer.with_location(false).with_threads(false).with_target(false).with_tracked_inactivity(false);
        layer.with_filter(filter_fn(|of| logs::is_ours(of.target()) && *of.level() <= Level::INFO))
    });
    let events = sent_logs.as_ref().map(|logs| {
        let layer = OpenTelemetryTracingBridge::new(logs);
        // What sending itself says would have to be sent again.
        layer.with_filter(filter_fn(|of| logs::is_ours(of.target()))).with_filter(logs::chosen(service.level))
    });
    let told = Registry::default().with(spans).with(events).with(logs::to_stderr(service.level, service.json));
    told.try_init().map_err(|_| StartError::Twice)?;
    let metrics = metrics.build();
    meters::begin(metrics.meter("trialseal"));
    contain::quiet_panics();
    Ok(Guard { traces, logs: sent_logs, metrics })
}

/// OpenTelemetry's resource attributes; `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win.
fn resource(service: &Service) -> Resource {
    let told = env::var("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
    let named = !env::var("OTEL_SERVICE_NAME").unwrap_or_default().is_empty() || told.contains("service.name=");
    let mut builder = Resource::builder();
    if !named {
        builder = builder.with_service_name(service.name);
    }
    let instance = service.instance.clone().map(|instance| ("service.instance.id", instance));
    let ours =
        [("service.namespace", "trialseal".to_owned()), ("service.version", env!("CARGO_PKG_VERSION").to_owned())];
    let ours = ours.into_iter().chain(instance).filter(|(key, _)| !told.contains(&format!("{key}=")));
    builder.with_attributes(ours.map(|(key, value)| KeyValue::new(key, value))).build()
}

impl Guard {
    /// Sends what was not sent yet, for a few seconds at most, and ends.
    pub async fn finish(self) {
        let _the_runtime_ends = tokio::task::spawn_blocking(move || {
            let ended = [
                self.traces.map_or(Ok(()), |traces| traces.shutdown_with_timeout(FLUSH)),
                self.metrics.shutdown_with_timeout(FLUSH),
                self.logs.map_or(Ok(()), |logs| logs.shutdown_with_timeout(FLUSH)),
            ];
            if ended.iter().any(Result::is_err) {
                tracing::warn!("the collector did not take all that was left");
            }
        })
        .await;
    }
}
