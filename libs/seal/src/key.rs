//! Keys of actors: Ed25519 (RFC 8032), named by the hash of the public key.

use crate::json;
use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::Signer as _;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Sha256;
use std::{fmt, str::FromStr};
use tlog::{Hash, sha256};
use zeroize::Zeroizing;

const PREFIX: &str = "ed25519:";

/// Text that is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not `ed25519:` and the base64 of 32 bytes that are a point of the curve.
    #[error("not a public key of the form ed25519:<base64 of 32 bytes>")]
    Public,
    /// Not `ed25519:` and 64 hexadecimal digits.
    #[error("not a key id of the form ed25519:<64 hexadecimal digits>")]
    Id,
    /// Not the text of a secret key file.
    #[error("not a secret key of the form trialseal/secret-key@v1 ed25519 <base64 of 32 bytes>")]
    Secret,
}

/// The public key of an actor. Text form: `ed25519:<base64>`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(ed25519_dalek::VerifyingKey);

impl PublicKey {
    /// How envelopes and facts name this key.
    pub fn id(&self) -> KeyId {
        KeyId(sha256(&[b"trialseal/key@v1 ed25519\n", self.0.as_bytes()]))
    }

    /// The 32 bytes of the key.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Whether `signature` is this key's over `message` (strict: small-order keys and non-canonical values fail).
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let Ok(signature) = ed25519_dalek::Signature::from_slice(signature) else { return false };
        self.0.verify_strict(message, &signature).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", STANDARD.encode(self.0.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let bytes = text.strip_prefix(PREFIX).and_then(|rest| STANDARD.decode(rest).ok()).ok_or(KeyError::Public)?;
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| KeyError::Public)?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError::Public)?;
        if key.is_weak() { Err(KeyError::Public) } else { Ok(Self(key)) }
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        json::from_text(deserializer, str::parse)
    }
}

/// The name of a key: `SHA-256("trialseal/key@v1 ed25519\n" ‖ public key)`. Text form: `ed25519:<hex>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub Hash);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.0.to_hex())
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyId {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let hash = text.strip_prefix(PREFIX).and_then(Hash::from_hex).map(KeyId).ok_or(KeyError::Id)?;
        if hash.to_string() == text { Ok(hash) } else { Err(KeyError::Id) }
    }
}

impl Serialize for KeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        json::from_text(deserializer, str::parse)
    }
}

/// The secret key of an actor. Wiped from memory when dropped; never printed.
#[derive(Clone)]
pub struct SecretKey(ed25519_dalek::SigningKey);

impl SecretKey {
    const FORMAT: &'static str = "trialseal/secret-key@v1 ed25519 ";

    /// The key grown from 32 bytes of the caller's randomness (RFC 8032 section 5.1.5).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// A signature of 64 bytes; deterministic.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }

    /// A code of `message` that only the holder of this key can compute: HMAC-SHA-256 (RFC 2104) under a key that is itself
    /// the HMAC-SHA-256 of `label` under this key's 32 bytes. Codes of different labels tell nothing about each other, nor
    /// does any of them about the key.
    pub fn code(&self, label: &str, message: &[u8]) -> Hash {
        let seed = Zeroizing::new(self.0.to_bytes());
        let derived = Zeroizing::new(hmac(&seed, label.as_bytes()));
        Hash(hmac(&derived, message))
    }

    /// The content of a secret key file, one line.
    pub fn to_secret_text(&self) -> Zeroizing<String> {
        let seed = Zeroizing::new(self.0.to_bytes());
        let encoded = Zeroizing::new(STANDARD.encode(*seed));
        Zeroizing::new(format!("{}{}\n", Self::FORMAT, encoded.as_str()))
    }

    /// Reads the content of a secret key file.
    pub fn from_secret_text(text: &str) -> Result<Self, KeyError> {
        let encoded = text.trim_end().strip_prefix(Self::FORMAT).ok_or(KeyError::Secret)?;
        let seed = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| KeyError::Secret)?);
        let seed: &[u8; 32] = seed.as_slice().try_into().map_err(|_| KeyError::Secret)?;
        Ok(Self::from_seed(seed))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey of {}", self.public())
    }
}

fn hmac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&(*block).into());
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_differs_by_key_label_and_message() {
        let key = |seed| SecretKey::from_seed(&[seed; 32]);
        let code = key(1).code("label", b"message");
        assert_eq!(code, key(1).code("label", b"message"));
        // Python: hmac.digest(hmac.digest(bytes([1] * 32), b"label", "sha256"), b"message", "sha256").hex()
        assert_eq!(code.to_hex(), "f0d6de5d99fd1c936d81460da50f3753da58d45401287f3c75d913378505182a");
        for other in
            [key(2).code("label", b"message"), key(1).code("labe", b"lmessage"), key(1).code("label", b"messagf")]
        {
            assert_ne!(code, other);
        }
    }
}
