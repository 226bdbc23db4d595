//! Erasure: an entry in the journal and a key in the vault, which are two databases.
//!
//! Invariant: a key that an erasure names is destroyed if that erasure is recorded, and only then, whichever process dies
//! when. No step is undone:
//!
//! 1. The vault notes the key as doomed, with the request that is to destroy it.
//! 2. The request is recorded in the journal, or refused.
//! 3. If it is recorded, the key is destroyed, and the note with it. If it is refused, the note is removed. If nobody knows,
//!    the note stays, until the same command is sent again or [`finish_all`] asks the journal.

use crate::store::Store;
use journal::ReadError;
use seal::{
    Hash,
    id::{StreamId, Uuid},
};
use std::time::Duration;
use tokio::time::sleep;
use vault::{Doomed, Vault, VaultError};

/// How often erasures that were not finished are looked for.
const FINISH: Duration = Duration::from_secs(60);
/// A request that is not recorded this long after its key was doomed was refused, or its process died before it was
/// recorded. Nothing waits that long to be recorded.
const GIVEN_UP: Duration = Duration::from_secs(300);

/// What became of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recording {
    Recorded,
    Refused,
    /// The journal did not answer: it may be recorded or not.
    Unknown,
}

/// An erasure that has begun: its key is doomed.
pub(crate) struct Erasure<'a> {
    vault: &'a Vault,
    key: Hash,
    request: Uuid,
}

impl<'a> Erasure<'a> {
    /// Notes that `request`, once it is recorded in `stream`, destroys `key`.
    pub(crate) async fn begin(
        vault: &'a Vault,
        key: Hash,
        stream: StreamId,
        request: Uuid,
    ) -> Result<Self, VaultError> {
        vault.doom(&key.0, &stream.0.0, &request.0).await?;
        Ok(Self { vault, key, request })
    }

    /// Does what follows from what became of the request.
    pub(crate) async fn end(self, recording: Recording) -> Result<(), VaultError> {
        match recording {
            Recording::Recorded => self.vault.destroy(&self.key.0).await,
            Recording::Refused => self.vault.spare(&self.key.0, &self.request.0).await,
            Recording::Unknown => Ok(()),
        }
    }
}

/// Finishes the erasures of processes that died before they came to that, at the start and from time to time: it may have
/// been another replica.
pub(crate) async fn finish_all(store: Store) {
    loop {
        for doomed in store.vault().doomed().await.unwrap_or_default() {
            if let Err(error) = finish(&store, &doomed).await {
                tracing::error!(%error, "an erasure cannot be finished now");
            }
        }
        sleep(FINISH).await;
    }
}

/// Why an erasure is not finished.
#[derive(Debug, thiserror::Error)]
enum Unfinished {
    #[error(transparent)]
    Journal(#[from] ReadError),
    #[error(transparent)]
    Vault(#[from] VaultError),
}

async fn finish(store: &Store, doomed: &Doomed) -> Result<(), Unfinished> {
    let found = store.reader().recorded(StreamId(Hash(doomed.stream)), &[doomed.request]).await?;
    if !found.is_empty() {
        store.vault().destroy(&doomed.reference).await?;
    } else if doomed.age > GIVEN_UP {
        store.vault().spare(&doomed.reference, &doomed.request).await?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use database::Database;
    use vault::{MasterKey, PART};

    #[tokio::test]
    async fn a_key_is_destroyed_if_the_erasure_is_recorded_and_noted_while_nobody_knows() {
        for (recording, opens, is_noted) in
            [(Recording::Recorded, false, false), (Recording::Refused, true, false), (Recording::Unknown, true, true)]
        {
            let folder = tempfile::tempdir().unwrap();
            let database = Database::open_file(&folder.path().join("vault.sqlite"), &PART).await.unwrap();
            let vault = Vault::open(database, MasterKey::new([3; 32]));
            let (key, stream, request) = (Hash([1; 32]), StreamId(Hash([2; 32])), Uuid([4; 16]));
            let sealed = vault.seal(&key.0, b"entry", b"value").await.unwrap();
            let erasure = Erasure::begin(&vault, key, stream, request).await.unwrap();
            assert_eq!(vault.doomed().await.unwrap().len(), 1, "{recording:?}: noted before it is recorded");
            erasure.end(recording).await.unwrap();
            assert_eq!(vault.open_sealed(b"entry", &sealed).await.is_ok(), opens, "{recording:?}");
            assert_eq!(!vault.doomed().await.unwrap().is_empty(), is_noted, "{recording:?}");
        }
    }
}
