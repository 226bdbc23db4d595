//! The command line.

mod ask;
mod bench;
mod demo;
mod evidence;
mod preserve;
mod up;
mod witness;

use crate::{
    allow::AllowStudy,
    backup,
    init::Init,
    key,
    policy::PolicyArgs,
    process::{self, PlainBackends, Process},
};
use ask::Ask;
use bench::Bench;
use up::Up;
use witness::WitnessCommand;

use anyhow::{Context, Error, Result};
use clap::{Args, CommandFactory, Parser, Subcommand};
use client::{Access, Client, Endpoints, EndpointsError, Reader};
use import::{EXAMPLE, Import, Mapping, Report, Subjects};
use seal::id::{Name, Uuid};
use serde::Serialize;
use std::{
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};
use tracing_subscriber::EnvFilter;

/// Clinical-trial data, recorded under valid consent and provable offline.
#[derive(Parser)]
#[command(name = "trialseal", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
#[allow(clippy::large_enum_variant)] // one is made in the life of a process
enum Command {
    /// Run every service and three witnesses in this process.
    Up(Up),
    #[command(flatten)]
    Process(Process),
    /// Run a witness, which remembers and cosigns the chain's latest state. Subcommands create its key, list its logs and show the
    /// forks it has recorded.
    Witness(WitnessCommand),
    /// Create the keys and the policy of a multi-process deployment. Existing files are kept.
    Init(Init),
    /// Allow the holder of a root key to create studies: add the key to the list that the enrollment service reads.
    AllowStudy(AllowStudy),
    /// Migrate a service's database to this version. Safe to run while services run, and to repeat.
    Migrate {
        /// Which database.
        part: DatabasePart,
        /// The database: sqlite:///path or postgres://user:password@host/name.
        #[arg(long, env = "TRIALSEAL_DATABASE", hide_env_values = true)]
        database: String,
        /// The role that the service uses: it is granted the right to read and write rows, and nothing more.
        #[arg(long, env = "TRIALSEAL_GRANT_TO")]
        grant_to: Option<String>,
        #[command(flatten)]
        plain: PlainBackends,
    },
    /// Create a certificate authority for development, and certificates for the services. Running it again renews the certificates.
    Pki {
        /// The folder.
        folder: PathBuf,
        /// A DNS name or IP address of the services (repeatable). `.suffix` is appended to each service's name.
        #[arg(long = "host")]
        hosts: Vec<String>,
        /// An actor to create a certificate for, valid in the studies given by `--study` (repeatable).
        #[arg(long = "actor", requires = "studies")]
        actors: Vec<Name>,
        /// A study that the actors' certificates are for (repeatable, up to 32 times).
        #[arg(long = "study", requires = "actors")]
        studies: Vec<Uuid>,
    },
    /// Run the end-to-end demo on synthetic data; exits 1 if any step misbehaves.
    Demo {
        /// The folder to create; a folder left by an earlier demo is replaced.
        #[arg(long, default_value = "trialseal-demo")]
        data: PathBuf,
        /// Run against a running cluster instead of starting a deployment: the folder that was given to `just cluster`.
        #[arg(long)]
        cluster: Option<PathBuf>,
    },
    /// Create or show an actor's key.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Verify a proof bundle offline. Exits 0 if it verifies, 1 otherwise.
    Verify {
        /// The bundle file.
        bundle: PathBuf,
        #[command(flatten)]
        policy: PolicyArgs,
        /// Refuse the bundle if the quorum cosigned its checkpoint longer ago than this, such as 1h; for bundles just fetched. Default:
        /// any age is accepted.
        #[arg(long, value_parser = process::duration)]
        max_age: Option<Duration>,
        /// Print the report as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Fetch the proof bundle of a datapoint.
    Prove {
        #[command(flatten)]
        actor: ActorArgs,
        /// The number of the capture entry that recorded the form.
        #[arg(long)]
        entry: u64,
        /// The item.
        #[arg(long)]
        item: String,
        /// The item group's repeat key, if it repeats.
        #[arg(long, default_value = "")]
        repeat: String,
        /// Where to write the bundle.
        #[arg(long, short)]
        output: PathBuf,
        /// Print what was written as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Recompute the whole chain and, with an auditor's key, a whole study. Exits 0 if nothing is wrong, 1 otherwise.
    Audit(preserve::Wanted),
    /// Copy a data directory to a new folder while it is in use. Keys are not copied.
    Backup {
        /// The folder to create.
        output: PathBuf,
        /// The data directory.
        #[arg(long, default_value = "trialseal-data", env = "TRIALSEAL_DATA")]
        data: PathBuf,
        /// Print what was copied as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Export a study for archiving.
    #[command(subcommand)]
    Export(ExportCommand),
    #[command(flatten)]
    Ask(Ask),
    /// Import data.
    #[command(subcommand)]
    Import(ImportCommand),
    /// Measure how fast this machine captures data, with all features enabled.
    Bench(Bench),
    /// Print a shell completion script.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// The databases of a deployment.
#[derive(Clone, Copy, clap::ValueEnum)]
enum DatabasePart {
    Enrollment,
    Consent,
    Capture,
    Vault,
    Anchoring,
    Witness,
}

impl DatabasePart {
    fn tables(self) -> &'static database::Part {
        match self {
            DatabasePart::Enrollment => &enrollment::PART,
            DatabasePart::Consent => &consent::PART,
            DatabasePart::Capture => &capture::PART,
            DatabasePart::Vault => &vault::PART,
            DatabasePart::Anchoring => &anchoring::PART,
            DatabasePart::Witness => &::witness::PART,
        }
    }
}

#[derive(Subcommand)]
enum KeyCommand {
    /// Create a key file, readable by its owner only, and print the public key.
    New {
        /// The file; it must not exist.
        file: PathBuf,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print a new study identifier derived from this root key. Nobody else can use it.
    Study {
        /// The root key's file.
        file: PathBuf,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the public key of a key file.
    Show {
        /// The file.
        file: PathBuf,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand)]
enum ImportCommand {
    /// Import a CSV table (plain, zstd or gzip), one form instance per row. Safe to repeat.
    ///
    /// Rows are recorded in the order of the file. Rows that were recorded before are skipped. Rows that contradict each other, and
    /// rows that would correct recorded data, are refused and reported with their columns. If interrupted, the import reports what was
    /// recorded.
    #[command(after_long_help = format!("A mapping file:\n\n{EXAMPLE}"))]
    Csv {
        /// The table.
        file: PathBuf,
        #[command(flatten)]
        actor: ActorArgs,
        /// How rows become forms (TOML).
        #[arg(long)]
        mapping: PathBuf,
        /// The participant of each subject: CSV with the columns subject, participant, site.
        #[arg(long)]
        subjects: PathBuf,
        /// Print the report as JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand)]
enum ExportCommand {
    /// Export one study to a new folder, with everything needed to verify it without this program.
    Study {
        #[command(flatten)]
        actor: ActorArgs,
        #[command(flatten)]
        policy: PolicyArgs,
        /// The folder to create.
        #[arg(long, short)]
        output: PathBuf,
        /// Print what was written as JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
struct ActorArgs {
    /// The study.
    #[arg(long)]
    study: Uuid,
    /// Your name in the study.
    #[arg(long)]
    actor: Name,
    /// Your key file.
    #[arg(long)]
    key: PathBuf,
    /// Why you read, if you belong to no site, such as `monitoring`. Each read is recorded, signed by you, and shown to the participants.
    #[arg(long)]
    purpose: Option<Name>,
    /// The file with the services' URLs, as written by `trialseal up` or `trialseal init`.
    #[arg(long, default_value = "trialseal-data/endpoints.json", env = "TRIALSEAL_ENDPOINTS")]
    endpoints: PathBuf,
}

impl ActorArgs {
    fn open(&self) -> Result<(Client, Reader)> {
        let client = Client::new(&endpoints(&self.endpoints)?)?;
        let access = self.purpose.clone().map(Access::everybody);
        Ok((client, Reader { study: self.study, actor: self.actor.clone(), key: key::read(&self.key)?, access }))
    }
}

impl Cli {
    /// Does what the command line says.
    pub async fn run(self) -> Result<ExitCode> {
        match self.command {
            Command::Up(up) => up.run().await,
            Command::Witness(witness) => witness.run().await,
            Command::Process(process) => process::run(process).await.map(|()| ExitCode::SUCCESS),
            Command::Init(init) => {
                let folder = init.run()?;
                println!(
                    "keys, policy.txt, policy-keys.txt, endpoints.json and studies.txt are in {}",
                    folder.display()
                );
                Ok(ExitCode::SUCCESS)
            }
            Command::AllowStudy(allow) => {
                println!("{}", allow.run()?);
                Ok(ExitCode::SUCCESS)
            }
            Command::Migrate { part, database, grant_to, plain } => {
                plain.check("--database", database::is_private(&database))?;
                let migrated = database::migrate(&database, part.tables()).await?;
                if let Some(role) = grant_to {
                    database::grant(&database, part.tables(), &role).await?;
                }
                println!("{}: format {} (was {})", part.tables().name, migrated.to, migrated.from);
                Ok(ExitCode::SUCCESS)
            }
            Command::Pki { folder, hosts, actors, studies } => {
                tls::pki::make(&folder, &hosts)?;
                let studies: Vec<String> = studies.iter().map(ToString::to_string).collect();
                actors.iter().try_for_each(|actor| tls::pki::make_actor(&folder, actor.as_str(), &studies))?;
                println!("certificates for development are in {}", folder.display());
                Ok(ExitCode::SUCCESS)
            }
            Command::Demo { data, cluster } => {
                log("error");
                demo::run(&data, cluster.as_deref()).await.map(|()| ExitCode::SUCCESS)
            }
            Command::Key(command) => run_key(&command),
            Command::Verify { bundle, policy, max_age, json } => {
                let (policy, _) = policy.read()?;
                let mut report = verify::verify(&bundle, &policy)?;
                if let Some(max_age) = max_age {
                    verify::demand_fresh(&mut report, &policy, max_age, clock::now_ms() / 1_000);
                }
                print(json, &report, verify::readable)?;
                Ok(if report.verified { ExitCode::SUCCESS } else { ExitCode::FAILURE })
            }
            Command::Prove { actor, entry, item, repeat, output, json } => {
                let (client, reader) = actor.open()?;
                let bundle = client.prove(&reader, entry, &item, &repeat).await?;
                owner::write(&output, &bundle).with_context(|| format!("{}", output.display()))?;
                let written = serde_json::json!({ "file": output, "bytes": bundle.len() });
                print(json, &written, |_| format!("{}: {} bytes\n", output.display(), bundle.len()))?;
                Ok(ExitCode::SUCCESS)
            }
            Command::Audit(wanted) => preserve::audit(wanted).await,
            Command::Backup { output, data, json } => {
                print(json, &backup::write(&data, &output).await?, backup::readable)?;
                Ok(ExitCode::SUCCESS)
            }
            Command::Export(ExportCommand::Study { actor, policy, output, json }) => {
                preserve::export(actor, &policy, &output, json).await
            }
            Command::Ask(question) => question.answer().await,
            Command::Import(ImportCommand::Csv { file, actor, mapping, subjects, json }) => {
                run_import(file, actor, mapping, subjects, json).await
            }
            Command::Bench(bench) => {
                log("error");
                bench.run().await.map(|()| ExitCode::SUCCESS)
            }
            Command::Completions { shell } => {
                clap_complete::generate(shell, &mut Cli::command(), "trialseal", &mut io::stdout());
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

/// Reads where a deployment's services are.
fn endpoints(file: &Path) -> Result<Endpoints> {
    let shown = file.display();
    Endpoints::read(file).map_err(|error| match error {
        EndpointsError::Unreadable(error) => Error::new(error)
            .context(format!("{shown}: is `trialseal up` running? Else name the file with --endpoints")),
        EndpointsError::Malformed(error) => Error::new(error).context(format!("{shown}: not an endpoints file")),
    })
}

/// Logs of at least this level go to standard error, unless `RUST_LOG` says otherwise.
fn log(level: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
}

fn print<T: Serialize>(json: bool, value: &T, readable: impl Fn(&T) -> String) -> Result<()> {
    let text = if json { serde_json::to_string_pretty(value)? + "\n" } else { readable(value) };
    io::stdout().write_all(text.as_bytes()).context("standard output")
}

fn run_key(command: &KeyCommand) -> Result<ExitCode> {
    let (key, json) = match command {
        KeyCommand::New { file, json } => (key::generate(file)?, json),
        KeyCommand::Show { file, json } => (key::read(file)?, json),
        KeyCommand::Study { file, json } => {
            let study = client::new_study(&key::read(file)?.public())?;
            print(*json, &serde_json::json!({ "study": study }), |_| format!("{study}\n"))?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    let public = key.public();
    let shown = serde_json::json!({ "public_key": public, "key_id": public.id() });
    print(*json, &shown, |_| format!("{public}\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// The exit status of what was interrupted, as shells know it.
const INTERRUPTED: u8 = 128 + 2;

/// Ready when the program is interrupted. A second time it ends at once.
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
    eprintln!("trialseal: stopping once everything sent is answered; interrupt again to stop at once");
    tokio::spawn(async {
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(INTERRUPTED.into());
        }
    });
}

async fn run_import(
    file: PathBuf,
    actor: ActorArgs,
    mapping: PathBuf,
    subjects: PathBuf,
    json: bool,
) -> Result<ExitCode> {
    let (client, signer) = actor.open()?;
    let (mapping, subjects) = (Mapping::read(&mapping)?, Subjects::read(&subjects)?);
    let progress = !json && io::stderr().is_terminal();
    let import = Import { client: &client, signer: &signer, mapping: &mapping, subjects: &subjects, progress };
    let report = import.run_until(&file, interrupted()).await?;
    print(json, &report, Report::readable)?;
    if report.interrupted {
        return Ok(ExitCode::from(INTERRUPTED));
    }
    Ok(if report.refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
