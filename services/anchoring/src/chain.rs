//! The chain: its checkpoints. One is published only with the quorum of witnesses, and only over blocks as they are stored.

use crate::{
    Config,
    cosign::{CosignError, Growth, Witnesses},
    lease::Token,
    store::{Store, WriteError},
    tiles::{Known, Source, Tiles, TilesError},
};
use seal::entry;
use server::now_ms;
use std::sync::Arc;
use tlog::{
    Hash,
    checkpoint::Checkpoint,
    cosignature::cosign,
    key::SignerKey,
    merkle,
    note::{self, Note},
    policy::{Policy, PolicyError},
    tile::{self, MissingTile, TileError},
};

/// The most blocks one checkpoint adds, so that a chain that waited long for its witnesses catches up in steps.
const STEP: u64 = 16_384;

/// Why no new checkpoint was published. What is published stays as it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChainError {
    #[error("the database of blocks failed")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Tiles(#[from] TilesError),
    #[error("the chain's tiles contradict themselves")]
    Tree(#[from] TileError<MissingTile>),
    #[error("the checkpoint cannot be signed")]
    Sign(#[from] note::NoteError),
    #[error("the checkpoint waits for its witnesses: {0}")]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Halted(#[from] Halted),
}

/// Why the chain does not grow any more until an operator has looked: going on would make a second history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Halted {
    #[error("the chain was rolled back: its database holds {held} blocks, a witness has cosigned {cosigned}")]
    RolledBack { held: u64, cosigned: u64 },
    #[error("a witness has cosigned another chain than the database holds: the chain was rolled back and went on")]
    Forked,
    #[error("the blocks in the database are not those under the published checkpoint")]
    Contradicted,
}

/// A tree as far as it is published or about to be.
#[derive(Clone)]
struct Tree {
    size: u64,
    root: Hash,
    /// The tiles that its root and its growth are made of.
    edge: Known,
}

/// The chain and who cosigns it.
pub(crate) struct Chain {
    store: Store,
    token: Token,
    tiles: Tiles,
    key: Arc<SignerKey>,
    /// Signs too, if the chain has two keys.
    second_key: Option<SignerKey>,
    policy: Policy,
    witnesses: Witnesses,
    published: Tree,
    /// What witnesses are shown before anything new: the last published checkpoint, or one over nothing.
    introduction: String,
    /// Whether nothing was ever published: then the empty chain is.
    unpublished: bool,
    /// How many blocks there were before this term added any.
    held: u64,
    halted: Option<Halted>,
}

impl Chain {
    /// Takes the chain up where it stands, for who holds the lease.
    pub(crate) async fn open(store: Store, token: Token, tiles: Tiles, config: &Config) -> Result<Self, ChainError> {
        let key = Arc::new(config.chain_key.with_algorithm(config.chain_key.verifier().algorithm()));
        let second_key = config.chain_key_ml_dsa.as_ref().map(|key| key.with_algorithm(key.verifier().algorithm()));
        let held = store.size().await?;
        let latest = store.checkpoint(u64::MAX).await?;
        let unpublished = latest.is_none();
        let (last, introduction) = match latest {
            Some((_, note)) => (checkpoint_in(&note).ok_or(Halted::Contradicted), note),
            None => {
                let empty = checkpoint(&key, 0, merkle::empty_root());
                let text = empty.to_string();
                (Ok(empty), Note { signatures: vec![note::sign(&text, &key)?], text }.to_string())
            }
        };
        let (published, halted) = match last {
            Ok(last) if last.size <= held => match published(&tiles, &last).await? {
                Some(tree) => (tree, None),
                None => (Tree::empty(), Some(Halted::Contradicted)),
            },
            _ => (Tree::empty(), Some(Halted::Contradicted)),
        };
        let (policy, witnesses) = (config.policy.clone(), Witnesses::new(&config.policy, config.http.clone()));
        Ok(Self {
            store,
            token,
            tiles,
            key,
            second_key,
            policy,
            witnesses,
            published,
            introduction,
            unpublished,
            held,
            halted,
        })
    }

    /// Why the chain does not grow any more, if so.
    pub(crate) fn halted(&self) -> Option<Halted> {
        self.halted
    }

    /// The published size.
    pub(crate) fn size(&self) -> u64 {
        self.published.size
    }

