//! The SQL of blocks and checkpoints.

use crate::{domain::Tip, lease::Token};
use database::{Database, MAX_VALUES, Migration, Part, Statement, Transaction, signed, unsigned};
use seal::{Hash, block::Block, entry, id::StreamId};
use sqlx::{AnyConnection, Row as _, any::AnyRow};

/// The tables of blocks and checkpoints.
pub const PART: Part = Part {
    name: "anchoring",
    migrations: &[
        Migration {
            oldest: 1,
            sqlite: &[include_str!("../migrations/1.sqlite.sql")],
            postgres: &[include_str!("../migrations/1.postgres.sql")],
        },
        // A program that knows of no lease would make blocks beside the one that holds it.
        Migration {
            oldest: 2,
            sqlite: &[include_str!("../migrations/2.sqlite.sql")],
            postgres: &[include_str!("../migrations/2.postgres.sql")],
        },
    ],
};

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
    pub(crate) database: Database,
}

impl Store {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Whether this process has the database for itself.
    pub(crate) fn is_embedded(&self) -> bool {
        !self.database.dialect().is_shared()
    }

    /// How many blocks there are, anchored or about to be.
    pub(crate) async fn size(&self) -> Result<u64, sqlx::Error> {
        let size: i64 =
            sqlx::query_scalar("SELECT COALESCE(MAX(place) + 1, 0) FROM block").fetch_one(self.database.pool()).await?;
        Ok(unsigned(size))
    }

    /// Where a stream stands.
    pub(crate) async fn tip(&self, stream: StreamId) -> Result<Option<Tip>, sqlx::Error> {
        let row = sqlx::query("SELECT place, bytes, hashes FROM block WHERE stream = $1 ORDER BY number DESC LIMIT 1")
            .bind(stream.0.0.to_vec())
            .fetch_optional(self.database.pool())
            .await?;
        Ok(row.as_ref().map(anchored).transpose()?.and_then(|last| {
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
            sqlx::query_scalar("SELECT stream FROM block WHERE number = 0").fetch_all(self.database.pool()).await?;
        Ok(names.iter().filter_map(|name| Hash::from_slice(name)).map(StreamId).collect())
    }

    /// Adds blocks after the last, all or none, for who holds the lease.
    pub(crate) async fn add(&self, token: Token, blocks: &[(Block, Vec<Hash>)]) -> Result<(), WriteError> {
        let mut transaction = self.fenced(token).await?;
        let added = add(&mut transaction, blocks).await;
        end(transaction, added).await
    }

    /// The blocks from place `from` to before place `to`.
    pub(crate) async fn blocks(&self, from: u64, to: u64) -> Result<Vec<Anchored>, sqlx::Error> {
        let rows =
            sqlx::query("SELECT place, bytes, hashes FROM block WHERE place >= $1 AND place < $2 ORDER BY place")
                .bind(signed(from))
                .bind(signed(to))
                .fetch_all(self.database.pool())
                .await?;
        rows.iter().map(anchored).collect()
    }

    /// The same blocks without their entries' hashes.
    pub(crate) async fn bytes_of(&self, from: u64, to: u64) -> Result<Vec<Vec<u8>>, sqlx::Error> {
        let query = sqlx::query_scalar("SELECT bytes FROM block WHERE place >= $1 AND place < $2 ORDER BY place");
        query.bind(signed(from)).bind(signed(to)).fetch_all(self.database.pool()).await
    }

    /// The blocks of a stream from block number `from` on.
    pub(crate) async fn of_stream(
        &self,
        stream: StreamId,
        from: u64,
        limit: u32,
    ) -> Result<Vec<Anchored>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT place, bytes, hashes FROM block WHERE stream = $1 AND number >= $2 ORDER BY number LIMIT $3",
        )
        .bind(stream.0.0.to_vec())
        .bind(signed(from))
        .bind(i64::from(limit))
        .fetch_all(self.database.pool())
        .await?;
        rows.iter().map(anchored).collect()
    }

    /// The block that holds entry `number` of a stream, if it has been made.
    pub(crate) async fn holding(&self, stream: StreamId, number: u64) -> Result<Option<Anchored>, sqlx::Error> {
        let row = sqlx::query(
            "SELECT place, bytes, hashes FROM block WHERE stream = $1 AND first <= $2 ORDER BY first DESC LIMIT 1",
        )
        .bind(stream.0.0.to_vec())
        .bind(signed(number))
        .fetch_optional(self.database.pool())
        .await?;
        let holds = |block: &Anchored| Block::parse(&block.bytes).is_ok_and(|block| block.index_of(number).is_some());
        Ok(row.as_ref().map(anchored).transpose()?.filter(holds))
    }

    /// The latest published checkpoint of at most `size` blocks.
    pub(crate) async fn checkpoint(&self, size: u64) -> Result<Option<(u64, String)>, sqlx::Error> {
        let row = sqlx::query("SELECT size, note FROM checkpoint WHERE size <= $1 ORDER BY size DESC LIMIT 1")
            .bind(signed(size))
            .fetch_optional(self.database.pool())
            .await?;
        row.map(|row| Ok((unsigned(row.try_get("size")?), row.try_get("note")?))).transpose()
    }

    /// Keeps a published checkpoint, for who holds the lease.
    pub(crate) async fn publish(&self, token: Token, size: u64, note: &str) -> Result<(), WriteError> {
        let mut transaction = self.fenced(token).await?;
        let query = sqlx::query(
            "INSERT INTO checkpoint (size, note) VALUES ($1, $2) ON CONFLICT (size) DO UPDATE SET note = excluded.note",
        );
        let kept = query.bind(signed(size)).bind(note.to_owned()).execute(&mut *transaction).await;
        end(transaction, kept.map(|_| ())).await
    }
}

async fn end(transaction: Transaction, written: Result<(), sqlx::Error>) -> Result<(), WriteError> {
    match written {
        Ok(()) => Ok(transaction.commit().await?),
        Err(error) => {
            transaction.roll_back().await;
            Err(error.into())
        }
    }
}

async fn add(connection: &mut AnyConnection, blocks: &[(Block, Vec<Hash>)]) -> Result<(), sqlx::Error> {
    let size: i64 =
        sqlx::query_scalar("SELECT COALESCE(MAX(place) + 1, 0) FROM block").fetch_one(&mut *connection).await?;
    let placed: Vec<_> = blocks.iter().zip(size..).collect();
    for some in placed.chunks(MAX_VALUES / 6) {
        let mut insert = Statement::new("INSERT INTO block (place, stream, number, first, bytes, hashes) VALUES ");
        insert.rows(some, |row, ((block, hashes), place)| {
            row.value(*place).value(block.stream.0.0.to_vec()).value(signed(block.number)).value(signed(block.first));
            row.value(block.to_bytes()).value(hashes.iter().flat_map(|hash| hash.0).collect::<Vec<u8>>());
        });
        insert.execute(connection).await?;
    }
    Ok(())
}

fn anchored(row: &AnyRow) -> Result<Anchored, sqlx::Error> {
    let hashes: Vec<u8> = row.try_get("hashes")?;
    Ok(Anchored {
        place: unsigned(row.try_get("place")?),
        bytes: row.try_get("bytes")?,
        hashes: hashes.chunks_exact(32).filter_map(Hash::from_slice).collect(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
