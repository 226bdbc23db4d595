//! Keys on a real SQLite file and on a real PostgreSQL, by the same tests: what is destroyed is gone, from memory and, on
//! SQLite, from every byte of the files.

#![allow(clippy::unwrap_used)]

use database::file_url;
use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use testbed::postgres::Postgres;
use vault::{MasterKey, PART, Vault, VaultError};

const REFERENCE: [u8; 32] = [0xa1; 32];
const OTHER: [u8; 32] = [0xb2; 32];

/// A key database of its own for each test.
struct Database {
    folder: TempDir,
    url: String,
}

impl Database {
    fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = file_url(&folder.path().join("keys.sqlite"));
        Self { folder, url }
    }

    async fn postgres() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let url = Postgres::shared().url(&format!("vault_{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        database::migrate(&url, &PART).await.unwrap();
        Self { folder: tempfile::tempdir().unwrap(), url }
    }

    async fn connect(&self) -> database::Database {
        database::Database::open(&self.url, &PART).await.unwrap()
    }

    /// The vault as a process of its own sees it.
    async fn open(&self) -> Vault {
        Vault::open(self.connect().await, MasterKey::new([7; 32]))
    }

    /// The wrapped key of a reference, as another connection sees it.
    async fn wrapped(&self, reference: [u8; 32]) -> Option<Vec<u8>> {
        let query = sqlx::query_scalar("SELECT wrapped FROM data_key WHERE reference = $1").bind(reference.to_vec());
        let wrapped: Option<Vec<u8>> = query.fetch_optional(self.connect().await.pool()).await.unwrap();
        wrapped.filter(|wrapped| !wrapped.is_empty())
    }

    /// The files of the database that hold these bytes.
    fn holding(&self, bytes: &[u8]) -> Vec<String> {
        let files = fs::read_dir(self.folder.path()).unwrap().map(|file| file.unwrap().path());
        let holds = |path: &PathBuf| fs::read(path).unwrap().windows(bytes.len()).any(|found| found == bytes);
        files.filter(holds).map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }
}

async fn opens(vault: &Vault, sealed: &[u8]) -> Option<Vec<u8>> {
    match vault.open_sealed(b"entry", sealed).await {
        Ok(plain) => Some(plain.to_vec()),
        Err(VaultError::NoKey) => None,
        Err(other) => panic!("{other:?}"),
    }
}

