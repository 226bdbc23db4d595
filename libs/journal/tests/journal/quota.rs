//! What a study may store, and that what is refused stores nothing.

use crate::*;

on_both! {
    #[tokio::test] refused_proposals_leave_no_row_of_streams_that_nobody_has;
    #[tokio::test] a_stream_holds_as_many_entries_as_its_quota_allows;
    #[tokio::test] a_stream_holds_as_many_bytes_as_its_quota_allows;
    #[tokio::test] what_another_replica_appended_is_counted_too;
    #[tokio::test] what_protects_somebody_is_recorded_an_eighth_further;
}

impl Database {
    async fn open_within(&self, quota: Quota) -> Journal<Refusal> {
        Journal::open(Config { quota, ..config(self.connect().await) })
    }

    async fn rows(&self, table: &'static str) -> i64 {
        let sql = format!("SELECT COUNT(*) FROM {table}");
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(self.connect().await.pool()).await.unwrap()
    }
}

/// Of 1,000 bytes, whatever its number.
fn kilobyte(to: StreamId, number: u64) -> Proposal<Refusal> {
    Proposal { stored: vec![7; 1_000], ..plain(to, number) }
}

async fn append(journal: &Journal<Refusal>, proposal: Proposal<Refusal>) -> Result<u64, &'static str> {
    match journal.append(proposal).await {
        Ok(receipt) => Ok(entry_of(&receipt).number),
        Err(AppendError::Quota(what)) => Err(what),
        Err(error) => panic!("{error:?}"),
    }
}

async fn refused_proposals_leave_no_row_of_streams_that_nobody_has(database: Database) {
    let journal = database.open().await;
    // In one group with what is recorded, as an attacker's commands are with everybody else's.
    let mut waiting = vec![plain(stream(0), 0)];
    waiting.extend((1..60).map(|number| refused(stream(number as u8), number)));
    waiting.push(plain(stream(100), 100));
    let answers = join_all(waiting.into_iter().map(|proposal| journal.append(proposal))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 2);
    let notes: BTreeSet<String> = answers.into_iter().flatten().map(|receipt| receipt.note).collect();
    assert_eq!(notes.len(), 1, "all were one group");
    assert_eq!(database.rows("stream").await, 2);
    // A name that was refused is as good as new, and those there are stay who they are.
    assert_eq!(append(&journal, plain(stream(7), 7)).await, Ok(0));
    assert_eq!(append(&journal, plain(stream(0), 1)).await, Ok(1));
    assert_eq!((database.rows("stream").await, database.rows("entry").await), (3, 4));
    for (number, count) in [(0, 2), (7, 1), (100, 1)] {
        assert_chained(&journal, stream(number), count).await;
    }
}

async fn a_stream_holds_as_many_entries_as_its_quota_allows(database: Database) {
    let quota = Quota { bytes: 0, entries: 3 };
    let journal = database.open_within(quota).await;
    for number in 0..3 {
        assert_eq!(append(&journal, plain(stream(0), number)).await, Ok(number));
    }
    assert_eq!(append(&journal, plain(stream(0), 3)).await, Err("entries"));
    assert_eq!(append(&journal, plain(stream(0), 1)).await, Ok(1), "what was recorded is answered again");
    assert!(matches!(journal.append(refused(stream(0), 4)).await, Err(AppendError::Refused("no"))));
    assert_eq!(append(&journal, plain(stream(1), 0)).await, Ok(0), "each stream has its own");
    drop(journal);
    let journal = database.open_within(quota).await;
    assert_eq!(append(&journal, plain(stream(0), 3)).await, Err("entries"));
    drop(journal);
    let raised = database.open_within(Quota { entries: 4, ..quota }).await;
    assert_eq!(append(&raised, plain(stream(0), 3)).await, Ok(3));
    assert_chained(&raised, stream(0), 4).await;
}

async fn a_stream_holds_as_many_bytes_as_its_quota_allows(database: Database) {
    let quota = Quota { bytes: 5_000, entries: 0 };
    let journal = database.open_within(quota).await;
    // Proposed together, so counted within one group.
    let answers = join_all((0..9).map(|number| append(&journal, kilobyte(stream(0), number)))).await;
    let recorded = answers.iter().filter(|answer| answer.is_ok()).count() as u64;
    assert!((3..=4).contains(&recorded), "{answers:?}: entries have a few hundred bytes of their own");
    assert_eq!(append(&journal, kilobyte(stream(0), 10)).await, Err("bytes"));
    assert_eq!(append(&journal, plain(stream(1), 0)).await, Ok(0), "each stream has its own");
    drop(journal);
    for number in [11, 12] {
        let journal = database.open_within(quota).await;
        assert_eq!(append(&journal, kilobyte(stream(0), number)).await, Err("bytes"));
    }
    let raised = database.open_within(Quota { bytes: 50_000, ..quota }).await;
    assert_eq!(append(&raised, kilobyte(stream(0), 11)).await, Ok(recorded));
}

async fn what_another_replica_appended_is_counted_too(database: Database) {
    let quota = Quota { bytes: 5_000, entries: 0 };
    let journals = [database.open_within(quota).await, database.open_within(quota).await];
    let mut recorded = 0;
    for number in 0..10 {
        recorded += u64::from(append(&journals[number as usize % 2], kilobyte(stream(0), number)).await.is_ok());
    }
    assert!((3..=4).contains(&recorded), "{recorded}");
}

async fn what_protects_somebody_is_recorded_an_eighth_further(database: Database) {
    let journal = database.open_within(Quota { bytes: 0, entries: 8 }).await;
    let protecting = |number| Proposal { kind: "protecting", ..plain(stream(0), number) };
    for number in 0..8 {
        assert_eq!(append(&journal, plain(stream(0), number)).await, Ok(number));
    }
    assert_eq!(append(&journal, plain(stream(0), 8)).await, Err("entries"));
    assert_eq!(append(&journal, protecting(8)).await, Ok(8));
    assert_eq!(append(&journal, protecting(9)).await, Err("entries"));
}
