//! Reading journals beside the writer.

mod history;

use crate::{ReadError, map, store};
use database::{Database, signed, unsigned};
use seal::{
    Hash,
    entry::{Entry, Head},
    id::{StreamId, Uuid},
    map::{Path, Terminal},
    receipt::Receipt,
};
use sqlx::{Any, AnyConnection, Row as _, any::AnyRow, pool::PoolConnection};
use tlog::merkle::Tree;
use vocabulary::fact;

/// Reads a journal database. Cheap to clone.
#[derive(Clone)]
pub struct Reader {
    database: Database,
    known: map::MapCache,
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
    pub(crate) fn known(&self) -> &map::MapCache {
        &self.known
    }

    pub(crate) fn new(database: Database) -> Self {
        Self { database, known: map::MapCache::default() }
    }

    /// The database, for the service's own tables beside the journal.
    pub fn database(&self) -> &Database {
        &self.database
    }

    async fn acquire(&self) -> Result<PoolConnection<Any>, ReadError> {
        Ok(self.database.pool().acquire().await?)
    }

    /// A connection, and the row of a stream.
    async fn at(&self, stream: StreamId) -> Result<(PoolConnection<Any>, i64), ReadError> {
        let mut connection = self.acquire().await?;
        if let Some(row) = self.known.rows.get(&stream) {
            return Ok((connection, row));
        }
        let found = sqlx::query_scalar("SELECT id FROM stream WHERE name = $1").bind(stream.0.0.to_vec());
        let row = found.fetch_optional(&mut *connection).await?.ok_or(ReadError::NotFound)?;
        self.known.rows.insert(stream, row);
        Ok((connection, row))
    }

