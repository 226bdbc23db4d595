//! The chain: its checkpoints. One is published only with the quorum of witnesses, and only over blocks as they are stored.

use crate::{
    Config,
    cosign::{CosignError, Growth, Introduction, Reach, Truth, Witnesses},
    lease::Token,
    store::{Store, WriteError},
    tiles::{Source, TileHashes, Tiles, TilesError},
};
use clock::now_ms;
use seal::entry;
use std::{sync::Arc, time::Duration};
use telemetry::meters;
use tlog::{
    Hash,
    checkpoint::Checkpoint,
    cosignature::cosign,
    key::{SignerKey, VerifierKey},
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
    #[error("the checkpoint waits for its witnesses: too few answer, and those that failed are asked again later")]
    TooFew,
    #[error("the checkpoint waits until its witnesses may be asked again")]
    Paced,
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
    #[error(
        "a witness has cosigned a different chain than the database holds: the chain was rolled back and then extended"
    )]
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
    edge: TileHashes,
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
    introduction: Introduction,
    /// Whether nothing was ever published: then the empty chain is.
    unpublished: bool,
    halted: Option<Halted>,
    /// When the quorum last cosigned, Unix milliseconds; none if that is not known.
    cosigned: Option<u64>,
    /// After this time the same checkpoint is cosigned anew.
    refresh: Duration,
    /// Whether there are blocks that no checkpoint covers yet.
    behind: bool,
}

