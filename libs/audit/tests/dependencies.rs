//! What a regulator builds who embeds the audit.

/// The most crates, of ours and of others, procedural macros and build scripts included.
const MOST: usize = 100;
/// Whatever talks to networks, databases or services, or runs in the background.
const FORBIDDEN: [&str; 13] = [
    "anyhow",
    "cedar-policy",
    "client",
    "hyper",
    "journal",
    "opentelemetry",
    "prost",
    "redis",
    "rustls",
    "server",
    "sqlx",
    "tokio",
    "tonic",
];

#[test]
fn the_audit_is_rules_and_formats_and_talks_to_nobody() {
    testbed::crates::is_built_of_few("audit", "normal,build", MOST, &FORBIDDEN);
}
