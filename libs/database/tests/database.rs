//! Opening, migrating and writing, on a real SQLite file and on a real PostgreSQL.

#![allow(clippy::unwrap_used)]

use database::{Database, Migrated, Migration, OpenError, Part, Statement, file_url, grant, migrate};
use sqlx::{AnyPool, Row};
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use tempfile::TempDir;
use testbed::postgres::Postgres;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS visit (place BIGINT PRIMARY KEY, note TEXT NOT NULL, seal BYTEA);";
const COLUMN: &str = "ALTER TABLE visit ADD COLUMN late BIGINT NOT NULL DEFAULT 7;";
const FIRST: Migration = Migration { oldest: 1, sqlite: &[TABLE], postgres: &[TABLE] };
/// Expands: the first program lives with it.
const SECOND: Migration = Migration { oldest: 1, sqlite: &[COLUMN], postgres: &[COLUMN] };
/// Contracts: the first program does not know it, the second does.
const THIRD: Migration = Migration {
    oldest: 2,
    sqlite: &["ALTER TABLE visit DROP COLUMN seal;"],
    postgres: &["ALTER TABLE visit DROP COLUMN seal;"],
};
const ONE: Part = Part { name: "visits", migrations: &[FIRST] };
const TWO: Part = Part { name: "visits", migrations: &[FIRST, SECOND] };
const THREE: Part = Part { name: "visits", migrations: &[FIRST, SECOND, THIRD] };

struct Place {
    _folder: TempDir,
    url: String,
}

fn sqlite() -> Place {
    let folder = tempfile::tempdir().unwrap();
    // Whatever a path may hold.
    let url = file_url(&folder.path().join("a file?mode=ro&x=%20#1 ü.sqlite"));
    Place { _folder: folder, url }
}

fn postgres() -> Place {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let url = Postgres::shared().url(&format!("database_{}", COUNT.fetch_add(1, Ordering::Relaxed)));
    Place { _folder: tempfile::tempdir().unwrap(), url }
}

async fn count(pool: &AnyPool) -> i64 {
    sqlx::query_scalar("SELECT COUNT(*) FROM visit").fetch_one(pool).await.unwrap()
}

async fn add(connection: &mut sqlx::AnyConnection, places: std::ops::Range<i64>) -> Result<u64, sqlx::Error> {
    let mut insert = Statement::new("INSERT INTO visit (place, note, seal) VALUES ");
    insert.rows(places, |row, place| {
        row.value(place).value("a note").value(vec![0_u8, 1, 255]);
    });
    insert.execute(connection).await
}

async fn writes_are_durable_or_undone(place: Place) {
    migrate(&place.url, &ONE).await.unwrap();
    let database = Database::open(&place.url, &ONE).await.unwrap();
    let mut kept = database.begin().await.unwrap();
    assert_eq!(add(&mut kept, 0..3_000).await.unwrap(), 3_000);
    kept.commit().await.unwrap();
    let mut undone = database.begin().await.unwrap();
    add(&mut undone, 3_000..3_001).await.unwrap();
    undone.roll_back().await;
    let mut forgotten = database.begin().await.unwrap();
    add(&mut forgotten, 3_000..3_001).await.unwrap();
    drop(forgotten);
    let mut failed = database.begin().await.unwrap();
    assert!(add(&mut failed, 2_999..3_001).await.is_err());
    failed.roll_back().await;
    // The same connection, or a new one, goes on.
    let mut after = database.begin().await.unwrap();
    add(&mut after, 3_000..3_001).await.unwrap();
    after.commit().await.unwrap();
    assert_eq!(count(database.pool()).await, 3_001);
    let again = Database::open(&place.url, &ONE).await.unwrap();
    let row = sqlx::query("SELECT place, note, seal FROM visit WHERE place = $1").bind(3_000_i64);
    let row = row.fetch_one(again.pool()).await.unwrap();
    assert_eq!(row.get::<Vec<u8>, _>("seal"), [0, 1, 255]);
    assert_eq!((row.get::<i64, _>("place"), row.get::<String, _>("note")), (3_000, "a note".to_owned()));
    assert!(again.scrub(&["visit"]).await.unwrap());
    let mut clock = Statement::new("SELECT ");
    clock.push(again.dialect().now_ms()).push(" AS now");
    let now: i64 = clock.fetch_all(&mut again.pool().acquire().await.unwrap()).await.unwrap()[0].get("now");
    let ours = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    assert!(ours.abs_diff(Duration::from_millis(now as u64)) < Duration::from_secs(120), "{now}");
}

