//! The chain's files and the documents in an object store that fails: everything heals, nothing forks.

#![allow(clippy::unwrap_used)]

mod support;

use access::ServiceToken;
use anchoring::Journals;
use channel::{Channel, Settings, http::Http};
use database::Database;
use objects::Objects;
use proto::anchoring::{GetCheckpointRequest, anchoring_service_client::AnchoringServiceClient};
use server::{bind, serve};
use std::{
    fs,
    future::pending,
    path::Path,
    time::{Duration, Instant},
};
use support::World;
use testbed::s3::S3;
use tlog::{
    Hash,
    checkpoint::Checkpoint,
    key::{Algorithm, SignerKey},
    note::Note,
    policy::Policy,
    tile,
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
        let chain_key = SignerKey::from_seed("files.example", Algorithm::Ed25519, [7; 32]).unwrap();
        let policy = Policy::parse(&format!("log {}\nquorum none\n", chain_key.verifier())).unwrap();
        let endpoints = &world.deployment.endpoints;
        let config = anchoring::Config {
            database: Database::open_file(file, &anchoring::PART).await.unwrap(),
            chain: objects,
            chain_key,
            policy: policy.clone(),
            interval: Duration::from_millis(20),
            instance: "test".to_owned(),
            journals: Journals {
                enrollment: channel(&endpoints.enrollment),
                consent: channel(&endpoints.consent),
                capture: channel(&endpoints.capture),
                services: ServiceToken::new(&world.deployment.data().keys().secret("service.token").unwrap()),
            },
            http: Http::new(None).unwrap(),
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

#[tokio::test(flavor = "multi_thread")]
async fn files_that_were_deleted_cut_short_or_damaged_are_made_again_from_the_blocks() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let (at, database) = (folder.path().join("chain"), folder.path().join("anchoring.sqlite"));
    let chain = Chain::start(&world, Objects::folder(&at).unwrap(), &database).await;
    let mut size = 0;
    for number in 0..260 {
        // As many blocks as fill a tile, so that there are whole files and files in part.
        world.capture(&format!("VISIT {number}"), "120").await;
        if number % 2 == 0 {
            size = chain.beyond(size).await.size;
        }
    }
    let size = caught_up(&at, &chain).await.max(size);
    let names: Vec<String> = tile::tiles_for_root(size).iter().map(tile::TileId::path).collect();
    let bundle = names.iter().map(|name| name.replace("tile/0/", "tile/entries/"));
    let all: Vec<String> = names.iter().cloned().chain(bundle).filter(|name| at.join(name).exists()).collect();
    let whole: Vec<Vec<u8>> = all.iter().map(|name| fs::read(at.join(name)).unwrap()).collect();
    assert!(all.len() >= 2, "{all:?}");
    for (damage, what) in [(0, "deleted"), (1, "cut short")] {
        for name in &all {
            let file = at.join(name);
            match damage {
                0 => fs::remove_file(&file).unwrap(),
                _ => fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(7).unwrap(),
            }
        }
        for (name, bytes) in all.iter().zip(&whole) {
            assert_eq!(chain.file(name).await.as_ref(), Some(bytes), "{name} {what}: served from the blocks");
        }
        // The next process looks at every file and writes what lacks.
        fs::remove_file(at.join("checkpoint")).unwrap();
        let next = Chain::start(&world, Objects::folder(&at).unwrap(), &database).await;
        caught_up(&at, &next).await;
        for (name, bytes) in all.iter().zip(&whole) {
            eventually(name, async || (fs::read(at.join(name)).ok().as_ref() == Some(bytes)).then_some(())).await;
        }
    }
    // Damage of the right length: what is signed comes from the blocks all the same.
    for name in &names {
        let mut bytes = fs::read(at.join(name)).unwrap();
        bytes[3] ^= 1;
        fs::write(at.join(name), bytes).unwrap();
    }
    let before = chain.checkpoint().await.unwrap();
    let next = Chain::start(&world, Objects::folder(&at).unwrap(), &database).await;
    world.capture("LAST", "120").await;
    let after = next.beyond(before.size).await;
    let request = proto::anchoring::ListBlocksRequest {
        stream: seal::id::Service::Capture.stream(world.study.id).0.0.to_vec(),
        from: 0,
        page_size: 1_000,
    };
    assert!(next.client.clone().list_blocks(request).await.unwrap().into_inner().blocks.len() >= 100);
    let leaves = blocks(&database).await;
    assert_eq!(after.root, tlog::merkle::root(&leaves[..usize::try_from(after.size).unwrap()]));
}

/// The leaf hashes of all blocks in a database.
async fn blocks(database: &Path) -> Vec<Hash> {
    use sqlx::{Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};
    let options = SqliteConnectOptions::new().filename(database);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let rows = sqlx::query("SELECT bytes FROM block ORDER BY place").fetch_all(&mut connection).await.unwrap();
    rows.iter().map(|row| seal::entry::hash(&row.get::<Vec<u8>, _>(0))).collect()
}
