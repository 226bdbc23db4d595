//! The commands people and systems sign. Each is the JSON payload of an envelope whose type names it.
//!
//! Every payload has the fields `study`, `request` (a client's own UUID: sending the same envelope again is safe),
//! `by` (the actor who signs) and `time` (the signer's clock, Unix milliseconds). Unknown or repeated fields are refused.

use crate::{
    id::{Name, Uuid},
    key::{KeyId, PublicKey},
    text::Hex,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A command that can be signed and recorded.
pub trait Payload: Serialize + DeserializeOwned {
    /// The name of the command, in payload types and as the kind of its entry.
    const KIND: &'static str;
    /// The study it belongs to.
    fn study(&self) -> Uuid;
    /// The client's identifier of this request.
    fn request(&self) -> Uuid;
    /// The actor who signs it.
    fn by(&self) -> &Name;
    /// The signer's clock, Unix milliseconds.
    fn time(&self) -> u64;
}

macro_rules! payload {
    ($(#[$doc:meta])* $kind:literal $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// The study.
            pub study: Uuid,
            /// The client's identifier of this request.
            pub request: Uuid,
            /// The actor who signs.
            pub by: Name,
            /// The signer's clock, Unix milliseconds.
            pub time: u64,
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl Payload for $name {
            const KIND: &'static str = $kind;
            fn study(&self) -> Uuid { self.study }
            fn request(&self) -> Uuid { self.request }
            fn by(&self) -> &Name { &self.by }
            fn time(&self) -> u64 { self.time }
        }
    };
}

/// What an actor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// A natural person of a site, sponsor or CRO.
    Person,
    /// A computer system, such as an EDC.
    System,
    /// A participant of the study.
    Participant,
    /// A measuring device.
    Device,
}

/// What a delegation permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Protocol versions, sites and their activation.
    ManageStudy,
    /// Registering actors, revoking their keys.
    RegisterActors,
    /// Publishing versions of the informed consent form.
    PublishDocuments,
    /// Enrolling participants and withdrawing them from the trial.
    Enrol,
    /// Holding the consent discussion; recording consents and withdrawals.
    ObtainConsent,
    /// Defining the study's forms.
    DefineForms,
    /// Capturing and correcting data, and reading it.
    Capture,
    /// Reading captured data.
    Read,
    /// Reading journals whole, values included.
    Audit,
}

impl Task {
    /// All tasks.
    pub const ALL: [Task; 9] = [
        Task::ManageStudy,
        Task::RegisterActors,
        Task::PublishDocuments,
        Task::Enrol,
        Task::ObtainConsent,
        Task::DefineForms,
        Task::Capture,
        Task::Read,
        Task::Audit,
    ];

    /// The name in payloads and facts.
    pub fn name(self) -> &'static str {
        match self {
            Task::ManageStudy => "manage_study",
            Task::RegisterActors => "register_actors",
            Task::PublishDocuments => "publish_documents",
            Task::Enrol => "enrol",
            Task::ObtainConsent => "obtain_consent",
            Task::DefineForms => "define_forms",
            Task::Capture => "capture",
            Task::Read => "read",
            Task::Audit => "audit",
        }
    }
}

impl std::fmt::Display for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What a participant agrees to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provision {
    /// Capture of study data about the participant.
    DataCollection,
}

impl Provision {
    /// The name in payloads and facts.
    pub fn name(self) -> &'static str {
        match self {
            Provision::DataCollection => "data_collection",
        }
    }
}

/// Why a participant leaves the trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WithdrawalReason {
    /// The participant wants to.
    ParticipantDecision,
    /// The investigator decides so.
    InvestigatorDecision,
    /// An adverse event.
    AdverseEvent,
    /// The participant cannot be reached.
    LostToFollowUp,
    /// The participant has died.
    Death,
    /// The study or the site ends.
    StudyEnded,
}

payload! {
    /// Creates a study. Signed by the root key itself, with `by` = `root`; entry 0 of the enrollment journal.
    "create-study" CreateStudy {
        /// The protocol's identifier, such as `CDISCPILOT01`.
        name: Name,
        /// The study's root key: whoever holds it holds every task, and a verifier pins it in the policy.
        root_key: PublicKey,
    }
}

payload! {
    /// Records a version of the study protocol. Task: `manage_study`.
    "add-protocol-version" AddProtocolVersion {
        /// The version's name, unique in the study.
        version: Name,
        /// SHA-256 of the protocol document.
        document: Hex,
        /// From when it is in force, Unix milliseconds.
        effective: u64,
    }
}

payload! {
    /// Adds a site; it is closed until it is activated. Task: `manage_study`.
    "add-site" AddSite {
        /// The site's identifier, unique in the study.
        site: Name,
        /// What people call it.
        title: Name,
    }
}

payload! {
    /// Opens a site for enrolment and capture. Task: `manage_study`, at that site.
    "activate-site" ActivateSite {
        /// The site.
        site: Name,
    }
}

payload! {
    /// Closes a site: no further enrolment or capture there. Task: `manage_study`, at that site.
    "close-site" CloseSite {
        /// The site.
        site: Name,
    }
}

