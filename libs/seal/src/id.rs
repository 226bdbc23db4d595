//! Identifiers: of studies, requests and streams, and the names people give things.

use crate::{json, key::PublicKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};
use tlog::{Hash, sha256};

/// Why text is not an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not `8-4-4-4-12` lower-case hexadecimal digits.
    #[error("not a UUID of the form 00000000-0000-4000-8000-000000000000 in lower case")]
    Uuid,
    /// Empty, longer than 128 bytes, with a control character, or with a space at an end.
    #[error("not a name: 1 to 128 bytes of UTF-8 without control characters, no space at either end")]
    Name,
    /// Not one of the kinds of provisions with the details it takes.
    #[error("not a provision, such as `data_collection`, `genetics` or `data_sharing:<purpose>:<recipient>`")]
    Provision,
}

/// A 128-bit identifier (RFC 9562) in its one canonical spelling. Version and variant bits are not examined.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// A random identifier (version 4) from 16 bytes of the caller's randomness.
    pub fn from_random(mut bytes: [u8; 16]) -> Self {
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(bytes)
    }

    /// The identifier of a study under `rules`, from 3 on: bound to its root key, so that nobody else can take it, and who has
    /// the key knows by which rules the study is to be judged. `tag` tells studies of one key apart.
    ///
    /// `tag ‖ SHA-256("trialseal/study-id@v1 sha256\n" ‖ u32 rules ‖ tag ‖ root key)`, the first 128 bits, as version 8.
    pub fn of_study(root_key: &PublicKey, tag: [u8; 4], rules: u32) -> Self {
        let label = b"trialseal/study-id@v1 sha256\n";
        let mut hash = sha256(&[label, &rules.to_be_bytes(), &tag, root_key.as_bytes()]);
        hash.0.copy_within(..12, 4);
        hash.0[..4].copy_from_slice(&tag);
        Self::from_content(&hash)
    }

    /// The rules this study is to be judged by, given its root key, up to 255 and so possibly later ones than [`RULES`](crate::command::RULES);
    /// nothing if it is under earlier rules than 3, which its identifier does not tell.
    pub fn rules(self, root_key: &PublicKey) -> Option<u32> {
        let [a, b, c, d, ..] = self.0;
        (3..=u32::from(u8::MAX)).find(|rules| Self::of_study(root_key, [a, b, c, d], *rules) == self)
    }

    /// An identifier derived from content (version 8): the first 122 bits of a hash. For deduplication of a client's
    /// own requests only; the server compares the whole envelope behind it.
    pub fn from_content(hash: &Hash) -> Self {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.0[..16]);
        bytes[6] = (bytes[6] & 0x0f) | 0x80;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(bytes)
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = hex::encode(self.0);
        let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| digits.get(range).unwrap_or_default());
        f.write_str(&parts.join("-"))
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Uuid {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        let bytes = hex::decode(digits).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Uuid).filter(|uuid| uuid.to_string() == text).ok_or(IdError::Uuid)
    }
}

impl Serialize for Uuid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Uuid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        json::from_text(deserializer, str::parse)
    }
}

/// A name somebody chose: of an actor, a site, a study event, a form, an item, a document. 1 to 128 bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// The actor that holds the study's root key.
    pub const ROOT: &'static str = "root";
    /// In a delegation: every site of the study.
    pub const ALL_SITES: &'static str = "*";

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The actor that holds the study's root key.
    pub fn root() -> Self {
        Self(Self::ROOT.to_owned())
    }

    /// The site scope that covers every site.
    pub fn all_sites() -> Self {
        Self(Self::ALL_SITES.to_owned())
    }
}

impl FromStr for Name {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let good = (1..=128).contains(&text.len()) && text.trim() == text && !text.contains(char::is_control);
        good.then(|| Self(text.to_owned())).ok_or(IdError::Name)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        json::from_text(deserializer, str::parse)
    }
}

/// Whether a name has the form of a participant's pseudonym: `P-` and 16 characters of `A`-`Z` and `2`-`7`. That it is
/// random, and not somebody's initials, is the client's duty.
pub fn is_pseudonym(name: &Name) -> bool {
    is_random(name, "P-")
}

/// Whether a name has the form of a representative's pseudonym: `R-` and 16 characters of `A`-`Z` and `2`-`7`.
pub fn is_representative(name: &Name) -> bool {
    is_random(name, "R-")
}

fn is_random(name: &Name, prefix: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte);
    name.0.strip_prefix(prefix).is_some_and(|rest| rest.len() == 16 && rest.bytes().all(good))
}

/// A recording service: the owner of one journal per study.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Studies, sites, actors, delegations, participants.
    Enrollment,
    /// Consent documents and consents.
    Consent,
    /// Forms and submissions.
    Capture,
}

impl Service {
    /// All recording services.
    pub const ALL: [Service; 3] = [Service::Enrollment, Service::Consent, Service::Capture];

    /// The name in stream identifiers and bundles.
    pub fn name(self) -> &'static str {
        match self {
            Service::Enrollment => "enrollment",
            Service::Consent => "consent",
            Service::Capture => "capture",
        }
    }

    /// The journal of this service for `study`, as named on the chain. Who does not know the study's UUID learns
    /// nothing from it.
    pub fn stream(self, study: Uuid) -> StreamId {
        StreamId(sha256(&[b"trialseal/stream@v1 sha256\n", &study.0, self.name().as_bytes()]))
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The opaque identifier of one journal: one study, one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub Hash);

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
