//! The SQL of what was cosigned, and of what was refused as a fork.

use database::{Database, Migration, Part, signed, unsigned};
use sqlx::Row as _;
use tlog::{Hash, checkpoint::Checkpoint};

/// The tables of a witness.
pub const PART: Part = Part {
    name: "witness",
    migrations: &[Migration {
        oldest: 1,
        sqlite: &[include_str!("../migrations/1.sqlite.sql")],
        postgres: &[include_str!("../migrations/1.postgres.sql")],
    }],
};

/// The most forks kept as evidence; one is enough.
const MAX_EVIDENCE: i64 = 1_000;

/// The checkpoint a witness cosigned last.
pub(crate) struct Cosigned {
    pub(crate) size: u64,
    pub(crate) root: Hash,
    pub(crate) note: String,
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
        let row = sqlx::query("SELECT size, root, note FROM cosigned WHERE origin = $1")
            .bind(origin.to_owned())
            .fetch_optional(self.database.pool())
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Cosigned {
            size: unsigned(row.try_get("size")?),
            root: Hash::from_slice(&row.try_get::<Vec<u8>, _>("root")?).unwrap_or(Hash::ZERO),
            note: row.try_get("note")?,
        }))
    }

    /// Replaces what was cosigned last, if it still is what `before` says. Says whether it was.
    pub(crate) async fn advance(
        &self,
        before: Option<&Cosigned>,
        checkpoint: &Checkpoint,
        note: &str,
    ) -> Result<bool, sqlx::Error> {
        let query = match before {
            None => sqlx::query(
                "INSERT INTO cosigned (size, root, note, origin) VALUES ($1, $2, $3, $4) ON CONFLICT (origin) DO NOTHING",
            ),
            Some(_) => sqlx::query(
                "UPDATE cosigned SET size = $1, root = $2, note = $3 WHERE origin = $4 AND size = $5 AND root = $6",
            ),
        };
        let mut query = query
            .bind(signed(checkpoint.size))
            .bind(checkpoint.root.0.to_vec())
            .bind(note.to_owned())
            .bind(checkpoint.origin.clone());
        if let Some(before) = before {
            query = query.bind(signed(before.size)).bind(before.root.0.to_vec());
        }
        Ok(query.execute(self.database.writing()).await?.rows_affected() == 1)
    }

    /// Keeps two checkpoints of one chain that contradict each other.
    pub(crate) async fn keep_evidence(&self, origin: &str, held: &str, offered: &str) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO evidence (origin, held, offered) SELECT $1, $2, $3 WHERE (SELECT COUNT(*) FROM evidence) < $4",
        )
        .bind(origin.to_owned())
        .bind(held.to_owned())
        .bind(offered.to_owned())
        .bind(MAX_EVIDENCE)
        .execute(self.database.writing())
        .await
        .map(|_| ())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
