//! What a process takes, from `/proc`.

use anyhow::{Context, Result};
use std::fs;

/// Clock ticks of `/proc` a second, on every Linux architecture in use.
const TICKS: f64 = 100.0;

/// Processor seconds a process has used; `self` is this one.
pub(super) fn processor_seconds(process: &str) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).context("processor time is read from /proc")?;
    let fields: Vec<&str> =
        stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default();
    let ticks = |place: usize| fields.get(place).and_then(|field| field.parse::<f64>().ok());
    Ok((ticks(11).zip(ticks(12)).map(|(user, system)| user + system).context("/proc/…/stat")?) / TICKS)
}

/// Memory of a process in MiB: what it has resident now (`VmRSS`), or the most it ever had (`VmHWM`).
pub(super) fn memory_mib(process: &str, field: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).context("memory is read from /proc")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let kib: f64 = line.context("/proc says nothing of memory")?.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1_024.0)
}

/// The processes whose arguments, one after the other, `of` gives a name.
pub(super) fn named(of: impl Fn(&[&str]) -> Option<String>) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let id = entry?.file_name().to_string_lossy().into_owned();
        // A process may have ended since it was listed; what is no process has no such file.
        let Ok(line) = fs::read_to_string(format!("/proc/{id}/cmdline")) else { continue };
        let arguments: Vec<&str> = line.split('\0').collect();
        found.extend(of(&arguments).map(|name| (name, id)));
    }
    found.sort();
    Ok(found)
}
