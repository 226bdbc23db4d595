//! PostgreSQL, from Debian's packages.

use crate::packages::{self, is_root};
use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};
use tempfile::TempDir;

/// Where Debian puts the programs, newest version last.
const VERSIONS: &str = "/usr/lib/postgresql";
const SUPERUSER: &str = "trialseal";
/// Where the server looks for its certificate, among its files.
const CERTIFICATE: &str = "server.crt";

/// A server of its own, with every commit on the disk. Stopped when dropped, and when the process that started it ends,
/// however that ends.
pub struct Postgres {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
    guard: Child,
}

impl Postgres {
    /// Installs PostgreSQL if it is missing, makes a cluster of databases and starts its server.
    pub fn start() -> Self {
        let programs = programs().unwrap_or_else(install);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
        if is_root() {
            done(Command::new("chown").arg("postgres").arg(folder.path()));
        }
        let guard = guard(&programs, folder.path());
        let server = Self { folder, programs, port: free.expect("a free port").port(), guard };
        let files = ["--auth", "trust", "--username", SUPERUSER, "--encoding", "UTF8", "--no-locale", "--pgdata"];
        done(server.program("initdb").args(files).arg(server.files()));
        server.resume_service();
        server
    }

    /// One server for all tests of a process, started when it is first asked for. Each test takes a database of its own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// The folder of PostgreSQL's own programs.
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address of a database of that name, which is made if it does not exist.
    pub fn url(&self, database: &str) -> String {
        let exists = self.query("postgres", &format!("SELECT 1 FROM pg_database WHERE datname = '{database}'"));
        if exists.is_empty() {
            self.query("postgres", &format!("CREATE DATABASE \"{database}\""));
        }
        format!("postgres://{SUPERUSER}@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs SQL with `psql` and gives what it printed, unadorned.
    pub fn query(&self, database: &str, sql: &str) -> String {
        let mut command = self.program("psql");
        command.args(["--host", "127.0.0.1", "--username", SUPERUSER, "--no-psqlrc", "--tuples-only", "--no-align"]);
        command.args(["--set", "ON_ERROR_STOP=1", "--port", &self.port.to_string(), "--command", sql, database]);
        let output = command.output().expect("psql runs");
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Ends every session at once and stops the server, as a restart in operation does.
    pub fn stop(&self) {
        let stop = ["stop", "--silent", "--wait", "--mode", "fast", "--pgdata"];
        let _already_stopped = self.program("pg_ctl").args(stop).arg(self.files()).output();
    }

    /// Starts a stopped server again on the same port.
    pub fn resume_service(&self) {
        // Connections by TCP alone: a socket's path would have to be short.
        let tls = if self.files().join(CERTIFICATE).exists() { "on" } else { "off" };
        let options = format!("-p {} -h 127.0.0.1 -k '' -c max_connections=300 -c fsync=on -c ssl={tls}", self.port);
        let start = ["start", "--silent", "--wait", "--options", &options, "--pgdata"];
        let log = self.folder.path().join("log");
        done(self.program("pg_ctl").args(start).arg(self.files()).arg("--log").arg(log));
    }

    /// Stops and starts it.
    pub fn restart(&self) {
        self.stop();
        self.resume_service();
    }

    /// Restarts it with a certificate and its key, both in PEM: connections may use TLS from then on.
    pub fn restart_with_tls(&self, certificate: &Path, key: &Path) {
        let owner: &[&str] = if is_root() { &["--owner", "postgres"] } else { &[] };
        for (file, name) in [(certificate, CERTIFICATE), (key, "server.key")] {
            done(Command::new("install").args(["--mode", "600"]).args(owner).arg(file).arg(self.files().join(name)));
        }
        self.restart();
    }

    fn files(&self) -> PathBuf {
        self.folder.path().join("files")
    }

    /// One of PostgreSQL's programs.
    fn program(&self, name: &str) -> Command {
        as_postgres(&self.programs.join(name))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _gone_already = self.guard.wait();
    }
}

/// Waits until whoever started the server closes the pipe, even by dying; then stops the server and removes its folder.
fn guard(programs: &Path, folder: &Path) -> Child {
    let stop = "cat > /dev/null; \"$0\" --pgdata \"$1/files\" stop --silent --wait --mode immediate; rm -rf \"$1\"";
    let mut command = as_postgres(Path::new("setsid")); // not ended by the terminal along with the tests
    command.args(["sh", "-c", stop]).arg(programs.join("pg_ctl")).arg(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("a shell")
}

/// PostgreSQL's programs refuse to be run by root.
fn as_postgres(program: &Path) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/").stdin(Stdio::null());
    command
}

/// The folder of the newest version's programs, if there is one.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir(VERSIONS).ok()?.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    versions.filter(|bin| bin.join("initdb").exists()).max()
}

fn install() -> PathBuf {
    packages::install(&["postgresql"]);
    programs().expect("the package brings the programs")
}

fn done(command: &mut Command) {
    // pg_ctl's server would keep a pipe open for ever.
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.as_ref().is_ok_and(|status| status.success()), "{command:?}: {status:?}");
}
