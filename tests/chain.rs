//! The chain and its witnesses as processes of their own: no quorum, no checkpoint; no fork; and decisions proven.

#![allow(clippy::unwrap_used)]

mod support;

use anchoring::{Journals, Pace};
use bus::Bus;
use caller::ServiceToken;
use channel::{Channel, Settings, http::Http};
use clock::now_ms;
use database::Database;
use objects::Objects;
use proto::{
    anchoring::{GetCheckpointRequest, ListBlocksRequest, anchoring_service_client::AnchoringServiceClient},
    consent::DecideRequest,
    journal::{FactProof, ProveFactsRequest},
};
use seal::{
    id::{Name, Service},
    map::{Path, Proven, Terminal},
};
use server::{bind, serve};
use sqlx::{Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{future::pending, path::Path as FilePath, process::Command, time::Duration};
use support::World;
use tlog::{
    Hash,
    checkpoint::Checkpoint,
    key::{Algorithm, SignerKey},
    note::{Note, sign},
    policy::Policy,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tonic::Code;
use vocabulary::{
    fact::{self, Fact, value_hash},
    subject,
};

fn key(name: &str, algorithm: Algorithm) -> SignerKey {
    SignerKey::from_seed(name, algorithm, client::random().unwrap()).unwrap()
}

/// A channel to a service.
fn channel(url: &str) -> Channel {
    Channel::new(url, None, Settings::default()).unwrap()
}

async fn start_witness(listener: TcpListener, file: &FilePath, key: SignerKey, chain: &SignerKey) {
    let database = Database::open_file(file, &witness::PART).await.unwrap();
    let config = witness::Config { database, key, chains: vec![chain.verifier()] };
    tokio::spawn(serve(listener, witness::open(config), pending()));
}

async fn free_port() -> TcpListener {
    bind("127.0.0.1:0".parse().unwrap()).await.unwrap()
}

/// Asks again until there is an answer; gives up after a time no healthy machine needs.
async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let until = now_ms() + 60_000;
    while now_ms() < until {
        if let Some(answer) = ask().await {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(20)).await; // between two questions; the answer is what is waited for
    }
    panic!("{what}: not within a minute");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_quorum_nothing_is_published_and_capture_goes_on() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let chain = key("quorum.example", Algorithm::Ed25519);
    let keys = [("a", Algorithm::CosignatureEd25519), ("b", Algorithm::CosignatureMlDsa44)]
        .map(|(name, algorithm)| (name, key(&format!("witness.example/{name}"), algorithm)));
    let (first, second) = (free_port().await, free_port().await);
    let second_address = second.local_addr().unwrap();
    let mut text = format!("log {}\n", chain.verifier());
    for ((name, key), listener) in keys.iter().zip([&first, &second]) {
        text += &format!("witness {name} {} http://{}\n", key.verifier(), listener.local_addr().unwrap());
    }
    text += "group both all a b\nquorum both\n";
    drop(second); // nobody answers there yet
    let [(_, key_a), (_, key_b)] = keys;
    start_witness(first, &folder.path().join("a.sqlite"), key_a, &chain).await;

    let endpoints = &world.deployment.endpoints;
    let services = ServiceToken::new(&world.deployment.data().keys().secret("service.token").unwrap());
    let config = anchoring::Config {
        database: Database::open_file(&folder.path().join("anchoring.sqlite"), &anchoring::PART).await.unwrap(),
        chain: Objects::folder(&folder.path().join("chain")).unwrap(),
        chain_key: chain.with_algorithm(Algorithm::Ed25519),
        chain_key_ml_dsa: None,
        policy: Policy::parse(&text).unwrap(),
        pace: Pace { interval: Duration::from_millis(20), ..Pace::default() },
        instance: "test".to_owned(),
        journals: Journals {
            enrollment: channel(&endpoints.enrollment),
            consent: channel(&endpoints.consent),
            capture: channel(&endpoints.capture),
            services,
        },
        http: Http::new(None).unwrap(),
        bus: Bus::absent(),
    };
    let listener = free_port().await;
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(serve(listener, anchoring::open(config), pending()));
    let mut client = AnchoringServiceClient::new(channel(&url));

    let stream = Service::Capture.stream(world.study.id).0.0.to_vec();
    let blocks = async |client: &mut AnchoringServiceClient<_>| {
        let request = ListBlocksRequest { stream: stream.clone(), from: 0, page_size: 0 };
        client.list_blocks(request).await.ok().map(|answer| answer.into_inner().blocks.len())
    };
    for pressure in ["120", "121", "122"] {
        let before = blocks(&mut client).await.unwrap_or_default();
        world.capture(pressure, pressure).await;
        eventually("a block of it", async || blocks(&mut client).await.filter(|count| *count > before)).await;
    }
    let status = client.get_checkpoint(GetCheckpointRequest { at_most: 0 }).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    let error = Http::new(None).unwrap().fetch(&format!("{url}/checkpoint"), 1 << 20).await.unwrap_err();
    assert!(error.to_string().contains("404"), "{error}");

    let second = bind(second_address).await.unwrap();
    start_witness(second, &folder.path().join("b.sqlite"), key_b, &chain).await;
    let note = eventually("a checkpoint", async || {
        client
            .get_checkpoint(GetCheckpointRequest { at_most: 0 })
            .await
            .ok()
            .map(|answer| answer.into_inner().checkpoint)
    })
    .await;
    let verified = Policy::parse(&text).unwrap().verify_checkpoint(note.as_bytes()).unwrap();
    assert_eq!(verified.cosigned_by.len(), 2);
}

/// One HTTP request; the status and the body.
async fn post(address: std::net::SocketAddr, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

fn signed(chain: &SignerKey, size: u64, root: Hash) -> String {
    let origin = chain.verifier().name().to_owned();
    let text = Checkpoint { origin, size, root, extensions: Vec::new() }.to_string();
    Note { signatures: vec![sign(&text, chain).unwrap()], text }.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_refuses_a_fork_and_keeps_both_notes() {
    let folder = tempfile::tempdir().unwrap();
    let chain = key("fork.example", Algorithm::Ed25519);
    let listener = free_port().await;
    let address = listener.local_addr().unwrap();
    let file = folder.path().join("w.sqlite");
    start_witness(listener, &file, key("witness.example/w", Algorithm::CosignatureEd25519), &chain).await;
    let leaf = |byte| tlog::merkle::leaf_hash(&[byte]);
    let (one, other) = (signed(&chain, 1, leaf(1)), signed(&chain, 1, leaf(2)));
    let (status, cosignature) = post(address, &format!("old 0\n\n{one}")).await;
    assert_eq!(status, 200);
    assert!(cosignature.starts_with("— witness.example/w "), "{cosignature}");
    assert_eq!(post(address, &format!("old 0\n\n{one}")).await, (409, "1\n".to_owned()));
    assert_eq!(post(address, &format!("old 1\n\n{one}")).await.0, 200);
    assert_eq!(post(address, &format!("old 1\n\n{other}")).await.0, 422);
    let two = signed(&chain, 2, tlog::merkle::node_hash(&leaf(2), &leaf(3)));
    let forged = leaf(3).to_base64();
    assert_eq!(post(address, &format!("old 1\n{forged}\n\n{two}")).await.0, 422);
    let stranger = signed(&key("stranger.example", Algorithm::Ed25519), 1, leaf(1));
    assert_eq!(post(address, &format!("old 0\n\n{stranger}")).await.0, 404);
    let impostor = signed(&key("fork.example", Algorithm::Ed25519), 2, leaf(1));
    assert_eq!(post(address, &format!("old 1\n\n{impostor}")).await.0, 403);
    assert_eq!(post(address, "nonsense").await.0, 400);

    let mut database = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(&file)).await.unwrap();
    let kept = sqlx::query("SELECT held, offered FROM evidence ORDER BY id").fetch_all(&mut database).await.unwrap();
    let kept: Vec<(String, String)> = kept.iter().map(|row| (row.get("held"), row.get("offered"))).collect();
    assert_eq!(kept, [(one.clone(), other.clone()), (one.clone(), two)]);

    let shows = |flags: &[&str]| {
        let url = database::file_url(&file);
        let mut command = Command::new(env!("CARGO_BIN_EXE_trialseal"));
        let shown = command.args(["witness", "evidence"]).args(flags).env("TRIALSEAL_DATABASE", url).output().unwrap();
        assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
        String::from_utf8(shown.stdout).unwrap()
    };
    let text = shows(&[]);
    assert!(text.contains("fork.example") && text.ends_with("2 PROOFS OF A FORK\n"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&shows(&["--json"])).unwrap();
    assert_eq!((&json["proven"], &json["unreached"]), (&2.into(), &0.into()));
    assert_eq!((&json["forks"][0]["held"], &json["forks"][0]["offered"]), (&one.into(), &other.into()));
    assert_eq!(json["forks"][1]["proof"], serde_json::json!([forged]));
}

fn path(proof: &FactProof, value: Option<Hash>, key: Hash) -> Path {
    let terminal = match (value, Hash::from_slice(&proof.other_key), Hash::from_slice(&proof.other_value)) {
        (Some(value), ..) => Terminal::Leaf { key, value },
        (None, Some(key), Some(value)) => Terminal::Leaf { key, value },
        _ => Terminal::Empty,
    };
    Path { siblings: proof.siblings.iter().map(|hash| Hash::from_slice(hash).unwrap()).collect(), terminal }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_provable_whether_yes_or_never_consented() {
    let world = World::new().await;
    let newcomer = world.study.enrol(&world.client, &world.site).await.unwrap();
    let auditor = world.study.reader();
    for (participant, consented) in [(&world.participants[0].name, true), (&newcomer.name, false)] {
        let reader = client::Reader {
            access: None,
            study: world.study.id,
            actor: world.study.coordinator.name.clone(),
            key: world.study.coordinator.key.clone(),
        };
        let request = DecideRequest {
            read: None,
            first: false,
            study: world.study.id.to_string(),
            participant: participant.to_string(),
            provision: "data_collection".to_owned(),
        };
        let decision = world.client.consent.clone().decide(reader.request(request)).await.unwrap().into_inner();
        assert_eq!(decision.permitted, consented);
        let subject = subject::consent(&Name::clone(participant));
        let map_key = subject.map_key(world.study.id);
        assert_eq!(decision.fact_key, map_key.0);

        let head = decision.head.unwrap();
        let request = ProveFactsRequest {
            stream: head.stream.clone(),
            number: head.number,
            keys: vec![decision.fact_key],
            study: world.study.id.to_string(),
        };
        let proofs = world.client.journal(Service::Consent).prove_facts(auditor.request(request)).await.unwrap();
        let proof = proofs.into_inner().proofs.remove(0);
        let request = proto::journal::ReadEntriesRequest {
            stream: head.stream,
            from: head.number,
            limit: 1,
            view: 0,
            study: world.study.id.to_string(),
        };
        let mut entries =
            world.client.journal(Service::Consent).read_entries(auditor.request(request)).await.unwrap().into_inner();
        let entry = entries.message().await.unwrap().unwrap().entry;
        assert_eq!(seal::entry::hash(&entry).0.as_slice(), head.hash);
        let root = seal::entry::Entry::parse(&entry).unwrap().state_root.unwrap();
        let fact = proof.fact.clone().unwrap().fact;
        assert_eq!(fact, decision.fact);
        if consented {
            let value = value_hash(&proof.salt.clone().try_into().unwrap(), &fact);
            let proven = path(&proof, Some(value), map_key).proves(&map_key, &root);
            assert_eq!(proven, Some(Proven::Present(value)));
            assert!(matches!(Fact::parse(&fact), Some(Fact::Consent(fact::Consent { .. }))));
        } else {
            assert_eq!(path(&proof, None, map_key).proves(&map_key, &root), Some(Proven::Absent));
        }
    }
}
