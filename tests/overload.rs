//! More is asked for than can be done: what can be done is done, the rest is refused at once, and memory stays bounded.

#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::process::Command;

/// What the deployment may take in this test, in MiB.
const MEMORY: &str = "1024";
/// What must be done of what can be done, and how often that is tried: what else the machine does while it is overloaded
/// looks as if the service did less, never as if it did more.
const GOODPUT: f64 = 0.8;
const TRIES: usize = 3;

#[test]
fn four_times_too_much_is_shed_and_not_queued() {
    let ratios: Vec<f64> = (0..TRIES).map(|_| goodput_ratio()).take_while(|ratio| *ratio <= GOODPUT).collect();
    assert!(ratios.len() < TRIES, "what can be done is not done: {ratios:?}");
}

/// Overloads a deployment, checks what holds on a busy machine too, and gives the goodput as a share of its peak.
fn goodput_ratio() -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Command::new(env!("CARGO_BIN_EXE_trialseal"));
    let bench = bench.args(["bench", "overload", "--seconds", "8", "--memory", MEMORY, "--json", "--data"]);
    let output = bench.arg(folder.path().join("data")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let figures: Value = serde_json::from_slice(&output.stdout).unwrap();
    println!("{figures:#}");
    let figure = |path: &str| figures.pointer(path).and_then(Value::as_f64).unwrap();

    assert!(figure("/overloaded/offered_per_second") > 2.0 * figure("/peak_per_second"), "it was not overloaded");
    assert!(figure("/overloaded/shed") > 0.1, "nothing is refused");
    // Whoever is let in is answered: calls are not queued until their callers have given up.
    assert!(figure("/overloaded/late") < 0.05, "calls wait until they are of no use");
    assert!(figure("/overloaded/failed") < 0.01, "calls fail otherwise");
    assert!(figure("/memory/most_mib") < figure("/memory/limit_mib"), "memory is not bounded");
    figure("/goodput_ratio")
}
