//! The chain: its tiles and its checkpoints. A checkpoint is published only with the quorum of witnesses.

use crate::{
    Config, OpenError,
    cosign::Witnesses,
    store::{Anchored, Store},
    tiles::TileDir,
};
use seal::entry;
use std::{io, sync::Arc};
use tlog::{
    Hash,
    checkpoint::Checkpoint,
    key::SignerKey,
    note::{self, Note},
    policy::{Policy, PolicyError},
    tile::{self, EntriesId, TILE_WIDTH, TileError},
};

/// Why no new checkpoint was published. What is published stays as it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChainError {
    #[error("the database of blocks failed")]
    Database(#[from] sqlx::Error),
    #[error("the chain's files cannot be written")]
    Files(#[from] io::Error),
    #[error("the chain's tiles contradict themselves")]
    Tiles(#[from] TileError<io::Error>),
    #[error("the checkpoint cannot be signed")]
    Sign(#[from] note::NoteError),
    #[error("the checkpoint waits for its witnesses: {0}")]
    Policy(#[from] PolicyError),
}

/// The chain and who cosigns it.
pub(crate) struct Chain {
    store: Store,
    tiles: TileDir,
    key: Arc<SignerKey>,
    policy: Policy,
    witnesses: Witnesses,
    published: u64,
}

impl Chain {
    /// Opens the chain where it stands.
    pub(crate) async fn open(store: Store, tiles: TileDir, config: &Config) -> Result<Self, OpenError> {
        let last = store.checkpoint(u64::MAX).await?;
        if let Some((size, note)) = &last {
            if store.size().await? < *size {
                return Err(OpenError::Broken("there are fewer blocks than the published checkpoint says"));
            }
            // The file is written after the database; a crash in between is healed here.
            tiles.write("checkpoint", note.as_bytes()).map_err(OpenError::Tiles)?;
        }
        Ok(Self {
            store,
            tiles,
            key: Arc::new(config.chain_key.with_algorithm(config.chain_key.verifier().algorithm())),
            policy: config.policy.clone(),
            witnesses: Witnesses::new(&config.policy, config.http.clone()),
            published: last.map_or(0, |(size, _)| size),
        })
    }

    /// Publishes a checkpoint over all blocks, if there are any that none covers yet. Gives the published size.
    pub(crate) async fn publish(&mut self) -> Result<u64, ChainError> {
        let size = self.store.size().await?;
        if size == self.published {
            return Ok(size);
        }
        let root = self.grow(size).await?;
        let checkpoint =
            Checkpoint { origin: self.key.verifier().name().to_owned(), size, root, extensions: Vec::new() };
        let text = checkpoint.to_string();
        let mut note = Note { signatures: vec![note::sign(&text, &self.key)?], text };
        let cosignatures = self.witnesses.cosign(&note.to_string(), size, &self.tiles).await;
        note.signatures.extend(cosignatures);
        let note = note.to_string();
        self.policy.verify_checkpoint(note.as_bytes())?;
        self.store.publish(size, &note).await?;
        self.tiles.write("checkpoint", note.as_bytes())?;
        self.published = size;
        Ok(size)
    }

    /// Writes the tiles from the published size to `size`, from the blocks as they are stored, and gives the root.
    async fn grow(&self, size: u64) -> Result<Hash, ChainError> {
        let width = TILE_WIDTH as u64;
        let first_bundle = self.published / width * width; // the last bundle may have been partial
        let blocks = self.store.blocks(first_bundle, size).await?;
        let (tiles, published) = (self.tiles.clone(), self.published);
        let grown =
            tokio::task::spawn_blocking(move || write_tiles(&tiles, published, first_bundle, size, &blocks)).await;
        grown.map_err(|_| io::Error::other("writing tiles was interrupted"))?
    }
}

fn write_tiles(
    tiles: &TileDir,
    published: u64,
    first_bundle: u64,
    size: u64,
    blocks: &[Anchored],
) -> Result<Hash, ChainError> {
    for (chunk, index) in blocks.chunks(TILE_WIDTH).zip(first_bundle / TILE_WIDTH as u64..) {
        let entries: Vec<&[u8]> = chunk.iter().map(|block| block.bytes.as_slice()).collect();
        let bundle = tile::entry_bundle(&entries).ok_or_else(|| io::Error::other("a block is too large"))?;
        let width = u16::try_from(chunk.len()).map_err(io::Error::other)?;
        tiles.write(&EntriesId { index, width }.path(), &bundle)?;
    }
    let new = blocks.iter().filter(|block| block.place >= published);
    let leaves: Vec<Hash> = new.map(|block| entry::hash(&block.bytes)).collect();
    for (id, hashes) in tile::grow(tiles, published, &leaves)? {
        let bytes: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
        tiles.write(&id.path(), &bytes)?;
    }
    Ok(tile::root(tiles, size)?)
}