impl Chain {
    /// Takes the chain up where it stands, for who holds the lease.
    pub(crate) async fn open(store: Store, token: Token, tiles: Tiles, config: &Config) -> Result<Self, ChainError> {
        let key = Arc::new(config.chain_key.with_algorithm(config.chain_key.verifier().algorithm()));
        let second_key = config.chain_key_ml_dsa.as_ref().map(|key| key.with_algorithm(key.verifier().algorithm()));
        let held = store.size().await?;
        let note = store.checkpoint(u64::MAX).await?.map(|(_, note)| note);
        let (published, halted) = taken_up(&tiles, note.as_deref(), held).await?;
        // Signatures of others are no part of it: five cosignatures by ML-DSA-44 are more than most witnesses read.
        let introduction = signed(&key, published.size, published.root)?.to_string();
        let introduction = Introduction { note: introduction, size: published.size, held };
        let policy = config.policy.clone();
        let unpublished = note.is_none();
        let verified = note.and_then(|note| policy.verify_checkpoint(note.as_bytes()).ok());
        let cosigned = verified.and_then(|verified| policy.cosigned_since(&verified.cosigned_by));
        let cosigned = cosigned.map(|seconds| seconds.saturating_mul(1_000));
        let truth = Truth { store: store.clone(), tiles: tiles.clone(), keys: chain_keys(&key, &policy) };
        let witnesses = Witnesses::new(&policy, config.http.clone(), truth, &config.pace);
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
            halted,
            cosigned,
            refresh: config.pace.refresh,
            behind: false,
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

    /// Whether there are blocks that no checkpoint covers, as of the last call of [`Chain::publish`].
    pub(crate) fn is_behind(&self) -> bool {
        self.behind
    }

    /// Publishes a checkpoint over all blocks, if there are any that none covers yet; and the last one with new
    /// cosignatures, if those it has are old. A chain without blocks has a checkpoint of size 0, cosigned like any other.
    pub(crate) async fn publish(&mut self) -> Result<(), ChainError> {
        self.behind = true; // unless it turns out otherwise
        if let Some(halted) = self.halted {
            return Err(halted.into());
        }
        self.meet_witnesses().await?;
        let size = self.store.size().await?.min(self.published.size.saturating_add(STEP));
        self.behind = size > self.published.size;
        if !self.behind && !self.unpublished && !self.is_stale() {
            return Ok(());
        }
        let size = size.max(self.published.size);
        match self.witnesses.reach(size) {
            Reach::Now => {}
            Reach::Soon => return Err(ChainError::Paced),
            Reach::Not => return Err(ChainError::TooFew),
        }
        let tree = if self.behind { self.grown(size).await? } else { self.published.clone() };
        self.store.renew(self.token).await?;
        let note = self.with_quorum(&tree).await?;
        self.store.publish(self.token, size, &note).await?;
        (self.published, self.cosigned, self.behind) = (tree, Some(now_ms()), false);
        self.unpublished = false;
        meters().freshness.end("");
        meters().freshness.begin("");
        Ok(())
    }

    /// Whether verifiers may soon doubt that the published checkpoint is the latest.
    fn is_stale(&self) -> bool {
        let needs_witnesses = !self.policy.satisfied_by(&[]);
        let age = self.cosigned.map(|cosigned| Duration::from_millis(now_ms().saturating_sub(cosigned)));
        needs_witnesses && (self.published.size > 0 || age.is_some()) && age.is_none_or(|age| age >= self.refresh)
    }

    /// The note of a checkpoint, signed and cosigned by the quorum.
    async fn with_quorum(&mut self, tree: &Tree) -> Result<String, ChainError> {
        let mut note = signed(&self.key, tree.size, tree.root)?;
        if let Some(key) = &self.second_key {
            note.signatures.push(cosign(&checkpoint(&self.key, tree.size, tree.root), key, now_ms() / 1_000)?);
        }
        let growth = Growth {
            store: self.store.clone(),
            tiles: self.tiles.clone(),
            size: tree.size,
            root: tree.root,
            edge: tree.edge.clone(),
        };
        let answers = self.witnesses.cosign(&note, growth).await;
        self.heed(&answers.refusals)?;
        note.signatures.extend(answers.cosignatures(&self.policy));
        let note = note.to_string();
        self.policy.verify_checkpoint(note.as_bytes())?;
        Ok(note)
    }

    /// Shows witnesses that were not met yet what they may know already, and asks what they cosigned last: a database that
    /// was restored to an earlier state is found out before anything new is signed.
    async fn meet_witnesses(&mut self) -> Result<(), ChainError> {
        let refusals = self.witnesses.meet(&self.introduction).await;
        self.heed(&refusals)
    }

    /// Stops if a witness has shown, under the chain's own signature, that the database is not the whole chain. What it
    /// only claims costs its cosignature, and no more.
    fn heed(&mut self, refusals: &[CosignError]) -> Result<(), ChainError> {
        let halted = refusals.iter().find_map(|refusal| match *refusal {
            CosignError::RolledBack { held, cosigned } => Some(Halted::RolledBack { held, cosigned }),
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
        Self { size: 0, root: merkle::empty_root(), edge: TileHashes::new() }
    }
}

/// The tree under the last published note, if there is one and the `held` blocks are those it is over; or why the chain must
/// not grow.
async fn taken_up(tiles: &Tiles, note: Option<&str>, held: u64) -> Result<(Tree, Option<Halted>), ChainError> {
    let Some(note) = note else { return Ok((Tree::empty(), None)) };
    let tree = match checkpoint_in(note).filter(|last| last.size <= held) {
        Some(last) => published(tiles, &last).await?,
        None => None,
    };
    Ok(tree.map_or_else(|| (Tree::empty(), Some(Halted::Contradicted)), |tree| (tree, None)))
}

/// The tree under a checkpoint, if the blocks are those it is over. Copies that say otherwise are replaced.
async fn published(tiles: &Tiles, last: &Checkpoint) -> Result<Option<Tree>, ChainError> {
    for from in [Source::Copies, Source::Blocks] {
        let edge = tiles.fetch(edge_of(last.size), TileHashes::new(), from).await?;
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

/// The keys that checkpoints of this chain are signed by.
fn chain_keys(key: &SignerKey, policy: &Policy) -> Vec<VerifierKey> {
    let own = key.verifier();
    let others = policy.logs().iter().map(|log| &log.key).filter(|key| key.name() == own.name() && **key != own);
    std::iter::once(&own).chain(others).cloned().collect()
}

/// A checkpoint signed by the chain alone.
fn signed(key: &SignerKey, size: u64, root: Hash) -> Result<Note, ChainError> {
    let text = checkpoint(key, size, root).to_string();
    Ok(Note { signatures: vec![note::sign(&text, key)?], text })
}

fn checkpoint(key: &SignerKey, size: u64, root: Hash) -> Checkpoint {
    Checkpoint { origin: key.verifier().name().to_owned(), size, root, extensions: Vec::new() }
}

/// The checkpoint in a note of our own.
pub(crate) fn checkpoint_in(note: &str) -> Option<Checkpoint> {
    Checkpoint::parse(&Note::parse(note.as_bytes()).ok()?.text).ok()
}
