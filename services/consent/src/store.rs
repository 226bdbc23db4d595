//! The consent journal, and the documents' files.

use crate::domain::Refused;
use journal::Journal;
use objects::{ObjectError, Objects};
use seal::{Hash, sha256};
use vocabulary::command::{AccessData, Payload, RevokeAccess, WithdrawConsent};

/// The largest file of a document.
pub(crate) const MAX_FILE_BYTES: usize = 8 << 20;

/// The journal as this service keeps it.
pub(crate) type Consent = Journal<Refused>;

/// What ends a right, and reads by those who must sign for them, are recorded beyond the quota as well.
pub(crate) const IN_RESERVE: &[&str] = &[WithdrawConsent::KIND, RevokeAccess::KIND, AccessData::KIND];

/// The documents' files: content-addressed, each durable before the command that names it is recorded. A crash in between
/// leaves a file that nothing names, and that the same command sent again names.
#[derive(Clone)]
pub(crate) struct Files(pub(crate) Objects);

impl Files {
    /// Keeps a file; keeping it again changes nothing, or mends a damaged copy.
    pub(crate) async fn keep(&self, hash: &Hash, bytes: Vec<u8>) -> Result<(), ObjectError> {
        if matches!(self.get(hash).await, Ok(Some(_))) {
            return Ok(());
        }
        self.0.put(&hash.to_hex(), bytes).await
    }

    /// A file, if it is kept and undamaged.
    pub(crate) async fn get(&self, hash: &Hash) -> Result<Option<Vec<u8>>, ObjectError> {
        match self.0.get(&hash.to_hex(), MAX_FILE_BYTES).await {
            Ok(found) => Ok(found.filter(|bytes| sha256(&[bytes]) == *hash)),
            Err(ObjectError::TooLarge) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
