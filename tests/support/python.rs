//! Packages of Python and npm for the judges, installed once from the pins in `tests/judges`.

#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)] // each test uses its own part; a test may panic

use std::{
    fs::{self, File},
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
        installed("judges", &["requirements.txt"], |folder| {
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder));
            let install = ["install", "--quiet", "--requirement"];
            run(Command::new(folder.join("bin/pip")).args(install).arg(pin("requirements.txt")));
        })
    })
}

/// A folder whose `node_modules` has the judges' packages.
pub fn node() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let pins = ["package.json", "package-lock.json"];
        installed("judges-npm", &pins, |folder| {
            fs::create_dir_all(folder).unwrap();
            for name in pins {
                fs::copy(pin(name), folder.join(name)).unwrap();
            }
            let install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
            run(Command::new("npm").args(install).current_dir(folder));
        })
    })
}

fn pin(name: &str) -> PathBuf {
    repository().join("tests/judges").join(name)
}

/// A folder named after what is installed in it, filled once; other test processes wait.
fn installed(kind: &str, pins: &[&str], fill: impl Fn(&Path)) -> PathBuf {
    let contents: Vec<Vec<u8>> = pins.iter().map(|name| fs::read(pin(name)).unwrap()).collect();
    let digest = seal::sha256(&contents.iter().map(Vec::as_slice).collect::<Vec<_>>()).to_hex();
    let target = repository().join("target");
    fs::create_dir_all(&target).unwrap();
    let folder = target.join(format!("{kind}-{}", &digest[..16]));
    let lock = File::create(folder.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    if !folder.join("ready").exists() {
        fill(&folder);
        fs::write(folder.join("ready"), "").unwrap();
    }
    folder
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
