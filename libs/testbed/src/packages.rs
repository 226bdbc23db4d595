//! Debian's packages.

use std::{
    fs,
    process::{Command, Stdio},
};

/// Installs packages, with `sudo` where need be; another process that installs meanwhile is waited for.
///
/// # Panics
///
/// If they cannot be installed.
pub fn install(packages: &[&str]) {
    for arguments in [&["update"][..], &[&["install", "--yes", "--no-install-recommends"], packages].concat()] {
        let mut command = Command::new(if is_root() { "env" } else { "sudo" });
        // RUNLEVEL=1 keeps a package from starting a server of its own.
        command.args([
            "DEBIAN_FRONTEND=noninteractive",
            "RUNLEVEL=1",
            "apt-get",
            "-q",
            "-o",
            "DPkg::Lock::Timeout=300",
        ]);
        let status = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).status();
        assert!(status.as_ref().is_ok_and(|status| status.success()), "{command:?}: {status:?}");
    }
}

pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| std::os::unix::fs::MetadataExt::uid(&process) == 0)
}
