//! One period of a delegation.

use super::Delegation;
use crate::{id::Name, json, text::Hex};
use serde::{Deserialize, Serialize};

/// The most names of a line: as many as the steps of a proof.
const MAX_LINE: usize = 480;

/// One period for which a task was delegated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// The entry that granted it.
    pub granted: u64,
    /// From when, Unix milliseconds, inclusive.
    pub from: u64,
    /// Until when, Unix milliseconds, exclusive.
    pub until: u64,
    /// The entry that ended it early, if one did.
    pub ended: Option<u64>,
    /// From whom it is held: the root first, then each delegate down to who delegated it.
    #[serde(deserialize_with = "json::at_most::<MAX_LINE, _, _>")]
    pub line: Vec<Name>,
    /// How many registrations, rotations and delegations a proof of it takes at most.
    pub steps: u32,
    /// On what state it was signed: SHA-256 of the envelope of the newest command about this delegation then. Absent of the
    /// first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Hex>,
}

impl Period {
    /// Whether it counts at `time` (Unix milliseconds).
    pub fn covers(&self, time: u64) -> bool {
        self.ended.is_none() && (self.from..self.until).contains(&time)
    }
}

/// A delegation before rules 3, of which there was one at a time.
impl From<&Delegation> for Period {
    fn from(delegation: &Delegation) -> Self {
        let Delegation { granted, from, until, ended } = *delegation;
        Self { granted, from, until, ended, line: Vec::new(), steps: 0, after: None }
    }
}
