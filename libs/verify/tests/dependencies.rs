//! What an inspector has to trust and to build: the kernel and few crates beside it.

#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, process::Command};

/// The most crates, of ours and of others, procedural macros and build scripts included.
const MOST: usize = 60;
/// What may not be among them: whatever talks to networks, databases or services.
const FORBIDDEN: [&str; 10] =
    ["tokio", "tonic", "prost", "hyper", "sqlx", "redis", "rustls", "server", "access", "telemetry"];

#[test]
fn the_verifier_is_the_kernel_and_few_crates_beside_it() {
    let tree = ["tree", "-p", "verify", "-e", "normal,build", "--prefix", "none", "--locked", "--offline"];
    let output = Command::new(env!("CARGO")).args(tree).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    // `name v1.2.3 (proc-macro) (*)`
    let named = text.lines().filter_map(|line| line.split_once(" "));
    let crates: BTreeSet<_> =
        named.map(|(name, rest)| (name, rest.split_whitespace().next().unwrap_or_default())).collect();
    assert!(crates.iter().any(|(name, _)| *name == "seal") && crates.len() > 20, "{text}");
    assert!(crates.len() <= MOST, "{} crates:\n{crates:?}", crates.len());
    let forbidden: Vec<_> = crates.iter().filter(|(name, _)| FORBIDDEN.contains(name)).collect();
    assert_eq!(forbidden, Vec::<&(&str, &str)>::new());
}