/// Runs each test on both databases.
macro_rules! on_both {
    ($($name:ident)*) => {
        mod on_sqlite {
            $(#[tokio::test] async fn $name() { super::$name(super::Database::sqlite()).await; })*
        }
        mod on_postgres {
            $(#[tokio::test] async fn $name() { super::$name(super::Database::postgres().await).await; })*
        }
    };
}

on_both! {
    what_is_sealed_is_read_until_its_key_is_destroyed
    what_was_to_be_destroyed_is_known_after_a_restart
    what_another_process_destroys_is_forgotten_in_seconds
    whoever_makes_a_key_while_it_is_destroyed_does_not_bring_it_back
}

async fn what_is_sealed_is_read_until_its_key_is_destroyed(database: Database) {
    let vault = database.open().await;
    let warm = vault.clone();
    let sealed = vault.seal(&REFERENCE, b"entry", b"SYSBP=120").await.unwrap();
    let spared = vault.seal(&OTHER, b"entry", b"SYSBP=80").await.unwrap();
    assert_eq!((Vault::reference(&sealed), Vault::is_sealed(b"SYSBP=120")), (Some(REFERENCE), false));
    for vault in [&vault, &warm] {
        assert_eq!(opens(vault, &sealed).await.unwrap(), b"SYSBP=120");
    }
    for _ in 0..2 {
        vault.destroy(&REFERENCE).await.unwrap();
        for vault in [&vault, &warm, &database.open().await] {
            assert_eq!(opens(vault, &sealed).await, None);
            assert_eq!(opens(vault, &spared).await.unwrap(), b"SYSBP=80");
        }
    }
    // No key takes its place: what it would seal could not be erased again.
    let refused = warm.seal(&REFERENCE, b"entry", b"new").await.unwrap_err();
    assert!(matches!(refused, VaultError::NoKey), "{refused:?}");
}

#[tokio::test]
async fn no_file_holds_a_destroyed_key() {
    let database = Database::sqlite();
    let vault = database.open().await;
    // Many keys, so that pages are shared and split.
    for number in 0..200_u8 {
        vault.seal(&[number; 32], b"entry", b"value").await.unwrap();
    }
    for reference in [[0; 32], [99; 32], [199; 32]] {
        let wrapped = database.wrapped(reference).await.unwrap();
        assert!(!database.holding(&wrapped).is_empty(), "the search finds what is there");
        vault.doom(&reference, &[3; 32], &[4; 16]).await.unwrap();
        vault.destroy(&reference).await.unwrap();
        assert_eq!(database.holding(&wrapped), Vec::<String>::new());
        // What is left of a key is neither its beginning nor its end.
        let (first, last) = (&wrapped[wrapped.len() - 60..wrapped.len() - 30], &wrapped[wrapped.len() - 30..]);
        assert_eq!((database.holding(first), database.holding(last)), (Vec::new(), Vec::new()));
        assert_eq!(database.wrapped(reference).await, None);
    }
}

async fn what_was_to_be_destroyed_is_known_after_a_restart(database: Database) {
    let vault = database.open().await;
    let sealed = vault.seal(&REFERENCE, b"entry", b"value").await.unwrap();
    vault.doom(&REFERENCE, &[1; 32], &[2; 16]).await.unwrap();
    vault.doom(&OTHER, &[1; 32], &[2; 16]).await.unwrap();
    vault.doom(&REFERENCE, &[3; 32], &[4; 16]).await.unwrap(); // a note for each request
    assert_eq!(opens(&vault, &sealed).await.unwrap(), b"value", "a note destroys nothing");
    drop(vault);

    let vault = database.open().await;
    let mut doomed = vault.doomed().await.unwrap();
    doomed.sort_by_key(|doomed| (doomed.reference, doomed.request));
    let notes: Vec<_> = doomed.iter().map(|doomed| (doomed.reference, doomed.stream, doomed.request)).collect();
    let noted = (REFERENCE, [1; 32], [2; 16]);
    assert_eq!(notes, [noted, (REFERENCE, [3; 32], [4; 16]), (OTHER, [1; 32], [2; 16])]);
    assert!(doomed.iter().all(|doomed| doomed.age < Duration::from_secs(120)), "{doomed:?}");
    vault.spare(&OTHER, &[4; 16]).await.unwrap();
    assert_eq!(vault.doomed().await.unwrap().len(), 3, "another request's note was taken back");
    vault.spare(&OTHER, &[2; 16]).await.unwrap();
    vault.spare(&OTHER, &[2; 16]).await.unwrap();
    vault.destroy(&REFERENCE).await.unwrap();
    drop(vault);

    let vault = database.open().await;
    assert!(vault.doomed().await.unwrap().is_empty());
    assert_eq!(opens(&vault, &sealed).await, None);
    assert!(vault.seal(&REFERENCE, b"entry", b"value").await.is_err(), "a destroyed key was replaced");
}

async fn what_another_process_destroys_is_forgotten_in_seconds(database: Database) {
    let (here, there) = (database.open().await, database.open().await);
    let sealed = here.seal(&REFERENCE, b"entry", b"value").await.unwrap();
    there.destroy(&REFERENCE).await.unwrap();
    let destroyed = Instant::now();
    while opens(&here, &sealed).await.is_some() {
        assert!(destroyed.elapsed() < Duration::from_secs(15), "a destroyed key is still in use");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(matches!(here.seal(&REFERENCE, b"entry", b"value").await, Err(VaultError::NoKey)));
}

async fn whoever_makes_a_key_while_it_is_destroyed_does_not_bring_it_back(database: Database) {
    let (here, there) = (database.open().await, database.open().await);
    for number in 0..40 {
        let reference = [number; 32];
        let (sealed, destroyed) = tokio::join!(here.seal(&reference, b"entry", b"value"), there.destroy(&reference));
        destroyed.unwrap();
        let fresh = database.open().await;
        if let Ok(sealed) = sealed {
            assert_eq!(opens(&fresh, &sealed).await, None);
        }
        assert!(matches!(fresh.seal(&reference, b"entry", b"value").await, Err(VaultError::NoKey)));
        assert_eq!(database.wrapped(reference).await, None);
    }
}

/// A file of the first format, in which a destroyed key had a row in a table of its own.
#[tokio::test]
async fn what_was_destroyed_before_formats_were_counted_stays_destroyed() {
    let database = Database::sqlite();
    let old = database.connect().await;
    let before = "DELETE FROM data_key; DROP TABLE doomed; DROP TABLE destroyed; PRAGMA user_version = 0; \
                  CREATE TABLE doomed (reference BLOB, stream BLOB NOT NULL, request BLOB, PRIMARY KEY (reference, request)); \
                  CREATE TABLE destroyed (reference BLOB PRIMARY KEY); \
                  INSERT INTO doomed VALUES (x'b2', x'01', x'02')";
    sqlx::raw_sql(before).execute(old.writing()).await.unwrap();
    let destroyed = sqlx::query("INSERT INTO destroyed (reference) VALUES ($1)").bind(REFERENCE.to_vec());
    destroyed.execute(old.writing()).await.unwrap();
    old.pool().close().await;
    old.writing().close().await;
    let vault = database.open().await;
    assert!(matches!(vault.seal(&REFERENCE, b"entry", b"value").await, Err(VaultError::NoKey)));
    assert!(vault.seal(&OTHER, b"entry", b"value").await.is_ok());
}
