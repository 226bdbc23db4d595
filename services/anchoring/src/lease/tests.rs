//! A holder that was paused past its lease, and the one that took over.

use crate::{
    PART,
    domain::{Tip, next_block},
    lease::Token,
    store::{Store, WriteError},
};
use database::Database;
use seal::{
    Hash,
    block::Block,
    entry::Entry,
    id::{Service, Uuid},
};
use testbed::postgres::Postgres;

/// Runs `check` on SQLite and on PostgreSQL; it gets a way to open the database, as each replica does.
async fn on_both(check: impl AsyncFn(&dyn Fn() -> Opened)) {
    let folder = tempfile::tempdir().unwrap();
    let url = database::file_url(&folder.path().join("anchoring.sqlite"));
    check(&|| Opened(url.clone())).await;
    let postgres = Postgres::start();
    let url = postgres.url("anchoring");
    database::migrate(&url, &PART).await.unwrap();
    check(&|| Opened(url.clone())).await;
}

/// A database about to be opened.
struct Opened(String);

impl Opened {
    async fn store(self) -> Store {
        Store::new(Database::open(&self.0, &PART).await.unwrap())
    }
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
    sqlx::query("UPDATE lease SET until = 0").execute(store.database.writing()).await.unwrap();
}

fn overtaken(outcome: &Result<(), WriteError>) -> bool {
    matches!(outcome, Err(WriteError::Overtaken))
}

#[tokio::test]
async fn one_holds_the_lease_until_it_runs_out_and_the_one_overtaken_writes_nothing() {
    on_both(async |open| {
        let (first, second) = (open().store().await, open().store().await);
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
        for outcome in [first.add(old, &[block(2)]).await, first.publish(old, 2, "fork").await, first.renew(old).await]
        {
            assert!(overtaken(&outcome), "{outcome:?}");
        }
        assert_eq!((first.size().await.unwrap(), first.checkpoint(u64::MAX).await.unwrap().unwrap().0), (1, 1));
        second.add(new, &[block(3)]).await.unwrap();
        second.publish(new, 2, "next").await.unwrap();
        let blocks = first.blocks(0, 9).await.unwrap();
        assert_eq!(blocks.iter().map(|block| block.place).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(blocks[1].bytes, block(3).0.to_bytes(), "the one overtaken left no block behind");
    })
    .await;
}

#[tokio::test]
async fn who_has_the_database_for_itself_does_not_wait_after_a_restart() {
    on_both(async |open| {
        let killed = open().store().await.acquire("up", true).await.unwrap().unwrap();
        let store = open().store().await;
        let restarted: Token = store.acquire("up", true).await.unwrap().unwrap();
        assert!(overtaken(&store.renew(killed).await));
        store.renew(restarted).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn of_many_who_ask_at_once_one_gets_the_lease() {
    on_both(async |open| {
        let store = open().store().await;
        for _ in 0..20 {
            let asking = (0..8).map(|n| {
                let replica = open();
                tokio::spawn(
                    async move { replica.store().await.acquire(&format!("replica-{n}"), false).await.unwrap() },
                )
            });
            let mut got = 0;
            for asked in asking.collect::<Vec<_>>() {
                got += usize::from(asked.await.unwrap().is_some());
            }
            assert_eq!(got, 1);
            time_passes(&store).await;
        }
    })
    .await;
}

#[tokio::test]
async fn who_is_overtaken_while_it_writes_has_written_before_or_not_at_all() {
    on_both(async |open| {
        let (first, second) = (open().store().await, open().store().await);
        let old = first.acquire("first", false).await.unwrap().unwrap();
        let mut writing = first.fenced(old).await.unwrap();
        sqlx::query("UPDATE lease SET until = 0").execute(&mut *writing).await.unwrap();
        // The lease has run out, and its holder is in the middle of a transaction: whoever takes it over waits for that.
        let taking = tokio::spawn(async move { second.acquire("second", false).await.unwrap().unwrap() });
        tokio::task::yield_now().await;
        sqlx::query("INSERT INTO checkpoint (size, note) VALUES (7, 'before')").execute(&mut *writing).await.unwrap();
        writing.commit().await.unwrap();
        let new = taking.await.unwrap();
        assert!(overtaken(&first.publish(old, 8, "after").await));
        assert_eq!(first.checkpoint(u64::MAX).await.unwrap().unwrap().0, 7);
        first.publish(new, 8, "next").await.unwrap();
    })
    .await;
}
