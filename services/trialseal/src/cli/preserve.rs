//! `trialseal audit` and `trialseal export`.

use super::{ActorArgs, endpoints, print};
use crate::{key, policy::PolicyArgs, process};
use anyhow::{Context, Result, ensure};
use audit::{Export, Report, receipts};
use clap::Args;
use client::{Access, Client, Reader, now_ms};
use export::{Bars, LiveAudit};
use seal::{
    id::{Name, Uuid},
    policy::Policy,
    receipt::Receipt,
};
use std::{
    fs,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

/// What to audit.
#[derive(Args)]
pub(super) struct Wanted {
    #[command(flatten)]
    policy: PolicyArgs,
    /// The study to replay. Default: only the chain is audited.
    #[arg(long, requires = "actor", requires = "key")]
    study: Option<Uuid>,
    /// The auditor's name: an actor with the task `audit`.
    #[arg(long)]
    actor: Option<Name>,
    /// The auditor's key file.
    #[arg(long)]
    key: Option<PathBuf>,
    /// Why the data are read, as shown to participants. Default: `audit`.
    #[arg(long, requires = "study")]
    purpose: Option<Name>,
    /// The file with the services' URLs, as written by `trialseal up` or `trialseal init`.
    #[arg(long, default_value = "trialseal-data/endpoints.json", env = "TRIALSEAL_ENDPOINTS")]
    endpoints: PathBuf,
    /// Audit a folder written by `trialseal export`, without any server.
    #[arg(long, conflicts_with_all = ["study", "actor", "key"])]
    export: Option<PathBuf>,
    /// A file of receipts, one per line: check that every entry they promise is still there.
    #[arg(long)]
    receipts: Option<PathBuf>,
    /// Report the latest checkpoint if the quorum cosigned it longer ago than this, such as 1h. Default: any age is accepted.
    #[arg(long, value_parser = process::duration)]
    max_age: Option<Duration>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

/// Audits running services, or an export.
pub(super) async fn audit(wanted: Wanted) -> Result<ExitCode> {
    let (policy, _) = wanted.policy.read()?;
    let receipts = wanted.receipts.as_deref().map_or_else(|| Ok(Vec::new()), read_receipts)?;
    let progress = !wanted.json && io::stderr().is_terminal();
    let mut report = match &wanted.export {
        Some(folder) => Export::open(folder)?.audit(&policy, &receipts, now_ms(), &Bars::shown(progress))?,
        None => audit_live(&wanted, &policy, &receipts, progress).await?,
    };
    if let Some(max_age) = wanted.max_age {
        report.demand_fresh(max_age, now_ms() / 1_000);
    }
    print(wanted.json, &report, audit::readable)?;
    Ok(if report.clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn audit_live(wanted: &Wanted, policy: &Policy, receipts: &[Receipt], progress: bool) -> Result<Report> {
    let endpoints = endpoints(&wanted.endpoints)?;
    let client = Client::new(&endpoints)?;
    let mut studies = Vec::new();
    if let (Some(study), Some(actor), Some(file)) = (wanted.study, &wanted.actor, &wanted.key) {
        let purpose = wanted.purpose.clone().map_or_else(|| "audit".parse(), Ok)?;
        let access = Some(Access::everybody(purpose));
        studies.push(Reader { study, actor: actor.clone(), key: key::read(file)?, access });
    }
    LiveAudit { client: &client, tiles: &endpoints.anchoring, policy, studies, progress }.run_with(receipts).await
}

fn read_receipts(file: &Path) -> Result<Vec<Receipt>> {
    let size = fs::metadata(file).with_context(|| format!("{}", file.display()))?.len();
    ensure!(size <= receipts::MAX_RECEIPTS_BYTES, "{}: too large for a file of receipts", file.display());
    let text = fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
    receipts::read(&text).with_context(|| format!("{}", file.display()))
}

/// Exports a study and audits what was written.
pub(super) async fn export(actor: ActorArgs, policy: &PolicyArgs, output: &Path, json: bool) -> Result<ExitCode> {
    let (client, mut reader) = actor.open()?;
    reader.access.get_or_insert(Access::everybody("export".parse()?));
    let (parsed, text) = policy.read()?;
    let tiles = endpoints(&actor.endpoints)?.anchoring;
    let manifest = export::write(&client, &tiles, reader, (&parsed, &text), output).await?;
    let report =
        Export::open(output)?.audit(&parsed, &[], now_ms(), &Bars::shown(!json && io::stderr().is_terminal()))?;
    let written = serde_json::json!({ "folder": output, "files": manifest.files.len(), "audit": report });
    print(json, &written, |_| {
        format!("{}: {} files\n{}", output.display(), manifest.files.len(), audit::readable(&report))
    })?;
    Ok(if report.clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