async fn migrating_again_changes_nothing(place: Place) {
    assert_eq!(migrate(&place.url, &ONE).await.unwrap(), Migrated { from: 0, to: 1 });
    let database = Database::open(&place.url, &ONE).await.unwrap();
    add(&mut database.writing().acquire().await.unwrap(), 0..5).await.unwrap();
    assert_eq!(migrate(&place.url, &ONE).await.unwrap(), Migrated { from: 1, to: 1 });
    assert_eq!(migrate(&place.url, &THREE).await.unwrap(), Migrated { from: 1, to: 3 });
    assert_eq!(migrate(&place.url, &THREE).await.unwrap(), Migrated { from: 3, to: 3 });
    let database = Database::open(&place.url, &THREE).await.unwrap();
    let late: i64 = sqlx::query_scalar("SELECT MAX(late) FROM visit").fetch_one(database.pool()).await.unwrap();
    assert_eq!((count(database.pool()).await, late), (5, 7));
}

#[tokio::test]
async fn on_sqlite_writes_are_durable_or_undone() {
    writes_are_durable_or_undone(sqlite()).await;
}

#[tokio::test]
async fn on_postgres_writes_are_durable_or_undone() {
    writes_are_durable_or_undone(postgres()).await;
}

#[tokio::test]
async fn on_sqlite_migrating_again_changes_nothing() {
    migrating_again_changes_nothing(sqlite()).await;
}

