//! Informed consent: documents, giving, withdrawing; and who may read what a participant gave.

use super::Provision;
use crate::{id::Name, text::Hex};
use serde::{Deserialize, Serialize};

/// The approval of a document by an ethics board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// The board's reference of its decision.
    pub reference: Name,
    /// The day of the decision, `YYYY-MM-DD`.
    pub date: Name,
    /// The board: institutional review board or independent ethics committee.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Name>,
}

/// One provision a document offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// What may be agreed to.
    pub provision: Provision,
    /// Whether nobody takes part without it.
    pub mandatory: bool,
    /// For how many days from giving it holds; absent: until it is withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
}

/// One comprehension question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The question's identifier, unique in the document.
    pub question: Name,
    /// What is asked.
    pub text: String,
    /// The answers to choose from.
    pub choices: Vec<String>,
    /// The place of the right one among them, from 0.
    pub right: u8,
}

/// The comprehension questions of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quiz {
    /// The questions.
    pub questions: Vec<Question>,
    /// How many must be answered rightly.
    pub pass: u32,
}

/// A version of a document in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentVersion {
    /// The version.
    pub version: Name,
    /// The language (BCP 47).
    pub language: Name,
}

/// What happens to capture under a superseded version while re-consent is due, or overdue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReconsentMode {
    /// Capture goes on, with a warning.
    Warn,
    /// Capture stops.
    Stop,
}

/// The demand that participants agree to the new version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reconsent {
    /// By when, Unix milliseconds.
    pub by: u64,
    /// What happens to capture until then.
    pub meanwhile: ReconsentMode,
    /// What happens from then on.
    pub then: ReconsentMode,
}

/// What a document says of the handling of data, as far as other systems ask for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// Who decides why and how the data are used: the sponsor.
    pub controller: Name,
    /// Whom a participant asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Name>,
    /// Where data are stored: countries or places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub storage: Vec<Name>,
    /// How long data are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Name>,
    /// Under whose law: a country (ISO 3166-1) or a union of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jurisdiction: Option<Name>,
    /// The legal ground of the processing; consent to take part is not always the ground on which data are processed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lawful_basis: Option<Name>,
}

/// On what terms a document asks for consent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// What people call the document.
    pub title: Name,
    /// The sites it is for; empty: every site.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sites: Vec<Name>,
    /// From when it may be used, Unix milliseconds.
    pub effective: u64,
    /// What it asks for; each once.
    pub provisions: Vec<Offer>,
    /// Its comprehension questions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiz: Option<Quiz>,
    /// The versions of the same document it replaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supersedes: Vec<DocumentVersion>,
    /// Whether, and by when, those who agreed to a replaced version must agree to this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconsent: Option<Reconsent>,
    /// How many parents sign for a minor; 0: minors do not take part.
    #[serde(default)]
    pub parents: u8,
    /// Whether a legally authorised representative may consent.
    #[serde(default)]
    pub representative: bool,
    /// Whether it may be read and signed at a distance.
    #[serde(default)]
    pub remote: bool,
    /// How long consent may be deferred in an emergency, milliseconds; absent: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deferral_ms: Option<u64>,
    /// Whether the participant may sign on a device of the site. Under the rules before 3 they always may.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub site_device: bool,
    /// What it says of the handling of data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<Notice>,
}

payload! {
    /// Publishes a version of the informed consent form (ICF) in one language. Task: `publish_documents`.
    "publish-document" PublishDocument {
        /// The document's identifier.
        document: Name,
        /// Its version.
        version: Name,
        /// Its language (BCP 47).
        language: Name,
        /// SHA-256 of the document's bytes.
        content: Hex,
        /// The ethics board's approval.
        approval: Approval,
        /// On what terms it asks for consent. Absent only under a study's first rules.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        terms: Option<Terms>,
    }
}

/// An answer to a comprehension question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The question.
    pub question: Name,
    /// The place of the answer chosen, from 0.
    pub choice: u8,
}

/// The assent of a minor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Assent {
    /// The minor signs too.
    Signed,
    /// The minor is not able to, for this reason.
    NotAble(Name),
}

/// Who consents, and how they sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Capacity {
    /// The participant, with their own key.
    Participant,
    /// The participant, on a device of the site whose key signs.
    SiteDevice {
        /// The device.
        device: Name,
        /// SHA-256 of what the device recorded of the signing, such as the drawn signature.
        evidence: Hex,
    },
    /// The participant's legally authorised representative, with their key.
    Representative {
        /// The representative.
        actor: Name,
    },
    /// A minor's parents, with their keys.
    Minor {
        /// The parents.
        parents: Vec<Name>,
        /// The minor's assent.
        assent: Assent,
        /// When the minor comes of age, Unix milliseconds; what the parents gave ends then.
        majority: u64,
    },
    /// Nobody yet: an emergency. The mandatory provisions hold until the deadline.
    Deferred {
        /// Why nobody could be asked, in words.
        reason: Name,
        /// By when consent must have been sought, Unix milliseconds.
        deadline: u64,
    },
}

/// How consent came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manner {
    /// Who consents, and how they sign.
    pub capacity: Capacity,
    /// The impartial witness, who signs too, where the participant or representative cannot read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness: Option<Name>,
    /// For consent at a distance: how the participant's identity was made sure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<Name>,
    /// The answers to the comprehension questions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answer>,
}

payload! {
    /// Records a participant's consent. At least two signatures: by the participant or who consents for them, and by `by`,
    /// who held the discussion and has the task `obtain_consent` at the participant's site.
    "give-consent" GiveConsent: seen late {
        /// The participant.
        participant: Name,
        /// The site where consent was given.
        site: Name,
        /// The document.
        document: Name,
        /// The version agreed to.
        version: Name,
        /// The language it was read in.
        language: Name,
        /// What is agreed to; not empty, each at most once.
        provisions: Vec<Provision>,
        /// Whether the consent was made up for a demonstration or test. It is sealed with it for good.
        synthetic: bool,
        /// How it came about. Absent only for documents without terms, and the participant's own key signs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        manner: Option<Manner>,
        /// The newest command about the participant's consent that the signer saw: SHA-256 of its envelope.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seen: Option<Hex>,
        /// Why it is recorded long after it was signed, in words. Task: `record_late`, at the site.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        late: Option<Name>,
    }
}
