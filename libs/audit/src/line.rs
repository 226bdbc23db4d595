//! A stored entry as exports write it: a line of JSON.

use super::StoredEntry;
use seal::text::Base64;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An entry of a journal as a line, bytes in base64.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    entry: Base64,
    #[serde(default, skip_serializing_if = "is_empty")]
    envelope: Base64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    datapoints: Vec<Base64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unreadable: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    redacted: Vec<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    set: Vec<(Base64, Base64)>,
}

fn is_empty(bytes: &Base64) -> bool {
    bytes.0.is_empty()
}

impl From<StoredEntry> for Line {
    fn from(stored: StoredEntry) -> Self {
        Self {
            entry: Base64(stored.entry),
            envelope: Base64(stored.envelope),
            datapoints: stored.datapoints.into_iter().map(Base64).collect(),
            unreadable: stored.unreadable,
            redacted: stored.redacted,
            set: stored.set.into_iter().map(|(key, fact)| (Base64(key), Base64(fact))).collect(),
        }
    }
}

impl From<Line> for StoredEntry {
    fn from(line: Line) -> Self {
        Self {
            entry: line.entry.0,
            envelope: line.envelope.0,
            datapoints: line.datapoints.into_iter().map(|bytes| bytes.0).collect(),
            unreadable: line.unreadable,
            redacted: line.redacted,
            set: line.set.into_iter().map(|(key, fact)| (key.0, fact.0)).collect(),
        }
    }
}

impl Serialize for StoredEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Line::from(self.clone()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for StoredEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Line::deserialize(deserializer).map(Self::from)
    }
}
