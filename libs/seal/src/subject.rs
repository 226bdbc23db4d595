//! What facts are about, and where in the state map they stand.

use crate::{
    id::{Name, Uuid},
    key::KeyId,
};
use std::fmt;
use tlog::{Hash, sha256};

/// What a fact is about: a kind, and the names that tell one of the kind from another. Its hash is the key in the state map.
///
/// Here are the kinds that proofs rest on; each journal has more.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject(Vec<String>);

impl Subject {
    /// The subject of this kind with these names.
    pub fn new(kind: &str, names: &[&str]) -> Self {
        Self(std::iter::once(&kind).chain(names).map(|part| (*part).to_owned()).collect())
    }

    /// Its kind.
    pub fn kind(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// The names that tell it from others of its kind.
    pub fn names(&self) -> &[String] {
        self.0.get(1..).unwrap_or_default()
    }

    /// The key in the state map: `SHA-256("trialseal/fact-key@v1 sha256\n" ‖ study ‖ parts)`, each part behind a length
    /// of four bytes, the first being the kind.
    pub fn map_key(&self, study: Uuid) -> Hash {
        let mut bytes = Vec::with_capacity(128);
        for part in &self.0 {
            bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        sha256(&[b"trialseal/fact-key@v1 sha256\n", &study.0, &bytes])
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

/// The kind of a participant's subject.
pub const PARTICIPANT: &str = "participant";
/// The kind of a delegation's subject, whose names are actor, task and site.
pub const DELEGATION: &str = "delegation";

/// A site.
pub fn site(site: &Name) -> Subject {
    Subject::new("site", &[site.as_str()])
}

/// An actor.
pub fn actor(actor: &Name) -> Subject {
    Subject::new("actor", &[actor.as_str()])
}

/// An actor's key.
pub fn key(key: KeyId) -> Subject {
    Subject::new("key", &[&key.to_string()])
}

/// The delegation of a task to an actor at a site (or `*`).
pub fn delegation(actor: &Name, task: &str, site: &Name) -> Subject {
    Subject::new(DELEGATION, &[actor.as_str(), task, site.as_str()])
}

/// The delegations that would cover a task at a site, the narrower first.
pub fn delegations(actor: &Name, task: &str, site: &Name) -> Vec<Subject> {
    let everywhere = Name::all_sites();
    let wider = Some(&everywhere).filter(|everywhere| *everywhere != site);
    std::iter::once(site).chain(wider).map(|site| delegation(actor, task, site)).collect()
}

/// A participant.
pub fn participant(participant: &Name) -> Subject {
    Subject::new(PARTICIPANT, &[participant.as_str()])
}

/// A representative of a participant.
pub fn representative(participant: &Name, actor: &Name) -> Subject {
    Subject::new("representative", &[participant.as_str(), actor.as_str()])
}

/// A version of a consent document in one language.
pub fn document(document: &Name, version: &Name, language: &Name) -> Subject {
    Subject::new("document", &[document.as_str(), version.as_str(), language.as_str()])
}

/// A participant's consent.
pub fn consent(participant: &Name) -> Subject {
    Subject::new("consent", &[participant.as_str()])
}
