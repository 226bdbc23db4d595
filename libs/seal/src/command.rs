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

    /// Why a command is recorded long after it was signed, in words; with the task `record_late` only.
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
#[macro_export]
macro_rules! payload {
    (@seen) => {
        fn seen(&self) -> Option<$crate::Hash> { self.seen.map(|seen| seen.0) }
        fn see(&mut self, newest: $crate::Hash) { self.seen = Some(newest.into()); }
    };
    (@late) => { fn late(&self) -> Option<&$crate::id::Name> { self.late.as_ref() } };
    (@ends) => { fn longest_age(&self) -> u64 { $crate::moment::MAX_LATE_AGE_MS } };
    (
        $(#[$doc:meta])* $kind:literal $name:ident $(: $($trait:ident)+)?
        { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// The study.
            pub study: $crate::id::Uuid,
            /// The client's identifier of this request.
            pub request: $crate::id::Uuid,
            /// The actor who signs.
            pub by: $crate::id::Name,
            /// The signer's clock, Unix milliseconds.
            pub time: u64,
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl $crate::command::Payload for $name {
            const KIND: &'static str = $kind;
            fn study(&self) -> $crate::id::Uuid { self.study }
            fn request(&self) -> $crate::id::Uuid { self.request }
            fn by(&self) -> &$crate::id::Name { &self.by }
            fn time(&self) -> u64 { self.time }
            $($($crate::payload!(@$trait);)+)?
        }
    };
}

mod actor;
mod capture;
mod consent;
mod participant;
mod provision;

pub use actor::{Confirmation, Delegate, RegisterActor, RotateKey, Training};
pub use capture::{EraseParticipant, FormInstance, RedactValue, Submission};
pub use consent::{
    Answer, Approval, Assent, Capacity, DocumentVersion, GiveConsent, Manner, Notice, Offer, PublishDocument, Question,
    Quiz, Reconsent, ReconsentMode, Terms,
};
pub use participant::{EnrolParticipant, RegisterRepresentative, Relation, ScreenParticipant, Stage};
pub use provision::Provision;

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

/// The rules a new study is created under. A study keeps its rules for good: what was recorded under the first rules, or
/// under none stated, is replayed by them.
pub const RULES: u32 = 3;

/// Where a study or a site stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Not begun.
    Planned,
    /// Participants are enrolled and data are captured.
    Open,
    /// No participant is enrolled; those under way are followed and captured.
    Paused,
    /// Nothing further is enrolled or captured. For good.
    Closed,
}
