//! Facts: what the state maps of the enrollment and consent journals hold, and how they are hashed into them.

use crate::{
    command::{ActorKind, Approval, Provision, Task},
    entry::Entry,
    id::{Name, Uuid},
    key::{KeyId, PublicKey},
    text::Hex,
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, Visitor},
};
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};
use tlog::{Hash, sha256};

/// What a fact is about. Its hash is the key in the state map.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// The study itself.
    Study,
    /// A version of the protocol.
    Protocol(Name),
    /// A site.
    Site(Name),
    /// An actor.
    Actor(Name),
    /// An actor's key.
    Key(KeyId),
    /// The delegation of a task to an actor at a site (or `*`).
    Delegation(Name, Task, Name),
    /// A participant.
    Participant(Name),
    /// A version of a consent document in one language.
    Document(Name, Name, Name),
    /// A participant's consent.
    Consent(Name),
}

impl Subject {
    /// The key in the state map: `SHA-256("trialseal/fact-key@v1 sha256\n" ‖ study ‖ parts)`, each part behind a length
    /// of four bytes, the first being the kind.
    pub fn map_key(&self, study: Uuid) -> Hash {
        let id;
        let parts: Vec<&str> = match self {
            Subject::Study => vec!["study"],
            Subject::Protocol(version) => vec!["protocol", version.as_str()],
            Subject::Site(site) => vec!["site", site.as_str()],
            Subject::Actor(actor) => vec!["actor", actor.as_str()],
            Subject::Key(key) => {
                id = key.to_string();
                vec!["key", &id]
            }
            Subject::Delegation(actor, task, site) => vec!["delegation", actor.as_str(), task.name(), site.as_str()],
            Subject::Participant(participant) => vec!["participant", participant.as_str()],
            Subject::Document(document, version, language) => {
                vec!["document", document.as_str(), version.as_str(), language.as_str()]
            }
            Subject::Consent(participant) => vec!["consent", participant.as_str()],
        };
        let mut bytes = Vec::with_capacity(128);
        for part in parts {
            bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        sha256(&[b"trialseal/fact-key@v1 sha256\n", &study.0, &bytes])
    }
}

/// The state of one provision of a participant's consent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// The number of the consent entry that gave it.
    pub given: u64,
    /// The document agreed to.
    pub document: Name,
    /// Its version.
    pub version: Name,
    /// The language it was read in.
    pub language: Name,
    /// The number of the consent entry that withdrew it, if one did.
    pub withdrawn: Option<u64>,
}

/// One fact, in JSON. Numbers of entries refer to the journal whose state this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fact {
    /// The study exists.
    Study {
        /// The protocol's identifier.
        name: Name,
        /// The root key.
        root_key: PublicKey,
    },
    /// A version of the protocol.
    Protocol {
        /// SHA-256 of the protocol document.
        document: Hex,
        /// From when it is in force, Unix milliseconds.
        effective: u64,
    },
    /// A site.
    Site {
        /// Whether it is open for enrolment and capture.
        open: bool,
        /// The entry that opened or closed it last.
        changed: u64,
    },
    /// An actor.
    Actor {
        /// What it is.
        kind: ActorKind,
        /// The entry that registered it.
        registered: u64,
    },
    /// An actor's key.
    Key {
        /// Whose key it is.
        actor: Name,
        /// The public key.
        key: PublicKey,
        /// The entry that registered it.
        registered: u64,
        /// The entry that replaced or revoked it, if one did.
        ended: Option<u64>,
    },
    /// A delegation.
    Delegation {
        /// The entry that granted it.
        granted: u64,
        /// From when, Unix milliseconds, inclusive.
        from: u64,
        /// Until when, Unix milliseconds, exclusive.
        until: u64,
        /// The entry that ended it early, if one did.
        ended: Option<u64>,
    },
    /// A participant.
    Participant {
        /// The participant's site.
        site: Name,
        /// The entry that enrolled them.
        enrolled: u64,
        /// The entry by which they left the trial, if they did.
        withdrawn: Option<u64>,
    },
    /// A version of a consent document in one language.
    Document {
        /// SHA-256 of the document.
        content: Hex,
        /// The ethics board's approval.
        approval: Approval,
        /// The entry that published it.
        published: u64,
    },
    /// A participant's consent, by provision.
    Consent {
        /// What was given, and whether it still holds.
        #[serde(deserialize_with = "each_once")]
        provisions: BTreeMap<Provision, Given>,
    },
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

/// Reads the provisions of a consent; one that is named twice is refused, or two readers might read different things.
fn each_once<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<Provision, Given>, D::Error> {
    struct EachOnce;
    impl<'de> Visitor<'de> for EachOnce {
        type Value = BTreeMap<Provision, Given>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of provisions")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut provisions = BTreeMap::new();
            while let Some((provision, given)) = map.next_entry()? {
                if provisions.insert(provision, given).is_some() {
                    return Err(de::Error::custom("a provision is named twice"));
                }
            }
            Ok(provisions)
        }
    }
    deserializer.deserialize_map(EachOnce)
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

/// Facts that were looked up for a decision. What was not looked up, or is not there, is absent: rules fail closed.
#[derive(Debug, Clone, Default)]
pub struct Facts(HashMap<Subject, Fact>);

impl Facts {
    /// The fact about `subject`.
    pub fn find(&self, subject: &Subject) -> Option<&Fact> {
        self.0.get(subject)
    }

    /// Adds or replaces a fact.
    pub fn set(&mut self, subject: Subject, fact: Fact) {
        self.0.insert(subject, fact);
    }

    /// Adds the facts of `other`.
    pub fn extend(&mut self, other: Facts) {
        self.0.extend(other.0);
    }

    /// The site of a participant who is enrolled and has not left.
    pub fn site_of_active(&self, participant: &Name) -> Option<&Name> {
        match self.find(&Subject::Participant(participant.clone())) {
            Some(Fact::Participant { site, withdrawn: None, .. }) => Some(site),
            _ => None,
        }
    }

    /// The site of a participant, whether or not they have left.
    pub fn site_of(&self, participant: &Name) -> Option<&Name> {
        match self.find(&Subject::Participant(participant.clone())) {
            Some(Fact::Participant { site, .. }) => Some(site),
            _ => None,
        }
    }

    /// Whether a site is open.
    pub fn site_is_open(&self, site: &Name) -> bool {
        matches!(self.find(&Subject::Site(site.clone())), Some(Fact::Site { open: true, .. }))
    }
}

impl FromIterator<(Subject, Fact)> for Facts {
    fn from_iter<I: IntoIterator<Item = (Subject, Fact)>>(facts: I) -> Self {
        Self(facts.into_iter().collect())
    }
}

/// Whether `head` really is the entry before `entry`: the state a command of `entry`'s stream was decided on.
pub fn precedes(before: &Entry, before_hash: &Hash, entry: &Entry) -> bool {
    before.stream == entry.stream
        && before.number.checked_add(1) == Some(entry.number)
        && *before_hash == entry.previous
}
