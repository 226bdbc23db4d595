//! What decides the outcome, and the commitment that binds it.

use super::{MAX_BLOCK, MAX_BLOCK_SIZES, Method, Scheme};
use serde::{Deserialize, Serialize};
use std::fmt;
use tlog::{Hash, sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const MAGIC: &[u8] = b"trialseal/allocation-commitment@v1 sha256\n";

/// Why a secret does not go with a scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Permuted blocks without block sizes or with more than [`MAX_BLOCK_SIZES`], or another method with any.
    #[error("permuted blocks take 1 to {MAX_BLOCK_SIZES} block sizes, other methods none")]
    BlockSizes,
    /// A block size that is 0, above [`MAX_BLOCK`], or no multiple of the sum of the arms' weights.
    #[error("a block size is a multiple of the sum of the arms' weights, at most {MAX_BLOCK}")]
    BlockSize,
}

/// What nobody who enrols participants may know before the study is unblinded. JSON: `seed` as 64 lower-case hexadecimal
/// digits, `block_sizes` as numbers.
#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// 32 random bytes of the operating system, used for one scheme only.
    #[serde(with = "seed")]
    pub seed: [u8; 32],
    /// The sizes each block is drawn from, in slots; one that occurs twice is drawn twice as often. Empty unless the
    /// method is permuted blocks.
    pub block_sizes: Vec<u32>,
}

impl Secret {
    /// Whether the secret goes with this scheme.
    pub fn check(&self, scheme: &Scheme) -> Result<(), SecretError> {
        let count = match scheme.method {
            Method::PermutedBlocks { .. } => 1..=MAX_BLOCK_SIZES,
            Method::Simple { .. } | Method::Minimisation { .. } => 0..=0,
        };
        if !count.contains(&self.block_sizes.len()) {
            return Err(SecretError::BlockSizes);
        }
        let total = scheme.total_weight();
        let good = |size: &u32| (1..=MAX_BLOCK).contains(size) && size.checked_rem(total) == Some(0);
        if self.block_sizes.iter().all(good) { Ok(()) } else { Err(SecretError::BlockSize) }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What is published before the first participant: `SHA-256("trialseal/allocation-commitment@v1 sha256\n" ‖ length of the
/// scheme's bytes ‖ [`Scheme::to_bytes`] ‖ seed ‖ number of block sizes ‖ block sizes)`, numbers as big-endian `u32`.
///
/// The seed's 256 bits hide the rest: nobody can try out block sizes.
pub fn commitment(scheme: &Scheme, secret: &Secret) -> Hash {
    let scheme = scheme.to_bytes();
    let sizes: Vec<u8> = secret.block_sizes.iter().flat_map(|size| size.to_be_bytes()).collect();
    let sizes = Zeroizing::new(sizes);
    sha256(&[MAGIC, &length(&scheme), &scheme, &secret.seed, &length(&secret.block_sizes), &sizes])
}

/// Longer lists cannot be held in memory.
fn length<T>(list: &[T]) -> [u8; 4] {
    u32::try_from(list.len()).unwrap_or(u32::MAX).to_be_bytes()
}

/// A seed as 64 lower-case hexadecimal digits.
mod seed {
    use serde::{Deserialize, Deserializer, Serializer, de};
    use zeroize::Zeroizing;

    pub(super) fn serialize<S: Serializer>(seed: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(hex::encode(seed)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let mut seed = [0; 32];
        let good = !text.contains(|c: char| c.is_ascii_uppercase()) && hex::decode_to_slice(&*text, &mut seed).is_ok();
        if good { Ok(seed) } else { Err(de::Error::custom("not 64 lower-case hexadecimal digits")) }
    }
}
