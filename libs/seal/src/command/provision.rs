//! What a participant may agree to, each part by itself.

use crate::{
    id::{IdError, Name},
    json,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};

/// The kinds of provisions, how many details each may carry at least and at most, and whether it lets new data or
/// material be collected.
const KINDS: [(&str, usize, usize, bool); 7] = [
    ("data_collection", 0, 1, true),
    ("biosamples", 0, 1, true),
    ("genetics", 0, 0, true),
    ("data_sharing", 2, 2, false),
    ("future_research", 0, 1, false),
    ("recontact", 0, 0, false),
    ("remote_monitoring", 0, 0, true),
];

/// One thing a participant agrees to or declines, as text: a kind and its details behind colons.
///
/// `data_collection` (of the trial) or `data_collection:<category>`; `biosamples` or `biosamples:<category>`; `genetics`;
/// `data_sharing:<purpose>:<recipient>`; `future_research` or `future_research:<field>`; `recontact`;
/// `remote_monitoring`. A provision covers exactly itself: `data_collection` says nothing of `data_collection:imaging`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Provision(Name);

impl Provision {
    /// Capture of the trial's data about the participant.
    pub fn data_collection() -> Self {
        "data_collection".parse().unwrap_or_else(|_: IdError| Self(Name::root())) // the first kind above
    }

    /// The name in payloads and facts.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether new data or material may be collected under it.
    pub fn collects(&self) -> bool {
        kind(self.as_str()).is_some_and(|(_, _, _, collects)| *collects)
    }
}

fn kind(text: &str) -> Option<&'static (&'static str, usize, usize, bool)> {
    let mut parts = text.split(':');
    let name = parts.next()?;
    let details: Vec<&str> = parts.collect();
    let good = |detail: &&str| !detail.is_empty() && detail.trim() == *detail;
    let allowed = |(_, least, most, _): &&(&str, usize, usize, bool)| (*least..=*most).contains(&details.len());
    KINDS.iter().find(|(kind, ..)| *kind == name).filter(allowed).filter(|_| details.iter().all(good))
}

impl FromStr for Provision {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let name: Name = text.parse()?;
        kind(text).map(|_| Self(name)).ok_or(IdError::Provision)
    }
}

impl fmt::Display for Provision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Provision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Provision {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        json::from_text(deserializer, str::parse)
    }
}
