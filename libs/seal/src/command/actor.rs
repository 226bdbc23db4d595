//! Actors, their keys, and the delegation log.

use super::ActorKind;
use crate::{id::Name, key::PublicKey, text::Hex};
use serde::{Deserialize, Serialize};

/// Evidence that somebody was trained for a task before it was delegated to them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// What the training was, such as a course or certificate.
    pub reference: Name,
    /// The day it was completed, `YYYY-MM-DD`.
    pub completed: Name,
    /// SHA-256 of the certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Hex>,
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
        /// For a device: the site it belongs to. Required under rules 3, and for devices only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        site: Option<Name>,
    }
}

/// A registrar's word for a new key: a proof goes on from here and need not follow the keys before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// Who confirms, and signs too. Task: `register_actors`.
    pub by: Name,
    /// What the actor is, as registered.
    pub kind: ActorKind,
}

payload! {
    /// Replaces the signer's own key. Two signatures: by the old key and by the new one; with a confirmation also the
    /// registrar's.
    "rotate-key" RotateKey {
        /// The new public key.
        key: PublicKey,
        /// The confirmation, from rules 3 on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        confirmed: Option<Confirmation>,
    }
}

payload! {
    /// Delegates a task. The signer must hold the task itself, at that site and for the whole period.
    "delegate" Delegate: seen {
        /// Who receives the task.
        actor: Name,
        /// The task.
        task: Name,
        /// At which site; `*` for every site.
        site: Name,
        /// From when, Unix milliseconds, inclusive.
        from: u64,
        /// Until when, Unix milliseconds, exclusive.
        until: u64,
        /// The evidence that the delegate was trained for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        training: Option<Training>,
        /// The newest command about this task of this actor at this site that the signer saw: SHA-256 of its envelope.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seen: Option<Hex>,
    }
}
