//! Reading journals beside the writer.

use crate::{ReadError, map, store};
use seal::{
    Hash,
    entry::{Entry, Head},
    fact,
    id::StreamId,
    map::{Path, Terminal},
    receipt::Receipt,
};
use sqlx::{Row as _, SqliteConnection, SqlitePool, sqlite::SqlitePoolOptions};
use tlog::merkle::Tree;

/// The most connections that read at once.
const READERS: u32 = 4;

/// Reads a journal database. Cheap to clone.
#[derive(Clone)]
pub struct Reader {
    pool: SqlitePool,
    known: map::Known,
}

/// An entry as stored.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The entry's number, by its place in the table.
    pub number: u64,
    /// The entry's bytes.
    pub entry: Vec<u8>,
    /// The envelope, or its encryption.
    pub stored: Vec<u8>,
}

/// A fact and the entry that set it.
#[derive(Debug, Clone)]
pub struct FactAt {
    /// The fact's bytes.
    pub bytes: Vec<u8>,
    /// The salt it is hashed with.
    pub salt: [u8; 16],
}

/// The proof of a fact, or of its absence.
#[derive(Debug, Clone)]
pub struct FactProof {
    /// The key in the state map.
    pub key: Hash,
    /// The fact, if there is one.
    pub fact: Option<FactAt>,
    /// The way to its place.
    pub path: Path,
}

impl Reader {
    /// The nodes and nonces in memory.
    pub(crate) fn known(&self) -> &map::Known {
        &self.known
    }

    pub(crate) fn new(file: &std::path::Path) -> Self {
        let pool = SqlitePoolOptions::new().max_connections(READERS).connect_lazy_with(store::options(file));
        Self { pool, known: map::Known::default() }
    }

