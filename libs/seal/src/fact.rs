//! Facts: what the state maps of the enrollment and consent journals hold, and how they are hashed into them.
//!
//! Here are the facts that proofs rest on. Each journal has more; to a proof their bytes are nothing but bytes.

mod given;
mod period;

pub use given::{End, Given, Superseded, Until};
pub use period::Period;

use crate::{
    command::{ActorKind, Approval, Provision, Relation, Stage, State, Terms},
    entry::Entry,
    id::Name,
    key::PublicKey,
    text::Hex,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use tlog::{Hash, sha256};

/// A site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Whether data are captured there.
    pub open: bool,
    /// The entry that opened or closed it last.
    pub changed: u64,
    /// Where it stands. Absent under a study's first rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// SHA-256 of the envelope of the newest command about it. Absent before rules 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<Hex>,
}

/// An actor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// What it is.
    pub kind: ActorKind,
    /// The entry that registered it.
    pub registered: u64,
    /// The site a device belongs to. Absent before rules 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<Name>,
}

/// An actor's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Whose key it is.
    pub actor: Name,
    /// The public key.
    pub key: PublicKey,
    /// The entry that registered it.
    pub registered: u64,
    /// The entry that replaced or revoked it, if one did.
    pub ended: Option<u64>,
    /// How many registrations, rotations and delegations a proof of it takes at most. Absent before rules 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<u32>,
}

/// A delegation, before rules 3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delegation {
    /// The entry that granted it.
    pub granted: u64,
    /// From when, Unix milliseconds, inclusive.
    pub from: u64,
    /// Until when, Unix milliseconds, exclusive.
    pub until: u64,
    /// The entry that ended it early, if one did.
    pub ended: Option<u64>,
}

/// The delegations of one task to one actor at one site, from rules 3 on: those that may still count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delegations {
    /// The periods, the oldest grant first.
    pub periods: Vec<Period>,
    /// SHA-256 of the envelope of the newest command about them.
    pub newest: Hex,
}

/// A participant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Participant {
    /// The participant's site.
    pub site: Name,
    /// The entry that enrolled them; until there is one, the entry that registered them for screening.
    pub enrolled: u64,
    /// The entry by which they left the trial, if they did.
    pub withdrawn: Option<u64>,
    /// Where they stand. Absent under a study's first rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
}

/// A version of a consent document in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// SHA-256 of the document.
    pub content: Hex,
    /// The ethics board's approval.
    pub approval: Approval,
    /// The entry that published it.
    pub published: u64,
    /// On what terms it asks for consent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<Box<Terms>>,
    /// What replaced it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded: Option<Superseded>,
    /// When it was published, Unix milliseconds. Absent before rules 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_ms: Option<u64>,
}

/// A participant's consent, by provision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// What was given, and whether it still holds.
    #[serde(deserialize_with = "given::each_once")]
    pub provisions: BTreeMap<Provision, Given>,
    /// When the participant comes of age, Unix milliseconds, as first stated or earlier. From rules 3 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub majority: Option<u64>,
    /// The last entry after which nothing stood. From rules 3 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emptied: Option<u64>,
    /// What the participant declined on a form signed with their own key, and nobody gives for them. Empty before rules 3.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub declined: BTreeSet<Provision>,
}

/// A representative of a participant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Representative {
    /// What they are to the participant.
    pub relation: Relation,
    /// The entry that registered them.
    pub registered: u64,
    /// Until when they act, Unix milliseconds, exclusive. Absent before rules 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
}

/// One fact that a proof can rest on, in JSON. Numbers of entries refer to the journal whose state this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// A site.
    Site(Site),
    /// An actor.
    Actor(Actor),
    /// An actor's key.
    Key(Key),
    /// A delegation, before rules 3.
    Delegation(Delegation),
    /// The delegations of one task to one actor at one site, from rules 3 on: those that may still count.
    Delegations(Delegations),
    /// A participant.
    Participant(Participant),
    /// A version of a consent document in one language.
    Document(Document),
    /// A participant's consent, by provision.
    Consent(Consent),
    /// A representative of a participant.
    Representative(Representative),
}

impl Fact {
    /// The bytes that are hashed and kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Parses [`Self::to_bytes`].
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// The salt of a fact: 16 bytes derived from the nonce of the entry that set it, so that an auditor can recompute it
/// and an outsider cannot guess the fact behind a hash.
pub fn salt(entry_nonce: &[u8; 16], map_key: &Hash) -> [u8; 16] {
    let hash = sha256(&[b"trialseal/fact-salt@v1 sha256\n", entry_nonce, map_key.as_bytes()]);
    let mut salt = [0; 16];
    salt.copy_from_slice(&hash.0[..16]);
    salt
}

/// The value hash of a fact in the state map.
pub fn value_hash(salt: &[u8; 16], fact_bytes: &[u8]) -> Hash {
    sha256(&[b"trialseal/fact@v1 sha256\n", salt, fact_bytes])
}

/// Whether `head` really is the entry before `entry`: the state a command of `entry`'s stream was decided on.
pub fn precedes(before: &Entry, before_hash: &Hash, entry: &Entry) -> bool {
    before.stream == entry.stream
        && before.number.checked_add(1) == Some(entry.number)
        && *before_hash == entry.previous
}
