//! `trialseal up` as a process of its own, so that its memory and its processor time are not the client's.

use super::cores::Cores;
use anyhow::{Context, Result, ensure};
use client::Endpoints;
use std::{
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
    pub(super) async fn start(folder: &Path, cores: Option<&Cores>) -> Result<Self> {
        let program = std::env::current_exe()?;
        let mut command = cores.map_or_else(|| Command::new(&program), |cores| cores.of_service(&program));
        command.args(["up", "--port", "0", "--data"]).arg(folder).env("RUST_LOG", "error");
        let mut process = command.stdout(Stdio::piped()).spawn()?;
        let mut lines = BufReader::new(process.stdout.take().context("no output")?).lines();
        let is_up = spawn_blocking(move || {
            let is_up = lines.by_ref().map_while(Result::ok).any(|line| line.contains("stop with Ctrl-C"));
            thread::spawn(move || lines.for_each(drop)); // keeps the pipe open and empty
            is_up
        });
        let is_up = is_up.await?;
        let endpoints = Endpoints::read(&folder.join("endpoints.json"));
        if !is_up || endpoints.is_err() {
            process.kill()?;
        }
        ensure!(is_up, "the deployment ended before it was up");
        Ok(Self { process, endpoints: endpoints? })
    }

    pub(super) fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Its process id.
    pub(super) fn id(&self) -> String {
        self.process.id().to_string()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ended_already = self.process.kill();
        let _waited_for_already = self.process.wait();
    }
}
