//! The chain's files and the documents in an object store that fails: everything heals, nothing forks.

#![allow(clippy::unwrap_used)]

mod support;

use access::ServiceToken;
use anchoring::{Journals, Pace};
use channel::{Channel, Settings, http::Http};
use client::{Client, Endpoints};
use database::Database;
use flate2::read::GzDecoder;
use objects::Objects;
use proto::{
    anchoring::{GetCheckpointRequest, GetConsistencyProofRequest, anchoring_service_client::AnchoringServiceClient},
    consent::GetDocumentRequest,
};
use seal::{block::Block, id::StreamId};
use serde_json::{Value, json};
use server::{bind, serve};
use sqlx::{Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{
    fs,
    future::pending,
    io::Read,
    path::Path,
    time::{Duration, Instant},
};
use support::{World, process::Running};
use testbed::{judges::go, s3::S3};
use tlog::{
    Hash,
    checkpoint::Checkpoint,
    key::{Algorithm, SignerKey},
    note::Note,
    policy::Policy,
    tile,
};
use tonic::codegen::{
    Bytes,
    http::{Request, Response},
};
use trialseal::setup::{offer, terms};

/// Longer than any healthy machine needs.
const PATIENCE: Duration = Duration::from_secs(60);

async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < until, "{what}: not within a minute");
        tokio::time::sleep(Duration::from_millis(20)).await; // between two questions; the answer is what is waited for
    }
}

fn channel(url: &str) -> Channel {
    Channel::new(url, None, Settings::default()).unwrap()
}

/// A chain of its own over a world's journals, without witnesses.
struct Chain {
    url: String,
    client: AnchoringServiceClient<Channel>,
    policy: Policy,
}

impl Chain {
    async fn start(world: &World, objects: Objects, file: &Path) -> Self {
        let endpoints = &world.deployment.endpoints;
        let journals = Journals {
            enrollment: channel(&endpoints.enrollment),
            consent: channel(&endpoints.consent),
            capture: channel(&endpoints.capture),
            services: ServiceToken::new(&world.deployment.data().keys().secret("service.token").unwrap()),
        };
        Self::over(journals, objects, file, "quorum none\n").await
    }

    /// A chain over journals that nobody serves.
    async fn empty(folder: &Path, quorum: &str) -> Self {
        let nobody = || channel("http://127.0.0.1:1");
        let services = ServiceToken::absent();
        let journals = Journals { enrollment: nobody(), consent: nobody(), capture: nobody(), services };
        let objects = Objects::folder(&folder.join("chain")).unwrap();
        Self::over(journals, objects, &folder.join("anchoring.sqlite"), quorum).await
    }

    async fn over(journals: Journals, objects: Objects, file: &Path, quorum: &str) -> Self {
        let chain_key = SignerKey::from_seed("files.example", Algorithm::Ed25519, [7; 32]).unwrap();
        let policy = Policy::parse(&format!("log {}\n{quorum}", chain_key.verifier())).unwrap();
        let config = anchoring::Config {
            database: Database::open_file(file, &anchoring::PART).await.unwrap(),
            chain: objects,
            chain_key,
            chain_key_ml_dsa: None,
            policy: policy.clone(),
            pace: Pace { interval: Duration::from_millis(20), ..Pace::default() },
            instance: "test".to_owned(),
            journals,
            http: Http::new(None).unwrap(),
            bus: bus::Bus::absent(),
        };
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(serve(listener, anchoring::open(config), pending()));
        let client = AnchoringServiceClient::new(channel(&url));
        Self { url, client, policy }
    }

    async fn checkpoint(&self) -> Option<Checkpoint> {
        let answer = self.client.clone().get_checkpoint(GetCheckpointRequest { at_most: 0 }).await.ok()?;
        Some(self.policy.verify_checkpoint(answer.into_inner().checkpoint.as_bytes()).unwrap().checkpoint)
    }

    /// The checkpoint once it covers more than `size` blocks.
    async fn beyond(&self, size: u64) -> Checkpoint {
        let grown = async || self.checkpoint().await.filter(|checkpoint| checkpoint.size > size);
        eventually("a new checkpoint", grown).await
    }

    async fn file(&self, name: &str) -> Option<Vec<u8>> {
        Http::new(None).unwrap().fetch(&format!("{}/{name}", self.url), 1 << 24).await.ok()
    }

