//! Packages of Python and npm for the judges, in the versions pinned in `tests/judges`; and Go's, from Debian.

use crate::{
    once::{filled, repository},
    packages,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// A Python environment with the judges' packages.
pub fn environment() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let pins = judge("requirements.txt");
        filled("judges", &read(&pins), |folder| {
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder));
            let install = ["install", "--quiet", "--requirement"];
            run(Command::new(folder.join("bin/pip")).args(install).arg(&pins));
        })
    })
}

/// A folder whose `node_modules` has the judges' packages.
pub fn node() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        filled("judges-npm", &read(&judge("package-lock.json")), |folder| {
            fs::create_dir_all(folder).expect("target/ can be written");
            for name in ["package.json", "package-lock.json"] {
                fs::copy(judge(name), folder.join(name)).expect("target/ can be written");
            }
            let install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
            run(Command::new("npm").args(install).current_dir(folder));
        })
    })
}

/// Where Debian keeps Go packages.
const GO_PACKAGES: &str = "/usr/share/gocode";

/// A judge written in Go, `tests/judges/<name>.go`, built with Debian's compiler and its package of `golang.org/x/mod`.
pub fn go(name: &str) -> Command {
    let source = judge(&format!("{name}.go"));
    let built = filled(&format!("judges-go-{name}"), &read(&source), |folder| {
        let is_there = Command::new("go").arg("version").output().is_ok();
        if !is_there || !Path::new(GO_PACKAGES).join("src/golang.org/x/mod").exists() {
            packages::install(&["golang", "golang-golang-x-mod-dev"]);
        }
        fs::create_dir_all(folder).expect("target/ can be written");
        let mut build = Command::new("go");
        build.args(["build", "-o"]).arg(folder.join(name)).arg(&source);
        // The packages are where Debian puts them; nothing is fetched.
        build.env("GO111MODULE", "off").env("GOPATH", GO_PACKAGES).env("GOCACHE", folder.join("cache"));
        run(build.env("GOFLAGS", "").env("CGO_ENABLED", "0"));
    });
    Command::new(built.join(name))
}

/// A file in `tests/judges`.
pub fn judge(name: &str) -> PathBuf {
    repository().join("tests/judges").join(name)
}

/// One of the scripts in `tests/judges`, with the judges' packages.
pub fn python(script: &str) -> Command {
    let mut command = Command::new(environment().join("bin/python"));
    command.arg(judge(script)).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Runs a command that must succeed and gives what it printed.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{out}\n{err}");
    out.into_owned()
}

fn read(file: &Path) -> Vec<u8> {
    fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
