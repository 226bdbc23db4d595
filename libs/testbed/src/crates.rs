//! Which crates a crate brings along.

use std::{collections::BTreeSet, process::Command};

/// Names and versions of all crates that `package` is built of, itself included, as `cargo tree` follows `edges`
/// (`normal`, or `normal,build`).
pub fn built_of(package: &str, edges: &str) -> BTreeSet<(String, String)> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = ["tree", "-p", package, "-e", edges, "--prefix", "none", "--locked", "--offline"];
    let output = Command::new(cargo).current_dir(crate::repository()).args(tree).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // `name v1.2.3 (proc-macro) (*)`
    let named = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.to_owned()))
    };
    String::from_utf8_lossy(&output.stdout).lines().filter_map(named).collect()
}

/// Checks that `package` is built of at most `most` crates, and of none of `forbidden`.
pub fn is_built_of_few(package: &str, edges: &str, most: usize, forbidden: &[&str]) {
    let crates = built_of(package, edges);
    assert!(crates.len() <= most, "{} crates, at most {most}:\n{crates:?}", crates.len());
    let found: Vec<_> = crates.iter().filter(|(name, _)| forbidden.contains(&name.as_str())).collect();
    assert!(found.is_empty(), "{package} is built of {found:?}");
    assert!(crates.iter().any(|(name, _)| name == "seal"), "{crates:?}");
}
