//! Two anchoring processes over one database: one makes blocks, the other takes over, and there is one chain.

#![allow(clippy::unwrap_used)]

mod support;

use audit::readable;
use client::{Client, Endpoints};
use export::LiveAudit;
use proto::anchoring::GetCheckpointRequest;
use seal::policy::Policy;
use sqlx::{Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};
use support::{World, process::Running};
use testbed::postgres::Postgres;
use tlog::key::{Algorithm, SignerKey};

/// Within this time a process that stands by has taken over.
const TAKEOVER: Duration = Duration::from_secs(10);
/// Longer than any healthy machine needs.
const PATIENCE: Duration = Duration::from_secs(60);

async fn eventually<T>(what: &str, patience: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let until = Instant::now() + patience;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < until, "{what}: not within {patience:?}");
        tokio::time::sleep(Duration::from_millis(20)).await; // between two questions; the answer is what is waited for
    }
}

/// A chain of its own over a world's journals: a witness, a database, and two anchoring processes.
struct Pair {
    world: World,
    postgres: Postgres,
    folder: tempfile::TempDir,
    policy: Policy,
    _witness: Running,
    replicas: [Running; 2],
}

impl Pair {
    async fn new() -> Self {
        let (world, postgres, folder) = (World::new().await, Postgres::start(), tempfile::tempdir().unwrap());
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let keys = folder.path().join("keys");
        fs::create_dir(&keys).unwrap();
        fs::copy(world.folder.path().join("keys/service.token"), keys.join("service.token")).unwrap();
        let chain = key(&keys, "chain", "failover.example", Algorithm::Ed25519);
        let witness_key = key(&keys, "witness", "witness.example", Algorithm::CosignatureEd25519);
        let log = format!("log {}\n", chain.verifier());
        fs::write(at("witness-policy.txt"), format!("{log}quorum none\n")).unwrap();
        let keys = keys.to_str().unwrap();
        let memory = format!("sqlite://{}", at("witness.sqlite"));
        let witness = Running::start(
            &["witness", "--keys", keys, "--database", &memory, "--policy", &at("witness-policy.txt")],
            &[],
        );
        let text = format!("{log}witness one {} {}\nquorum one\n", witness_key.verifier(), witness.url);
        fs::write(at("policy.txt"), &text).unwrap();
        let (database, objects) = (postgres.url("anchoring"), format!("file://{}", at("chain")));
        database::migrate(&database, &anchoring::PART).await.unwrap();
        let Endpoints { enrollment, consent, capture, .. } = &world.deployment.endpoints;
        let policy_file = at("policy.txt");
        let replica = |name: &str| {
            let told = ["--database", &database, "--objects", &objects, "--policy", &policy_file, "--keys", keys];
            let peers = ["--enrollment", enrollment, "--consent", consent, "--capture", capture, "--instance", name];
            Running::start(&[&["anchoring"], &told[..], &peers[..]].concat(), &[])
        };
        let replicas = [replica("0"), replica("1")];
        let policy = Policy::parse(&format!("{text}{}", world.study.policy_line())).unwrap();
        Self { world, postgres, folder, policy, _witness: witness, replicas }
    }

    fn client(&self, replica: usize) -> Client {
        let anchoring = self.replicas[replica].url.clone();
        Client::new(&Endpoints { anchoring, ..self.world.deployment.endpoints.clone() }).unwrap()
    }

    /// The size that a replica says is published.
    async fn size(&self, replica: usize) -> Option<u64> {
        let request = GetCheckpointRequest { at_most: 0 };
        let answer = self.client(replica).anchoring.get_checkpoint(request).await.ok()?;
        answer.into_inner().checkpoint.lines().nth(1)?.parse().ok()
    }

    /// The replica that makes blocks.
    fn active(&self) -> usize {
        self.postgres.query("anchoring", "SELECT holder FROM lease").trim().parse().unwrap()
    }

