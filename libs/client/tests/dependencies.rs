//! What a program builds that uses the client.

/// The most crates, of ours and of others, that get into such a program.
const MOST: usize = 160;
/// What services need and clients do not: policies, databases, Redis, telemetry.
const FORBIDDEN: [&str; 8] =
    ["access", "cedar-policy", "jsonwebtoken", "journal", "opentelemetry", "redis", "server", "sqlx"];

#[test]
fn the_client_brings_nothing_of_the_services_along() {
    testbed::crates::is_built_of_few("client", "normal", MOST, &FORBIDDEN);
}
