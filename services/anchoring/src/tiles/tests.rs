//! An object store that is away.

use super::*;
use crate::{
    PART,
    domain::{Tip, next_block},
};
use database::Database;
use seal::id::{Service, Uuid};
use std::{
    net::TcpListener,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    thread,
};

/// An object store that takes connections and says nothing, and how often it was connected to.
fn silent() -> (Objects, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    thread::spawn(move || {
        let mut open = Vec::new();
        while let Ok(connection) = listener.accept() {
            open.push(connection);
            count.fetch_add(1, SeqCst);
        }
    });
    let variables = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "trialseal"),
        ("AWS_SECRET_ACCESS_KEY", "trialseal"),
        ("AWS_ALLOW_HTTP", "true"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    (Objects::open_with("s3://bucket/chain", variables).unwrap(), asked)
}

/// A database with one block.
async fn one_block(file: &std::path::Path) -> Store {
    let store = Store::new(Database::open_file(file, &PART).await.unwrap());
    let token = store.acquire("test", true).await.unwrap().unwrap();
    let stream = Service::Capture.stream(Uuid::from_random([1; 16]));
    let entry = entry::Entry {
        stream,
        number: 0,
        previous: Hash::ZERO,
        time: 0,
        nonce: [7; 16],
        kind: "submit-form".to_owned(),
        envelope: Hash::ZERO,
        state_root: None,
        basis: Vec::new(),
    };
    store.add(token, &[next_block(stream, &Tip::START, &[entry.to_bytes()], 0).unwrap()]).await.unwrap();
    store
}

#[tokio::test]
async fn a_silent_object_store_is_waited_for_once_and_not_for_each_file() {
    let folder = tempfile::tempdir().unwrap();
    let (objects, asked) = silent();
    let tiles = Tiles::new(objects, one_block(&folder.path().join("anchoring.sqlite")).await);
    let id = TileId { level: 0, index: 0, width: 1 };
    let made = tiles.tile(id, Source::Copies).await.unwrap();
    assert_eq!(made, tiles.tile(id, Source::Blocks).await.unwrap());
    let once = asked.load(SeqCst);
    assert!(once > 0);
    for _ in 0..8 {
        assert_eq!(tiles.tile(id, Source::Copies).await.unwrap(), made);
    }
    assert_eq!(asked.load(SeqCst), once);
}
