//! The questions of participants, investigators and inspectors, each one command.

use super::{ActorArgs, print};
use crate::{
    key,
    record::{self, Answers},
};
use anyhow::{Context, Result, ensure};
use clap::{Subcommand, ValueEnum};
use proto::consent::CopyFormat;
use reports::{participant, people};
use seal::{Hash, id::Name};
use std::{
    fs,
    io::{self, IsTerminal, Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

/// How long standard input may keep one waiting before it is said what is awaited there.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Subcommand)]
pub(super) enum Ask {
    /// Show a participant's consents and whether each is valid now.
    Consents {
        #[command(flatten)]
        actor: ActorArgs,
        /// The participant.
        #[arg(long)]
        participant: Name,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print what a participant agreed to, as text or in a standard format.
    Copy {
        #[command(flatten)]
        actor: ActorArgs,
        /// The participant.
        #[arg(long)]
        participant: Name,
        /// The consent entry.
        #[arg(long)]
        entry: u64,
        /// The format.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// List who read a participant's data from outside their site.
    Accesses {
        #[command(flatten)]
        actor: ActorArgs,
        /// The participant.
        #[arg(long)]
        participant: Name,
        /// Also write a proof bundle for each read into this folder.
        #[arg(long)]
        prove: Option<PathBuf>,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the delegation log: who may do what, at which site, from when until when, and how they were trained.
    Delegations {
        #[command(flatten)]
        actor: ActorArgs,
        /// Only events of this site.
        #[arg(long)]
        site: Option<Name>,
        /// Print as CSV (RFC 4180).
        #[arg(long)]
        csv: bool,
    },
    /// List a site's participants with their status.
    Participants {
        #[command(flatten)]
        actor: ActorArgs,
        /// The site.
        #[arg(long)]
        site: Name,
    },
    /// Show a participant's treatment arm, if you may see it, and save the proof.
    Allocation {
        #[command(flatten)]
        actor: ActorArgs,
        /// The participant.
        #[arg(long)]
        participant: Name,
        /// The file for the disclosed slot and its proof.
        #[arg(long, short)]
        output: Option<PathBuf>,
    },
    /// List every kind of signed command, and the service that records it.
    Commands,
    /// Sign a command and send it to be recorded. Every change is a command, from create-study to erase-participant.
    Record {
        #[command(flatten)]
        actor: ActorArgs,
        /// The kind of command, such as `withdraw-consent`.
        kind: String,
        /// The command's fields as a JSON object: a file, or `-` for standard input. `study`, `request`, `by` and `time` are filled in.
        #[arg(long, default_value = "-")]
        fields: PathBuf,
        /// The key file of another signer (repeatable).
        #[arg(long)]
        also: Vec<PathBuf>,
        /// The file whose hash is in the command: an ICF file, a FHIR resource, an allocation secret (repeatable).
        #[arg(long)]
        attach: Vec<PathBuf>,
        /// For record-screening: the answers as a JSON object, such as {"AGE": 42, "HB": {"value": "13.1", "unit": "g/dL"}}. `root` and
        /// `count` are computed from them; if `criteria` and `outcomes` are not given, the service evaluates the criteria in force.
        #[arg(long, conflicts_with = "attach")]
        answers: Option<PathBuf>,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Verify offline that a slot was in the allocation list before the first participant. Exits 0 if so, 1 otherwise.
    VerifyAllocation {
        /// The file written by `trialseal allocation`.
        file: PathBuf,
        /// The root that the study committed to in its `commit-allocation` entry, in hexadecimal.
        #[arg(long)]
        root: String,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Format {
    /// Plain text.
    Text,
    /// ISO/IEC TS 27560 consent record.
    Iso27560Record,
    /// ISO/IEC TS 27560 consent receipt.
    Iso27560Receipt,
    /// FHIR R4 Consent.
    FhirR4,
    /// FHIR R5 Consent.
    FhirR5,
}

impl From<Format> for CopyFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Text => CopyFormat::Unspecified,
            Format::Iso27560Record => CopyFormat::Iso27560Record,
            Format::Iso27560Receipt => CopyFormat::Iso27560Receipt,
            Format::FhirR4 => CopyFormat::FhirR4,
            Format::FhirR5 => CopyFormat::FhirR5,
        }
    }
}

impl Ask {
    pub(super) async fn answer(self) -> Result<ExitCode> {
        match self {
            Ask::Consents { actor, participant, json } => {
                let (client, reader) = actor.open()?;
                let standing = participant::standing(&client, &reader, &participant).await?;
                print(json, &standing, |standing| participant::standing_page(standing))?;
            }
            Ask::Copy { actor, participant, entry, format } => {
                let (client, reader) = actor.open()?;
                show(&participant::copy(&client, &reader, (&participant, entry), format.into()).await?)?;
            }
            Ask::Accesses { actor, participant, prove, json } => {
                let (client, reader) = actor.open()?;
                let accesses = participant::accesses(&client, &reader, &participant).await?;
                print(json, &participant::looks(&accesses)?, |looks| participant::looks_page(looks))?;
                if let Some(folder) = prove {
                    for file in participant::prove(&client, &reader, &accesses, &folder).await? {
                        eprintln!("{file}");
                    }
                }
            }
            Ask::Delegations { actor, site, csv } => {
                let (client, reader) = actor.open()?;
                let events = people::delegations(&client, &reader, site.as_ref().map(Name::as_str)).await?;
                let study = reader.study.to_string();
                let page =
                    if csv { people::delegation_csv(&events)? } else { people::delegation_page(&study, &events) };
                show(&page)?;
            }
            Ask::Participants { actor, site } => {
                let (client, reader) = actor.open()?;
                let rows = people::participants(&client, &reader, site.as_str()).await?;
                show(&people::participants_page(site.as_str(), &rows))?;
            }
            Ask::Allocation { actor, participant, output } => {
                let (client, reader) = actor.open()?;
                let answer = people::allocation(&client, &reader, participant.as_str()).await?;
                show(&format!("{}: arm {} (entry {})\n", answer.allocation, answer.arm, answer.entry))?;
                if let Some(output) = output {
                    let file = serde_json::to_vec_pretty(&people::SlotFile::of(&answer)?)?;
                    owner::write(&output, &file).with_context(|| format!("{}", output.display()))?;
                }
            }
            Ask::Commands => {
                for (kind, service, _) in record::methods()? {
                    show(&format!("{kind:<26} {service}\n"))?;
                }
            }
            Ask::Record { actor, kind, fields, also, attach, answers, json } => {
                let (client, signer) = actor.open()?;
                let mut fields = record::fields(&read(&fields, "the command's fields, a JSON object")?)?;
                let others = also.iter().map(|file| key::read(file)).collect::<Result<Vec<_>>>()?;
                let attached = match answers {
                    Some(file) => {
                        let answers = Answers::parse(&read(&file, "the answers, a JSON object")?)?;
                        answers.attach(&client, &signer, &mut fields).await?
                    }
                    None => attach.iter().map(|file| read(file, "the attachment")).collect::<Result<_>>()?,
                };
                let recorded = record::record(&client, &signer, (&kind, fields), &others, attached).await?;
                print(json, &recorded, |recorded| format!("{kind}: {} entry {}\n", recorded.service, recorded.entry))?;
            }
            Ask::VerifyAllocation { file, root } => {
                let root = Hash::from_hex(&root).context("--root: not 64 hexadecimal digits")?;
                let bytes = fs::read(&file).with_context(|| format!("{}", file.display()))?;
                let slot = people::verify_slot(&bytes, &root)?;
                show(&format!("VERIFIED: slot {} of stratum {} is arm {}\n", slot.index, slot.stratum, slot.arm))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A file's content, or standard input's: says what is awaited there if it does not come at once.
fn read(file: &Path, what: &str) -> Result<Vec<u8>> {
    if file.as_os_str() != "-" {
        return fs::read(file).with_context(|| format!("{}", file.display()));
    }
    let awaited = format!("trialseal: reading {what} from standard input; end it with Ctrl-D, or name a file instead");
    let patience = if io::stdin().is_terminal() { Duration::ZERO } else { PATIENCE };
    let (done, all_read) = mpsc::channel::<()>();
    thread::spawn(move || {
        if all_read.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
            eprintln!("{awaited}");
        }
    });
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes).context("standard input")?;
    drop(done);
    ensure!(!bytes.trim_ascii().is_empty(), "standard input is empty: expected {what}");
    Ok(bytes)
}

fn show(text: &str) -> Result<()> {
    io::stdout().write_all(text.as_bytes()).context("standard output")
}
