//! The SQL of what was cosigned, and of what was refused as a fork.

use database::{Database, Migration, Part, signed, unsigned};
use sqlx::Row as _;
use tlog::{Hash, checkpoint::Checkpoint};

/// The tables of a witness.
pub const PART: Part = Part {
    name: "witness",
    migrations: &[
        Migration {
            oldest: 1,
            sqlite: &[include_str!("../migrations/1.sqlite.sql")],
            postgres: &[include_str!("../migrations/1.postgres.sql")],
        },
        // What a program before writes lacks the new columns, and is read as what it is.
        Migration {
            oldest: 1,
            sqlite: &[include_str!("../migrations/2.sqlite.sql")],
            postgres: &[include_str!("../migrations/2.postgres.sql")],
        },
    ],
};

/// The most forks of one log kept as evidence; one is enough, and nobody but the log can make them.
const MAX_FORKS: i64 = 64;
/// The most checkpoints of one log that came with a wrong proof and are remembered.
const MAX_UNREACHED: i64 = 64;

/// The checkpoint a witness cosigned last.
pub(crate) struct Cosigned {
    pub(crate) size: u64,
    pub(crate) root: Hash,
    /// The checkpoint as the log signed it.
    pub(crate) note: String,
    /// The signature lines that it was answered with; empty for what an older program stored.
    pub(crate) cosignatures: String,
}

/// What is kept of a fork.
pub(crate) struct Fork<'a> {
    pub(crate) held: &'a str,
    pub(crate) offered: &'a str,
    pub(crate) proof: &'a [Hash],
    /// Names the pair.
    pub(crate) pair: Hash,
    pub(crate) now_ms: u64,
}

/// A witness's memory. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Store {
    database: Database,
}

impl Store {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    pub(crate) async fn last(&self, origin: &str) -> Result<Option<Cosigned>, sqlx::Error> {
        let row = sqlx::query("SELECT size, root, note, cosignatures FROM cosigned WHERE origin = $1")
            .bind(origin.to_owned())
            .fetch_optional(self.database.pool())
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Cosigned {
            size: unsigned(row.try_get("size")?),
            root: Hash::from_slice(&row.try_get::<Vec<u8>, _>("root")?).unwrap_or(Hash::ZERO),
            note: row.try_get("note")?,
            cosignatures: row.try_get::<Option<String>, _>("cosignatures")?.unwrap_or_default(),
        }))
    }

    /// Replaces what was cosigned last, if it still is what `before` says. Says whether it was.
    pub(crate) async fn advance(
        &self,
        before: Option<&Cosigned>,
        checkpoint: &Checkpoint,
        note: &str,
        cosignatures: &str,
    ) -> Result<bool, sqlx::Error> {
        let query = match before {
            None => sqlx::query(
                "INSERT INTO cosigned (size, root, note, cosignatures, origin) VALUES ($1, $2, $3, $4, $5) \
                 ON CONFLICT (origin) DO NOTHING",
            ),
            Some(_) => sqlx::query(
                "UPDATE cosigned SET size = $1, root = $2, note = $3, cosignatures = $4 \
                 WHERE origin = $5 AND size = $6 AND root = $7",
            ),
        };
        let mut query = query
            .bind(signed(checkpoint.size))
            .bind(checkpoint.root.0.to_vec())
            .bind(note.to_owned())
            .bind(cosignatures.to_owned())
            .bind(checkpoint.origin.clone());
        if let Some(before) = before {
            query = query.bind(signed(before.size)).bind(before.root.0.to_vec());
        }
        Ok(query.execute(self.database.writing()).await?.rows_affected() == 1)
    }

    /// Keeps two checkpoints of one log that contradict each other; says whether they are new.
    pub(crate) async fn keep_fork(&self, origin: &str, fork: &Fork<'_>) -> Result<bool, sqlx::Error> {
        let proof: String = fork.proof.iter().map(|hash| hash.to_base64() + "\n").collect();
        let kept = sqlx::query(
            "INSERT INTO evidence (origin, held, offered, proof, pair, kept) SELECT $1, $2, $3, $4, $5, $6 \
             WHERE (SELECT COUNT(*) FROM evidence WHERE origin = $7 AND pair IS NOT NULL) < $8 \
             ON CONFLICT (origin, pair) DO NOTHING",
        )
        .bind(origin.to_owned())
        .bind(fork.held.to_owned())
        .bind(fork.offered.to_owned())
        .bind(proof)
        .bind(fork.pair.0.to_vec())
        .bind(signed(fork.now_ms))
        .bind(origin.to_owned())
        .bind(MAX_FORKS);
        Ok(kept.execute(self.database.writing()).await?.rows_affected() == 1)
    }

    /// The checkpoints of a log in its evidence, as notes: those that were not cosigned.
    pub(crate) async fn offered(&self, origin: &str) -> Result<Vec<String>, sqlx::Error> {
        let query = sqlx::query_scalar("SELECT offered FROM evidence WHERE origin = $1 AND pair IS NOT NULL");
        query.bind(origin.to_owned()).fetch_all(self.database.pool()).await
    }

    /// Remembers a checkpoint that no proof reached from the size `held`. Where there are too many the oldest go, and first
    /// those where a right proof would have shown a fork.
    pub(crate) async fn remember(&self, held: u64, of: &Checkpoint, note: &str) -> Result<(), sqlx::Error> {
        let query = sqlx::query(
            "INSERT INTO unreached (origin, held, size, root, note) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (origin, size, root) DO NOTHING",
        );
        let query = query.bind(of.origin.clone()).bind(signed(held)).bind(signed(of.size)).bind(of.root.0.to_vec());
        if query.bind(note.to_owned()).execute(self.database.writing()).await?.rows_affected() == 0 {
            return Ok(());
        }
        let query = sqlx::query(
            "DELETE FROM unreached WHERE origin = $1 AND id NOT IN (SELECT id FROM unreached WHERE origin = $2 \
             ORDER BY CASE WHEN (held & (held - 1)) = 0 THEN 0 ELSE 1 END, id DESC LIMIT $3)",
        );
        let query = query.bind(of.origin.clone()).bind(of.origin.clone()).bind(MAX_UNREACHED);
        query.execute(self.database.writing()).await.map(|_| ())
    }

    /// The checkpoints of a size that no proof reached, as notes, with their roots.
    pub(crate) async fn unreached(&self, origin: &str, size: u64) -> Result<Vec<(Hash, String)>, sqlx::Error> {
        let rows: Vec<(Vec<u8>, String)> =
            sqlx::query_as("SELECT root, note FROM unreached WHERE origin = $1 AND size = $2 ORDER BY id")
                .bind(origin.to_owned())
                .bind(signed(size))
                .fetch_all(self.database.pool())
                .await?;
        Ok(rows.into_iter().filter_map(|(root, note)| Some((Hash::from_slice(&root)?, note))).collect())
    }

    /// Forgets what no proof reached at a size that was reached since.
    pub(crate) async fn forget(&self, origin: &str, size: u64) -> Result<(), sqlx::Error> {
        let query = sqlx::query("DELETE FROM unreached WHERE origin = $1 AND size = $2");
        query.bind(origin.to_owned()).bind(signed(size)).execute(self.database.writing()).await.map(|_| ())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