    /// Up to `limit` streams after the row `after`, with the number of the last entry of each that has one, and the place
    /// to go on from, if there may be more. In the order their rows were made.
    pub(crate) async fn numbers(
        &self,
        after: i64,
        limit: u32,
    ) -> Result<(Vec<(i64, StreamId, u64)>, Option<i64>), ReadError> {
        let rows = sqlx::query(
            "SELECT id, name, (SELECT MAX(number) FROM entry WHERE entry.stream = stream.id) AS newest \
             FROM stream WHERE id > $1 ORDER BY id LIMIT $2",
        )
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&mut *self.acquire().await?)
        .await?;
        let full = rows.len() == limit as usize;
        let mut streams = Vec::with_capacity(rows.len());
        for row in &rows {
            if let Some(newest) = row.try_get::<Option<i64>, _>("newest")? {
                streams.push((row.try_get("id")?, StreamId(store::hash(row, "name")?), unsigned(newest)));
            }
        }
        let next = rows.last().filter(|_| full).map(|row| row.try_get("id")).transpose()?;
        Ok((streams, next))
    }

    /// The heads of all streams after the one named by `after`, in the order they were begun.
    ///
    /// A damaged stream is left out; with the heads comes the place to go on from, if there may be more.
    pub async fn heads(&self, after: i64, limit: u32) -> Result<(Vec<(i64, Head)>, Option<i64>), ReadError> {
        let (streams, next) = self.numbers(after, limit).await?;
        let mut connection = self.acquire().await?;
        let mut heads = Vec::with_capacity(streams.len());
        for (row, stream, _) in streams {
            match head(&mut connection, row, stream).await {
                Ok(Some(head)) => heads.push((row, head)),
                Ok(None) => {}
                Err(ReadError::Broken) => tracing::error!(%stream, "a stored journal is damaged; the others go on"),
                Err(error) => return Err(error),
            }
        }
        Ok((heads, next))
    }

    /// The present head of a stream, if it has an entry.
    pub async fn head(&self, stream: StreamId) -> Result<Option<Head>, ReadError> {
        match self.at(stream).await {
            Ok((mut connection, row)) => head(&mut connection, row, stream).await,
            Err(ReadError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Up to `limit` entries from number `from` on.
    pub async fn entries(&self, stream: StreamId, from: u64, limit: u32) -> Result<Vec<Stored>, ReadError> {
        let sql = "SELECT number, bytes, stored FROM entry WHERE stream = $1 AND number >= $2 ORDER BY number LIMIT $3";
        let stored = |row: AnyRow| {
            let number = unsigned(row.try_get("number")?);
            Ok(Stored { number, entry: row.try_get("bytes")?, stored: row.try_get("stored")? })
        };
        self.rows(sql, stream, from, limit).await?.into_iter().map(stored).collect()
    }

    /// The same, without what is behind them, which may be megabytes for each: `stored` is empty.
    pub async fn bare_entries(&self, stream: StreamId, from: u64, limit: u32) -> Result<Vec<Stored>, ReadError> {
        let sql = "SELECT number, bytes FROM entry WHERE stream = $1 AND number >= $2 ORDER BY number LIMIT $3";
        let bare = |row: AnyRow| {
            let number = unsigned(row.try_get("number")?);
            Ok(Stored { number, entry: row.try_get("bytes")?, stored: Vec::new() })
        };
        self.rows(sql, stream, from, limit).await?.into_iter().map(bare).collect()
    }

    async fn rows(&self, sql: &'static str, stream: StreamId, from: u64, limit: u32) -> Result<Vec<AnyRow>, ReadError> {
        let (mut connection, row) = self.at(stream).await?;
        let query = sqlx::query(sql).bind(row).bind(signed(from)).bind(i64::from(limit));
        Ok(query.fetch_all(&mut *connection).await?)
    }

    /// One entry.
    pub async fn entry(&self, stream: StreamId, number: u64) -> Result<Stored, ReadError> {
        let found = self.entries(stream, number, 1).await?.into_iter().next();
        found.filter(|stored| stored.number == number).ok_or(ReadError::NotFound)
    }

    /// Those of `requests` that were recorded, with the numbers of their entries.
    pub async fn recorded(&self, stream: StreamId, requests: &[[u8; 16]]) -> Result<Vec<([u8; 16], u64)>, ReadError> {
        let (mut connection, row) = match self.at(stream).await {
            Err(ReadError::NotFound) => return Ok(Vec::new()),
            other => other?,
        };
        let found = store::recorded(&mut connection, row, requests).await?;
        Ok(found.into_iter().map(|recorded| (recorded.request, recorded.number)).collect())
    }

    /// The SHA-256 of the envelope that was recorded under a request, if one was.
    pub async fn envelope_of(&self, stream: StreamId, request: Uuid) -> Result<Option<Hash>, ReadError> {
        store::envelope_of(&mut *self.acquire().await?, stream, request.0).await
    }

    /// The receipt of an entry, as it was first handed out.
    pub async fn receipt(&self, stream: StreamId, number: u64) -> Result<Receipt, ReadError> {
        let (mut connection, row) = self.at(stream).await?;
        receipt(&mut connection, row, number).await
    }

    /// The present facts under `keys` and the head they hold at.
    pub async fn facts(
        &self,
        stream: StreamId,
        keys: &[Hash],
    ) -> Result<(Option<Head>, Vec<(Hash, Vec<u8>)>), ReadError> {
        let (mut connection, row) = match self.at(stream).await {
            Err(ReadError::NotFound) => return Ok((None, Vec::new())),
            other => other?,
        };
        let Some((entry, hash)) = store::last_entry(&mut connection, row, stream).await? else {
            return Ok((None, Vec::new()));
        };
        let facts = store::facts(&mut connection, row, entry.number, keys).await?;
        if let Some(root) = entry.state_root {
            check_facts(&mut connection, &self.known, row, root, keys, &facts).await?;
        }
        let facts = facts.into_iter().map(store::Fact::into_pair).collect();
        Ok((Some(Head { stream, number: entry.number, hash }), facts))
    }

    /// Proofs of the facts under `keys`, or of their absence, in the state after entry `number`.
    pub async fn prove(&self, stream: StreamId, number: u64, keys: &[Hash]) -> Result<Vec<FactProof>, ReadError> {
        let (mut connection, row) = self.at(stream).await?;
        let root = parsed(&mut connection, row, number).await?.state_root.ok_or(ReadError::NotFound)?;
        let mut proofs = Vec::with_capacity(keys.len());
        for key in keys {
            let path = map::path(&mut connection, &self.known, &map::Fresh::new(), root, key).await?;
            let present = matches!(path.terminal, Terminal::Leaf { key: found, .. } if found == *key);
            let fact =
                if present { Some(fact_at(&mut connection, &self.known, row, number, key).await?) } else { None };
            proofs.push(FactProof { key: *key, fact, path });
        }
        Ok(proofs)
    }
}

/// Checks that the facts found under `keys`, and those not found, are what the state root says: a row edited behind our
/// back gives nobody any right.
pub(crate) async fn check_facts(
    connection: &mut AnyConnection,
    known: &map::MapCache,
    row: i64,
    root: Hash,
    keys: &[Hash],
    facts: &[store::Fact],
) -> Result<(), ReadError> {
    for key in keys {
        let proven = match map::path(connection, known, &map::Fresh::new(), root, key).await?.terminal {
            Terminal::Leaf { key: found, value } if found == *key => Some(value),
            _ => None,
        };
        let stored = match facts.iter().find(|fact| fact.key == *key) {
            None => None,
            Some(fact) => {
                let nonce = nonce(connection, known, row, fact.number).await?;
                Some(fact::value_hash(&fact::salt(&nonce, key), &fact.value))
            }
        };
        if proven != stored {
            return Err(ReadError::Broken);
        }
    }
    Ok(())
}

/// The receipt of an entry, as it was first handed out.
pub(crate) async fn receipt(connection: &mut AnyConnection, row: i64, number: u64) -> Result<Receipt, ReadError> {
    let found = sqlx::query(
        "SELECT entry.bytes AS bytes, entry.place AS place, commit_group.note AS note, commit_group.hashes AS hashes \
         FROM entry JOIN commit_group ON commit_group.id = entry.commit_group \
         WHERE entry.stream = $1 AND entry.number = $2",
    )
    .bind(row)
    .bind(signed(number))
    .fetch_optional(connection)
    .await?
    .ok_or(ReadError::NotFound)?;
    let hashes: Vec<u8> = found.try_get("hashes")?;
    let leaves: Vec<Hash> = hashes.chunks_exact(32).filter_map(Hash::from_slice).collect();
    let index = unsigned(found.try_get("place")?);
    let path = Tree::new(&leaves).path(usize::try_from(index).map_err(|_| ReadError::Broken)?);
    Ok(Receipt { entry: found.try_get("bytes")?, index, path, note: found.try_get("note")? })
}

async fn head(connection: &mut AnyConnection, id: i64, stream: StreamId) -> Result<Option<Head>, ReadError> {
    let last = store::last_entry(connection, id, stream).await?;
    Ok(last.map(|(entry, hash)| Head { stream, number: entry.number, hash }))
}

async fn parsed(connection: &mut AnyConnection, row: i64, number: u64) -> Result<Entry, ReadError> {
    let bytes: Vec<u8> = sqlx::query_scalar("SELECT bytes FROM entry WHERE stream = $1 AND number = $2")
        .bind(row)
        .bind(signed(number))
        .fetch_optional(connection)
        .await?
        .ok_or(ReadError::NotFound)?;
    Entry::parse(&bytes).map_err(|_| ReadError::Broken)
}

/// The nonce of an entry that set a fact.
async fn nonce(
    connection: &mut AnyConnection,
    known: &map::MapCache,
    row: i64,
    number: u64,
) -> Result<[u8; 16], ReadError> {
    if let Some(nonce) = known.nonces.get(&(row, number)) {
        return Ok(nonce);
    }
    let nonce = match parsed(connection, row, number).await {
        Err(ReadError::NotFound) => return Err(ReadError::Broken),
        entry => entry?.nonce,
    };
    known.nonces.insert((row, number), nonce);
    Ok(nonce)
}

async fn fact_at(
    connection: &mut AnyConnection,
    known: &map::MapCache,
    row: i64,
    number: u64,
    key: &Hash,
) -> Result<FactAt, ReadError> {
    let found = store::facts(connection, row, number, std::slice::from_ref(key)).await?;
    let fact = found.into_iter().next().ok_or(ReadError::Broken)?;
    let nonce = nonce(connection, known, row, fact.number).await?;
    Ok(FactAt { bytes: fact.value, salt: fact::salt(&nonce, key) })
}
