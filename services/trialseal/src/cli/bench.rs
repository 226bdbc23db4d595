//! `trialseal bench`.

use super::print;
use crate::bench::{self, cluster, overload};
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// The most items a form has here.
const MOST_ITEMS: usize = 4_096;
/// How often a folder that is still written to is removed again, and the pause before each.
const REMOVALS: usize = 50;
const BETWEEN_REMOVALS: Duration = Duration::from_millis(100);

/// Flags of `trialseal bench`.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Bench {
    #[command(subcommand)]
    other: Option<Other>,
    /// The number of forms.
    #[arg(long, default_value_t = 20_000)]
    forms: usize,
    /// The number of items per form.
    #[arg(long, default_value_t = 20)]
    items: usize,
    #[command(flatten)]
    common: Common,
}

#[derive(Subcommand)]
enum Other {
    /// Measure how a deployment behaves under four times the load it can sustain.
    Overload {
        /// The duration in seconds.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=60))]
        seconds: u32,
        /// The memory limit of the deployment, in MiB.
        #[arg(long, default_value_t = 1_024)]
        memory: u32,
        #[command(flatten)]
        common: Common,
    },
    /// Compare a running cluster with one process on embedded storage.
    Cluster {
        /// The cluster's folder, as given to `just cluster`.
        folder: PathBuf,
        /// The number of forms in each of four measurements.
        #[arg(long, default_value_t = 8_000)]
        forms: usize,
        /// How many items each.
        #[arg(long, default_value_t = 20)]
        items: usize,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Args)]
struct Common {
    /// A new folder on the disk to be measured; removed afterwards.
    #[arg(long, default_value = "trialseal-bench")]
    data: PathBuf,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
}

impl Bench {
    /// Measures and prints.
    pub(super) async fn run(self) -> Result<()> {
        match self.other {
            None => {
                let Common { data, json } = self.common;
                let measured = bench::run(new(&data)?, self.forms.max(1), self.items.clamp(1, MOST_ITEMS)).await;
                print(json, &removed(&data, measured)?, bench::readable)
            }
            Some(Other::Overload { seconds, memory, common: Common { data, json } }) => {
                let measured = overload::run(new(&data)?, Duration::from_secs(seconds.into()), memory).await;
                print(json, &removed(&data, measured)?, overload::readable)
            }
            Some(Other::Cluster { folder, forms, items, common: Common { data, json } }) => {
                let measured = cluster::run(new(&data)?, &folder, forms.max(4), items.clamp(1, MOST_ITEMS)).await;
                print(json, &removed(&data, measured)?, cluster::readable)
            }
        }
    }
}

fn new(folder: &Path) -> Result<&Path> {
    if folder.exists() {
        bail!("{}: exists already; choose a new folder with --data", folder.display());
    }
    Ok(folder)
}

/// What was measured, once the folder is gone. Writers may finish after their services stopped: what they leave is removed too.
fn removed<T>(folder: &Path, measured: Result<T>) -> Result<T> {
    let mut gone = fs::remove_dir_all(folder);
    for _ in 0..REMOVALS {
        match &gone {
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => thread::sleep(BETWEEN_REMOVALS),
            _ => break,
        }
        gone = fs::remove_dir_all(folder);
    }
    let measured = measured?;
    gone.map(|()| measured).with_context(|| format!("{}", folder.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_still_written_to_is_removed() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("bench");
        for attempt in 0..20 {
            fs::create_dir(&folder).unwrap();
            let (begun, writing) = (std::sync::mpsc::channel(), folder.clone());
            let writer = thread::spawn(move || {
                (0..2_000).take_while(|n| fs::write(writing.join(format!("{n}")), "x").is_ok()).for_each(|n| {
                    if n == 0 {
                        begun.0.send(()).unwrap();
                    }
                });
            });
            begun.1.recv().unwrap();
            let removed = removed(&folder, Ok(()));
            assert!(removed.is_ok() && !folder.exists(), "attempt {attempt}: {removed:?}");
            writer.join().unwrap();
        }
    }
}
