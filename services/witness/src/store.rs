//! The SQL of what was cosigned, and of what was refused as a fork.

use sqlx::{
    Row as _, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{path::Path, time::Duration};
use tlog::{Hash, checkpoint::Checkpoint};

const FORMAT: i64 = 1;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS cosigned (
    origin TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    note TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS evidence (
    id INTEGER PRIMARY KEY,
    origin TEXT NOT NULL,
    held TEXT NOT NULL,
    offered TEXT NOT NULL
);
";

/// The most forks kept as evidence; one is enough.
const MAX_EVIDENCE: i64 = 1_000;

/// Why a witness does not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database cannot be opened.
    #[error("the witness's database cannot be opened")]
    Database(#[from] sqlx::Error),
    /// The database was written by a newer version.
    #[error("the witness's database has format {0}, this program knows up to {FORMAT}: use the newer program")]
    Newer(i64),
}

/// The checkpoint a witness cosigned last.
pub(crate) struct Cosigned {
    pub(crate) size: u64,
    pub(crate) root: Hash,
    pub(crate) note: String,
}

/// A witness's memory. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Store {
    pool: SqlitePool,
}

impl Store {
    pub(crate) async fn open(file: &Path) -> Result<Self, OpenError> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10));
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&pool).await?;
        if found > FORMAT {
            return Err(OpenError::Newer(found));
        }
        sqlx::raw_sql(SCHEMA).execute(&pool).await?;
        sqlx::raw_sql("PRAGMA user_version = 1").execute(&pool).await?;
        Ok(Self { pool })
    }

    pub(crate) async fn last(&self, origin: &str) -> Result<Option<Cosigned>, sqlx::Error> {
        let row = sqlx::query("SELECT size, root, note FROM cosigned WHERE origin = ?")
            .bind(origin.to_owned())
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|row| Cosigned {
            size: u64::try_from(row.get::<i64, _>("size")).unwrap_or_default(),
            root: Hash::from_slice(&row.get::<Vec<u8>, _>("root")).unwrap_or(Hash::ZERO),
            note: row.get("note"),
        }))
    }

    /// Replaces what was cosigned last, if it still is what `before` says. Says whether it was.
    pub(crate) async fn advance(
        &self,
        before: Option<&Cosigned>,
        checkpoint: &Checkpoint,
        note: &str,
    ) -> Result<bool, sqlx::Error> {
        let size = i64::try_from(checkpoint.size).unwrap_or(i64::MAX);
        let (old_size, old_root) = before
            .map_or((-1, Vec::new()), |last| (i64::try_from(last.size).unwrap_or(i64::MAX), last.root.0.to_vec()));
        let sql = if before.is_none() {
            "INSERT OR IGNORE INTO cosigned (size, root, note, origin) SELECT ?, ?, ?, ? WHERE ? = -1 AND ? = x''"
        } else {
            "UPDATE cosigned SET size = ?, root = ?, note = ? WHERE origin = ? AND size = ? AND root = ?"
        };
        let done = sqlx::query(sql)
            .bind(size)
            .bind(checkpoint.root.0.to_vec())
            .bind(note.to_owned())
            .bind(checkpoint.origin.clone())
            .bind(old_size)
            .bind(old_root)
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Keeps two checkpoints of one chain that contradict each other.
    pub(crate) async fn keep_evidence(&self, origin: &str, held: &str, offered: &str) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO evidence (origin, held, offered) SELECT ?, ?, ? WHERE (SELECT COUNT(*) FROM evidence) < ?",
        )
        .bind(origin.to_owned())
        .bind(held.to_owned())
        .bind(offered.to_owned())
        .bind(MAX_EVIDENCE)
        .execute(&self.pool)
        .await
        .map(|_| ())
    }
}
