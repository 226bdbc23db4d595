//! What is logged.

use tracing::{Level, Metadata};
use tracing_subscriber::{EnvFilter, Layer, filter::filter_fn, fmt, registry::LookupSpan};

/// The crates of this repository, by the targets of their spans and events. Others log no more than `INFO`, whatever
/// `RUST_LOG` says: the details of an HTTP library are a caller's own words, or a token.
pub(crate) const OURS: [&str; 50] = [
    "access",
    "admission",
    "allocation",
    "anchoring",
    "audit",
    "bench",
    "bus",
    "caller",
    "capture",
    "channel",
    "client",
    "clock",
    "consent",
    "content",
    "database",
    "demo",
    "eligibility",
    "enrollment",
    "exchange",
    "export",
    "facts",
    "identity",
    "import",
    "journal",
    "journal_service",
    "messages",
    "objects",
    "owner",
    "permission",
    "problem",
    "proto",
    "rate_limits",
    "record",
    "reports",
    "rules",
    "seal",
    "server",
    "synthetic",
    "telemetry",
    "testbed",
    "tlog",
    "tls",
    "token",
    "trialseal",
    "vault",
    "verify",
    "vocabulary",
    "watcher",
    "witness",
    // No crate: the target of the spans and events of calls (`libs/server`).
    "call",
];

/// Whether a target is of this repository.
pub(crate) fn is_ours(target: &str) -> bool {
    OURS.contains(&target.split("::").next().unwrap_or(target))
}

/// Whether a span or event may be told at all.
pub(crate) fn may_be_told(of: &Metadata<'_>) -> bool {
    is_ours(of.target()) || *of.level() <= Level::INFO
}

/// The level of what is logged, from `RUST_LOG` or else `level`.
pub(crate) fn chosen(level: &str) -> EnvFilter {
    EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level))
}

/// Logs to standard error, for people or as JSON.
pub(crate) fn to_stderr<S>(level: &str, json: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    let layer = fmt::layer().with_writer(std::io::stderr);
    let layer = if json { layer.json().flatten_event(true).boxed() } else { layer.boxed() };
    layer.with_filter(filter_fn(may_be_told)).with_filter(chosen(level)).boxed()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_crate_of_the_repository_is_ours_and_nobody_else() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for folder in ["libs", "services"] {
            for package in std::fs::read_dir(root.join(folder)).unwrap() {
                let name = package.unwrap().file_name().into_string().unwrap().replace('-', "_");
                assert!(is_ours(&name) && is_ours(&format!("{name}::api")), "{name}");
            }
        }
        assert!(!is_ours("h2::codec") && !is_ours("sqlx::query") && !is_ours("captured"));
    }
}
