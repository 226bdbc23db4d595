//! Keys of signed notes and their text forms (C2SP signed-note, "Verifier keys").

mod signer;
mod verifier;

pub use signer::SignerKey;
pub use verifier::VerifierKey;

/// The longest key name in bytes: an ML-DSA-44 cosignature writes the length in one byte.
pub const MAX_NAME_BYTES: usize = 255;

/// What a key signs, and how: the signature type of C2SP signed-note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// 0x01: Ed25519 (RFC 8032) over the text of a note; how a log signs.
    Ed25519,
    /// 0x04: timestamped Ed25519 cosignature of a checkpoint; how a witness signs.
    CosignatureEd25519,
    /// 0x06: timestamped ML-DSA-44 (FIPS 204) cosignature of a checkpoint.
    CosignatureMlDsa44,
}

impl Algorithm {
    /// The signature type byte.
    pub const fn byte(self) -> u8 {
        match self {
            Algorithm::Ed25519 => 0x01,
            Algorithm::CosignatureEd25519 => 0x04,
            Algorithm::CosignatureMlDsa44 => 0x06,
        }
    }

    /// The algorithm of a signature type byte; `None` for a type this crate does not verify.
    pub const fn from_byte(byte: u8) -> Option<Algorithm> {
        match byte {
            0x01 => Some(Algorithm::Ed25519),
            0x04 => Some(Algorithm::CosignatureEd25519),
            0x06 => Some(Algorithm::CosignatureMlDsa44),
            _ => None,
        }
    }

    /// True for the types that carry a time and sign checkpoints only.
    pub const fn is_cosignature(self) -> bool {
        !matches!(self, Algorithm::Ed25519)
    }

    /// Length of the public key in bytes.
    pub const fn public_key_bytes(self) -> usize {
        match self {
            Algorithm::Ed25519 | Algorithm::CosignatureEd25519 => 32,
            Algorithm::CosignatureMlDsa44 => 1312,
        }
    }
}

/// Why a key was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not of the form `<name>+<8 hex digits>+<base64>`.
    #[error("the key is not of the form name+id+base64")]
    Format,
    /// The name is empty, longer than [`MAX_NAME_BYTES`], or has a space, control character or `+`.
    #[error("the key name is not allowed")]
    Name,
    /// A signature type this crate does not know.
    #[error("unknown signature type {0:#04x}")]
    Algorithm(u8),
    /// The public key or seed has the wrong length, or is not a usable point of the curve.
    #[error("the key material is not valid for its algorithm")]
    Material,
    /// The id in the text is not the one that name and key hash to.
    #[error("the key id does not belong to this name and key")]
    Id,
}
