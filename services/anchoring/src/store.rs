//! The SQL of blocks and checkpoints.

use crate::{
    domain::Tip,
    lease::{Token, fence},
};
use seal::{Hash, block::Block, entry, id::StreamId};
use sqlx::{
    Row as _, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};
use std::{path::Path, time::Duration};

const FORMAT: i64 = 1;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS block (
    place INTEGER PRIMARY KEY,
    stream BLOB NOT NULL,
    number INTEGER NOT NULL,
    first INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    hashes BLOB NOT NULL,
    UNIQUE (stream, number)
);
CREATE UNIQUE INDEX IF NOT EXISTS block_first ON block (stream, first);
CREATE TABLE IF NOT EXISTS checkpoint (
    size INTEGER PRIMARY KEY,
    note TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS lease (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    token INTEGER NOT NULL,
    until INTEGER NOT NULL
);
";

/// Why the anchoring service does not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database cannot be opened.
    #[error("the anchoring database cannot be opened")]
    Database(#[from] sqlx::Error),
    /// The database was written by a newer version.
    #[error("the anchoring database has format {0}, this program knows up to {FORMAT}: use the newer program")]
    Newer(i64),
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error("the database of blocks failed")]
    Database(#[from] sqlx::Error),
    #[error("another process makes blocks now")]
    Overtaken,
}

/// A block on the chain.
#[derive(Debug, Clone)]
pub(crate) struct Anchored {
    /// Its place on the chain.
    pub(crate) place: u64,
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
    /// The hashes of its entries.
    pub(crate) hashes: Vec<Hash>,
}

/// Blocks and checkpoints. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) pool: SqlitePool,
}

impl Store {
    pub(crate) async fn open(file: &Path) -> Result<Self, OpenError> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10));
        let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
        let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&pool).await?;
        if found > FORMAT {
            return Err(OpenError::Newer(found));
        }
        sqlx::raw_sql(SCHEMA).execute(&pool).await?;
        sqlx::raw_sql("PRAGMA user_version = 1").execute(&pool).await?;
        Ok(Self { pool })
    }

    /// Whether this process has the database for itself.
    pub(crate) fn is_embedded(&self) -> bool {
        true
    }

    /// How many blocks there are, anchored or about to be.
    pub(crate) async fn size(&self) -> Result<u64, sqlx::Error> {
        let size: i64 =
            sqlx::query_scalar("SELECT COALESCE(MAX(place) + 1, 0) FROM block").fetch_one(&self.pool).await?;
        Ok(unsigned(size))
    }

    /// Where a stream stands.
    pub(crate) async fn tip(&self, stream: StreamId) -> Result<Option<Tip>, sqlx::Error> {
        let row = sqlx::query("SELECT place, bytes, hashes FROM block WHERE stream = ? ORDER BY number DESC LIMIT 1")
            .bind(stream.0.0.to_vec())
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.as_ref().map(anchored).and_then(|last| {
            let block = Block::parse(&last.bytes).ok()?;
            Some(Tip {
                block: block.number + 1,
                entry: block.first + u64::from(block.count),
                block_hash: entry::hash(&last.bytes),
                entry_hash: *last.hashes.last()?,
            })
        }))
    }

    /// The streams that are on the chain, or about to be.
    pub(crate) async fn streams(&self) -> Result<Vec<StreamId>, sqlx::Error> {
        let names: Vec<Vec<u8>> =
            sqlx::query_scalar("SELECT stream FROM block WHERE number = 0").fetch_all(&self.pool).await?;
        Ok(names.iter().filter_map(|name| Hash::from_slice(name)).map(StreamId).collect())
    }

    /// Adds blocks after the last, all or none, for who holds the lease.
    pub(crate) async fn add(&self, token: Token, blocks: &[(Block, Vec<Hash>)]) -> Result<(), WriteError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        fence(&mut transaction, token).await?;
        let size: i64 =
            sqlx::query_scalar("SELECT COALESCE(MAX(place) + 1, 0) FROM block").fetch_one(&mut *transaction).await?;
        for ((block, hashes), place) in blocks.iter().zip(size..) {
            add_block(&mut transaction, place, block, hashes).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// The blocks from place `from` to before place `to`.
    pub(crate) async fn blocks(&self, from: u64, to: u64) -> Result<Vec<Anchored>, sqlx::Error> {
        let rows = sqlx::query("SELECT place, bytes, hashes FROM block WHERE place >= ? AND place < ? ORDER BY place")
            .bind(signed(from))
            .bind(signed(to))
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.iter().map(anchored).collect())
    }

    /// The blocks of a stream from block number `from` on.
    pub(crate) async fn of_stream(
        &self,
        stream: StreamId,
        from: u64,
        limit: u32,
    ) -> Result<Vec<Anchored>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT place, bytes, hashes FROM block WHERE stream = ? AND number >= ? ORDER BY number LIMIT ?",
        )
        .bind(stream.0.0.to_vec())
        .bind(signed(from))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.iter().map(anchored).collect())
    }

    /// The block that holds entry `number` of a stream, if it has been made.
    pub(crate) async fn holding(&self, stream: StreamId, number: u64) -> Result<Option<Anchored>, sqlx::Error> {
        let row = sqlx::query(
            "SELECT place, bytes, hashes FROM block WHERE stream = ? AND first <= ? ORDER BY first DESC LIMIT 1",
        )
        .bind(stream.0.0.to_vec())
        .bind(signed(number))
        .fetch_optional(&self.pool)
        .await?;
        let holds = |block: &Anchored| Block::parse(&block.bytes).is_ok_and(|block| block.index_of(number).is_some());
        Ok(row.as_ref().map(anchored).filter(holds))
    }

    /// The latest published checkpoint of at most `size` blocks.
    pub(crate) async fn checkpoint(&self, size: u64) -> Result<Option<(u64, String)>, sqlx::Error> {
        let row = sqlx::query("SELECT size, note FROM checkpoint WHERE size <= ? ORDER BY size DESC LIMIT 1")
            .bind(signed(size))
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|row| (unsigned(row.get("size")), row.get("note"))))
    }

    /// Keeps a published checkpoint, for who holds the lease.
    pub(crate) async fn publish(&self, token: Token, size: u64, note: &str) -> Result<(), WriteError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        fence(&mut transaction, token).await?;
        sqlx::query("INSERT OR REPLACE INTO checkpoint (size, note) VALUES (?, ?)")
            .bind(signed(size))
            .bind(note.to_owned())
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }
}

async fn add_block(
    connection: &mut SqliteConnection,
    place: i64,
    block: &Block,
    hashes: &[Hash],
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO block (place, stream, number, first, bytes, hashes) VALUES (?, ?, ?, ?, ?, ?)")
        .bind(place)
        .bind(block.stream.0.0.to_vec())
        .bind(signed(block.number))
        .bind(signed(block.first))
        .bind(block.to_bytes())
        .bind(hashes.iter().flat_map(|hash| hash.0).collect::<Vec<u8>>())
        .execute(connection)
        .await
        .map(|_| ())
}

fn anchored(row: &SqliteRow) -> Anchored {
    let hashes: Vec<u8> = row.get("hashes");
    Anchored {
        place: unsigned(row.get("place")),
        bytes: row.get("bytes"),
        hashes: hashes.chunks_exact(32).filter_map(Hash::from_slice).collect(),
    }
}

/// SQLite's integers are signed.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
