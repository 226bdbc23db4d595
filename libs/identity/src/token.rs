//! Attributes, the key, and the tokens they make.

use crate::name::normalise;
use hmac::{Hmac, KeyInit, Mac};
use seal::{Hash, text::is_day};
use sha2::Sha256;
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The longest attribute, in bytes.
pub const MAX_ATTRIBUTE_BYTES: usize = 256;

const PARTICIPATION: &str = "trialseal/participation@v1\n";
const NATIONAL_ID: &str = "trialseal/participation-national-id@v1\n";

/// Why there is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// An attribute longer than [`MAX_ATTRIBUTE_BYTES`].
    #[error("the {0} is longer than allowed")]
    TooLong(&'static str),
    /// An attribute without a letter or digit.
    #[error("the {0} has no letter or digit")]
    Empty(&'static str),
    /// The birth date is not a calendar day, `YYYY-MM-DD` (ISO 8601).
    #[error("the birth date is not a day of the form YYYY-MM-DD")]
    BirthDate,
}

/// Who somebody is, as an identity document says it. Leaves memory with its owner; never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Attributes {
    /// The first given name and no other; a double name such as Anne-Marie is one.
    pub given_name: String,
    /// The whole family name.
    pub family_name: String,
    /// The day of birth, `YYYY-MM-DD` (ISO 8601).
    pub birth_date: String,
    /// A number that a state gave this person for life, behind the state's code (ISO 3166-1 alpha-2), where it may be used.
    pub national_id: Option<String>,
}

impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Attributes(…)")
    }
}

/// The key that one study's sites share: 32 random bytes. Leaves memory with its owner; never printed.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct MatchingKey([u8; 32]);

impl MatchingKey {
    /// A key from the caller's randomness.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for MatchingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MatchingKey(…)")
    }
}

impl Attributes {
    /// What [`token`] covers: the line `trialseal/participation@v1`, then normalised given name, normalised family name and
    /// the birth date as it is, each in UTF-8 behind its length in bytes, four bytes big-endian.
    pub fn normalised(&self) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let given = field("given name", &self.given_name)?;
        let family = field("family name", &self.family_name)?;
        if !is_day(&self.birth_date) {
            return Err(Fault::BirthDate);
        }
        Ok(record(PARTICIPATION, &[&given, &family, &self.birth_date]))
    }
}

/// The token of a person by name and birth date: HMAC-SHA256 of [`Attributes::normalised`].
pub fn token(key: &MatchingKey, attributes: &Attributes) -> Result<Hash, Fault> {
    Ok(mac(key, &attributes.normalised()?))
}

/// The token of a person by national identifier, if they have one: a second chance to match where a name was spelt
/// differently. HMAC-SHA256 of the line `trialseal/participation-national-id@v1` and the normalised identifier behind its
/// length.
pub fn national_id_token(key: &MatchingKey, attributes: &Attributes) -> Result<Option<Hash>, Fault> {
    let Some(id) = &attributes.national_id else { return Ok(None) };
    let id = field("national identifier", id)?;
    Ok(Some(mac(key, &record(NATIONAL_ID, &[&id]))))
}

fn field(name: &'static str, text: &str) -> Result<Zeroizing<String>, Fault> {
    if text.len() > MAX_ATTRIBUTE_BYTES {
        return Err(Fault::TooLong(name));
    }
    Some(normalise(text)).filter(|normal| !normal.is_empty()).ok_or(Fault::Empty(name))
}

/// Lengths cannot overflow: a field is at most a few times [`MAX_ATTRIBUTE_BYTES`].
fn record(line: &str, fields: &[&str]) -> Zeroizing<Vec<u8>> {
    let size = line.len() + fields.iter().map(|field| 4 + field.len()).sum::<usize>();
    let mut bytes = Zeroizing::new(Vec::with_capacity(size));
    bytes.extend_from_slice(line.as_bytes());
    for field in fields {
        bytes.extend_from_slice(&(field.len() as u32).to_be_bytes());
        bytes.extend_from_slice(field.as_bytes());
    }
    bytes
}

/// A key shorter than a block is filled up with zeros (RFC 2104 section 2).
fn mac(key: &MatchingKey, bytes: &[u8]) -> Hash {
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(&key.0);
    let mut mac = Hmac::<Sha256>::new(&(*block).into());
    mac.update(bytes);
    Hash(mac.finalize().into_bytes().into())
}
