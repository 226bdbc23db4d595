//! Erasure: an entry in the journal and a key in the vault, which are two databases.
//!
//! Invariant: a key that an erasure names is destroyed if that erasure is recorded, and only then, whichever process dies
//! when. No step is undone:
//!
//! 1. The vault notes the key as doomed, with the request that is to destroy it.
//! 2. The request is recorded in the journal, or refused.
//! 3. If it is recorded, the key is destroyed, and the note with it. If it is refused, the note is removed. If nobody knows,
//!    the note stays, and whoever finds it asks the journal: the same command sent again, or [`finish_all`].

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
