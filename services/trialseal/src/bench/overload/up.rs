//! `trialseal up` as a process of its own, so that its memory and its processor time are not the client's.

use crate::prove;
use anyhow::{Context, Result, ensure};
use client::Endpoints;
use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};
use tokio::task::spawn_blocking;

/// A running deployment; it ends with this.
pub(super) struct Up {
    process: Child,
    endpoints: Endpoints,
}

impl Up {
    /// Starts one on the data in `folder` and waits until it is up.
    pub(super) async fn start(folder: &Path) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["up", "--port", "0", "--data"]).arg(folder).env("RUST_LOG", "error");
        let mut process = command.stdout(Stdio::piped()).spawn()?;
        let mut lines = BufReader::new(process.stdout.take().context("no output")?).lines();
        let is_up = spawn_blocking(move || {
            let is_up = lines.by_ref().map_while(Result::ok).any(|line| line.contains("stop with Ctrl-C"));
            thread::spawn(move || lines.for_each(drop)); // keeps the pipe open and empty
            is_up
        });
        let is_up = is_up.await?;
        let endpoints = prove::endpoints(&folder.join("endpoints.json"));
        if !is_up || endpoints.is_err() {
            process.kill()?;
        }
        ensure!(is_up, "the deployment ended before it was up");
        Ok(Self { process, endpoints: endpoints? })
    }

    pub(super) fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// What it has resident now, in MiB.
    pub(super) fn resident_mib(&self) -> Result<f64> {
        self.status("VmRSS:")
    }

    /// The most it ever had resident, in MiB.
    pub(super) fn most_resident_mib(&self) -> Result<f64> {
        self.status("VmHWM:")
    }

    fn status(&self, field: &str) -> Result<f64> {
        let process = self.process.id();
        let status = fs::read_to_string(format!("/proc/{process}/status")).context("memory is read from /proc")?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)).context("/proc says nothing of memory")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1_024.0)
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ended_already = self.process.kill();
        let _waited_for_already = self.process.wait();
    }
}