    /// The pool, for the service's own tables in the same database.
    pub fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// The heads of all streams after the one named by `after`, in the order they were begun.
    ///
    /// A damaged stream is left out; with the heads comes the place to go on from, if there may be more.
    pub async fn heads(&self, after: i64, limit: u32) -> Result<(Vec<(i64, Head)>, Option<i64>), ReadError> {
        let mut connection = self.pool.acquire().await?;
        let rows = sqlx::query(
            "SELECT id, name FROM stream WHERE id > ? \
             AND EXISTS (SELECT 1 FROM entry WHERE entry.stream = stream.id) ORDER BY id LIMIT ?",
        )
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&mut *connection)
        .await?;
        let full = rows.len() == limit as usize;
        let next = rows.last().filter(|_| full).map(|row| row.get("id"));
        let mut heads = Vec::with_capacity(rows.len());
        for row in rows {
            let id: i64 = row.get("id");
            let stream = Hash::from_slice(&row.get::<Vec<u8>, _>("name")).map(StreamId).ok_or(ReadError::Broken)?;
            match head(&mut connection, id, stream).await {
                Ok(Some(head)) => heads.push((id, head)),
                Ok(None) => {}
                Err(ReadError::Broken) => tracing::error!(%stream, "a stored journal is damaged; the others go on"),
                Err(error) => return Err(error),
            }
        }
        Ok((heads, next))
    }

    /// The present head of a stream, if it has an entry.
    pub async fn head(&self, stream: StreamId) -> Result<Option<Head>, ReadError> {
        let mut connection = self.pool.acquire().await?;
        match row(&mut connection, stream).await {
            Ok(id) => head(&mut connection, id, stream).await,
            Err(ReadError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Up to `limit` entries from number `from` on.
    pub async fn entries(&self, stream: StreamId, from: u64, limit: u32) -> Result<Vec<Stored>, ReadError> {
        let mut connection = self.pool.acquire().await?;
        let id = row(&mut connection, stream).await?;
        let rows = sqlx::query(
            "SELECT number, bytes, stored FROM entry WHERE stream = ? AND number >= ? ORDER BY number LIMIT ?",
        )
        .bind(id)
        .bind(store::signed(from))
        .bind(i64::from(limit))
        .fetch_all(&mut *connection)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| Stored {
                number: store::number(row.get("number")),
                entry: row.get("bytes"),
                stored: row.get("stored"),
            })
            .collect())
    }

    /// One entry.
    pub async fn entry(&self, stream: StreamId, number: u64) -> Result<Stored, ReadError> {
        let found = self.entries(stream, number, 1).await?.into_iter().next();
        found.filter(|stored| stored.number == number).ok_or(ReadError::NotFound)
    }

    /// Those of `requests` that were recorded, with the numbers of their entries.
    pub async fn recorded(&self, stream: StreamId, requests: &[[u8; 16]]) -> Result<Vec<([u8; 16], u64)>, ReadError> {
        let mut connection = self.pool.acquire().await?;
        let id = match row(&mut connection, stream).await {
            Err(ReadError::NotFound) => return Ok(Vec::new()),
            other => other?,
        };
        let found = store::recorded(&mut connection, id, requests).await?;
        Ok(found.into_iter().map(|recorded| (recorded.request, recorded.number)).collect())
    }

    /// The receipt of an entry, as it was first handed out.
    pub async fn receipt(&self, stream: StreamId, number: u64) -> Result<Receipt, ReadError> {
        let mut connection = self.pool.acquire().await?;
        let id = row(&mut connection, stream).await?;
        let found = sqlx::query(
            "SELECT bytes, place, note, hashes FROM entry JOIN commit_group ON commit_group.id = commit_group \
             WHERE stream = ? AND number = ?",
        )
        .bind(id)
        .bind(store::signed(number))
        .fetch_optional(&mut *connection)
        .await?
        .ok_or(ReadError::NotFound)?;
        let hashes: Vec<u8> = found.get("hashes");
        let leaves: Vec<Hash> = hashes.chunks_exact(32).filter_map(Hash::from_slice).collect();
        let index = store::number(found.get("place"));
        let path = Tree::new(&leaves).path(usize::try_from(index).map_err(|_| ReadError::Broken)?);
        Ok(Receipt { entry: found.get("bytes"), index, path, note: found.get("note") })
    }

    /// The present facts under `keys` and the head they hold at.
    pub async fn facts(
        &self,
        stream: StreamId,
        keys: &[Hash],
    ) -> Result<(Option<Head>, Vec<(Hash, Vec<u8>)>), ReadError> {
        let mut transaction = self.pool.begin().await?; // head and facts from one snapshot
        let id = match row(&mut transaction, stream).await {
            Err(ReadError::NotFound) => return Ok((None, Vec::new())),
            other => other?,
        };
        let Some((entry, hash)) = store::last_entry(&mut transaction, id, stream).await? else {
            return Ok((None, Vec::new()));
        };
        let facts = store::facts(&mut transaction, id, keys).await?;
        if let Some(root) = entry.state_root {
            check_facts(&mut transaction, &self.known, id, (root, entry.number), keys, &facts).await?;
        }
        Ok((Some(Head { stream, number: entry.number, hash }), facts))
    }

    /// The entries after number `after` that set the fact under `key`, and what they set it to, oldest first.
    pub async fn history(
        &self,
        stream: StreamId,
        key: &Hash,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Vec<(u64, Vec<u8>)>, ReadError> {
        let mut connection = self.pool.acquire().await?;
        let id = match row(&mut connection, stream).await {
            Err(ReadError::NotFound) => return Ok(Vec::new()),
            other => other?,
        };
        let found = sqlx::query(
            "SELECT number, value FROM fact WHERE stream = ? AND key = ? AND number > ? ORDER BY number LIMIT ?",
        )
        .bind(id)
        .bind(key.0.to_vec())
        .bind(after.map_or(-1, store::signed))
        .bind(i64::from(limit))
        .fetch_all(&mut *connection)
        .await?;
        Ok(found.into_iter().map(|row| (store::number(row.get("number")), row.get("value"))).collect())
    }

    /// The facts that entry `number` set, in the order of their keys.
    pub async fn set_by(&self, stream: StreamId, number: u64) -> Result<Vec<(Hash, Vec<u8>)>, ReadError> {
        let mut connection = self.pool.acquire().await?;
        let id = row(&mut connection, stream).await?;
        let found = sqlx::query("SELECT key, value FROM fact WHERE stream = ? AND number = ? ORDER BY key")
            .bind(id)
            .bind(store::signed(number))
            .fetch_all(&mut *connection)
            .await?;
        let fact = |row: sqlx::sqlite::SqliteRow| {
            let key = Hash::from_slice(&row.get::<Vec<u8>, _>("key")).ok_or(ReadError::Broken)?;
            Ok((key, row.get("value")))
        };
        found.into_iter().map(fact).collect()
    }

    /// Proofs of the facts under `keys`, or of their absence, in the state after entry `number`.
    pub async fn prove(&self, stream: StreamId, number: u64, keys: &[Hash]) -> Result<Vec<FactProof>, ReadError> {
        let mut connection = self.pool.acquire().await?;
        let id = row(&mut connection, stream).await?;
        let root = parsed(&mut connection, id, number).await?.state_root.ok_or(ReadError::NotFound)?;
        let mut proofs = Vec::with_capacity(keys.len());
        for key in keys {
            let path = map::path(&mut connection, &self.known, &map::Fresh::new(), root, key).await?;
            let present = matches!(path.terminal, Terminal::Leaf { key: found, .. } if found == *key);
            let fact = if present { Some(fact_at(&mut connection, &self.known, id, number, key).await?) } else { None };
            proofs.push(FactProof { key: *key, fact, path });
        }
        Ok(proofs)
    }
}

/// Checks that the facts found under `keys`, and those not found, are what the state root says: a row edited behind our
/// back gives nobody any right.
pub(crate) async fn check_facts(
    connection: &mut SqliteConnection,
    known: &map::Known,
    id: i64,
    (root, number): (Hash, u64),
    keys: &[Hash],
    facts: &[(Hash, Vec<u8>)],
) -> Result<(), ReadError> {
    for key in keys {
        let proven = match map::path(connection, known, &map::Fresh::new(), root, key).await?.terminal {
            Terminal::Leaf { key: found, value } if found == *key => Some(value),
            _ => None,
        };
        let stored = match facts.iter().find(|(found, _)| found == key) {
            None => None,
            Some((_, bytes)) => {
                let fact = fact_at(connection, known, id, number, key).await?;
                Some(fact::value_hash(&fact.salt, bytes)).filter(|_| fact.bytes == *bytes)
            }
        };
        if proven != stored {
            return Err(ReadError::Broken);
        }
    }
    Ok(())
}

async fn row(connection: &mut SqliteConnection, stream: StreamId) -> Result<i64, ReadError> {
    let found = sqlx::query_scalar("SELECT id FROM stream WHERE name = ?").bind(stream.0.0.to_vec());
    found.fetch_optional(connection).await?.ok_or(ReadError::NotFound)
}

async fn head(connection: &mut SqliteConnection, id: i64, stream: StreamId) -> Result<Option<Head>, ReadError> {
    let last = store::last_entry(connection, id, stream).await?;
    Ok(last.map(|(entry, hash)| Head { stream, number: entry.number, hash }))
}

async fn parsed(connection: &mut SqliteConnection, id: i64, number: u64) -> Result<Entry, ReadError> {
    let bytes: Vec<u8> = sqlx::query_scalar("SELECT bytes FROM entry WHERE stream = ? AND number = ?")
        .bind(id)
        .bind(store::signed(number))
        .fetch_optional(connection)
        .await?
        .ok_or(ReadError::NotFound)?;
    Entry::parse(&bytes).map_err(|_| ReadError::Broken)
}

async fn fact_at(
    connection: &mut SqliteConnection,
    known: &map::Known,
    id: i64,
    number: u64,
    key: &Hash,
) -> Result<FactAt, ReadError> {
    let found = sqlx::query(
        "SELECT number, value FROM fact WHERE stream = ? AND key = ? AND number <= ? ORDER BY number DESC LIMIT 1",
    )
    .bind(id)
    .bind(key.0.to_vec())
    .bind(store::signed(number))
    .fetch_optional(&mut *connection)
    .await?
    .ok_or(ReadError::Broken)?;
    let set_by = store::number(found.get("number"));
    let nonce = match known.nonces.get(&(id, set_by)) {
        Some(nonce) => nonce,
        None => {
            let nonce = parsed(connection, id, set_by).await?.nonce;
            known.nonces.insert((id, set_by), nonce);
            nonce
        }
    };
    Ok(FactAt { bytes: found.get("value"), salt: fact::salt(&nonce, key) })
}
