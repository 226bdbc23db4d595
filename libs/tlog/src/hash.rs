//! SHA-256 digests and their text forms.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::text;

/// A SHA-256 digest (FIPS 180-4): 32 bytes.
///
/// Shown as 64 lower-case hexadecimal digits. The C2SP formats write it in base64 instead, see
/// [`Hash::to_base64`].
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// 32 zero bytes: stands where there is no hash, as before the first entry.
    pub const ZERO: Hash = Hash([0; 32]);

    /// The digest in padded base64 (RFC 4648 §4): 44 characters.
    pub fn to_base64(&self) -> String {
        text::encode_base64(&self.0)
    }

    /// Reads what [`Hash::to_base64`] writes; `None` for any other text.
    pub fn from_base64(text: &str) -> Option<Hash> {
        // 44 characters hold 31 to 33 bytes: the length check keeps large input from being decoded.
        if text.len() != 44 {
            return None;
        }
        Hash::from_slice(&text::decode_base64(text)?)
    }

    /// The digest as 64 lower-case hexadecimal digits.
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }

    /// Reads what [`Hash::to_hex`] writes; `None` for any other text, upper-case digits included.
    pub fn from_hex(text: &str) -> Option<Hash> {
        text::decode_hex(text).map(Hash)
    }

    /// The digest held by exactly 32 bytes; `None` for any other length.
    pub fn from_slice(bytes: &[u8]) -> Option<Hash> {
        bytes.try_into().ok().map(Hash)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl AsRef<[u8]> for Hash {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// SHA-256 (FIPS 180-4) of the concatenation of `parts`.
///
/// The parts are not delimited: `["ab", "c"]` and `["a", "bc"]` give the same digest.
pub fn sha256(parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    Hash(hasher.finalize().into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_abc_is_the_one_of_fips_180() {
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(&[b"a", b"", b"bc"]).to_hex(), hex);
        assert_eq!(format!("{:?}", Hash::from_hex(hex).unwrap()), hex);
    }

    #[test]
    fn text_forms_have_one_spelling() {
        let hash = sha256(&[b"abc"]);
        assert_eq!(Hash::from_base64(&hash.to_base64()), Some(hash));
        assert_eq!(Hash::from_hex(&hash.to_hex().to_uppercase()), None);
        assert_eq!(Hash::from_base64(hash.to_base64().trim_end_matches('=')), None);
        // The same 32 bytes with a stray bit in the padding.
        let stray = format!("{}B=", &Hash::ZERO.to_base64()[..42]);
        assert_eq!(Hash::from_base64(&stray), None);
        assert_eq!(Hash::from_slice(&[0; 31]), None);
    }
}