    async fn ask(&self, method: &str, name: &str, headers: &[(&str, &str)]) -> Response<Bytes> {
        let mut request = Request::builder().method(method).uri(format!("{}/{name}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Http::new(None).unwrap().send(request.body(Bytes::new()).unwrap(), 1 << 24).await.unwrap()
    }
}

/// What a reader of the object store alone finds: the checkpoint's size, once its tiles lead to its root.
fn consistent(folder: &Path) -> Option<u64> {
    let note = fs::read(folder.join("checkpoint")).ok()?;
    let checkpoint = Checkpoint::parse(&Note::parse(&note).unwrap().text).unwrap();
    let mut tiles = std::collections::HashMap::new();
    for id in tile::tiles_for_root(checkpoint.size) {
        let bytes = fs::read(folder.join(id.path())).ok()?;
        tiles.insert(id, bytes.chunks_exact(32).map(|hash| Hash::from_slice(hash).unwrap()).collect());
    }
    (tile::root(&tiles, checkpoint.size).ok()? == checkpoint.root).then_some(checkpoint.size)
}

async fn caught_up(folder: &Path, chain: &Chain) -> u64 {
    eventually("the object store catches up", async || {
        let size = chain.checkpoint().await?.size;
        consistent(folder).filter(|copied| *copied == size)
    })
    .await
}

/// The value of a header; empty if it is not there.
fn header<'a>(answer: &'a Response<Bytes>, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chains_files_are_cached_packed_and_read_by_pages_of_any_origin() {
    let folder = tempfile::tempdir().unwrap();
    fill(&folder.path().join("anchoring.sqlite"), 300).await;
    let chain = Chain::empty(folder.path(), "quorum none\n").await;
    chain.beyond(299).await;
    for (name, cached, packs) in [
        ("tile/0/000", "immutable", false),
        ("tile/entries/000", "immutable", true),
        ("checkpoint", "max-age=1", false),
    ] {
        let plain = chain.ask("GET", name, &[]).await;
        let tag = header(&plain, "etag").to_owned();
        assert!(tag.len() > 16 && tag.starts_with('"') && tag.ends_with('"'), "{name}: {tag}");
        assert!(header(&plain, "cache-control").contains(cached), "{name}");
        assert_eq!((header(&plain, "access-control-allow-origin"), header(&plain, "content-encoding")), ("*", ""));
        assert_eq!(chain.ask("GET", name, &[]).await.headers()["etag"], tag, "{name}: the same file, the same tag");

        for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
            let same = chain.ask("GET", name, &[("if-none-match", &known)]).await;
            assert_eq!((same.status().as_u16(), same.body().len()), (304, 0), "{name}: {known}");
            assert_eq!(
                (header(&same, "etag"), header(&same, "cache-control")),
                (&*tag, header(&plain, "cache-control"))
            );
            assert_eq!(header(&same, "access-control-allow-origin"), "*");
        }
        assert_eq!(chain.ask("GET", name, &[("if-none-match", "\"x\"")]).await.body(), plain.body(), "{name}");

        let packed = chain.ask("GET", name, &[("accept-encoding", "br, GZIP;q=0.5")]).await;
        assert_eq!(header(&packed, "content-encoding"), if packs { "gzip" } else { "" }, "{name}");
        let mut unpacked = Vec::new();
        if packs {
            GzDecoder::new(&packed.body()[..]).read_to_end(&mut unpacked).unwrap();
            assert!(packed.body().len() < unpacked.len() * 3 / 4, "{name}: {}", packed.body().len());
            assert_ne!(header(&packed, "etag"), tag, "{name}: other bytes, another tag");
            assert_eq!((header(&packed, "vary"), header(&plain, "vary")), ("accept-encoding", "accept-encoding"));
            let known = [("accept-encoding", "gzip"), ("if-none-match", header(&packed, "etag"))];
            assert_eq!(chain.ask("GET", name, &known).await.status(), 304);
        } else {
            unpacked = packed.body().to_vec();
        }
        assert_eq!(unpacked, plain.body()[..], "{name}");
        for encoding in ["gzip;q=0", "identity", "br", "*", ""] {
            let answer = chain.ask("GET", name, &[("accept-encoding", encoding)]).await;
            assert_eq!((header(&answer, "content-encoding"), answer.body()), ("", plain.body()), "{name}: {encoding}");
        }

        let preflight = [("origin", "https://monitor.example"), ("access-control-request-method", "GET")];
        let allowed = chain.ask("OPTIONS", name, &preflight).await;
        assert_eq!(allowed.status(), 204, "{name}");
        assert_eq!(
            (header(&allowed, "access-control-allow-origin"), header(&allowed, "access-control-allow-methods")),
            ("*", "GET, HEAD")
        );
        assert_eq!(header(&allowed, "access-control-allow-headers"), "if-none-match");
        let head = chain.ask("HEAD", name, &[]).await;
        assert_eq!((head.status().as_u16(), header(&head, "etag"), head.body().len()), (200, &*tag, 0), "{name}");
    }
    let beyond = chain.ask("GET", "tile/0/099", &[]).await;
    assert_eq!((beyond.status().as_u16(), header(&beyond, "access-control-allow-origin")), (404, "*"));
    for path in ["", "tiles/0/000", "checkpoints", "tile"] {
        let none = chain.ask("GET", path, &[]).await;
        assert_eq!((none.status().as_u16(), header(&none, "grpc-status")), (404, ""), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gos_packages_agree_on_tiles_of_three_levels_on_inclusion_and_on_consistency() {
    let folder = tempfile::tempdir().unwrap();
    fill(&folder.path().join("anchoring.sqlite"), BLOCKS).await;
    let mut chain = Chain::empty(folder.path(), "quorum none\n").await;
    chain.beyond(BLOCKS - 1).await;
    let (mut checkpoints, mut sizes, mut at_most) = (Vec::new(), Vec::new(), 0);
    while let Ok(answer) = chain.client.get_checkpoint(GetCheckpointRequest { at_most }).await {
        let note = answer.into_inner().checkpoint;
        let size = chain.policy.verify_checkpoint(note.as_bytes()).unwrap().checkpoint.size;
        checkpoints.push(note);
        sizes.push(size);
        at_most = size.saturating_sub(1);
        if at_most == 0 {
            break;
        }
    }
    assert!(sizes.len() >= 4 && sizes[0] == BLOCKS, "{sizes:?}");
    let mut consistency = Vec::new();
    for (second, first) in sizes.iter().zip(&sizes[1..]).map(|(second, first)| (*second, *first)) {
        let request = GetConsistencyProofRequest { first, second };
        let hashes = chain.client.get_consistency_proof(request).await.unwrap().into_inner().hashes;
        let hashes: Vec<String> = hashes.iter().map(|hash| Hash::from_slice(hash).unwrap().to_base64()).collect();
        consistency.push(json!({ "first": first, "second": second, "hashes": hashes }));
    }
    let proofs = folder.path().join("proofs.json");
    let count = consistency.len();
    fs::write(&proofs, json!({ "checkpoints": checkpoints, "consistency": consistency }).to_string()).unwrap();
    let vkey = chain.policy.logs()[0].key.to_string();
    let judge = |url: String, vkey: String| {
        let mut judge = go("tlog");
        judge.args([url, vkey]).arg(&proofs);
        tokio::task::spawn_blocking(move || judge.output().unwrap())
    };
    let output = judge(chain.url.clone(), vkey).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let judged: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&judged["size"], &judged["entries"]), (&BLOCKS.into(), &BLOCKS.into()), "{judged}");
    assert_eq!(judged["consistency"], count, "{judged}");
    assert!(judged["proven"].as_u64().unwrap() > BLOCKS / 100, "{judged}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_without_blocks_has_a_checkpoint_once_its_witnesses_cosigned_it() {
    let folder = tempfile::tempdir().unwrap();
    let key = SignerKey::from_seed("witness.example/w", Algorithm::CosignatureMlDsa44, [8; 32]).unwrap();
    let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener); // nobody answers there yet
    let quorum = format!("witness w {} http://{address}\nquorum w\n", key.verifier());
    let chain = Chain::empty(folder.path(), &quorum).await;
    assert_eq!(chain.ask("GET", "checkpoint", &[]).await.status(), 404);

    let database = Database::open_file(&folder.path().join("w.sqlite"), &witness::PART).await.unwrap();
    let chains = chain.policy.logs().iter().map(|log| log.key.clone()).collect();
    let listener = bind(address).await.unwrap();
    tokio::spawn(serve(listener, witness::open(witness::Config { database, key, chains }), pending()));
    let checkpoint = eventually("a checkpoint of nothing", async || chain.checkpoint().await).await;
    assert_eq!((checkpoint.size, checkpoint.root), (0, tlog::merkle::empty_root()));
    let served = chain.ask("GET", "checkpoint", &[]).await;
    assert_eq!(chain.policy.verify_checkpoint(served.body()).unwrap().cosigned_by.len(), 1);
    assert_eq!(chain.ask("GET", "tile/0/000.p/1", &[]).await.status(), 404);
    let opened = Note::parse(served.body()).unwrap();
    assert_eq!(opened.text, "files.example\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n");
    eventually("its copy", async || fs::read(folder.path().join("chain/checkpoint")).ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chain_grows_while_its_object_store_is_away_and_the_store_catches_up() {
    let world = World::new().await;
    let mut s3 = S3::start();
    let folder = tempfile::tempdir().unwrap();
    let objects = Objects::open_with(&s3.url("chain"), s3.variables()).unwrap();
    let chain = Chain::start(&world, objects, &folder.path().join("anchoring.sqlite")).await;
    world.capture("BASELINE", "120").await;
    let at = s3.folder().join("chain");
    let before = caught_up(&at, &chain).await;

    s3.stop();
    for event in ["WEEK 1", "WEEK 2", "WEEK 3"] {
        let size = chain.checkpoint().await.unwrap().size;
        world.capture(event, "121").await;
        chain.beyond(size).await;
    }
    let size = chain.checkpoint().await.unwrap().size;
    assert!(size >= before + 3);
    let id = tile::tiles_for_root(size).remove(0);
    assert_eq!(chain.file(&id.path()).await.unwrap().len(), usize::from(id.width) * 32, "served from the blocks");
    assert_eq!(consistent(&at), Some(before), "the store shows what it had, whole");
    s3.restart();
    assert!(caught_up(&at, &chain).await >= size);
}

/// Blocks enough for tiles of three levels: 257 whole tiles of leaf hashes, a whole one above them, parts at every level.
const BLOCKS: u64 = 256 * 257 + 9;

#[tokio::test(flavor = "multi_thread")]
async fn files_that_were_deleted_cut_short_or_damaged_are_made_again_from_the_blocks() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let (at, database) = (folder.path().join("chain"), folder.path().join("anchoring.sqlite"));
    fill(&database, BLOCKS).await;
    let chain = Chain::start(&world, Objects::folder(&at).unwrap(), &database).await;
    let size = chain.beyond(BLOCKS).await.size;
    assert_eq!(caught_up(&at, &chain).await, size);
    let mut names: Vec<String> = tile::tiles_for_root(size).iter().map(tile::TileId::path).collect();
    names.extend(
        ["tile/0/000", "tile/0/200", "tile/1/000", "tile/entries/000", "tile/entries/x001/000"].map(String::from),
    );
    names.retain(|name| at.join(name).exists());
    assert!(names.len() >= 7, "{names:?}");
    let whole: Vec<Vec<u8>> = names.iter().map(|name| fs::read(at.join(name)).unwrap()).collect();
    for what in ["deleted", "cut short"] {
        for name in &names {
            damage(&at.join(name), what);
        }
        for (name, bytes) in names.iter().zip(&whole) {
            assert_eq!(chain.file(name).await.as_ref(), Some(bytes), "{name} {what}: served from the blocks");
        }
        for name in names.iter().map(|name| at.join(name)).filter(|name| name.exists()) {
            damage(&name, what);
        }
        // The next process looks at every file and writes what lacks, and the checkpoint after it.
        let _replaced = fs::remove_file(at.join("checkpoint"));
        let next = Chain::start(&world, Objects::folder(&at).unwrap(), &database).await;
        caught_up(&at, &next).await;
        for (name, bytes) in names.iter().zip(&whole) {
            assert_eq!(&fs::read(at.join(name)).unwrap(), bytes, "{name} was {what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_of_the_right_length_gets_into_no_checkpoint() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let (at, database) = (folder.path().join("chain"), folder.path().join("anchoring.sqlite"));
    fill(&database, 300).await;
    let chain = Chain::start(&world, Objects::folder(&at).unwrap(), &database).await;
    chain.beyond(300).await;
    let size = caught_up(&at, &chain).await;
    for id in tile::tiles_for_root(size) {
        damage(&at.join(id.path()), "changed");
    }
    assert_eq!(consistent(&at), None);
    let next = Chain::start(&world, Objects::folder(&at).unwrap(), &database).await;
    world.capture("LATER", "120").await;
    let after = next.beyond(size).await;
    let leaves = leaves(&database).await;
    assert_eq!(after.root, tlog::merkle::root(&leaves[..usize::try_from(after.size).unwrap()]));
    caught_up(&at, &next).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_kept_before_it_is_recorded_or_the_command_is_refused() {
    let world = World::new().await;
    let mut s3 = S3::start();
    let folder = tempfile::tempdir().unwrap();
    let keys = world.folder.path().join("keys");
    let database = format!("sqlite://{}", folder.path().join("consent.sqlite").display());
    let (objects, enrollment) = (s3.url("documents"), &world.deployment.endpoints.enrollment);
    let told = ["consent", "--keys", keys.to_str().unwrap(), "--database", &database, "--objects", &objects];
    let consent = Running::start(&[&told[..], &["--enrollment", enrollment]].concat(), &s3.variables());
    let endpoints = Endpoints { consent: consent.url.clone(), ..world.deployment.endpoints.clone() };
    let client = Client::new(&endpoints).unwrap();
    let terms = terms(vec![offer("data_collection", true).unwrap()]).unwrap();
    let publish = async |version| world.study.publish(&client, version, terms.clone()).await;
    s3.stop();
    let refused = publish("1.0").await.unwrap_err();
    assert!(format!("{refused:#}").contains("STORAGE_UNAVAILABLE"), "{refused:#}");
    s3.restart();
    publish("1.0").await.unwrap();
    let file = async || {
        let (study, language) = (world.study.id.to_string(), "en".to_owned());
        let request = GetDocumentRequest { study, document: "ICF".to_owned(), version: "1.0".to_owned(), language };
        let answer = client.consent.clone().get_document(world.study.reader().request(request)).await;
        answer.map(|answer| answer.into_inner().file)
    };
    let kept = file().await.unwrap();
    assert!(kept.starts_with(b"Synthetic informed consent form"));
    let hash = seal::sha256(&[&kept]).to_hex();
    assert_eq!(fs::read(s3.folder().join("documents").join(&hash)).unwrap(), kept);
    s3.stop();
    assert_eq!(file().await.unwrap_err().code(), tonic::Code::Unavailable);
    s3.restart();
    assert_eq!(file().await.unwrap(), kept);
}

fn damage(file: &Path, what: &str) {
    match what {
        "deleted" => fs::remove_file(file).unwrap(),
        "cut short" => fs::OpenOptions::new().write(true).open(file).unwrap().set_len(7).unwrap(),
        _ => {
            let mut bytes = fs::read(file).unwrap();
            bytes[3] ^= 1;
            fs::write(file, bytes).unwrap();
        }
    }
}

/// Puts blocks of a journal nobody knows into a database.
async fn fill(database: &Path, count: u64) {
    drop(Database::open_file(database, &anchoring::PART).await.unwrap());
    let options = SqliteConnectOptions::new().filename(database);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let (stream, mut previous) = (StreamId(Hash([7; 32])), Hash::ZERO);
    for number in 0..count {
        let block = Block { stream, number, first: number, count: 1, root: Hash([1; 32]), time: 0, previous };
        previous = seal::entry::hash(&block.to_bytes());
        let number = i64::try_from(number).unwrap();
        sqlx::query("INSERT INTO block (place, stream, number, first, bytes, hashes) VALUES (?, ?, ?, ?, ?, ?)")
            .bind(number)
            .bind(stream.0.0.to_vec())
            .bind(number)
            .bind(number)
            .bind(block.to_bytes())
            .bind(vec![1; 32])
            .execute(&mut *transaction)
            .await
            .unwrap();
    }
    transaction.commit().await.unwrap();
}

/// The leaf hashes of all blocks in a database.
async fn leaves(database: &Path) -> Vec<Hash> {
    let options = SqliteConnectOptions::new().filename(database);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let rows = sqlx::query("SELECT bytes FROM block ORDER BY place").fetch_all(&mut connection).await.unwrap();
    rows.iter().map(|row| seal::entry::hash(&row.get::<Vec<u8>, _>(0))).collect()
}
