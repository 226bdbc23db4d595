//! An S3-compatible object store with its files on disk: `s3s-fs`, from its package registry.

use crate::{once::filled, tied::Tied};
use std::{
    fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const VERSION: &str = "0.14.1";
const BUCKET: &str = "trialseal";
const REGION: &str = "us-east-1";
/// Longer than any healthy machine needs to start a process.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running object store with one bucket, stopped when dropped.
pub struct S3 {
    folder: TempDir,
    port: u16,
    /// The size of its own disk, if it has one.
    mebibytes: Option<u32>,
    server: Option<Tied>,
}

impl S3 {
    /// Starts a store with an empty bucket.
    pub fn start() -> Self {
        Self::with_disk(None)
    }

    /// Starts a store on a disk of its own of so many MiB, which nobody outside it sees and which is empty after each
    /// restart.
    pub fn on_small_disk(mebibytes: u32) -> Self {
        Self::with_disk(Some(mebibytes))
    }

    fn with_disk(mebibytes: Option<u32>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr()).expect("a port");
        let mut store = Self { folder, port: port.port(), mebibytes, server: None };
        store.restart();
        store
    }

    /// Starts it again where it was: what it kept is still there.
    pub fn restart(&mut self) {
        self.stop();
        let folder = self.folder.path().display();
        let disk = self.mebibytes.map(|size| format!("mount -t tmpfs -o size={size}m tmpfs {folder} &&"));
        let mut run = Command::new("sh");
        if disk.is_some() {
            run = Command::new("unshare"); // a mount namespace of its own, so that no privilege is needed
            run.args(["--user", "--map-root-user", "--mount", "sh"]);
        }
        let serve = format!(
            "{} mkdir -p {folder}/{BUCKET} && exec {} --host 127.0.0.1 --port {} --access-key {BUCKET} --secret-key {BUCKET} {folder}",
            disk.unwrap_or_default(),
            server().display(),
            self.port
        );
        let quiet = run.args(["-c", &serve]).env("RUST_LOG", "off").stdout(Stdio::null()).stderr(Stdio::null());
        self.server = Some(Tied::spawn(quiet).expect("the object store starts"));
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            assert!(Instant::now() < until, "the object store does not listen");
            sleep(Duration::from_millis(10)); // between two attempts; listening is what is waited for
        }
    }

    /// Kills it; its files stay. Nobody listens on its port until [`S3::restart`].
    pub fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _already_gone = server.kill();
            let _already_waited_for = server.wait();
        }
    }

    /// Where it listens.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The address of objects below `prefix` in its bucket.
    pub fn url(&self, prefix: &str) -> String {
        format!("s3://{BUCKET}/{prefix}")
    }

    /// The variables by which a client reaches it.
    pub fn variables(&self) -> Vec<(String, String)> {
        let endpoint = self.endpoint();
        let pairs = [
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", BUCKET),
            ("AWS_SECRET_ACCESS_KEY", BUCKET),
            ("AWS_ALLOW_HTTP", "true"),
        ];
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec()
    }

    /// The root of its disk as this process sees it, also if the disk is its own: for filling it.
    pub fn disk(&self) -> PathBuf {
        let seen = self.server.as_ref().map(|server| PathBuf::from(format!("/proc/{}/root", server.id())));
        let folder = self.folder.path();
        seen.map_or_else(|| folder.to_owned(), |root| root.join(folder.strip_prefix("/").unwrap_or(folder)))
    }

    /// The folder of its bucket: each object is the file of its name.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().join(BUCKET)
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The server's binary, installed if it is missing.
fn server() -> PathBuf {
    let root = filled("s3s-fs", VERSION.as_bytes(), |root| {
        let build = root.join("build");
        let mut install = Command::new("cargo");
        install.args(["install", "s3s-fs", "--version", VERSION, "--features", "binary", "--locked", "--debug"]);
        install.args(["--force", "--root"]).arg(root).env("CARGO_TARGET_DIR", &build);
        install.env("CARGO_PROFILE_DEV_DEBUG", "0");
        assert!(install.status().expect("cargo runs").success(), "s3s-fs cannot be installed");
        let _not_needed_again = fs::remove_dir_all(build);
    });
    root.join("bin/s3s-fs")
}
