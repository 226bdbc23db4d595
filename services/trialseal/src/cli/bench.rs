//! `trialseal bench`.

use super::print;
use crate::deployment::Deployment;
use anyhow::Result;
use bench::{
    Figures, cluster,
    folder::{new, removed},
    overload,
};
use clap::{Args, Subcommand};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// The most items a form has here.
const MOST_ITEMS: usize = 4_096;

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
                let measured = in_this_process(new(&data)?, self.forms.max(1), self.items.clamp(1, MOST_ITEMS)).await;
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

/// Measures a deployment in this process.
async fn in_this_process(folder: &Path, forms: usize, items: usize) -> Result<Figures> {
    let deployment = Deployment::start(folder, 0).await?;
    let measured = bench::run(&deployment.endpoints, folder, forms, items).await;
    deployment.stop().await;
    measured
}
