//! Debian's packages.

use crate::once::alone;
use std::{
    fs, io,
    process::{Command, ExitStatus, Stdio},
};

/// Installs packages, with `sudo` where need be; another process that installs meanwhile is waited for.
///
/// # Panics
///
/// If they cannot be installed.
pub fn install(packages: &[&str]) {
    let _until_installed = alone("packages");
    // Whether the lists serve is told by what comes next.
    let _lists = apt_get(&["update"]);
    let installed = apt_get(&[&["install", "--yes", "--no-install-recommends"], packages].concat());
    assert!(installed.as_ref().is_ok_and(ExitStatus::success), "{packages:?}: {installed:?}");
}

fn apt_get(arguments: &[&str]) -> io::Result<ExitStatus> {
    let mut command = as_root();
    // RUNLEVEL=1 keeps a package from starting a server of its own.
    command.args(["DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "apt-get", "-q", "-o", "DPkg::Lock::Timeout=300"]);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).status()
}

/// A command whose arguments are a command that root alone may run.
pub fn as_root() -> Command {
    Command::new(if is_root() { "env" } else { "sudo" })
}

pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| std::os::unix::fs::MetadataExt::uid(&process) == 0)
}