    /// Publishes a checkpoint over all blocks, if there are any that none covers yet, or if nothing was published before:
    /// a chain without blocks has a checkpoint of size 0, cosigned like any other.
    pub(crate) async fn publish(&mut self) -> Result<(), ChainError> {
        if let Some(halted) = self.halted {
            return Err(halted.into());
        }
        self.meet_witnesses().await?;
        let size = self.store.size().await?.min(self.published.size.saturating_add(STEP));
        if size <= self.published.size && !self.unpublished {
            return Ok(());
        }
        let tree = self.grown(size).await?;
        self.store.renew(self.token).await?;
        let text = checkpoint(&self.key, size, tree.root).to_string();
        let mut note = Note { signatures: vec![note::sign(&text, &self.key)?], text };
        if let Some(key) = &self.second_key {
            note.signatures.push(cosign(&checkpoint(&self.key, size, tree.root), key, now_ms() / 1_000)?);
        }
        let growth = Growth {
            store: self.store.clone(),
            tiles: self.tiles.clone(),
            size,
            root: tree.root,
            edge: tree.edge.clone(),
        };
        let answers = self.witnesses.cosign(&note.to_string(), growth).await;
        self.heed(&answers.refusals)?;
        note.signatures.extend(answers.cosignatures);
        let note = note.to_string();
        self.policy.verify_checkpoint(note.as_bytes())?;
        self.store.publish(self.token, size, &note).await?;
        self.published = tree;
        self.unpublished = false;
        Ok(())
    }

    /// Shows witnesses that were not met yet what they may know already, and asks what they cosigned last: a database that
    /// was restored to an earlier state is found out before anything new is signed.
    async fn meet_witnesses(&mut self) -> Result<(), ChainError> {
        let refusals = self.witnesses.meet(&self.introduction, self.published.size, self.held).await;
        self.heed(&refusals)
    }

    fn heed(&mut self, refusals: &[CosignError]) -> Result<(), ChainError> {
        let halted = refusals.iter().find_map(|refusal| match refusal {
            CosignError::RolledBack(cosigned) => Some(Halted::RolledBack { held: self.held, cosigned: *cosigned }),
            CosignError::Forked => Some(Halted::Forked),
            _ => None,
        });
        self.halted = halted.or(self.halted);
        halted.map_or(Ok(()), |halted| Err(halted.into()))
    }

    /// The tree of `size` blocks, from the blocks as they are stored. The published tree is what was checked before.
    async fn grown(&self, size: u64) -> Result<Tree, ChainError> {
        let blocks = self.store.bytes_of(self.published.size, size).await?;
        let leaves: Vec<Hash> = blocks.iter().map(|block| entry::hash(block)).collect();
        if leaves.len() as u64 != size - self.published.size {
            return Err(TilesError::PastTheEnd.into());
        }
        let mut edge = self.published.edge.clone();
        edge.extend(tile::grow(&edge, self.published.size, &leaves)?);
        let root = tile::root(&edge, size)?;
        let needed = edge_of(size);
        edge.retain(|id, _| needed.contains(id));
        Ok(Tree { size, root, edge })
    }
}

impl Tree {
    fn empty() -> Self {
        Self { size: 0, root: merkle::empty_root(), edge: Known::new() }
    }
}

/// The tree under a checkpoint, if the blocks are those it is over. Copies that say otherwise are replaced.
async fn published(tiles: &Tiles, last: &Checkpoint) -> Result<Option<Tree>, ChainError> {
    for from in [Source::Copies, Source::Blocks] {
        let edge = tiles.fetch(edge_of(last.size), Known::new(), from).await?;
        let root = tile::root(&edge, last.size)?;
        if root != last.root {
            continue;
        }
        if from == Source::Blocks {
            tiles.mend(&edge).await;
        }
        return Ok(Some(Tree { size: last.size, root, edge }));
    }
    Ok(None)
}

fn edge_of(size: u64) -> Vec<tile::TileId> {
    let mut edge = tile::tiles_for_root(size);
    edge.extend(tile::right_edge(size));
    edge
}

fn checkpoint(key: &SignerKey, size: u64, root: Hash) -> Checkpoint {
    Checkpoint { origin: key.verifier().name().to_owned(), size, root, extensions: Vec::new() }
}

/// The checkpoint in a note of our own.
pub(crate) fn checkpoint_in(note: &str) -> Option<Checkpoint> {
    Checkpoint::parse(&Note::parse(note.as_bytes()).ok()?.text).ok()
}
