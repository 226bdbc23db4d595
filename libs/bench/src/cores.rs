//! Processors of its own for whom is measured: on a machine of two, callers who ask for four times as much would otherwise
//! take from the service what it answers with.

use anyhow::{Context, Result, ensure};
use std::{fs, process::Command};

/// How the processors are shared out.
pub(super) struct Cores {
    service: String,
    callers: String,
}

impl Cores {
    /// Half of those this process may use for the service, the other half for its callers. Nothing if there is but one.
    pub(super) fn shared_out() -> Result<Option<Self>> {
        let status = fs::read_to_string("/proc/self/status").context("processors are read from /proc")?;
        let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        let mut cores = parse(allowed.context("/proc says nothing of processors")?.trim())?;
        if cores.len() < 2 {
            return Ok(None);
        }
        let callers = cores.split_off(cores.len().div_ceil(2));
        Ok(Some(Self { service: list(&cores), callers: list(&callers) }))
    }

    /// The command, to be run where the service may.
    pub(super) fn of_service(&self, program: &std::path::Path) -> Command {
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", &self.service]).arg(program);
        command
    }

    /// Keeps this process where callers may run.
    pub(super) fn keep_to_callers(&self) -> Result<()> {
        let mut command = Command::new("taskset");
        command.args(["--all-tasks", "--pid", "--cpu-list", &self.callers, &std::process::id().to_string()]);
        let output = command.output().context("taskset, of util-linux")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}

/// `0-2,5` as the kernel writes it.
fn parse(text: &str) -> Result<Vec<u32>> {
    let mut cores = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        cores.extend(first.parse::<u32>()?..=last.parse()?);
    }
    Ok(cores)
}

fn list(cores: &[u32]) -> String {
    cores.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lists_are_read() {
        assert_eq!(parse("0-1").unwrap(), [0, 1]);
        assert_eq!(parse("3").unwrap(), [3]);
        assert_eq!(list(&parse("0-2,5,7-8").unwrap()), "0,1,2,5,7,8");
        assert!(parse("a").is_err());
    }
}
