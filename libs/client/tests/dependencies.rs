//! What a program builds that uses the client.

/// The most crates, of ours and of others, procedural macros and build scripts included.
const MOST: usize = 150;
/// What services and tools need and clients do not: policies, databases, Redis, telemetry, compilers, authorities.
const FORBIDDEN: [&str; 11] = [
    "access",
    "cedar-policy",
    "jsonwebtoken",
    "journal",
    "opentelemetry",
    "protox",
    "rcgen",
    "redis",
    "server",
    "sqlx",
    "x509-parser",
];

#[test]
fn the_client_brings_nothing_of_the_services_along() {
    testbed::crates::is_built_of_few("client", "normal,build", MOST, &FORBIDDEN);
}
