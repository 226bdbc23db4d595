//! A chain whose blocks come from nowhere, and its witnesses.

use super::liar::{Liar, Lie};
use crate::{
    Config, Journals, PART, Pace,
    chain::Chain,
    domain::{Tip, next_block},
    lease::Token,
    store::Store,
    tiles::Tiles,
};
use bus::Bus;
use caller::ServiceToken;
use channel::{Channel, Settings, http::Http};
use database::Database;
use objects::Objects;
use seal::{
    Hash,
    entry::Entry,
    id::{Service, Uuid},
};
use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};
use tlog::{
    key::{Algorithm, SignerKey},
    note::Note,
    policy::{Policy, VerifiedCheckpoint},
};

pub(super) fn key(name: &str, algorithm: Algorithm) -> SignerKey {
    let seed = tlog::sha256(&[name.as_bytes()]).0;
    SignerKey::from_seed(name, algorithm, seed).unwrap()
}

pub(super) fn chain_key() -> SignerKey {
    key("chain.example", Algorithm::Ed25519)
}

/// A chain whose blocks come from nowhere, and its witnesses.
pub(super) struct World {
    pub(super) folder: tempfile::TempDir,
    pub(super) witnesses: Vec<Liar>,
    pub(super) policy: String,
    pub(super) pace: Pace,
}

impl World {
    /// Witnesses that all are honest at first; any `quorum` of them is enough.
    pub(super) async fn new(witnesses: usize, quorum: usize) -> Self {
        let (mut all, mut lines, mut names) = (Vec::new(), format!("log {}\n", chain_key().verifier()), String::new());
        for number in 0..witnesses {
            let algorithm = if number == 1 { Algorithm::CosignatureEd25519 } else { Algorithm::CosignatureMlDsa44 };
            let witness = Liar::start(key(&format!("witness.example/{number}"), algorithm), &chain_key()).await;
            lines += &format!("witness w{number} {} {}\n", witness.key(), witness.url);
            names += &format!(" w{number}");
            all.push(witness);
        }
        let policy = format!("{lines}group enough {quorum}{names}\nquorum enough\n");
        let pace = Pace { witness_rate: NonZeroU32::MAX, ..Pace::default() }; // here, one checkpoint follows the other at once
        Self { folder: tempfile::tempdir().unwrap(), witnesses: all, policy, pace }
    }

    pub(super) fn policy(&self) -> Policy {
        Policy::parse(&self.policy).unwrap()
    }

    /// The chain as a process takes it up that has just begun.
    pub(super) async fn open(&self) -> Running {
        let database = Database::open_file(&self.folder.path().join("anchoring.sqlite"), &PART).await.unwrap();
        let nobody = Channel::new("http://127.0.0.1:9", None, Settings::default()).unwrap();
        let config = Config {
            database,
            chain: Objects::folder(&self.folder.path().join("chain")).unwrap(),
            policy: self.policy(),
            chain_key: chain_key(),
            chain_key_ml_dsa: None,
            pace: self.pace,
            instance: "test".to_owned(),
            journals: Journals {
                enrollment: nobody.clone(),
                consent: nobody.clone(),
                capture: nobody,
                services: ServiceToken::absent(),
            },
            http: Http::new(None).unwrap(),
            bus: Bus::absent(),
        };
        let store = Store::new(config.database.clone());
        let tiles = Tiles::new(config.chain.clone(), store.clone());
        let token = store.acquire("test", true).await.unwrap().unwrap();
        let chain = Chain::open(store.clone(), token, tiles, &config).await.unwrap();
        Running { chain, store, token, policy: self.policy() }
    }
}

/// The chain in one term.
pub(super) struct Running {
    pub(super) chain: Chain,
    pub(super) store: Store,
    pub(super) token: Token,
    pub(super) policy: Policy,
}

impl Running {
    /// One block more.
    pub(super) async fn grow(&self) {
        let stream = Service::Capture.stream(Uuid::from_random([7; 16]));
        let tip = self.store.tip(stream).await.unwrap().unwrap_or(Tip::START);
        let entry = Entry {
            stream,
            number: tip.entry,
            previous: tip.entry_hash,
            time: tip.entry,
            nonce: [7; 16],
            kind: "submit-form".to_owned(),
            envelope: Hash::ZERO,
            state_root: None,
            basis: Vec::new(),
        };
        let block = next_block(stream, &tip, &[entry.to_bytes()], 1_000).unwrap();
        self.store.add(self.token, &[block]).await.unwrap();
    }

    pub(super) async fn note(&self) -> Option<(u64, String)> {
        self.store.checkpoint(u64::MAX).await.unwrap()
    }

    /// The published checkpoint: it verifies, and holds no line that is not of the chain or of a witness.
    pub(super) async fn published(&self) -> VerifiedCheckpoint {
        let (size, note) = self.note().await.unwrap();
        let verified = self.policy.verify_checkpoint(note.as_bytes()).unwrap();
        assert_eq!(verified.checkpoint.size, size);
        let lines = Note::parse(note.as_bytes()).unwrap().signatures.len();
        assert_eq!(lines, 1 + verified.cosigned_by.len(), "a line of somebody else was published:\n{note}");
        verified
    }

    /// Grows and publishes.
    pub(super) async fn publishes(&mut self) {
        self.grow().await;
        let before = self.chain.size();
        self.chain.publish().await.unwrap();
        assert_eq!(self.published().await.checkpoint.size, before + 1);
    }

    /// The same, though a witness would be waited for longer than a test takes.
    pub(super) async fn publishes_without_waiting(&mut self, lie: Lie) {
        let published = tokio::time::timeout(Duration::from_secs(120), self.publishes()).await;
        assert!(published.is_ok(), "{lie:?} is waited for");
    }

    /// Grows and publishes until all of these have cosigned what is published: then nobody is late with an answer.
    pub(super) async fn cosigned_by_all(&mut self, names: &[&str]) {
        let until = Instant::now() + Duration::from_secs(60);
        self.publishes_in_the_end().await;
        while self.cosigned_by().await != names {
            assert!(Instant::now() < until, "not everybody cosigns");
            self.publishes_in_the_end().await;
        }
    }

    /// Tries again, as the sequencer does, until a checkpoint is published.
    pub(super) async fn publishes_in_the_end(&mut self) {
        self.grow().await;
        self.catches_up().await;
    }

    pub(super) async fn catches_up(&mut self) {
        let until = Instant::now() + Duration::from_secs(60);
        while let Err(error) = self.chain.publish().await {
            assert!(self.chain.halted().is_none() && Instant::now() < until, "{error}");
            tokio::time::sleep(Duration::from_millis(20)).await; // between two tries
        }
        self.published().await;
    }

    /// Who cosigned the published checkpoint, in the policy's order.
    pub(super) async fn cosigned_by(&self) -> Vec<String> {
        self.published().await.cosigned_by.into_iter().map(|(name, ..)| name).collect()
    }
}
