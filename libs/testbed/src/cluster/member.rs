//! One process of a cluster.

use crate::tied::Tied;
use std::{
    fs::File,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// A process that has not begun to listen after this time will not.
const PATIENCE: Duration = Duration::from_secs(90);
const AGAIN: Duration = Duration::from_millis(20);

/// A process of Trialseal: how it is started, and whether it runs.
pub struct Member {
    /// Its name in the cluster.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where its output goes, one start after the other.
    pub log: PathBuf,
    /// More variables for the next start.
    pub variables: Vec<(String, String)>,
    binary: PathBuf,
    flags: Vec<String>,
    child: Option<Tied>,
}

impl Member {
    pub(super) fn new(
        name: &str,
        address: SocketAddr,
        binary: &Path,
        flags: Vec<String>,
        variables: Vec<(String, String)>,
        log: PathBuf,
    ) -> Self {
        Self { name: name.to_owned(), address, log, variables, binary: binary.to_owned(), flags, child: None }
    }

    /// Starts it, if it does not run.
    pub fn spawn(&mut self) {
        if self.child.is_some() {
            return;
        }
        let log = File::options().create(true).append(true).open(&self.log).expect("the log");
        let mut command = Command::new(&self.binary);
        command.args(&self.flags).envs(self.variables.iter().cloned());
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("the log")).stderr(log);
        self.child = Some(Tied::spawn(&mut command).expect("the process starts"));
    }

    /// Waits until it listens.
    pub fn wait_until_up(&self) {
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(self.address).is_err() {
            assert!(Instant::now() < until, "{} does not listen; see {}", self.name, self.log.display());
            sleep(AGAIN);
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _already_gone = child.kill();
            let _already_waited_for = child.wait();
        }
    }

    /// SIGTERM, and how it ended.
    pub fn terminate(&mut self) -> Option<ExitStatus> {
        self.signal("-TERM");
        self.child.take().and_then(|mut child| child.wait().ok())
    }

    /// SIGSTOP: it stands still, and does not know.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    /// Whether the process is there and has not ended by itself.
    pub fn runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// The process's id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(|child| child.id())
    }

    fn signal(&self, signal: &str) {
        if let Some(id) = self.id() {
            let _gone = Command::new("kill").args([signal, &id.to_string()]).status();
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.resume(); // a stopped process does not die before it goes on
        self.kill();
    }
}
