//! Python for the judges, made once from the pinned requirements.

#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)] // each test uses its own part; a test may panic

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The root of the repository. Every package is two folders below it.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A Python environment with the judges' packages.
pub fn environment() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let requirements = repository().join("tests/judges/requirements.txt");
        let digest = seal::sha256(&[&fs::read(&requirements).unwrap()]).to_hex();
        let folder = repository().join("target").join(format!("judges-{}", &digest[..16]));
        if !folder.join("ready").exists() {
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
            let install = ["install", "--quiet", "--requirement"];
            run(Command::new(folder.join("bin/pip")).args(install).arg(requirements));
            fs::write(folder.join("ready"), "").unwrap();
        }
        folder
    })
}

/// Runs a command that must succeed and gives what it printed.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{out}\n{err}");
    out.into_owned()
}

/// One of the scripts in `tests/judges`.
pub fn python(script: &str) -> Command {
    let mut command = Command::new(environment().join("bin/python"));
    command.arg(repository().join("tests/judges").join(script)).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}
