//! Witnesses that misbehave, over real HTTP, against the publishing of the chain.

mod liar;

use crate::{
    Config, Journals, PART, Pace,
    chain::Chain,
    domain::{Tip, next_block},
    lease::Token,
    store::Store,
    tiles::Tiles,
};
use access::ServiceToken;
use bus::Bus;
use channel::{Channel, Settings, http::Http};
use database::Database;
use liar::{Liar, Lie};
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

fn key(name: &str, algorithm: Algorithm) -> SignerKey {
    let seed = tlog::sha256(&[name.as_bytes()]).0;
    SignerKey::from_seed(name, algorithm, seed).unwrap()
}

fn chain_key() -> SignerKey {
    key("chain.example", Algorithm::Ed25519)
}

/// A chain whose blocks come from nowhere, and its witnesses.
struct World {
    folder: tempfile::TempDir,
    witnesses: Vec<Liar>,
    policy: String,
    pace: Pace,
}

impl World {
    /// Witnesses that all are honest at first; any `quorum` of them is enough.
    async fn new(witnesses: usize, quorum: usize) -> Self {
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

    fn policy(&self) -> Policy {
        Policy::parse(&self.policy).unwrap()
    }

    /// The chain as a process takes it up that has just begun.
    async fn open(&self) -> Running {
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
struct Running {
    chain: Chain,
    store: Store,
    token: Token,
    policy: Policy,
}

impl Running {
    /// One block more.
    async fn grow(&self) {
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

    async fn note(&self) -> Option<(u64, String)> {
        self.store.checkpoint(u64::MAX).await.unwrap()
    }

    /// The published checkpoint: it verifies, and holds no line that is not of the chain or of a witness.
    async fn published(&self) -> VerifiedCheckpoint {
        let (size, note) = self.note().await.unwrap();
        let verified = self.policy.verify_checkpoint(note.as_bytes()).unwrap();
        assert_eq!(verified.checkpoint.size, size);
        let lines = Note::parse(note.as_bytes()).unwrap().signatures.len();
        assert_eq!(lines, 1 + verified.cosigned_by.len(), "a line of somebody else was published:\n{note}");
        verified
    }

    /// Grows and publishes; gives how long it took.
    async fn publishes(&mut self) -> Duration {
        self.grow().await;
        let (before, begun) = (self.chain.size(), Instant::now());
        self.chain.publish().await.unwrap();
        assert_eq!(self.published().await.checkpoint.size, before + 1);
        begun.elapsed()
    }

    /// Tries again, as the sequencer does, until a checkpoint is published.
    async fn publishes_in_the_end(&mut self) {
        self.grow().await;
        self.catches_up().await;
    }

    async fn catches_up(&mut self) {
        let until = Instant::now() + Duration::from_secs(60);
        while let Err(error) = self.chain.publish().await {
            assert!(self.chain.halted().is_none() && Instant::now() < until, "{error}");
            tokio::time::sleep(Duration::from_millis(20)).await; // between two tries
        }
        self.published().await;
    }

    /// Who cosigned the published checkpoint, in the policy's order.
    async fn cosigned_by(&self) -> Vec<String> {
        self.published().await.cosigned_by.into_iter().map(|(name, ..)| name).collect()
    }
}

/// Longer than an answer takes that is waited for, shorter than one that is not.
const AT_ONCE: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn one_witness_that_misbehaves_in_any_way_costs_nothing_but_its_cosignature() {
    for lie in Lie::ALL {
        let world = World::new(3, 2).await;
        let mut running = world.open().await;
        running.publishes().await;
        assert_eq!(running.cosigned_by().await, ["w0", "w1", "w2"]);
        world.witnesses[1].lie(lie);
        for round in 0..3 {
            let took = running.publishes().await;
            assert!(took < AT_ONCE, "{lie:?}, round {round}: {took:?}");
            assert_eq!(running.cosigned_by().await, ["w0", "w2"], "{lie:?}");
        }
        // After a restart it is met anew, and must cost no more then.
        let mut running = world.open().await;
        for round in 0..2 {
            let took = running.publishes().await;
            assert!(took < AT_ONCE, "{lie:?}, round {round} after a restart: {took:?}");
            assert_eq!(running.cosigned_by().await, ["w0", "w2"], "{lie:?} after a restart");
        }
        assert!(running.chain.halted().is_none(), "{lie:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quorum_is_what_the_policy_says_and_not_a_number() {
    let mut world = World::new(4, 1).await;
    let lines = world.policy.split("group").next().unwrap().to_owned();
    world.policy =
        lines + "group cro any w0 w1\ngroup regulator any w2 w3\ngroup both all cro regulator\nquorum both\n";
    let mut running = world.open().await;
    running.publishes().await;
    for number in [1, 2] {
        world.witnesses[number].lie(Lie::Hangs);
    }
    assert!(running.publishes().await < AT_ONCE);
    assert_eq!(running.cosigned_by().await, ["w0", "w3"]);
    world.witnesses[3].lie(Lie::WrongSignature);
    world.witnesses[1].lie(Lie::None);
    running.grow().await;
    running.chain.publish().await.unwrap_err();
    assert_eq!(running.published().await.checkpoint.size, 2, "two of one group are no quorum");
}

#[tokio::test(flavor = "multi_thread")]
async fn junk_beside_a_good_cosignature_is_left_out_and_the_good_one_counts() {
    for lie in Lie::BESIDE {
        let world = World::new(3, 3).await;
        let mut running = world.open().await;
        world.witnesses[1].lie(lie);
        running.publishes().await;
        assert_eq!(running.cosigned_by().await, ["w0", "w1", "w2"], "{lie:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_refuses_is_asked_ever_less_often_and_counts_again_without_a_restart() {
    for lie in [Lie::Status(422), Lie::Status(400), Lie::Status(429), Lie::Status(503), Lie::WrongSignature] {
        let world = World::new(3, 2).await;
        let mut running = world.open().await;
        running.publishes().await;
        world.witnesses[1].lie(lie);
        world.witnesses[1].forget_counts();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(2) {
            running.publishes().await;
        }
        // Pauses of at least 250, 500, 1,000 ms: the first question, and three more at most, each asked again if the size
        // that it cosigned last was another.
        let asked = world.witnesses[1].asked();
        assert!((1..=7).contains(&asked), "{lie:?}: asked {asked} times in two seconds");
        world.witnesses[1].lie(Lie::None);
        let until = Instant::now() + Duration::from_secs(60);
        while running.cosigned_by().await != ["w0", "w1", "w2"] {
            assert!(Instant::now() < until, "{lie:?}: it does not count again");
            running.publishes().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_quorum_the_chain_waits_and_goes_on_by_itself() {
    let world = World::new(3, 2).await;
    let mut running = world.open().await;
    running.publishes().await;
    world.witnesses[0].lie(Lie::Status(422));
    world.witnesses[1].lie(Lie::WrongSignature);
    running.grow().await;
    for _ in 0..5 {
        running.chain.publish().await.unwrap_err();
    }
    assert_eq!(running.published().await.checkpoint.size, 1, "no quorum, no checkpoint");
    world.witnesses[0].lie(Lie::None);
    running.catches_up().await;
    assert_eq!((running.chain.size(), running.cosigned_by().await), (2, vec!["w0".to_owned(), "w2".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_witness_that_the_quorum_needs_is_waited_for() {
    let world = World::new(2, 2).await;
    let mut running = world.open().await;
    world.witnesses[1].lie(Lie::Slow(Duration::from_millis(700)));
    running.publishes_in_the_end().await;
    running.publishes_in_the_end().await;
    assert_eq!(running.cosigned_by().await, ["w0", "w1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn witnesses_are_sent_the_chains_own_signature_alone_after_a_restart_too() {
    let world = World::new(6, 6).await;
    for _ in 0..3 {
        let mut running = world.open().await;
        for _ in 0..3 {
            running.publishes().await;
        }
    }
    let (_, note) = world.open().await.note().await.unwrap();
    assert!(note.len() > 16_384, "the published note holds all cosignatures: {} bytes", note.len());
    for witness in &world.witnesses {
        let largest = witness.largest_body();
        assert!(largest > 0 && largest <= 10 << 10, "{largest} bytes, of which deployed witnesses read 10,240");
        assert!(witness.others_signatures() == 0, "signatures of others were sent");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_to_know_more_stops_the_chain_only_under_its_own_signature() {
    // Rolled back: the witness shows a checkpoint that the chain signed and the database does not hold.
    let world = World::new(3, 1).await;
    let mut running = world.open().await;
    running.publishes().await;
    running.publishes().await;
    running.publishes().await;
    for sql in ["DELETE FROM block WHERE place > 0", "DELETE FROM checkpoint WHERE size > 1"] {
        sqlx::query(sql).execute(running.store.database.writing()).await.unwrap();
    }
    drop(running);
    for witness in [0, 2] {
        world.witnesses[witness].lie(Lie::Status(500)); // one that remembers is enough
    }
    let mut running = world.open().await;
    running.grow().await;
    running.chain.publish().await.unwrap_err();
    assert!(running.chain.halted().is_some(), "one witness that shows it is enough");
    assert_eq!(running.published().await.checkpoint.size, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_chain_has_its_checkpoint_cosigned_anew() {
    let mut world = World::new(3, 2).await;
    world.pace.refresh = Duration::from_secs(1);
    let mut running = world.open().await;
    running.publishes().await;
    let first = running.published().await;
    let until = Instant::now() + Duration::from_secs(60);
    let since = |verified: &VerifiedCheckpoint| world.policy().cosigned_since(&verified.cosigned_by).unwrap();
    loop {
        running.chain.publish().await.unwrap();
        let now = running.published().await;
        assert_eq!(now.checkpoint, first.checkpoint);
        if since(&now) > since(&first) {
            break;
        }
        assert!(Instant::now() < until, "it is never cosigned anew");
        tokio::time::sleep(Duration::from_millis(20)).await; // between two looks
    }
    // A witness that is away leaves the old one in place, and the chain as it is.
    world.witnesses[0].lie(Lie::Status(500));
    world.witnesses[1].lie(Lie::Status(500));
    while running.chain.publish().await.is_ok() {
        assert!(Instant::now() < until, "without the quorum it says so");
        tokio::time::sleep(Duration::from_millis(20)).await; // between two looks
    }
    assert!(!running.chain.is_behind(), "no block waits");
    running.published().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_witness_is_asked_more_often_than_the_rate() {
    let mut world = World::new(1, 1).await;
    world.pace.witness_rate = NonZeroU32::new(60).unwrap();
    let mut running = world.open().await;
    let begun = Instant::now();
    for _ in 0..3 {
        running.publishes_in_the_end().await;
    }
    // Asked at once, a second and two seconds later; and it was met.
    assert!(begun.elapsed() >= Duration::from_millis(1_900), "{:?}", begun.elapsed());
    assert_eq!(world.witnesses[0].asked(), 4);
}