    /// Records something and waits until a replica shows it published.
    async fn grows(&self, replica: usize, event: &str, patience: Duration) -> u64 {
        let before = self.size(replica).await.unwrap_or_default();
        self.world.capture(event, "120").await;
        eventually("a new checkpoint", patience, async || self.size(replica).await.filter(|size| *size > before)).await
    }

    /// Whether the whole chain is one line, as each replica shows it.
    async fn one_line(&self) {
        for (number, replica) in self.replicas.iter().enumerate() {
            let (client, studies) = (self.client(number), vec![self.world.study.reader()]);
            let audit =
                LiveAudit { client: &client, tiles: &replica.url, policy: &self.policy, studies, progress: false };
            let report = audit.run().await.unwrap();
            assert!(report.clean, "{}", readable(&report));
        }
        let options = SqliteConnectOptions::new().filename(self.folder.path().join("witness.sqlite"));
        let mut memory = SqliteConnection::connect_with(&options).await.unwrap();
        let forks = sqlx::query("SELECT COUNT(*) FROM evidence").fetch_one(&mut memory).await.unwrap();
        assert_eq!(forks.get::<i64, _>(0), 0, "the witness was shown a fork");
    }
}

fn key(folder: &Path, file: &str, name: &str, algorithm: Algorithm) -> SignerKey {
    let key = SignerKey::from_seed(name, algorithm, client::random().unwrap()).unwrap();
    owner::write(&folder.join(format!("{file}.key")), format!("{}\n", key.to_secret_text().as_str()).as_bytes())
        .unwrap();
    key
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sequencer_that_is_paused_is_replaced_in_time_and_writes_nothing_when_it_wakes() {
    let pair = Pair::new().await;
    eventually("a lease", PATIENCE, async || (pair.size(0).await.is_some()).then_some(())).await;
    for round in 0..3 {
        let active = pair.active();
        let other = 1 - active;
        pair.grows(other, &format!("BEFORE {round}"), PATIENCE).await; // the one that stands by serves reads
        pair.replicas[active].signal("-STOP");
        let paused = Instant::now();
        pair.grows(other, &format!("PAUSED {round}"), TAKEOVER).await;
        println!("taken over within {:?}", paused.elapsed());
        assert_eq!(pair.active(), other);
        let token = pair.postgres.query("anchoring", "SELECT token FROM lease");
        pair.replicas[active].signal("-CONT");
        for event in ["AFTER", "LATER"] {
            pair.grows(active, &format!("{event} {round}"), PATIENCE).await; // it serves reads again
        }
        assert_eq!((pair.active(), pair.postgres.query("anchoring", "SELECT token FROM lease")), (other, token));
    }
    pair.one_line().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sequencers_that_are_killed_at_any_moment_leave_one_chain() {
    let mut pair = Pair::new().await;
    eventually("a lease", PATIENCE, async || (pair.size(0).await.is_some()).then_some(())).await;
    let seed = u64::from_be_bytes(client::random().unwrap());
    println!("seed of the pauses: {seed}");
    for round in 0_u64..6 {
        let active = pair.active();
        // Stopped at a random moment of its work and woken while the other is at work: neither asks which it is.
        let moment = seal::sha256(&[&seed.to_be_bytes(), &round.to_be_bytes()]).0;
        pair.world.capture(&format!("LOAD {round}"), "120").await;
        tokio::time::sleep(Duration::from_millis(u64::from(moment[0]))).await; // the random moment itself
        pair.replicas[active].signal("-STOP");
        pair.grows(1 - active, &format!("TAKEN {round}"), TAKEOVER).await;
        pair.replicas[active].signal("-CONT");
        pair.world.capture(&format!("BOTH {round}"), "120").await;
    }
    pair.postgres.restart();
    let active = 1 - pair.active();
    pair.grows(active, "RESTARTED", PATIENCE).await;
    pair.one_line().await;
    let dead = pair.active();
    pair.replicas[dead].child.kill().unwrap();
    pair.grows(1 - dead, "KILLED", TAKEOVER).await;
}
