//! A master, a replica and three sentinels.

use super::{Redis, ask, free_port, install, spawn, wait};
use crate::tied::Tied;
use std::{fs, io};
use tempfile::TempDir;

/// The name the sentinels know the master by.
const MASTER: &str = "trialseal";

/// One master, one replica and three sentinels that agree by two. Stopped when dropped.
pub struct Sentinel {
    servers: Vec<Redis>,
    sentinels: Vec<Watcher>,
}

struct Watcher {
    port: u16,
    child: Tied,
    _folder: TempDir,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _already_gone = self.child.kill().and_then(|()| self.child.wait());
    }
}

impl Sentinel {
    /// Starts all five and waits until the sentinels know each other and the replica follows.
    pub fn start() -> io::Result<Self> {
        install();
        let at_once = ["--repl-diskless-sync-delay", "0"].map(str::to_owned);
        let master = Redis::start_with(&at_once)?;
        let follows = ["--replicaof".to_owned(), "127.0.0.1".to_owned(), master.port().to_string()];
        let replica = Redis::start_with(&[at_once.as_slice(), &follows].concat())?;
        wait(|| master.ask("INFO replication").is_ok_and(|answer| answer.contains("state=online")))?;
        let mut sentinels = Vec::new();
        for _ in 0..3 {
            sentinels.push(Watcher::start(master.port())?);
        }
        for sentinel in &sentinels {
            wait(|| sentinel.knows_all())?;
        }
        Ok(Self { servers: vec![master, replica], sentinels })
    }

    /// The address, `redis+sentinel://…/trialseal`.
    pub fn url(&self) -> String {
        let hosts: Vec<String> = self.sentinels.iter().map(|one| format!("127.0.0.1:{}", one.port)).collect();
        format!("redis+sentinel://{}/{MASTER}", hosts.join(","))
    }

    /// The answer of the present master to one command.
    pub fn ask(&self, command: &str) -> io::Result<String> {
        let port = self.sentinels.iter().find_map(Watcher::master);
        ask(port.ok_or(io::ErrorKind::NotFound)?, command)
    }

    /// Kills the master and waits until every sentinel names the replica.
    pub fn fail_over(&mut self) -> io::Result<()> {
        let before = self.sentinels.iter().find_map(Watcher::master).ok_or(io::ErrorKind::NotFound)?;
        for server in self.servers.iter_mut().filter(|server| server.port() == before) {
            server.kill()?;
        }
        for sentinel in &self.sentinels {
            wait(|| sentinel.master().is_some_and(|port| port != before))?;
        }
        wait(|| self.ask("ROLE").is_ok_and(|answer| answer.contains("master")))
    }
}

impl Watcher {
    fn start(master: u16) -> io::Result<Self> {
        let (port, folder) = (free_port()?, TempDir::new()?);
        let rules = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor {MASTER} 127.0.0.1 {master} 2\n\
             sentinel down-after-milliseconds {MASTER} 500\nsentinel failover-timeout {MASTER} 3000\n"
        );
        let file = folder.path().join("sentinel.conf");
        fs::write(&file, rules)?;
        let child = spawn(port, folder.path(), &[file.display().to_string(), "--sentinel".into()])?;
        Ok(Self { port, child, _folder: folder })
    }

    fn knows_all(&self) -> bool {
        let lines = ask(self.port, &format!("SENTINEL MASTER {MASTER}")).unwrap_or_default();
        let lines: Vec<&str> = lines.lines().filter(|line| !line.starts_with('$')).collect();
        let is = |key: &str, value: &str| lines.windows(2).any(|pair| pair == [key, value]);
        is("num-slaves", "1") && is("num-other-sentinels", "2")
    }

    /// The port of the master, as this sentinel knows it.
    fn master(&self) -> Option<u16> {
        let answer = ask(self.port, &format!("SENTINEL GET-MASTER-ADDR-BY-NAME {MASTER}")).ok()?;
        answer.lines().nth(4)?.parse().ok()
    }
}
