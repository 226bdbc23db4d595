//! A holder that was paused past its lease, and the one that took over.

use crate::{
    domain::{Tip, next_block},
    lease::Token,
    store::{Store, WriteError},
};
use seal::{
    Hash,
    block::Block,
    entry::Entry,
    id::{Service, Uuid},
};

async fn store(folder: &tempfile::TempDir) -> Store {
    Store::open(&folder.path().join("anchoring.sqlite")).await.unwrap()
}

/// The first block of a journal, one of its own for each `seed`.
fn block(seed: u8) -> (Block, Vec<Hash>) {
    let stream = Service::Capture.stream(Uuid::from_random([seed; 16]));
    let entry = Entry {
        stream,
        number: 0,
        previous: Hash::ZERO,
        time: 0,
        nonce: [seed; 16],
        kind: "submit-form".to_owned(),
        envelope: Hash::ZERO,
        state_root: None,
        basis: Vec::new(),
    };
    next_block(stream, &Tip::START, &[entry.to_bytes()], 0).unwrap()
}

/// What the database sees when a holder does not renew for as long as the lease lasts.
async fn time_passes(store: &Store) {
    sqlx::query("UPDATE lease SET until = 0").execute(&store.pool).await.unwrap();
}

fn overtaken(outcome: &Result<(), WriteError>) -> bool {
    matches!(outcome, Err(WriteError::Overtaken))
}

#[tokio::test]
async fn one_holds_the_lease_until_it_runs_out_and_the_one_overtaken_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (store(&folder).await, store(&folder).await);
    let old = first.acquire("first", false).await.unwrap().unwrap();
    assert_eq!(second.acquire("second", false).await.unwrap(), None);
    assert_eq!(first.acquire("first", false).await.unwrap(), None, "not even again");
    first.add(old, &[block(1)]).await.unwrap();
    first.publish(old, 1, "note").await.unwrap();
    time_passes(&first).await;
    first.renew(old).await.unwrap(); // nobody took it meanwhile: it is its own still
    assert_eq!(second.acquire("second", false).await.unwrap(), None);

    time_passes(&first).await;
    let new = second.acquire("second", false).await.unwrap().unwrap();
    assert_ne!(old, new);
    for outcome in [first.add(old, &[block(2)]).await, first.publish(old, 2, "fork").await, first.renew(old).await] {
        assert!(overtaken(&outcome), "{outcome:?}");
    }
    assert_eq!((first.size().await.unwrap(), first.checkpoint(u64::MAX).await.unwrap().unwrap().0), (1, 1));
    second.add(new, &[block(3)]).await.unwrap();
    second.publish(new, 2, "next").await.unwrap();
    let blocks = first.blocks(0, 9).await.unwrap();
    assert_eq!(blocks.iter().map(|block| block.place).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(blocks[1].bytes, block(3).0.to_bytes(), "the one overtaken left no block behind");
}

#[tokio::test]
async fn who_has_the_database_for_itself_does_not_wait_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let killed = store(&folder).await.acquire("up", true).await.unwrap().unwrap();
    let store = store(&folder).await;
    let restarted: Token = store.acquire("up", true).await.unwrap().unwrap();
    assert!(overtaken(&store.renew(killed).await));
    store.renew(restarted).await.unwrap();
}

#[tokio::test]
async fn of_many_who_ask_at_once_one_gets_the_lease() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    for _ in 0..20 {
        let asking = (0..8).map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.acquire(&format!("replica-{n}"), false).await.unwrap() })
        });
        let mut got = 0;
        for asked in asking.collect::<Vec<_>>() {
            got += usize::from(asked.await.unwrap().is_some());
        }
        assert_eq!(got, 1);
        time_passes(&store).await;
    }
}
