//! The commands people and systems sign. Each is the JSON payload of an envelope whose type names it.
//!
//! Every payload has the fields `study`, `request` (a client's own UUID: sending the same envelope again is safe),
//! `by` (the actor who signs) and `time` (the signer's clock, Unix milliseconds). Unknown or repeated fields are refused.

use crate::{
    id::{Name, Uuid},
    moment::{MAX_AGE_MS, MAX_LATE_AGE_MS},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tlog::Hash;

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

    /// The state a command that gives a right was signed on: SHA-256 of the envelope of the newest command about its
    /// subject that the signer saw; nothing if there was none.
    fn seen(&self) -> Option<Hash> {
        None
    }

    /// Says that the signer saw `newest`, where the command names such a state.
    fn see(&mut self, newest: Hash) {
        let _names_no_state = newest;
    }

    /// Why a command is recorded long after it was signed, in words; with the task [`Task::RecordLate`] only.
    fn late(&self) -> Option<&Name> {
        None
    }

    /// How long after it was signed it may be recorded, in milliseconds, under rules 3.
    fn longest_age(&self) -> u64 {
        if self.late().is_some() { MAX_LATE_AGE_MS } else { MAX_AGE_MS }
    }
}

/// Declares a payload. After its name: whether it names the state it was signed on (`seen`), may be recorded `late`, or
/// `ends` something, and may for that be old.
macro_rules! payload {
    (@seen) => {
        fn seen(&self) -> Option<tlog::Hash> { self.seen.map(|seen| seen.0) }
        fn see(&mut self, newest: tlog::Hash) { self.seen = Some(newest.into()); }
    };
    (@late) => { fn late(&self) -> Option<&Name> { self.late.as_ref() } };
    (@ends) => { fn longest_age(&self) -> u64 { crate::moment::MAX_LATE_AGE_MS } };
    (
        $(#[$doc:meta])* $kind:literal $name:ident $(: $($trait:ident)+)?
        { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }
    ) => {
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
            $($(payload!(@$trait);)+)?
        }
    };
}

mod actor;
mod allocation;
mod capture;
mod consent;
mod participant;
mod provision;
mod screening;
mod study;

pub use actor::{Confirmation, Delegate, EndDelegation, RegisterActor, RevokeKey, RotateKey, Training};
pub use allocation::{CommitAllocation, Randomise, RevealAllocation, Unblind};
pub use capture::{
    DefineForms, EraseParticipant, EventDef, FormDef, FormInstance, ItemDef, ItemType, RedactValue, Submission,
};
pub use consent::{
    AccessData, Answer, Approval, Assent, Capacity, Collected, DocumentVersion, GiveConsent, GrantAccess, ItemRead,
    Manner, Notice, Offer, PublishDocument, Question, Quiz, Reconsent, ReconsentMode, RequestConsent, RevokeAccess,
    Terms, WithdrawConsent, WithdrawalScope,
};
pub use participant::{
    ClearMatch, EnrolParticipant, LinkParticipants, RecordStage, RegisterRepresentative, Relation, ScreenParticipant,
    Stage, WithdrawParticipant, WithdrawalReason,
};
pub use provision::Provision;
pub use screening::{DefineCriteria, RecordScreening};
pub use study::{
    ActivateSite, AddArm, AddProtocolVersion, AddSite, CloseSite, CreateStudy, PauseSite, RULES, RecordSiteApproval,
    SetCap, SetStudyState, State,
};

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
    /// A device, such as a meter, or a tablet of the site.
    Device,
    /// An organisation, such as a research group that may be given access.
    Organisation,
    /// Somebody who acts or attests for a participant. Registered by `register-representative` only.
    Representative,
}

/// What a delegation permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// The study's and its sites' states, protocol versions, arms, criteria, caps.
    ManageStudy,
    /// Registering actors, revoking their keys.
    RegisterActors,
    /// Publishing versions of the informed consent form.
    PublishDocuments,
    /// Screening and enrolling participants, and following them to the end.
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
    /// Declaring a participant eligible against a criterion, as the investigator answers for.
    OverrideEligibility,
    /// Committing to an allocation list and revealing its seed: the trial's statistician.
    ManageAllocation,
    /// Seeing to which arm a participant was allocated, such as the pharmacist who dispenses.
    SeeAllocation,
    /// Unblinding one participant in an emergency.
    Unblind,
    /// Taking out single values that were entered by mistake.
    Redact,
    /// Ordering the erasure of a participant's values.
    Erase,
    /// Recording what was signed long before, as sites without a network do.
    RecordLate,
}

impl Task {
    /// All tasks.
    pub const ALL: [Task; 16] = [
        Task::ManageStudy,
        Task::RegisterActors,
        Task::PublishDocuments,
        Task::Enrol,
        Task::ObtainConsent,
        Task::DefineForms,
        Task::Capture,
        Task::Read,
        Task::Audit,
        Task::OverrideEligibility,
        Task::ManageAllocation,
        Task::SeeAllocation,
        Task::Unblind,
        Task::Redact,
        Task::Erase,
        Task::RecordLate,
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
            Task::OverrideEligibility => "override_eligibility",
            Task::ManageAllocation => "manage_allocation",
            Task::SeeAllocation => "see_allocation",
            Task::Unblind => "unblind",
            Task::Redact => "redact",
            Task::Erase => "erase",
            Task::RecordLate => "record_late",
        }
    }
}

impl std::fmt::Display for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
