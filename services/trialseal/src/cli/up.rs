//! `trialseal up`.

use crate::{
    deployment::{DEFAULT_PORTS, Deployment},
    foreign::ForeignWitnesses,
    process::{Pace, Quotas},
    telling,
};
use anyhow::{Context, Result};
use clap::Args;
use enrollment::Creators;
use std::{net::SocketAddr, path::PathBuf, process::ExitCode};
use tokio::signal::unix::{SignalKind, signal};

/// Flags of `trialseal up`.
#[derive(Args)]
pub(super) struct Up {
    /// The data directory.
    #[arg(long, default_value = "trialseal-data", env = "TRIALSEAL_DATA")]
    data: PathBuf,
    /// The first of seven ports; 0 chooses free ones.
    #[arg(long, default_value_t = DEFAULT_PORTS, env = "TRIALSEAL_PORT")]
    port: u16,
    /// The address that serves metrics for Prometheus, as plain HTTP under /metrics. Default: none.
    #[arg(long, env = "TRIALSEAL_METRICS")]
    metrics: Option<SocketAddr>,
    /// The file that lists the root keys that may create studies, reloaded when it changes: see `trialseal allow-study`. Default:
    /// everyone on this machine may create studies.
    #[arg(long, env = "TRIALSEAL_STUDIES")]
    studies: Option<PathBuf>,
    #[command(flatten)]
    quotas: Quotas,
    #[command(flatten)]
    pace: Pace,
    #[command(flatten)]
    foreign: ForeignWitnesses,
}

impl Up {
    /// Runs until it is told to stop.
    pub(super) async fn run(self) -> Result<ExitCode> {
        let Self { data, port, metrics, studies, quotas, pace, foreign } = self;
        // Who runs everything on a laptop does not want a line for every call.
        let service =
            telemetry::Service { name: "trialseal", level: "info,call=warn", ..telemetry::Service::default() };
        let telling = telling::begin(&service)?;
        if let Some(address) = metrics {
            telling::expose(address, None).await?;
        }
        let (creators, may) = match &studies {
            Some(list) => {
                (Creators::listed(list).context("--studies")?, format!("the root keys in {}", list.display()))
            }
            None => (Creators::anybody(), "everyone on this machine".to_owned()),
        };
        let within = (creators, quotas.quota(), pace.pace());
        let mut deployment = Deployment::start_beside(&data, port, within, &foreign).await?;
        let endpoints = &deployment.endpoints;
        println!("trialseal is up, data in {}", data.display());
        // Whoever is told that it is up may stop it.
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        for (name, url) in [
            ("enrollment", &endpoints.enrollment),
            ("consent", &endpoints.consent),
            ("capture", &endpoints.capture),
            ("anchoring", &endpoints.anchoring),
        ] {
            println!("  {name:<11} {url}");
        }
        for url in &endpoints.witnesses {
            println!("  witness     {url}");
        }
        if !foreign.is_empty() {
            println!(
                "a witness cosigns once its operator has added the `log` lines of the policy: trialseal witness add-log"
            );
        }
        println!("studies may be created by {may}");
        println!("policy in {}, stop with Ctrl-C", data.join("policy.txt").display());
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            error = deployment.failed() => return Err(error),
        }
        println!("stopping");
        deployment.stop().await;
        telling.finish().await;
        Ok(ExitCode::SUCCESS)
    }
}
