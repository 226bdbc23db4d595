//! What a verification established, or the first link that does not hold.

use crate::{
    bundle::BundleError,
    command::Provision,
    dsse::SignedText,
    id::{Name, Service, Uuid},
    key::PublicKey,
    text::Hex,
};
use serde::Serialize;
use std::fmt;

/// The links of a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkName {
    /// The file is a bundle and undamaged.
    File,
    /// The policy names the study.
    Policy,
    /// The datapoint is in the submission.
    Datapoint,
    /// The submission is the command of the capture entry, and the entry names the state it was decided on.
    Submission,
    /// The submission was signed with a key of the signer that was valid then.
    Signer,
    /// The signer held the task, delegated from the study's root key.
    Delegation,
    /// The site was open.
    Site,
    /// The participant was enrolled at that site and had not left.
    Participant,
    /// The participant's consent was in force.
    Consent,
    /// The consent document was published with an approval.
    Document,
    /// Every entry is in its block.
    Block,
    /// Every block is on the chain.
    Chain,
    /// The checkpoint is signed by the chain and cosigned by the quorum.
    Checkpoint,
    /// The value was taken out by two persons entitled to.
    Redaction,
    /// The values were erased by somebody entitled to.
    Erasure,
    /// The bundle holds nothing beyond what was checked.
    Leftovers,
}

impl fmt::Display for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LinkName::File => "file",
            LinkName::Policy => "policy",
            LinkName::Datapoint => "datapoint",
            LinkName::Submission => "submission",
            LinkName::Signer => "signer",
            LinkName::Delegation => "delegation",
            LinkName::Site => "site",
            LinkName::Participant => "participant",
            LinkName::Consent => "consent",
            LinkName::Document => "document",
            LinkName::Block => "block",
            LinkName::Chain => "chain",
            LinkName::Checkpoint => "checkpoint",
            LinkName::Redaction => "redaction",
            LinkName::Erasure => "erasure",
            LinkName::Leftovers => "leftovers",
        })
    }
}

/// One link that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// Which link.
    pub link: LinkName,
    /// What it established, in words.
    pub established: String,
}

/// The first link that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("the link {link} does not hold: {reason}")]
pub struct Failure {
    /// Which link.
    pub link: LinkName,
    /// Why.
    pub reason: String,
}

impl From<BundleError> for Failure {
    fn from(error: BundleError) -> Self {
        Failure { link: LinkName::File, reason: error.to_string() }
    }
}

/// One step of a chain of delegations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DelegationStep {
    /// Who received the task.
    pub actor: Name,
    /// The task.
    pub task: String,
    /// At which site.
    pub site: Name,
    /// Who delegated it.
    pub delegated_by: Name,
    /// When the delegation was signed, Unix milliseconds.
    pub signed: u64,
    /// When the delegation was recorded, Unix milliseconds.
    pub recorded: u64,
}

/// The consent a datapoint was captured under.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConsentClaim {
    /// The document.
    pub document: Name,
    /// Its version.
    pub version: Name,
    /// Its language.
    pub language: Name,
    /// SHA-256 of the document.
    pub content: Hex,
    /// The ethics board's reference.
    pub approval: Name,
    /// What was consented to.
    pub provision: Provision,
    /// How the participant, or somebody for them, gave it.
    pub given: &'static str,
    /// Who held the discussion.
    pub obtained_by: Name,
    /// When it was signed, by the clock of who signed, Unix milliseconds.
    pub signed: u64,
    /// Why it was recorded long after it was signed, if it was.
    pub late: Option<Name>,
    /// When the consent was recorded, Unix milliseconds.
    pub recorded: u64,
    /// Whether it was made up for a demonstration or test.
    pub synthetic: bool,
}

/// A witness whose cosignature verifies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cosigner {
    /// The witness.
    pub name: String,
    /// When it cosigned, Unix seconds.
    pub time: u64,
}

/// The checkpoint everything hangs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckpointClaim {
    /// The chain.
    pub origin: String,
    /// How many blocks it holds.
    pub size: u64,
    /// Its root.
    pub root: Hex,
    /// Who cosigned.
    pub cosigned_by: Vec<Cosigner>,
}

