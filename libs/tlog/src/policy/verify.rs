//! Asking a policy whether to believe a checkpoint.

use super::{Policy, PolicyError};
use crate::{
    checkpoint::Checkpoint,
    key::VerifierKey,
    note::{Note, NoteError, Verified},
};
use std::cmp::Reverse;

/// A checkpoint that a policy says to believe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCheckpoint {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// The log key that signed it; its name equals the origin.
    pub log: VerifierKey,
    /// The witnesses that cosigned it: the policy's name, the key, and the time in POSIX seconds.
    pub cosigned_by: Vec<(String, VerifierKey, u64)>,
}

impl Policy {
    /// Verifies a signed checkpoint: log signature, then quorum.
    ///
    /// The name of the log's key must equal the origin. A cosignature with time 0 claims less than a
    /// witness must claim and does not count. Whether the times are recent is for the caller to say.
    ///
    /// # Errors
    ///
    /// [`PolicyError::Malformed`], [`PolicyError::Origin`], [`PolicyError::LogSignature`],
    /// [`PolicyError::Signature`] or [`PolicyError::Quorum`].
    pub fn verify_checkpoint(&self, note_bytes: &[u8]) -> Result<VerifiedCheckpoint, PolicyError> {
        let note = Note::parse(note_bytes).map_err(|_| PolicyError::Malformed)?;
        let checkpoint = Checkpoint::parse(&note.text).map_err(|_| PolicyError::Malformed)?;
        if !self.logs.iter().any(|log| log.key.name() == checkpoint.origin) {
            return Err(PolicyError::Origin { origin: checkpoint.origin });
        }
        let verified = note.verify_by(&self.each_key());
        let verified = verified.map_err(|error| self.refusal(&checkpoint.origin, error))?;
        let log = self.log_of(&checkpoint, &verified).ok_or(PolicyError::LogSignature)?;
        let cosigned_by = self.cosigned_by(&verified);
        self.check_quorum(&cosigned_by)?;
        Ok(VerifiedCheckpoint { checkpoint, log, cosigned_by })
    }

    /// Since when the quorum stands by a checkpoint, in POSIX seconds: the latest time such that the cosignatures of this
    /// time or later reach the quorum, given who cosigned as in [`VerifiedCheckpoint::cosigned_by`]. `None` if all of them
    /// do not, or if the policy asks for no witness.
    pub fn cosigned_since(&self, cosigned_by: &[(String, VerifierKey, u64)]) -> Option<u64> {
        if self.satisfied_by(&[]) {
            return None;
        }
        let mut latest_first: Vec<_> = cosigned_by.iter().map(|(_, key, time)| (*time, key)).collect();
        latest_first.sort_by_key(|(time, _)| Reverse(*time));
        let mut cosigners = Vec::new();
        latest_first.into_iter().find_map(|(time, key)| {
            cosigners.push(key.clone());
            self.satisfied_by(&cosigners).then_some(time)
        })
    }

    fn refusal(&self, origin: &str, error: NoteError) -> PolicyError {
        match error {
            NoteError::WrongSignature { name } if name != origin => PolicyError::Signature { name },
            _ => PolicyError::LogSignature,
        }
    }

    fn log_of(&self, checkpoint: &Checkpoint, verified: &[Verified]) -> Option<VerifierKey> {
        let keys = verified.iter().map(|signature| &signature.key);
        let mut named = keys.filter(|key| key.name() == checkpoint.origin);
        named.find(|key| self.logs.iter().any(|log| log.key == **key)).cloned()
    }

    fn cosigned_by(&self, verified: &[Verified]) -> Vec<(String, VerifierKey, u64)> {
        let mut cosigned_by = Vec::new();
        for Verified { key, time } in verified {
            let witness = self.witnesses.iter().find(|witness| witness.key == *key);
            if let (Some(witness), Some(time @ 1..)) = (witness, time) {
                cosigned_by.push((witness.name.clone(), key.clone(), *time));
            }
        }
        cosigned_by
    }

    fn check_quorum(&self, cosigned_by: &[(String, VerifierKey, u64)]) -> Result<(), PolicyError> {
        let keys: Vec<VerifierKey> = cosigned_by.iter().map(|(_, key, _)| key.clone()).collect();
        if self.satisfied_by(&keys) {
            return Ok(());
        }
        let cosigned_by = cosigned_by.iter().map(|(name, ..)| name.clone()).collect();
        Err(PolicyError::Quorum { needed: self.quorum_text(), cosigned_by })
    }
}
