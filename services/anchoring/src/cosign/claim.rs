//! What a witness claims about the chain, compared with the chain.
//!
//! A witness that says it knows a longer chain, or another one, may be right: then the chain's database was put back, and
//! going on would make a second history. Or it may be wrong, on purpose or not. A checkpoint signed with the chain's own
//! key decides: the claim counts if the witness can show one, and costs no more than its cosignature if it cannot.

use super::CosignError;
use crate::{
    store::Store,
    tiles::{Source, TileHashes, Tiles, TilesError},
};
use tlog::{
    Hash,
    checkpoint::Checkpoint,
    key::VerifierKey,
    merkle,
    note::Note,
    tile::{self, tiles_for_root},
};

/// The blocks as they are stored, which claims are compared with. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Truth {
    pub(crate) store: Store,
    pub(crate) tiles: Tiles,
    /// The chain's own keys; their name is its origin.
    pub(crate) keys: Vec<VerifierKey>,
}

impl Truth {
    pub(super) fn origin(&self) -> &str {
        self.keys.first().map_or("", VerifierKey::name)
    }

    /// How many blocks the checkpoint is over that a witness shows, if the chain signed it and the blocks are those.
    ///
    /// # Errors
    ///
    /// [`CosignError::RolledBack`] or [`CosignError::Forked`] if the chain signed it and the blocks are not those;
    /// [`CosignError::Unproven`] if it did not sign it, or the blocks cannot be read now.
    pub(super) async fn compare(&self, shown: &[u8]) -> Result<u64, CosignError> {
        let checkpoint = self.signed(shown).ok_or(CosignError::Unproven)?;
        let held = self.store.size().await.map_err(|_| CosignError::Unproven)?;
        if checkpoint.size > held {
            return Err(CosignError::RolledBack { held, cosigned: checkpoint.size });
        }
        for from in [Source::Copies, Source::Blocks] {
            let root = self.root(checkpoint.size, from).await.map_err(|_| CosignError::Unproven)?;
            if root == Some(checkpoint.root) {
                return Ok(checkpoint.size);
            }
        }
        Err(CosignError::Forked)
    }

    fn signed(&self, shown: &[u8]) -> Option<Checkpoint> {
        let note = Note::parse(shown).ok()?;
        let checkpoint = Checkpoint::parse(&note.text).ok()?;
        let is_ours = checkpoint.origin == self.origin() && !note.judge(&self.keys).valid.is_empty();
        is_ours.then_some(checkpoint)
    }

    async fn root(&self, size: u64, from: Source) -> Result<Option<Hash>, TilesError> {
        if size == 0 {
            return Ok(Some(merkle::empty_root()));
        }
        let tiles = self.tiles.fetch(tiles_for_root(size), TileHashes::new(), from).await?;
        Ok(tile::root(&tiles, size).ok())
    }
}
