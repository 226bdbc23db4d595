//! `trialseal witness`: runs one, makes its key where it runs, tells it which logs to cosign, and shows what it has kept.

use super::{evidence::ShowEvidence, print};
use crate::{
    foreign::verifier_key,
    keys::KeyDir,
    process::{self, Process, Witness},
};
use anyhow::{Context, Result, bail, ensure};
use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand, ValueEnum};
use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};
use tlog::{
    key::{Algorithm, VerifierKey},
    policy::Policy,
};

/// What a new list of logs says.
const EMPTY_LIST: &str = "\
# The logs that this witness cosigns (C2SP tlog-policy). `trialseal witness add-log` adds one; the witness reads this file when
# it starts.
quorum none
";

/// `trialseal witness`, which runs one, and its subcommands.
pub(super) enum WitnessCommand {
    /// Run it.
    Run(Box<Witness>),
    /// Something beside it.
    Prepare(Prepare),
}

#[derive(Subcommand)]
pub(super) enum Prepare {
    /// Create the key of a witness on the machine where it will run, and print the verifier key to give to the operators of logs.
    /// Existing files are kept.
    Init(InitWitness),
    /// Make a witness cosign a log, from its next start.
    AddLog(AddLog),
    /// Show the forks that a witness has recorded: pairs of checkpoints that a log signed and that contradict each other.
    Evidence(ShowEvidence),
}

/// Flags of `trialseal witness init`.
#[derive(Args)]
pub(super) struct InitWitness {
    /// The name of the witness: a domain of the organisation that runs it, optionally with a path, such as regulator.example/witness.
    #[arg(long)]
    name: String,
    /// The folder for the key, witness.key.
    #[arg(long, env = "TRIALSEAL_KEYS")]
    keys: PathBuf,
    /// The signature algorithm.
    #[arg(long, default_value = "ml-dsa-44")]
    algorithm: Cosigns,
    /// The list of logs that it cosigns, created if missing. Default: logs.txt in the key's folder.
    #[arg(long, env = "TRIALSEAL_POLICY")]
    policy: Option<PathBuf>,
    /// Print as JSON.
    #[arg(long)]
    json: bool,
}

/// By which algorithm a witness cosigns.
#[derive(Clone, Copy, ValueEnum)]
enum Cosigns {
    /// ML-DSA-44, which resists quantum computers.
    #[value(name = "ml-dsa-44")]
    MlDsa44,
    /// Ed25519, which older tools support.
    Ed25519,
}

/// Flags of `trialseal witness add-log`.
#[derive(Args)]
pub(super) struct AddLog {
    /// The log's verifier key, from a `log` line of the operator's policy.txt. A log may have two, one per algorithm.
    vkey: String,
    /// The list of logs that the witness cosigns, created if missing.
    #[arg(long, env = "TRIALSEAL_POLICY")]
    policy: PathBuf,
    /// Print as JSON.
    #[arg(long)]
    json: bool,
}

impl WitnessCommand {
    pub(super) async fn run(self) -> Result<ExitCode> {
        match self {
            Self::Run(flags) => process::run(Process::Witness(*flags)).await?,
            Self::Prepare(Prepare::Init(init)) => init.run()?,
            Self::Prepare(Prepare::AddLog(add)) => add.run()?,
            Self::Prepare(Prepare::Evidence(show)) => show.run().await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl InitWitness {
    fn run(self) -> Result<()> {
        let Self { name, keys, algorithm, policy, json } = self;
        let file = keys.join("witness.key");
        let algorithm = match algorithm {
            Cosigns::MlDsa44 => Algorithm::CosignatureMlDsa44,
            Cosigns::Ed25519 => Algorithm::CosignatureEd25519,
        };
        let key =
            KeyDir::open(keys.clone())?.own_witness(&name, algorithm).with_context(|| format!("--name {name}"))?;
        let vkey = key.verifier();
        let shown = file.display();
        ensure!(
            vkey.name() == name && vkey.algorithm() == algorithm,
            "{shown}: holds the key of the witness {} with another name or algorithm, and a witness keeps its key: choose another --keys",
            vkey.name()
        );
        let policy = policy.unwrap_or_else(|| keys.join("logs.txt"));
        if !policy.exists() {
            owner::write(&policy, EMPTY_LIST.as_bytes()).with_context(|| format!("{}", policy.display()))?;
        }
        let made = serde_json::json!({ "vkey": vkey.to_string(), "key": file, "policy": policy });
        print(json, &made, |_| format!("{vkey}\n"))
    }
}

impl AddLog {
    fn run(self) -> Result<()> {
        let Self { vkey, policy: file, json } = self;
        let log = verifier_key(&vkey)?;
        ensure!(
            log.algorithm() != Algorithm::CosignatureEd25519,
            "{}: is the key of a witness, not of a log",
            log.name()
        );
        let is_new = add(&file, &log).with_context(|| format!("{}", file.display()))?;
        let added = serde_json::json!({ "log": log.name(), "policy": file, "added": is_new });
        print(json, &added, |_| match is_new {
            true => format!("{} added to {}: the witness cosigns it from its next start\n", log.name(), file.display()),
            false => format!("{} is already in {}\n", log.name(), file.display()),
        })
    }
}

/// Adds a log to a list in one write. Says whether it was new.
fn add(file: &Path, log: &VerifierKey) -> Result<bool> {
    let text = match fs::read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        text => text?,
    };
    let head = if text.is_empty() { EMPTY_LIST } else { "" };
    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let known = Policy::parse(&format!("{head}{text}"))?;
    let mut logs = known.logs().iter().map(|line| &line.key);
    if logs.clone().any(|key| key == log) {
        return Ok(false);
    }
    if logs.any(|key| key.name() == log.name() && key.algorithm() == log.algorithm()) {
        bail!(
            "contains another key of the log {}: if the log really has a new key, remove that line first",
            log.name()
        );
    }
    let more = format!("{head}{gap}log {log}\n");
    Policy::parse(&format!("{text}{more}"))?;
    let mut list = File::options().create(true).append(true).open(file)?;
    list.write_all(more.as_bytes())?;
    list.sync_all()?;
    Ok(true)
}

// By hand, because clap's derived code asks for the flags of running also where a subcommand is given.
impl FromArgMatches for WitnessCommand {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        match matches.subcommand_name() {
            Some(_) => Prepare::from_arg_matches(matches).map(Self::Prepare),
            None => Witness::from_arg_matches(matches).map(Box::new).map(Self::Run),
        }
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for WitnessCommand {
    fn augment_args(command: Command) -> Command {
        let command = Prepare::augment_subcommands(Witness::augment_args(command));
        command.subcommand_required(false).args_conflicts_with_subcommands(true).subcommand_negates_reqs(true)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
