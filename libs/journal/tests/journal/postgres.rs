//! What only a shared database does: replicas on the same streams, connections that break, a server that restarts, a
//! process that is stopped while it holds a stream.

use crate::*;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

/// Longer than anything here takes on a healthy machine.
const LONG: Duration = Duration::from_secs(120);

/// A stream of any writer.
fn any_stream(number: u8) -> StreamId {
    StreamId(sha256(&[b"any stream", &[number]]))
}

/// Proposes again until it is recorded, as a client does.
async fn recorded(journal: &Journal<Refusal>, propose: impl Fn() -> Proposal<Refusal>) -> Receipt {
    let end = Instant::now() + LONG;
    loop {
        match journal.append(propose()).await {
            Ok(receipt) => return receipt,
            Err(AppendError::Storage) if Instant::now() < end => sleep(Duration::from_millis(50)).await,
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// Many tasks add to a counter in each of several streams through several replicas, each request through two of them.
/// Checks that every request was recorded once, under one receipt, and that each stream counted every one of them.
async fn count_through_replicas(database: &Database, disturb: impl AsyncFn()) {
    const STREAMS: u8 = 6;
    const EACH: u64 = 60;
    let replicas = [database.open().await, database.open().await, database.open().await];
    let tasks: Vec<_> = (0..u64::from(STREAMS) * EACH)
        .map(|number| {
            let to = any_stream((number % u64::from(STREAMS)) as u8);
            let [first, second] = [number % 3, (number + 1) % 3].map(|place| replicas[place as usize].clone());
            tokio::spawn(async move {
                let propose = || increment(to, number, key(0));
                let receipts = tokio::join!(recorded(&first, propose), recorded(&second, propose));
                assert_eq!(receipts.0, receipts.1, "one request, one receipt, whichever replica answers");
                (to, entry_of(&receipts.0))
            })
        })
        .collect();
    disturb().await;
    let mut entries = HashMap::<StreamId, Vec<Entry>>::new();
    for task in tasks {
        let (to, entry) = timeout(LONG, task).await.unwrap().unwrap();
        entries.entry(to).or_default().push(entry);
    }
    for (to, mut acknowledged) in entries {
        acknowledged.sort_by_key(|entry| entry.number);
        assert_eq!(crate::entries(&replicas[0], to).await, acknowledged, "what is stored is what was acknowledged");
        for replica in &replicas {
            assert_chained(replica, to, EACH as usize).await;
            let (_, facts) = replica.reader().facts(to, &[key(0)]).await.unwrap();
            assert_eq!(facts, [(key(0), EACH.to_be_bytes().to_vec())]);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replicas_append_to_the_same_streams_without_gap_or_duplicate() {
    count_through_replicas(&Database::postgres().await, async || {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn connections_that_are_killed_lose_nothing_and_repeat_nothing() {
    let (server, database) = (Postgres::start(), "killed");
    let kill = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity \
                WHERE datname = 'killed' AND pid <> pg_backend_pid()";
    let disturb = async || {
        let mut killed = 0;
        for _ in 0..15 {
            sleep(Duration::from_millis(40)).await; // between disturbances, not for anything to be done
            killed += server.query("postgres", kill).parse::<u32>().unwrap();
        }
        assert!(killed > 0, "nobody was disturbed");
    };
    count_through_replicas(&Database::on(&server, database).await, disturb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_restarts_under_load_loses_nothing() {
    let server = Postgres::start();
    let database = Database::on(&server, "restarted").await;
    count_through_replicas(&database, async || {
        for _ in 0..2 {
            sleep(Duration::from_millis(100)).await; // some load before each restart
            server.restart();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_database_that_is_away_refuses_and_a_journal_goes_on_once_it_is_back() {
    let server = Postgres::start();
    let journal = Database::on(&server, "away").await.open().await;
    let first = journal.append(plain(stream(0), 0)).await.unwrap();
    server.stop();
    let refused = timeout(LONG, journal.append(plain(stream(0), 1))).await.unwrap();
    assert!(matches!(refused, Err(AppendError::Storage)), "{refused:?}");
    assert!(journal.reader().head(stream(0)).await.is_err());
    server.resume_service();
    let second = recorded(&journal, || plain(stream(0), 1)).await;
    assert_eq!((entry_of(&first).number, entry_of(&second).number), (0, 1));
    assert_chained(&journal, stream(0), 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_replica_that_is_stopped_in_a_transaction_holds_a_stream_for_seconds_only() {
    let database = Database::postgres().await;
    let journal = database.open().await;
    journal.append(plain(stream(0), 0)).await.unwrap();
    // Another process locked the stream's row and was stopped.
    let other = database.connect().await;
    let mut stopped = other.begin().await.unwrap();
    let lock = sqlx::query("SELECT id FROM stream WHERE name = $1 FOR UPDATE").bind(stream(0).0.0.to_vec());
    lock.fetch_one(&mut *stopped).await.unwrap();
    let begun = Instant::now();
    let waiting = journal.append(plain(stream(0), 1));
    // Other streams are of other writers and do not wait.
    let free = (0..=u8::MAX).map(any_stream).find(|name| name.0.0[0] % 4 != 0).unwrap();
    let (waited, elsewhere) = tokio::join!(waiting, async {
        let receipt = journal.append(plain(free, 0)).await.unwrap();
        (receipt, begun.elapsed())
    });
    let held = begun.elapsed();
    assert_eq!(entry_of(&waited.unwrap()).number, 1);
    assert!(elsewhere.1 < held && held < Duration::from_secs(20), "{:?} {held:?}", elsewhere.1);
    // What the stopped process writes when it goes on is refused.
    let late = sqlx::query("DELETE FROM entry").execute(&mut *stopped).await;
    assert!(late.is_err());
    assert_chained(&journal, stream(0), 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn followers_hear_of_what_other_replicas_commit() {
    let database = Database::postgres().await;
    let (here, there) = (database.open().await, database.open().await);
    let mut news = here.follow();
    let mut expected = Vec::new();
    for number in 0..3 {
        let receipt = there.append(plain(stream(0), number)).await.unwrap();
        expected.push(entry_of(&receipt).head());
    }
    let mut newest = 0;
    while newest < 2 {
        let head = timeout(LONG, news.recv()).await.unwrap().unwrap();
        assert_eq!(head, expected[head.number as usize]);
        assert!(head.number >= newest, "news go forward");
        newest = head.number;
    }
    let own = here.append(plain(stream(0), 3)).await.unwrap();
    assert_eq!(timeout(LONG, news.recv()).await.unwrap().unwrap(), entry_of(&own).head());
}
