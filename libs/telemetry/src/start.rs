//! Starting and ending.

use crate::{contain, expose, logs, meters, otlp::Sending};
use opentelemetry::{KeyValue, metrics::MeterProvider};
use opentelemetry_sdk::{Resource, error::OTelSdkError, metrics::SdkMeterProvider};
use std::{env, error::Error, io, time::Duration};
use tracing_subscriber::{Registry, layer::SubscriberExt, util::SubscriberInitExt};

/// The variable that names the collector.
pub(crate) const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
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
    /// This program sends nothing to a collector.
    #[error("{ENDPOINT} needs a program built with the feature `otlp`: `cargo build --features otlp`")]
    NotBuiltIn,
    /// The settings of OTLP are not right.
    #[error("the OTEL_EXPORTER_OTLP_ variables are invalid")]
    Exporter(#[source] Box<dyn Error + Send + Sync>),
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
    sending: Option<Sending>,
    metrics: SdkMeterProvider,
}

/// Starts telemetry for the whole process, once. Needs a tokio runtime.
pub fn start(service: &Service) -> Result<Guard, StartError> {
    let resource = resource(service);
    let metrics = SdkMeterProvider::builder().with_resource(resource.clone()).with_reader(expose::reader()?);
    let (sending, metrics) = Sending::from_env(&resource, metrics)?;
    let sent = sending.as_ref().map(|sending| sending.layers(service.level));
    let told = Registry::default().with(sent).with(logs::to_stderr(service.level, service.json));
    told.try_init().map_err(|_| StartError::Twice)?;
    let metrics = metrics.build();
    meters::begin(metrics.meter("trialseal"));
    contain::quiet_panics();
    Ok(Guard { sending, metrics })
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
            let sent = self.sending.is_none_or(|sending| sending.end(FLUSH));
            if self.metrics.shutdown_with_timeout(FLUSH).is_err() || !sent {
                tracing::warn!("the collector did not take all that was left");
            }
        })
        .await;
    }
}
