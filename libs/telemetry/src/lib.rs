//! Traces, metrics and logs (OpenTelemetry), without any value, identity or secret.