#[tokio::test]
async fn on_postgres_migrating_again_changes_nothing() {
    migrating_again_changes_nothing(postgres()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_migrate_at_once_and_each_step_is_applied_once() {
    let place = postgres();
    let migrations: Vec<_> = (0..8)
        .map(|_| {
            let url = place.url.clone();
            tokio::spawn(async move { migrate(&url, &THREE).await })
        })
        .collect();
    for migration in migrations {
        assert_eq!(migration.await.unwrap().unwrap().to, 3);
    }
    assert!(Database::open(&place.url, &THREE).await.is_ok());
}

#[tokio::test]
async fn a_postgres_that_lacks_migrations_is_refused() {
    let place = postgres();
    match Database::open(&place.url, &TWO).await {
        Err(error @ OpenError::Older { found: 0, known: 2, .. }) => {
            assert!(error.to_string().contains("run `trialseal migrate visits`"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    migrate(&place.url, &ONE).await.unwrap();
    assert!(matches!(Database::open(&place.url, &TWO).await, Err(OpenError::Older { found: 1, known: 2, .. })));
}

/// An upgrade of one version: the database is migrated first, and the programs are replaced one by one.
#[tokio::test]
async fn the_version_before_works_on_and_the_one_before_that_is_refused() {
    let place = postgres();
    migrate(&place.url, &TWO).await.unwrap();
    let before = Database::open(&place.url, &ONE).await.unwrap();
    add(&mut before.writing().acquire().await.unwrap(), 0..2).await.unwrap();
    assert_eq!(migrate(&place.url, &ONE).await.unwrap(), Migrated { from: 2, to: 2 });
    migrate(&place.url, &THREE).await.unwrap();
    assert!(Database::open(&place.url, &TWO).await.is_ok());
    assert!(matches!(Database::open(&place.url, &ONE).await, Err(OpenError::Newer { found: 3, known: 1, .. })));
    assert!(matches!(migrate(&place.url, &ONE).await, Err(OpenError::Newer { found: 3, known: 1, .. })));
}

#[tokio::test]
async fn a_newer_file_is_refused_untouched() {
    let place = sqlite();
    drop(Database::open(&place.url, &TWO).await.unwrap());
    assert!(matches!(Database::open(&place.url, &ONE).await, Err(OpenError::Newer { found: 2, known: 1, .. })));
    let database = Database::open(&place.url, &TWO).await.unwrap();
    let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(database.pool()).await.unwrap();
    assert_eq!(found, 2);
}

#[tokio::test]
async fn sessions_keep_what_was_acknowledged_and_end_what_is_stopped() {
    let place = postgres();
    migrate(&place.url, &ONE).await.unwrap();
    let database = Database::open(&place.url, &ONE).await.unwrap();
    for (setting, expected) in [
        ("SHOW synchronous_commit", "on"),
        ("SHOW idle_in_transaction_session_timeout", "5s"),
        ("SHOW lock_timeout", "8s"),
        ("SHOW statement_timeout", "15s"),
        ("SHOW transaction_isolation", "read committed"),
    ] {
        let found: String = sqlx::query_scalar(setting).fetch_one(database.pool()).await.unwrap();
        assert_eq!(found, expected, "{setting}");
    }
    let file = sqlite();
    let file = Database::open(&file.url, &ONE).await.unwrap();
    for (setting, expected) in
        [("PRAGMA synchronous", 2_i64), ("PRAGMA secure_delete", 1), ("PRAGMA busy_timeout", 10_000)]
    {
        let found: i64 = sqlx::query_scalar(setting).fetch_one(file.pool()).await.unwrap();
        assert_eq!(found, expected, "{setting}");
    }
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(file.pool()).await.unwrap();
    assert_eq!(mode, "wal");
}

#[tokio::test]
async fn a_url_of_another_database_is_refused_and_not_shown() {
    for url in ["mysql://root:secret@host/name", "", "/just/a/path", "postgres://user:secret@ho st/name"] {
        let error = Database::open(url, &ONE).await.unwrap_err();
        assert!(matches!(error, OpenError::Url(_)), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    }
}

#[tokio::test]
async fn over_tls_a_database_is_believed_by_its_authority_alone() {
    let (postgres, ours, others) = (Postgres::start(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for folder in [&ours, &others] {
        tls::pki::make(folder.path(), &[]).unwrap();
    }
    postgres.restart_with_tls(&ours.path().join("capture.pem"), &ours.path().join("capture.key"));
    let name = postgres.url("tls");
    let url = |authority: &TempDir| {
        let authority = authority.path().join("ca.pem");
        format!("{name}?sslmode=verify-full&sslrootcert={}", authority.display())
    };
    migrate(&url(&ours), &ONE).await.unwrap();
    let database = Database::open(&url(&ours), &ONE).await.unwrap();
    let asked = sqlx::query("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
    assert!(asked.fetch_one(database.pool()).await.unwrap().get::<bool, _>(0));
    let refused = migrate(&url(&others), &ONE).await;
    assert!(matches!(refused, Err(OpenError::Database { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_services_own_user_reads_and_writes_rows_and_no_more() {
    let postgres = Postgres::start();
    let owner = postgres.url("granted");
    postgres.query("granted", "CREATE ROLE \"visits' own\" LOGIN; REVOKE ALL ON SCHEMA public FROM public");
    let service = owner.replacen("://trialseal@", "://visits'%20own@", 1);
    assert!(service != owner);
    migrate(&owner, &ONE).await.unwrap();
    let refused = Database::open(&service, &ONE).await;
    assert!(matches!(refused, Err(OpenError::Older { .. })), "it sees no tables: {refused:?}");
    for _ in 0..2 {
        grant(&owner, &ONE, "visits' own").await.unwrap();
    }
    let database = Database::open(&service, &ONE).await.unwrap();
    let mut writing = database.begin().await.unwrap();
    add(&mut writing, 0..3).await.unwrap();
    writing.commit().await.unwrap();
    assert_eq!(count(database.pool()).await, 3);
    for sql in ["DROP TABLE visit", "ALTER TABLE visit ADD COLUMN more TEXT", "CREATE TABLE other (place BIGINT)"] {
        assert!(sqlx::query(sql).execute(database.pool()).await.is_err(), "{sql}");
    }
    let may = postgres.query("granted", "SHOW server_version_num").parse::<u32>().unwrap() >= 170_000;
    assert_eq!(database.scrub(&["visit"]).await.unwrap(), may, "what PostgreSQL leaves undone is not said to be done");
    assert!(Database::open(&owner, &ONE).await.unwrap().scrub(&["visit"]).await.unwrap());
}

#[tokio::test]
async fn a_copy_made_by_the_script_is_put_back_whole_or_not_at_all() {
    let (postgres, folder) = (Postgres::start(), tempfile::tempdir().unwrap());
    let [one, other] = ["visits", "others"].map(|name| postgres.url(name));
    migrate(&one, &ONE).await.unwrap();
    let database = Database::open(&one, &ONE).await.unwrap();
    let write = async |places| {
        let mut writing = database.begin().await.unwrap();
        add(&mut writing, places).await.unwrap();
        writing.commit().await.unwrap();
    };
    let script = |what: &str, copy: &str, name: &str, url: &str| {
        let path = format!("{}:{}", postgres.programs().display(), std::env::var("PATH").unwrap());
        let mut run = std::process::Command::new(testbed::repository().join("docs/backup/postgres.sh"));
        run.arg(what).arg(folder.path().join(copy)).arg(format!("{name}={url}")).env("PATH", path);
        run.output().unwrap().status.success()
    };
    write(0..3).await;
    assert!(script("dump", "first", "visits", &one));
    assert!(!script("dump", "first", "visits", &one), "a copy is never written over");
    write(3..9).await;
    assert!(!script("restore", "first", "nothing", &one), "there is no such copy");
    assert_eq!(count(database.pool()).await, 9);
    assert!(script("restore", "first", "visits", &one));
    assert_eq!(count(database.pool()).await, 3, "as it was when it was copied");
    assert!(script("restore", "first", "visits", &other));
    assert_eq!(count(Database::open(&other, &ONE).await.unwrap().pool()).await, 3, "and in another place");
    std::fs::write(folder.path().join("first/visits.dump"), "cut short").unwrap();
    assert!(!script("restore", "first", "visits", &one));
    assert_eq!(count(database.pool()).await, 3);
}
