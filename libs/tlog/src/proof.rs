//! Offline proofs that an entry is in a log (C2SP tlog-proof), kept as `.tlog-proof` files.

use std::fmt;

use crate::{
    hash::Hash,
    merkle::{self, ProofError},
    note::MAX_NOTE_BYTES,
    policy::{Policy, PolicyError, VerifiedCheckpoint},
    text,
};

/// The first line of every proof.
const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// The longest inclusion path in a tree of less than 2^64 leaves.
const MAX_PATH: usize = 64;
/// The most extra data read, in bytes.
pub const MAX_EXTRA_BYTES: usize = 48 * 1024;
/// The largest proof read, in bytes: a note, extra data in base64, and 4 kB for the rest.
pub const MAX_PROOF_BYTES: usize = MAX_NOTE_BYTES + MAX_EXTRA_BYTES / 3 * 4 + 4096;

/// An inclusion proof together with the checkpoint it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogProof {
    /// Data for the application. Nothing authenticates it.
    pub extra: Option<Vec<u8>>,
    /// The index of the entry in the log, from 0.
    pub index: u64,
    /// The inclusion path, from the leaf's sibling up (RFC 6962 §2.1.1).
    pub path: Vec<Hash>,
    /// The signed checkpoint as it is in the proof. Not looked into before [`LogProof::verify`].
    pub checkpoint: String,
}

/// Why a proof could not be read, or was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogProofError {
    /// Not of the form of tlog-proof, or too large.
    #[error("not a well-formed log proof")]
    Malformed,
    /// The policy refuses the checkpoint; the source says why.
    #[error("the proof's checkpoint is refused")]
    Checkpoint(#[source] PolicyError),
    /// The path does not lead from the entry to the checkpoint; the source says why.
    #[error("the entry is not in the checkpoint's tree")]
    Inclusion(#[source] ProofError),
}

impl LogProof {
    /// Reads a proof.
    ///
    /// # Errors
    ///
    /// [`LogProofError::Malformed`], for `\r` and other control characters too.
    pub fn parse(bytes: &[u8]) -> Result<LogProof, LogProofError> {
        LogProof::read(bytes).ok_or(LogProofError::Malformed)
    }

    fn read(bytes: &[u8]) -> Option<LogProof> {
        if bytes.len() > MAX_PROOF_BYTES {
            return None;
        }
        let text = std::str::from_utf8(bytes).ok().filter(|text| text::is_plain(text))?;
        let (head, checkpoint) = text.split_once("\n\n")?;
        let mut lines = head.split('\n');
        if lines.next() != Some(HEADER) {
            return None;
        }
        let mut line = lines.next()?;
        let mut extra = None;
        if let Some(encoded) = line.strip_prefix("extra ") {
            extra = Some(text::decode_base64(encoded).filter(|e| e.len() <= MAX_EXTRA_BYTES)?);
            line = lines.next()?;
        }
        let index = text::decode_decimal(line.strip_prefix("index ")?)?;
        let path: Vec<Hash> = lines.map(Hash::from_base64).collect::<Option<_>>()?;
        let well_formed = path.len() <= MAX_PATH && checkpoint.len() <= MAX_NOTE_BYTES;
        let checkpoint = checkpoint.to_owned();
        well_formed.then_some(LogProof { extra, index, path, checkpoint })
    }

    /// Verifies that the log holds `entry`, these very bytes, at [`LogProof::index`].
    ///
    /// # Errors
    ///
    /// [`LogProofError::Checkpoint`] or [`LogProofError::Inclusion`].
    pub fn verify(&self, entry: &[u8], policy: &Policy) -> Result<VerifiedCheckpoint, LogProofError> {
        self.verify_leaf(&merkle::leaf_hash(entry), policy)
    }

    /// Verifies as [`LogProof::verify`] does, from the entry's leaf hash.
    ///
    /// Compute the leaf hash from the bytes at hand; one that came along with the proof proves
    /// nothing about them.
    ///
    /// # Errors
    ///
    /// [`LogProofError::Checkpoint`] or [`LogProofError::Inclusion`].
    pub fn verify_leaf(&self, leaf: &Hash, policy: &Policy) -> Result<VerifiedCheckpoint, LogProofError> {
        let verified = policy.verify_checkpoint(self.checkpoint.as_bytes());
        let verified = verified.map_err(LogProofError::Checkpoint)?;
        let head = &verified.checkpoint;
        merkle::verify_inclusion(leaf, self.index, head.size, &self.path, &head.root)
            .map_err(LogProofError::Inclusion)?;
        Ok(verified)
    }
}

impl fmt::Display for LogProof {
    /// Writes the bytes the proof was parsed from.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", text::encode_base64(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{}", hash.to_base64()))?;
        write!(f, "\n{}", self.checkpoint)
    }
}
