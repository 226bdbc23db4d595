//! `trialseal up` as a process of its own.

#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)] // each test uses its own part

use client::Endpoints;
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

/// The binary under test.
pub const TRIALSEAL: &str = env!("CARGO_BIN_EXE_trialseal");

pub struct Up {
    child: Child,
    pub endpoints: Endpoints,
}

impl Up {
    /// Starts on free ports and waits until it says that it is up.
    pub fn start(data: &Path) -> Self {
        let mut command = Command::new(TRIALSEAL);
        command.args(["up", "--port", "0", "--data"]).arg(data).env("RUST_LOG", "error");
        Self::spawn(command)
    }

    /// Starts on seven ports from `port` on, as a deployment that clients find again.
    pub fn start_at(data: &Path, port: u16) -> Self {
        let mut command = Command::new(TRIALSEAL);
        command.args(["up", "--port", &port.to_string(), "--data"]).arg(data).env("RUST_LOG", "error");
        Self::spawn(command)
    }

    /// Runs a command that ends in `trialseal up` and waits until it says that it is up.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut urls = Vec::new();
        let up = lines.by_ref().any(|line| {
            let line = line.unwrap();
            urls.extend(line.find("http://").map(|place| line[place..].to_owned()));
            line.contains("stop with Ctrl-C")
        });
        assert!(up, "it ended before it was up: {:?}", child.wait());
        std::thread::spawn(move || lines.for_each(drop)); // keeps the pipe open and empty
        let mut urls = urls.into_iter();
        let mut next = || urls.next().unwrap();
        let (enrollment, consent, capture, anchoring) = (next(), next(), next(), next());
        let endpoints = Endpoints { enrollment, consent, capture, anchoring, witnesses: urls.collect(), tls: None };
        Self { child, endpoints }
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGSTOP: it stands still, and does not know.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
    }

    /// Whether the process still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// SIGTERM, and the exit status.
    pub fn terminate(mut self) -> std::process::ExitStatus {
        Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        self.child.wait().unwrap()
    }
}

/// One service as a process of its own, on loopback, killed when dropped.
pub struct Running {
    pub child: Child,
    pub url: String,
}

impl Running {
    /// Starts it on a free port and waits until it listens.
    pub fn start(arguments: &[&str], variables: &[(String, String)]) -> Self {
        let mut command = Command::new(TRIALSEAL);
        command.args(arguments).args(["--listen", "127.0.0.1:0"]).env("RUST_LOG", "error");
        command.envs(variables.iter().cloned());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.by_ref().map(Result::unwrap).find(|line| line.contains("listening on")).unwrap();
        std::thread::spawn(move || lines.for_each(drop)); // keeps the pipe open and empty
        let address = line.split_whitespace().find(|word| word.starts_with("127.0.0.1:")).unwrap();
        Self { child, url: format!("http://{address}") }
    }

    /// Sends it a signal, such as `-STOP`.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _already_waited_for = self.child.wait();
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _already_waited_for = self.child.wait();
    }
}