payload! {
    /// Registers an actor with its first key. Task: `register_actors`. Two signatures: the registrar's and, as proof of
    /// possession, one by the new key.
    "register-actor" RegisterActor {
        /// The actor's identifier, unique in the study.
        actor: Name,
        /// What the actor is. Participants are registered by enrolment instead.
        kind: ActorKind,
        /// The actor's public key.
        key: PublicKey,
    }
}

payload! {
    /// Replaces the signer's own key. Two signatures: by the old key and by the new one.
    "rotate-key" RotateKey {
        /// The new public key.
        key: PublicKey,
    }
}

payload! {
    /// Revokes a key at once. By its own actor, or with the task `register_actors`.
    "revoke-key" RevokeKey {
        /// The key.
        key: KeyId,
        /// Why, in words.
        reason: Name,
    }
}

payload! {
    /// Delegates a task. The signer must hold the task itself, at that site and for the whole period.
    "delegate" Delegate {
        /// Who receives the task.
        actor: Name,
        /// The task.
        task: Task,
        /// At which site; `*` for every site.
        site: Name,
        /// From when, Unix milliseconds, inclusive.
        from: u64,
        /// Until when, Unix milliseconds, exclusive.
        until: u64,
    }
}

payload! {
    /// Ends a delegation before its time. By who holds the task at that site, or by the delegate.
    "end-delegation" EndDelegation {
        /// Who held the task.
        actor: Name,
        /// The task.
        task: Task,
        /// The site the delegation names.
        site: Name,
        /// Why, in words.
        reason: Name,
    }
}

payload! {
    /// Enrols a participant under a random pseudonym and registers their key. Task: `enrol`, at that site.
    "enrol-participant" EnrolParticipant {
        /// The pseudonym: `P-` and 16 random characters of `A`–`Z`, `2`–`7`.
        participant: Name,
        /// The site.
        site: Name,
        /// The participant's public key.
        key: PublicKey,
    }
}

payload! {
    /// Records that a participant leaves the trial. By the participant, or task `enrol` at their site.
    "withdraw-participant" WithdrawParticipant {
        /// The participant.
        participant: Name,
        /// The participant's site.
        site: Name,
        /// Why.
        reason: WithdrawalReason,
    }
}

/// The approval of a document by an ethics board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// The board's reference of its decision.
    pub reference: Name,
    /// The day of the decision, `YYYY-MM-DD`.
    pub date: Name,
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
    }
}

payload! {
    /// Records a participant's consent. Two signatures: by the participant, and by `by`, who held the discussion and has
    /// the task `obtain_consent` at the participant's site.
    "give-consent" GiveConsent {
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
    }
}

payload! {
    /// Withdraws consent. By the participant, or by who has the task `obtain_consent` at their site, on their word.
    "withdraw-consent" WithdrawConsent {
        /// The participant.
        participant: Name,
        /// The participant's site.
        site: Name,
        /// What is no longer agreed to; not empty, each at most once.
        provisions: Vec<Provision>,
    }
}

/// The kind of value an item takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemType {
    /// Any text.
    Text,
    /// A whole number, `-?[0-9]+`, of at most 18 digits.
    Integer,
    /// A decimal number, `-?[0-9]+(\.[0-9]+)?`.
    Decimal,
    /// `true` or `false`.
    Boolean,
    /// A calendar date, `YYYY-MM-DD` (ISO 8601).
    Date,
    /// A date or date and time of any precision from the year down to the second (ISO 8601), as SDTM writes them.
    PartialDatetime,
}

/// One item of a form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemDef {
    /// The item's identifier, unique in the form.
    pub item: Name,
    /// The kind of value.
    #[serde(rename = "type")]
    pub kind: ItemType,
    /// The most bytes a value may have; absent: 4,096.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
    /// For numbers: the smallest value allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// For numbers: the largest value allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// The values allowed; empty: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<String>,
    /// Whether a form without this item is refused.
    #[serde(default)]
    pub mandatory: bool,
}

/// One form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormDef {
    /// The form's identifier, unique in the study.
    pub form: Name,
    /// Its items, at most 4,096.
    pub items: Vec<ItemDef>,
}

payload! {
    /// Defines the study's forms, all of them; later versions leave earlier submissions as they are. Task: `define_forms`.
    "define-forms" DefineForms {
        /// The version's name, unique in the study.
        version: Name,
        /// The forms.
        forms: Vec<FormDef>,
    }
}

/// Which form instance of which participant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormInstance {
    /// The participant.
    pub participant: Name,
    /// The study event, such as a visit.
    pub event: Name,
    /// Which repetition of the event; 0 for the first.
    pub event_repeat: u32,
    /// The form.
    pub form: Name,
    /// Which repetition of the form in the event; 0 for the first.
    pub form_repeat: u32,
}

payload! {
    /// The signed header of a submission: one form instance and the root over its datapoints. Task: `capture`.
    "submit-form" Submission {
        /// The site.
        site: Name,
        /// Which form instance.
        instance: FormInstance,
        /// The version of the form definitions.
        forms_version: Name,
        /// RFC 6962 root over the datapoints' bytes.
        root: Hex,
        /// How many datapoints.
        count: u32,
        /// When the data were collected, as their source states it: a date or date and time of any precision (ISO 8601).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        collected: Option<String>,
        /// For a correction: the number of the entry it corrects, the latest of this form instance.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        corrects: Option<u64>,
        /// For a correction: the reason for the change, in words. It may hold personal data.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    }
}
