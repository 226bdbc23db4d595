//! Redis, alone, under Sentinel and as a Cluster, from Debian's packages.

mod cluster;
mod sentinel;

pub use cluster::RedisCluster;
pub use sentinel::Sentinel;

use crate::{packages, tied::Tied};
use std::{
    fs,
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const PROGRAM: &str = "/usr/bin/redis-server";
/// A server that has not begun to answer after this time will not.
const PATIENCE: Duration = Duration::from_secs(30);

/// One Redis server on a port of its own, which keeps nothing on disk. Stopped when dropped.
pub struct Redis {
    port: u16,
    folder: TempDir,
    arguments: Vec<String>,
    child: Tied,
}

impl Redis {
    /// Installs Redis if it is missing, starts a server and waits until it answers.
    pub fn start() -> io::Result<Self> {
        Self::start_with(&[])
    }

    /// As [`Redis::start`], and on one more port with TLS, by the `ca.pem`, `consent.pem` and `consent.key` in `folder`: it
    /// asks callers for a certificate. Gives the address of that port, `rediss://127.0.0.1:port`.
    pub fn start_tls(folder: &Path) -> io::Result<(Self, String)> {
        let port = free_port()?.to_string();
        let file = |name: &str| folder.join(name).display().to_string();
        let (ca, certificate, key) = (file("ca.pem"), file("consent.pem"), file("consent.key"));
        let flags = ["--tls-port", &port, "--tls-ca-cert-file", &ca, "--tls-cert-file", &certificate];
        let flags = [flags.as_slice(), &["--tls-key-file", &key]].concat();
        let server = Self::start_with(&flags.into_iter().map(str::to_owned).collect::<Vec<_>>())?;
        Ok((server, format!("rediss://127.0.0.1:{port}")))
    }

    /// As [`Redis::start`], with more arguments.
    fn start_with(arguments: &[String]) -> io::Result<Self> {
        install();
        let (port, folder) = (free_port()?, TempDir::new()?);
        let child = spawn(port, folder.path(), arguments)?;
        let server = Self { port, folder, arguments: arguments.to_vec(), child };
        wait(|| server.ask("PING").is_ok_and(|answer| answer.contains("PONG")))?;
        Ok(server)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address, `redis://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Forgets everything.
    pub fn flush(&self) -> io::Result<()> {
        self.ask("FLUSHALL").map(|_| ())
    }

    /// Ends the server at once, as a crash does. What it held is gone.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(|_| ())
    }

    /// Starts the server again on the same port, empty.
    pub fn restart(&mut self) -> io::Result<()> {
        self.kill()?;
        self.child = spawn(self.port, self.folder.path(), &self.arguments)?;
        wait(|| self.ask("PING").is_ok_and(|answer| answer.contains("PONG")))
    }

    /// Keeps the server from answering, its connections open, until [`Redis::resume`].
    pub fn pause(&self) -> io::Result<()> {
        self.signal("-STOP")
    }

    /// Lets a paused server go on.
    pub fn resume(&self) -> io::Result<()> {
        self.signal("-CONT")
    }

    /// The answer to one command, as it stands on the wire.
    pub fn ask(&self, command: &str) -> io::Result<String> {
        ask(self.port, command)
    }

    fn signal(&self, name: &str) -> io::Result<()> {
        Command::new("kill").args([name, &self.child.id().to_string()]).status().map(|_| ())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _already_gone = self.kill();
    }
}

fn spawn(port: u16, folder: &Path, arguments: &[String]) -> io::Result<Tied> {
    let mut command = Command::new(PROGRAM);
    let log = fs::File::create(folder.join("log"))?;
    if arguments.last().is_none_or(|last| last != "--sentinel") {
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    }
    Tied::spawn(command.args(arguments).current_dir(folder).stdout(log).stderr(Stdio::null()))
}

fn ask(port: u16, command: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(format!("{command}\r\n").as_bytes())?;
    stream.shutdown(Shutdown::Write)?; // it closes the connection after its answer
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn free_port() -> io::Result<u16> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr().map(|address| address.port())
}

fn wait(mut ready: impl FnMut() -> bool) -> io::Result<()> {
    let began = Instant::now();
    while !ready() {
        if began.elapsed() > PATIENCE {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the server does not come up"));
        }
        sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn install() {
    if !Path::new(PROGRAM).exists() {
        packages::install(&["redis-server"]);
    }
}
