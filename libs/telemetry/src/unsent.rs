//! No OTLP: the feature `otlp` is not built in.

use crate::{StartError, start::ENDPOINT};
use opentelemetry_sdk::{Resource, metrics::MeterProviderBuilder};
use std::{convert::Infallible, env, time::Duration};
use tracing_subscriber::{Layer, Registry};

/// What is sent to a collector: nothing.
pub(crate) struct Sending(Infallible);

impl Sending {
    pub(crate) fn from_env(
        _: &Resource,
        metrics: MeterProviderBuilder,
    ) -> Result<(Option<Self>, MeterProviderBuilder), StartError> {
        refuse(&env::var(ENDPOINT).unwrap_or_default()).map(|()| (None, metrics))
    }

    pub(crate) fn layers(&self, _: &str) -> Vec<Box<dyn Layer<Registry> + Send + Sync>> {
        match self.0 {}
    }

    pub(crate) fn end(self, _: Duration) -> bool {
        match self.0 {}
    }
}

fn refuse(endpoint: &str) -> Result<(), StartError> {
    if endpoint.is_empty() { Ok(()) } else { Err(StartError::NotBuiltIn) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_without_otlp_says_which_feature_it_needs() {
        assert!(refuse("").is_ok());
        let error = refuse("http://collector.example:4317").err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("`otlp`"), "{error}");
    }
}