/// What a verified bundle proves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// The study.
    pub study: Uuid,
    /// The participant's pseudonym.
    pub participant: Name,
    /// The site.
    pub site: Name,
    /// The study event.
    pub event: Name,
    /// Which repetition of the event.
    pub event_repeat: u32,
    /// The form.
    pub form: Name,
    /// Which repetition of the form.
    pub form_repeat: u32,
    /// The item.
    pub item: String,
    /// The item group's repeat key.
    pub repeat: String,
    /// The value.
    pub value: String,
    /// Its unit.
    pub unit: String,
    /// If the value was taken out: by whom and why. Item, value and unit are empty then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redacted: Option<RedactionClaim>,
    /// When the data were collected, as their source states it.
    pub collected: Option<String>,
    /// For a correction: the entry it corrects.
    pub corrects: Option<u64>,
    /// For a correction: why.
    pub reason: Option<String>,
    /// Who signed.
    pub signed_by: Name,
    /// With which key.
    pub key: PublicKey,
    /// The signer's clock when they signed, Unix milliseconds.
    pub signed: u64,
    /// Why it was recorded long after it was signed, if it was.
    pub late: Option<Name>,
    /// The number of the capture entry.
    pub entry: u64,
    /// When it was recorded, Unix milliseconds.
    pub recorded: u64,
    /// The rules it was decided under.
    pub rules: u32,
    /// The consent in force.
    pub consent: ConsentClaim,
    /// Every delegation the proof rests on, back to the root.
    pub delegations: Vec<DelegationStep>,
    /// The checkpoint.
    pub checkpoint: CheckpointClaim,
}

/// That a value was taken out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RedactionClaim {
    /// The capture entry that did.
    pub entry: u64,
    /// When it was signed, Unix milliseconds.
    pub signed: u64,
    /// When it was recorded, Unix milliseconds.
    pub recorded: u64,
    /// Who signed.
    pub by: Name,
    /// Who signed as the second person.
    pub second: Name,
    /// Why.
    pub reason: Name,
    /// Which item it was, as both say.
    pub item: Name,
    /// The item group's repeat key, as both say.
    pub repeat: String,
}

/// That the values of an entry were erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErasureClaim {
    /// The study.
    pub study: Uuid,
    /// The number of the capture entry whose values are gone.
    pub entry: u64,
    /// When it was recorded, Unix milliseconds.
    pub recorded: u64,
    /// The participant's pseudonym.
    pub participant: Name,
    /// When the erasure was signed, Unix milliseconds.
    pub signed: u64,
    /// When they were erased, Unix milliseconds.
    pub erased: u64,
    /// The rules it was decided under; nothing: earlier ones than 3.
    pub rules: Option<u32>,
    /// The capture entry that erased them.
    pub erased_in: u64,
    /// Who signed.
    pub by: Name,
    /// By whose order.
    pub order: Name,
    /// By which law.
    pub law: Name,
    /// Every delegation the proof rests on, back to the root.
    pub delegations: Vec<DelegationStep>,
    /// The checkpoint; always set in a report.
    pub checkpoint: Option<CheckpointClaim>,
}

/// That a command was recorded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordClaim {
    /// The study.
    pub study: Uuid,
    /// Whose journal.
    pub service: Service,
    /// The number of its entry.
    pub entry: u64,
    /// When it was signed, Unix milliseconds, if it says so.
    pub signed: Option<u64>,
    /// When it was recorded, Unix milliseconds.
    pub recorded: u64,
    /// The rules it was decided under; nothing: earlier ones than 3.
    pub rules: Option<u32>,
    /// Its kind, such as `access-data`.
    pub kind: String,
    /// Who signed.
    pub by: Name,
    /// With which key.
    pub key: PublicKey,
    /// What was signed, as it was written.
    pub command: SignedText,
    /// The checkpoint; always set in a report.
    pub checkpoint: Option<CheckpointClaim>,
}

/// The outcome of a verification.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Whether every link holds.
    pub verified: bool,
    /// The links that hold, in the order they were checked.
    pub links: Vec<Link>,
    /// The first link that does not hold.
    pub failure: Option<Failure>,
    /// What is proven of a datapoint; only if every link holds.
    pub claim: Option<Claim>,
    /// What is proven of an entry whose values were erased; only if every link holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erasure: Option<ErasureClaim>,
    /// What is proven of a command as such; only if every link holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordClaim>,
}
