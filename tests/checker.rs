//! The independent checker is judged itself: it finds nothing wrong with what is right, and every fault that is planted.

#![allow(clippy::unwrap_used)]

mod support;

use client::{Client, random};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use support::{
    load::{Load, Plan},
    process::Up,
};
use testbed::judges::{python, run};

/// A run of the load, and what the checker read after it.
struct Recorded {
    folder: tempfile::TempDir,
    report: Value,
}

impl Recorded {
    fn told(&self) -> PathBuf {
        self.folder.path().join("told")
    }

    fn snapshot(&self) -> PathBuf {
        self.folder.path().join("snapshot")
    }
}

async fn record() -> Recorded {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let up = Up::start(&data);
    let client = Client::new(&up.endpoints).unwrap();
    let seed = u64::from_be_bytes(random().unwrap());
    let plan = Plan { seed, studies: 2, participants: 3, clients: 6, rate: 5.0, lasting: Duration::from_secs(20) };
    let load = Load::set_up(&client, plan, &folder.path().join("told")).await;
    let figures = load.run(&client).await;
    println!("{figures}");
    let study = load.studies().next().unwrap();
    let key = |name: &str| fs::read_to_string(data.join("keys").join(name)).unwrap();
    let keys = json!({
        "study": study.id,
        "coordinator": *study.coordinator.key.to_secret_text(),
        "chain": key("chain.key"),
        "receipts": key("receipts-capture.key"),
    });
    fs::write(folder.path().join("keys.json"), keys.to_string()).unwrap();
    let mut recorded = Recorded { folder, report: Value::Null };
    let mut checker = python("checker.py");
    checker.arg(recorded.told()).arg("--endpoints").arg(data.join("endpoints.json"));
    checker.arg("--policy").arg(data.join("policy.txt")).arg("--write").arg(recorded.snapshot());
    recorded.report = judged(&mut checker);
    assert!(up.terminate().success());
    recorded
}

/// The checker's report, whatever it found.
fn judged(checker: &mut Command) -> Value {
    let output = checker.output().unwrap();
    let report = serde_json::from_slice::<Value>(&output.stdout);
    let report = report.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(output.status.code(), Some(i32::from(report["clean"] != true)), "{report:#}");
    report
}

/// The zeros that are not zero.
fn broken(report: &Value) -> Vec<String> {
    let found: BTreeMap<String, u64> = serde_json::from_value(report["found"].clone()).unwrap();
    found.into_iter().filter(|(_, count)| *count > 0).map(|(zero, _)| zero).collect()
}

fn copy(from: &Path, to: &Path) {
    run(Command::new("cp").arg("-r").arg(from).arg(to));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_planted_fault_is_found_and_nothing_else() {
    let recorded = record().await;
    let report = &recorded.report;
    assert_eq!(report["clean"], true, "{report:#}");
    let count = |name: &str| report["counted"][name].as_u64().unwrap_or_default();
    assert!(count("captures") > 80 && count("acknowledged") > 100 && count("checkpoints") > 5, "{report:#}");
    assert!(count("refused") > 0, "no capture raced a withdrawal: {report:#}");
    assert_eq!((count("not_on_the_chain"), count("on_the_chain_late")), (0, 0), "{report:#}");

    let plants: BTreeMap<String, Vec<String>> = serde_json::from_str(&run(python("plant.py").arg("--list"))).unwrap();
    assert!(plants.len() >= 17);
    for (plant, zeros) in plants {
        let folder = recorded.folder.path().join(&plant);
        fs::create_dir(&folder).unwrap();
        let (told, snapshot) = (folder.join("told"), folder.join("snapshot"));
        copy(&recorded.told(), &told);
        copy(&recorded.snapshot(), &snapshot);
        let keys = recorded.folder.path().join("keys.json");
        run(python("plant.py").arg(&plant).args([&told, &snapshot, &keys]));
        let report = judged(python("checker.py").arg(&told).arg("--snapshot").arg(&snapshot));
        assert_eq!(broken(&report), zeros, "{plant}: {report:#}");
        println!("{plant}: {}", report["found"]);
    }
}
