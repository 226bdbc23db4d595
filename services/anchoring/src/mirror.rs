//! The chain's files in the object store, for those who read them there: always behind the database, never ahead.
//!
//! A crash between database and object store, a full disk, a bucket that was away or lost: what lacks is written later.
//! Tiles come first and the checkpoint that covers them last, so a reader never finds a checkpoint without its tiles.

use crate::{
    store::Store,
    tiles::{Source, Tiles, TilesError, bytes},
};
use objects::ObjectError;
use std::time::Duration;
use telemetry::Causes;
use tlog::tile::{EntriesId, TileId, tiles_for_growth};
use tokio::{sync::watch, time::timeout};

/// The largest checkpoint read back.
const MAX_CHECKPOINT: usize = 1 << 17;
/// After this time the checkpoint's copy is looked at again, whether or not there is news.
const LOOK: Duration = Duration::from_secs(30);
/// After this time a copy that failed is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Why the object store is behind.
#[derive(Debug, thiserror::Error)]
enum MirrorError {
    #[error(transparent)]
    Tiles(#[from] TilesError),
    #[error(transparent)]
    Objects(#[from] ObjectError),
    #[error("the database of blocks failed")]
    Database(#[from] sqlx::Error),
}

/// Follows the published size and writes what the object store lacks. Ends when nobody publishes any more.
pub(crate) async fn run(store: Store, tiles: Tiles, mut published: watch::Receiver<Option<u64>>) {
    let mut mirror = Mirror { store, tiles, copied: None };
    let mut wait = Duration::ZERO;
    while !matches!(timeout(wait, published.changed()).await, Ok(Err(_))) {
        wait = LOOK;
        let active = published.borrow_and_update().is_some();
        if !active {
            mirror.copied = None; // another replica writes now, and may leave gaps
            continue;
        }
        if let Err(error) = mirror.copy().await {
            tracing::warn!(error = %Causes(&error), "the chain's files are behind");
            wait = AGAIN;
        }
    }
}

struct Mirror {
    store: Store,
    tiles: Tiles,
    /// Up to which size all files are known to be there.
    copied: Option<u64>,
}

impl Mirror {
    async fn copy(&mut self) -> Result<(), MirrorError> {
        let Some((size, note)) = self.store.checkpoint(u64::MAX).await? else { return Ok(()) };
        if self.copied != Some(size) {
            self.copy_tiles(size).await?;
            self.copied = Some(size);
        }
        let objects = self.tiles.objects();
        if objects.get("checkpoint", MAX_CHECKPOINT).await.ok().flatten().as_deref() != Some(note.as_bytes()) {
            objects.replace("checkpoint", note.into_bytes()).await?;
        }
        Ok(())
    }

    async fn copy_tiles(&self, size: u64) -> Result<(), MirrorError> {
        for id in tiles_for_growth(self.copied.unwrap_or_default(), size) {
            if id.level == 0 {
                let bundle = EntriesId { index: id.index, width: id.width };
                let (entries, leaves) = self.tiles.made_bundle(bundle).await?;
                self.write(&bundle.path(), entries).await?;
                self.write(&id.path(), bytes(&leaves)).await?;
            } else {
                self.write(&id.path(), self.above(id).await?).await?;
            }
        }
        Ok(())
    }

    async fn above(&self, id: TileId) -> Result<Vec<u8>, TilesError> {
        Ok(bytes(&self.tiles.made(id, Source::Copies).await?))
    }

    /// Writes a file, unless what is there may stay: after a start everything is looked at.
    async fn write(&self, name: &str, bytes: Vec<u8>) -> Result<(), ObjectError> {
        let objects = self.tiles.objects();
        if self.copied.is_none() && objects.size(name).await? == Some(bytes.len() as u64) {
            return Ok(());
        }
        objects.put(name, bytes).await
    }
}
