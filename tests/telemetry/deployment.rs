//! `trialseal up` as a process whose every word is kept.

use client::{Client, Endpoints};
use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub struct Told {
    child: Child,
    folder: TempDir,
    pub endpoints: Endpoints,
    metrics: String,
}

impl Told {
    /// Starts it with everything it can tell turned on.
    pub async fn start(collector: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = |name| File::create(folder.path().join(name)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_trialseal"));
        command.args(["up", "--port", "0", "--metrics", "127.0.0.1:0", "--data"]).arg(folder.path().join("data"));
        command.env("RUST_LOG", "trace").env("OTEL_EXPORTER_OTLP_ENDPOINT", collector);
        command.env("OTEL_BSP_MAX_QUEUE_SIZE", "65536").env("OTEL_BLRP_MAX_QUEUE_SIZE", "262144");
        command.env("OTEL_METRIC_EXPORT_INTERVAL", "500");
        let child = command.stdout(log("stdout")).stderr(log("stderr")).spawn().unwrap();
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
        eventually("it is up", async || read("stdout").contains("stop with Ctrl-C").then_some(())).await;
        let endpoints = serde_json::from_str(&read("data/endpoints.json")).unwrap();
        let printed = read("stdout");
        let metrics = printed.lines().find_map(|line| line.strip_prefix("metrics on http://")).unwrap();
        let metrics = metrics.trim_end_matches("/metrics").to_owned();
        Self { child, endpoints, metrics, folder }
    }

    pub fn client(&self) -> Client {
        Client::new(&self.endpoints).unwrap()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The metrics as Prometheus reads them.
    pub async fn metrics(&self) -> String {
        self.metrics_as("text/plain").await
    }

    /// The answer, with its head, to somebody who accepts a type.
    pub async fn metrics_as(&self, accept: &str) -> String {
        let mut stream = TcpStream::connect(&self.metrics).await.unwrap();
        let request = format!("GET /metrics HTTP/1.0\r\nhost: t\r\naccept: {accept}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
        answer
    }

    /// Ends it as an operator would, and waits until it has told everything.
    pub async fn stop(&mut self) {
        Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        let status = eventually("it ends", async || self.child.try_wait().unwrap()).await;
        assert!(status.success(), "{status}");
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _already_waited_for = self.child.wait();
    }
}

/// Asks again until there is an answer; gives up after a time no healthy machine needs.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(120) {
        if let Some(answer) = ask().await {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(20)).await; // between two questions; the answer is what is waited for
    }
    panic!("{what}: not within two minutes");
}
