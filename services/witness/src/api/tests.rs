//! A witness over HTTP: what it keeps, what it shows, and what nobody can make it keep.

use crate::{Config, PART, evidence::kept};
use axum::{
    body::Bytes,
    http::{Method, Request},
};
use channel::http::Http;
use database::Database;
use std::{collections::HashMap, future::pending};
use tlog::{
    Hash,
    checkpoint::Checkpoint,
    key::{Algorithm, SignerKey},
    merkle,
    note::{Note, sign},
    sha256,
    tile::{consistency_proof, grow},
};

fn key(name: &str, algorithm: Algorithm) -> SignerKey {
    SignerKey::from_seed(name, algorithm, sha256(&[name.as_bytes()]).0).unwrap()
}

fn log(name: &str) -> SignerKey {
    key(name, Algorithm::Ed25519)
}

/// A log's leaves: those of every seed are the same up to `same`.
fn leaves(count: u64, same: u64, seed: u8) -> Vec<Hash> {
    let leaf = |n: u64| merkle::leaf_hash(&[&n.to_be_bytes()[..], &[if n < same { 0 } else { seed }]].concat());
    (0..count).map(leaf).collect()
}

fn signed(log: &SignerKey, leaves: &[Hash]) -> String {
    let (origin, size) = (log.verifier().name().to_owned(), leaves.len() as u64);
    let text = Checkpoint { origin, size, root: merkle::root(leaves), extensions: Vec::new() }.to_string();
    Note { signatures: vec![sign(&text, log).unwrap()], text }.to_string()
}

fn proof(leaves: &[Hash], old: u64) -> Vec<Hash> {
    let tiles: HashMap<_, _> = grow(&HashMap::new(), 0, leaves).unwrap().into_iter().collect();
    consistency_proof(&tiles, old, leaves.len() as u64).unwrap()
}

struct Running {
    _folder: tempfile::TempDir,
    database: Database,
    url: String,
    http: Http,
    witness: SignerKey,
}

