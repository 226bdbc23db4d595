//! Public keys.

use std::{fmt, str::FromStr};

use ed25519_dalek as ed25519;
use ml_dsa::{MlDsa44, signature::Verifier};

use super::{Algorithm, KeyError, MAX_NAME_BYTES};
use crate::{hash::sha256, text};

/// A named public key: whom to believe.
///
/// Text form: `<name>+<8 hex digits of the key id>+<base64(type ‖ public key)>`. Parsing refuses a
/// text whose id does not match, and Ed25519 keys that are no point of the curve or of low order.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct VerifierKey {
    name: String,
    algorithm: Algorithm,
    id: [u8; 4],
    public_key: Vec<u8>,
}

impl VerifierKey {
    /// Names a public key.
    ///
    /// # Errors
    ///
    /// [`KeyError::Name`] or [`KeyError::Material`].
    pub fn new(name: &str, algorithm: Algorithm, key: &[u8]) -> Result<VerifierKey, KeyError> {
        check_name(name)?;
        let usable = match algorithm {
            Algorithm::Ed25519 | Algorithm::CosignatureEd25519 => ed25519_key(key).is_some_and(|key| !key.is_weak()),
            Algorithm::CosignatureMlDsa44 => key.len() == algorithm.public_key_bytes(),
        };
        if !usable {
            return Err(KeyError::Material);
        }
        Ok(VerifierKey::unchecked(name, algorithm, key.to_vec()))
    }

    /// For a name and a key that are known to be good.
    pub(super) fn unchecked(name: &str, algorithm: Algorithm, key: Vec<u8>) -> VerifierKey {
        let id = key_id(name, algorithm, &key);
        VerifierKey { name: name.to_owned(), algorithm, id, public_key: key }
    }

    /// The key name. A log's should equal the origin of its checkpoints.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the key signs, and how.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The first four bytes of `SHA-256(name ‖ 0x0A ‖ type ‖ public key)`.
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    /// The public key: 32 bytes for Ed25519 (RFC 8032), 1312 for ML-DSA-44 (FIPS 204).
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// Verifies the bare signature of `message`, without time and without key id.
    pub(crate) fn verify_raw(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match self.algorithm {
            Algorithm::Ed25519 | Algorithm::CosignatureEd25519 => verify_ed25519(&self.public_key, message, signature),
            Algorithm::CosignatureMlDsa44 => verify_ml_dsa(&self.public_key, message, signature),
        };
        verified.is_some()
    }
}

pub(super) fn check_name(name: &str) -> Result<(), KeyError> {
    let good = name.len() <= MAX_NAME_BYTES && text::is_key_name(name);
    if good { Ok(()) } else { Err(KeyError::Name) }
}

fn verify_ed25519(key: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
    let signature = ed25519::Signature::from_slice(signature).ok()?;
    ed25519_key(key)?.verify_strict(message, &signature).ok()
}

fn verify_ml_dsa(key: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
    let signature = ml_dsa::Signature::<MlDsa44>::try_from(signature).ok()?;
    let key = ml_dsa::VerifyingKey::<MlDsa44>::decode(&key.try_into().ok()?);
    key.verify(message, &signature).ok()
}

fn ed25519_key(key: &[u8]) -> Option<ed25519::VerifyingKey> {
    ed25519::VerifyingKey::from_bytes(key.try_into().ok()?).ok()
}

fn key_id(name: &str, algorithm: Algorithm, key: &[u8]) -> [u8; 4] {
    let [a, b, c, d, ..] = sha256(&[name.as_bytes(), b"\n", &[algorithm.byte()], key]).0;
    [a, b, c, d]
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(key: &str) -> Result<VerifierKey, KeyError> {
        let (name, id, material) = split(key)?;
        // The longest key is ML-DSA-44: do not decode more than that.
        if material.len() > 1752 {
            return Err(KeyError::Format);
        }
        let material = text::decode_base64(material).ok_or(KeyError::Format)?;
        let (&byte, public_key) = material.split_first().ok_or(KeyError::Format)?;
        let algorithm = Algorithm::from_byte(byte).ok_or(KeyError::Algorithm(byte))?;
        let key = VerifierKey::new(name, algorithm, public_key)?;
        if key.id == id { Ok(key) } else { Err(KeyError::Id) }
    }
}

/// Parts `<name>+<id>+<base64>`; the base64 may contain `+`, the name may not.
pub(super) fn split(key: &str) -> Result<(&str, [u8; 4], &str), KeyError> {
    let (name, rest) = key.split_once('+').ok_or(KeyError::Format)?;
    let (id, material) = rest.split_once('+').ok_or(KeyError::Format)?;
    Ok((name, text::decode_hex(id).ok_or(KeyError::Format)?, material))
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut material = vec![self.algorithm.byte()];
        material.extend_from_slice(&self.public_key);
        let (id, material) = (hex::encode(self.id), text::encode_base64(&material));
        write!(f, "{}+{id}+{material}", self.name)
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{} ({:?})", self.name, hex::encode(self.id), self.algorithm)
    }
}
