//! What an inspector has to trust and to build: the kernel and few crates beside it.

/// The most crates, of ours and of others, procedural macros and build scripts included.
const MOST: usize = 60;
/// Whatever talks to networks, databases or services.
const FORBIDDEN: [&str; 10] =
    ["tokio", "tonic", "prost", "hyper", "sqlx", "redis", "rustls", "server", "access", "telemetry"];

#[test]
fn the_verifier_is_the_kernel_and_few_crates_beside_it() {
    testbed::crates::is_built_of_few("verify", "normal,build", MOST, &FORBIDDEN);
}