impl Running {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open_file(&folder.path().join("witness.sqlite"), &PART).await.unwrap();
        let own = || key("witness.example/w", Algorithm::CosignatureMlDsa44);
        let listener = server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let chains = ["one.example", "two.example"].map(|name| log(name).verifier()).to_vec();
        let config = Config { database: database.clone(), key: own(), chains };
        tokio::spawn(server::serve(listener, crate::open(config), pending()));
        Self { _folder: folder, database, url, http: Http::new(None).unwrap(), witness: own() }
    }

    async fn send(&self, method: Method, path: &str, body: String) -> (u16, String) {
        let request = Request::builder().method(method).uri(format!("{}/{path}", self.url)).body(Bytes::from(body));
        let answer = self.http.send(request.unwrap(), 1 << 20).await.unwrap();
        let status = answer.status().as_u16();
        (status, String::from_utf8(answer.into_body().to_vec()).unwrap())
    }

    async fn post(&self, old: u64, proof: &[Hash], note: &str) -> (u16, String) {
        let proof: String = proof.iter().map(|hash| hash.to_base64() + "\n").collect();
        self.send(Method::POST, "add-checkpoint", format!("old {old}\n{proof}\n{note}")).await
    }

    async fn shown(&self, origin: &str) -> (u16, String) {
        let origin = sha256(&[origin.as_bytes()]).to_hex();
        self.send(Method::GET, &format!("{origin}/checkpoint"), String::new()).await
    }

    /// What was kept, as notes: held and offered.
    async fn kept(&self) -> Vec<(String, String)> {
        let kept = kept(&self.database).await.unwrap();
        assert_eq!(kept.proven(), kept.forks.len());
        kept.forks.into_iter().map(|fork| (fork.held, fork.offered)).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_the_log_fills_the_evidence_and_a_real_fork_is_always_kept() {
    let (witness, log) = (Running::start().await, log("one.example"));
    let (honest, forked) = (leaves(40, 40, 0), leaves(40, 3, 1));
    assert_eq!(witness.post(0, &[], &signed(&log, &honest[..5])).await.0, 200);
    // The public checkpoint again and again, each time with another proof of the poster's own.
    let public = signed(&log, &honest[..8]);
    for round in 0..1_100_u32 {
        let junk: Vec<Hash> = (0..4_u8).map(|n| sha256(&[&round.to_be_bytes(), &[n]])).collect();
        assert_eq!(witness.post(5, &junk, &public).await.0, 422);
    }
    // Every checkpoint the log published since, too, in the bounds of what is remembered.
    for size in 6..=40 {
        assert_eq!(witness.post(5, &[Hash([7; 32])], &signed(&log, &honest[..size])).await.0, 422);
    }
    assert_eq!(witness.kept().await, [], "a wrong proof proves nothing");
    assert!(kept(&witness.database).await.unwrap().unreached <= 64);

    // Forks: of the same size, and of a larger one with the log's own proof. Each once, however often.
    let (same, larger) = (signed(&log, &forked[..5]), signed(&log, &forked[..9]));
    for _ in 0..20 {
        assert_eq!(witness.post(5, &[], &same).await.0, 422);
        assert_eq!(witness.post(5, &proof(&forked[..9], 5), &larger).await.0, 422);
        assert_eq!(witness.post(0, &[], &same).await, (409, "5\n".to_owned()), "by whatever size is named");
    }
    let held = signed(&log, &honest[..5]);
    assert_eq!(witness.kept().await, [(held.clone(), same), (held, larger)]);
    // And the honest chain goes on.
    assert_eq!(witness.post(5, &proof(&honest[..8], 5), &public).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_that_its_proof_cannot_show_is_found_when_its_size_is_cosigned() {
    let (witness, log) = (Running::start().await, log("one.example"));
    let (honest, forked) = (leaves(20, 20, 0), leaves(20, 3, 1));
    assert_eq!(witness.post(0, &[], &signed(&log, &honest[..4])).await.0, 200);
    // From a size that is a power of two, a proof does not hold the root it begins with.
    let fork = signed(&log, &forked[..9]);
    assert_eq!(witness.post(4, &proof(&forked[..9], 4), &fork).await.0, 422);
    assert_eq!(witness.kept().await, []);
    for size in 5..=8 {
        let note = signed(&log, &honest[..size]);
        assert_eq!(witness.post(size as u64 - 1, &proof(&honest[..size], size as u64 - 1), &note).await.0, 200);
        assert_eq!(witness.kept().await, []);
    }
    let reached = signed(&log, &honest[..9]);
    assert_eq!(witness.post(8, &proof(&honest[..9], 8), &reached).await.0, 200);
    assert_eq!(witness.kept().await, [(reached, fork)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_log_cannot_use_up_the_room_of_another() {
    let (witness, one, two) = (Running::start().await, log("one.example"), log("two.example"));
    for log in [&one, &two] {
        assert_eq!(witness.post(0, &[], &signed(log, &leaves(1, 0, 0))).await.0, 200);
    }
    for seed in 1..=100 {
        assert_eq!(witness.post(1, &[], &signed(&one, &leaves(1, 0, seed))).await.0, 422);
    }
    assert_eq!(witness.kept().await.len(), 64, "bounded, though the log forks on");
    let fork = signed(&two, &leaves(1, 0, 1));
    assert_eq!(witness.post(1, &[], &fork).await.0, 422);
    assert_eq!(witness.kept().await.last().unwrap().1, fork);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_shows_is_signed_by_the_log_and_by_itself_and_by_nobody_else() {
    let (witness, log) = (Running::start().await, log("one.example"));
    for origin in ["one.example", "three.example"] {
        assert_eq!(witness.shown(origin).await.0, 404, "{origin}");
    }
    let honest = leaves(3, 3, 0);
    for size in 1..=3_usize {
        let old = size as u64 - 1;
        let note = signed(&log, &honest[..size]);
        let junk = format!("{note}— stranger.example/s AAAAAAAA\n— one.example {}\n", "A".repeat(92));
        let (status, answered) = witness.post(old, &proof(&honest[..size], old), &junk).await;
        assert_eq!((status, answered.lines().count()), (200, 1));
        assert_eq!(witness.shown("one.example").await, (200, note + &answered));
    }
    let (_, shown) = witness.shown("one.example").await;
    let verified =
        Note::parse(shown.as_bytes()).unwrap().verify(&[log.verifier(), witness.witness.verifier()]).unwrap();
    assert_eq!(verified.len(), 2);

    // A row as an older program wrote it: no cosignature kept, and whatever came in the note.
    let note = signed(&log, &honest);
    let old = "UPDATE cosigned SET cosignatures = NULL, note = $1";
    let junk = format!("{note}— stranger.example/s AAAAAAAA\n");
    sqlx::query(old).bind(junk).execute(witness.database.writing()).await.unwrap();
    let (status, shown) = witness.shown("one.example").await;
    assert!(status == 200 && shown.starts_with(&note), "{shown}");
    let keys = [log.verifier(), witness.witness.verifier()];
    assert_eq!(Note::parse(shown.as_bytes()).unwrap().verify(&keys).unwrap().len(), 2);
    assert_eq!(shown.lines().count(), note.lines().count() + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_older_programs_kept_is_shown_as_what_it_is_and_takes_no_room() {
    let (witness, log) = (Running::start().await, log("one.example"));
    let (honest, forked) = (leaves(2, 2, 0), leaves(2, 0, 1));
    let (held, later, fork) = (signed(&log, &honest[..1]), signed(&log, &honest), signed(&log, &forked[..1]));
    for _ in 0..1_000 {
        let junk = "INSERT INTO evidence (origin, held, offered) VALUES ('one.example', $1, $2)";
        sqlx::query(junk).bind(held.clone()).bind(later.clone()).execute(witness.database.writing()).await.unwrap();
    }
    assert_eq!(witness.post(0, &[], &held).await.0, 200);
    assert_eq!(witness.post(1, &[], &fork).await.0, 422);
    let kept = kept(&witness.database).await.unwrap();
    assert_eq!((kept.forks.len(), kept.proven()), (1_001, 1));
    let last = kept.forks.last().unwrap();
    assert!(last.is_proven && last.kept_ms > 0 && (&last.held, &last.offered) == (&held, &fork));
}
