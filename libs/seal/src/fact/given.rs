//! The state of a participant's consent, by provision.

use crate::{
    command::{Provision, Reconsent},
    id::Name,
    json,
    text::Hex,
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, Visitor},
};
use std::{collections::BTreeMap, fmt};

/// The most representatives or parents read: as many as may sign.
const MAX_GIVEN_BY: usize = 8;

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
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// Whether nobody takes part without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mandatory: bool,
    /// Whether the participant withdrew it with their own key: nobody else then gives it for them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
    /// When it was signed, Unix milliseconds. Absent before rules 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<u64>,
    /// On what state it was signed: SHA-256 of the envelope of the newest command about the participant's consent then.
    /// Absent before rules 3, and of the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Hex>,
    /// The representative or parents who gave it. Empty before rules 3, and where the participant did.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "json::at_most::<MAX_GIVEN_BY, _, _>")]
    pub given_by: Vec<Name>,
}

impl Given {
    /// Whether it was given, not withdrawn, and has not ended by itself at `time` (Unix milliseconds).
    pub fn stands(&self, time: u64) -> bool {
        self.withdrawn.is_none() && self.until.is_none_or(|end| time < end.time)
    }
}

/// When and why a provision ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Until {
    /// When, Unix milliseconds.
    pub time: u64,
    /// Why.
    pub why: End,
}

/// Why a provision ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The period the document states is over.
    Period,
    /// The minor comes of age.
    Majority,
    /// The deadline of a deferred consent.
    Deferral,
}

/// What replaced a version of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Superseded {
    /// The entry that did.
    pub by: u64,
    /// From when the new version may be used, Unix milliseconds.
    pub effective: u64,
    /// What it demands of those who agreed to the old one.
    pub reconsent: Option<Reconsent>,
}

/// Reads the provisions of a consent; one that is named twice is refused, or two readers might read different things.
pub(super) fn each_once<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<Provision, Given>, D::Error> {
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
