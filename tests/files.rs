//! The chain's files and the documents in an object store that fails: everything heals, nothing forks.

#![allow(clippy::unwrap_used)]

#[path = "files/served.rs"]
mod served;
mod support;

use anchoring::{Journals, Pace};
use caller::ServiceToken;
use channel::{Channel, Settings, http::Http};
use client::{Client, Endpoints};
use database::Database;
use objects::Objects;
use proto::{
    anchoring::{GetCheckpointRequest, anchoring_service_client::AnchoringServiceClient},
    consent::GetDocumentRequest,
};
use seal::{block::Block, id::StreamId};
use server::{bind, serve};
use sqlx::{Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{
    fs,
    future::pending,
    path::Path,
    time::{Duration, Instant},
};
use support::{World, process::Running};
use synthetic::{offer, terms};
use testbed::s3::S3;
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
