//! Private keys.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek as ed25519;
use ml_dsa::{Keypair, MlDsa44, Seed, SignatureEncoding, signature::Signer};
use zeroize::{Zeroize, Zeroizing};

use super::{Algorithm, KeyError, VerifierKey, verifier};

/// What every private key begins with, so that searches for leaked secrets find it.
const PREFIX: &str = "PRIVATE+KEY+";
/// Bytes of a type and a seed, and their length in base64.
const MATERIAL_BYTES: usize = 33;
const MATERIAL_TEXT_BYTES: usize = 44;

/// A named private key. Wiped from memory when dropped, never shown by `Debug`.
///
/// Text form: `PRIVATE+KEY+<name>+<8 hex digits of the key id>+<base64(type ‖ 32-byte seed)>`.
pub struct SignerKey {
    verifier: VerifierKey,
    seed: Zeroizing<[u8; 32]>,
    secret: Secret,
}

/// The expanded secret; both kinds wipe themselves.
enum Secret {
    Ed25519(Box<ed25519::SigningKey>),
    MlDsa44(Box<ml_dsa::SigningKey<MlDsa44>>),
}

impl SignerKey {
    /// The key that grows from a seed: the Ed25519 secret key (RFC 8032) or ξ of ML-DSA (FIPS 204
    /// algorithm 6). The seed must come from the operating system's randomness.
    ///
    /// # Errors
    ///
    /// [`KeyError::Name`] for a name that is not allowed.
    pub fn from_seed(name: &str, algorithm: Algorithm, seed: [u8; 32]) -> Result<SignerKey, KeyError> {
        let seed = Zeroizing::new(seed);
        verifier::check_name(name)?;
        Ok(SignerKey::grow(name, algorithm, seed))
    }

    fn grow(name: &str, algorithm: Algorithm, seed: Zeroizing<[u8; 32]>) -> SignerKey {
        let (secret, public_key) = expand(algorithm, &seed);
        let verifier = VerifierKey::unchecked(name, algorithm, public_key);
        SignerKey { verifier, seed, secret }
    }

    /// The public half, for those who verify.
    pub fn verifier(&self) -> VerifierKey {
        self.verifier.clone()
    }

    /// The same name and seed for another signature type, with the key id that follows from it.
    ///
    /// Key files of older tools mark a witness key with type 0x01 although it cosigns with 0x04.
    pub fn with_algorithm(&self, algorithm: Algorithm) -> SignerKey {
        SignerKey::grow(self.verifier.name(), algorithm, self.seed.clone())
    }

    /// The text form. Whoever reads it can sign: keep it where secrets are kept.
    pub fn to_secret_text(&self) -> Zeroizing<String> {
        let mut material = Zeroizing::new([0; MATERIAL_BYTES]);
        let bytes = [self.verifier.algorithm().byte()].into_iter().chain(*self.seed);
        material.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        let mut encoded = Zeroizing::new([0; MATERIAL_TEXT_BYTES]);
        // Cannot fail: 33 bytes fill exactly 44 characters.
        let _ = STANDARD.encode_slice(*material, encoded.as_mut_slice());

        let name = self.verifier.name();
        let capacity = PREFIX.len() + name.len() + "+00000000+".len() + MATERIAL_TEXT_BYTES;
        // Room for all of it: growing would leave an unwiped copy behind.
        let mut text = Zeroizing::new(String::with_capacity(capacity));
        text.push_str(PREFIX);
        text.push_str(name);
        text.push('+');
        text.push_str(&hex::encode(self.verifier.id()));
        text.push('+');
        text.extend(encoded.iter().map(|&byte| char::from(byte)));
        text
    }

    /// Signs the bare message; `None` only if ML-DSA's rejection sampling never ends.
    pub(crate) fn sign_raw(&self, message: &[u8]) -> Option<Vec<u8>> {
        match &self.secret {
            Secret::Ed25519(key) => Some(key.try_sign(message).ok()?.to_vec()),
            Secret::MlDsa44(key) => Some(key.try_sign(message).ok()?.to_vec()),
        }
    }

    pub(crate) fn key(&self) -> &VerifierKey {
        &self.verifier
    }
}

fn expand(algorithm: Algorithm, seed: &[u8; 32]) -> (Secret, Vec<u8>) {
    match algorithm {
        Algorithm::Ed25519 | Algorithm::CosignatureEd25519 => {
            let key = Box::new(ed25519::SigningKey::from_bytes(seed));
            let public_key = key.verifying_key().to_bytes().to_vec();
            (Secret::Ed25519(key), public_key)
        }
        Algorithm::CosignatureMlDsa44 => {
            let mut xi = Seed::from(*seed);
            let key = Box::new(ml_dsa::SigningKey::<MlDsa44>::from_seed(&xi));
            xi.as_mut_slice().zeroize();
            let public_key = key.verifying_key().encode().to_vec();
            (Secret::MlDsa44(key), public_key)
        }
    }
}

impl FromStr for SignerKey {
    type Err = KeyError;

    fn from_str(key: &str) -> Result<SignerKey, KeyError> {
        let key = key.strip_prefix(PREFIX).ok_or(KeyError::Format)?;
        let (name, id, encoded) = verifier::split(key)?;
        let mut material = Zeroizing::new([0; MATERIAL_BYTES]);
        let decoded = STANDARD.decode_slice(encoded, material.as_mut_slice());
        if decoded != Ok(MATERIAL_BYTES) {
            return Err(KeyError::Material);
        }
        let [byte, seed @ ..] = *material;
        let seed = Zeroizing::new(seed);
        let algorithm = Algorithm::from_byte(byte).ok_or(KeyError::Algorithm(byte))?;
        let key = SignerKey::from_seed(name, algorithm, *seed)?;
        if key.verifier.id() == id { Ok(key) } else { Err(KeyError::Id) }
    }
}

impl fmt::Debug for SignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignerKey({:?})", self.verifier)
    }
}
