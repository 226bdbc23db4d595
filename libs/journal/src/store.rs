//! The SQL of journals, and nothing but.

use crate::ReadError;
use database::{Dialect, MAX_VALUES, Statement, signed, unsigned};
use seal::{Hash, entry::Entry, id::StreamId};
use sqlx::{AnyConnection, Row as _, any::AnyRow};
use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

/// A stream whose row is locked, and its last entry as it is stored.
pub(crate) struct Locked {
    pub(crate) row: i64,
    pub(crate) last: Option<Vec<u8>>,
    /// Whether this transaction made the row: nobody else has seen it, and it may go again.
    pub(crate) made: bool,
}

/// Locks the rows of streams until the transaction ends, and reads the last entry of each as it is then: another replica
/// may have held the lock before. Rows of streams that are not `known` to have one are made.
///
/// No two transactions wait for each other: rows are made before any is locked, and both in the order of names.
pub(crate) async fn lock(
    connection: &mut AnyConnection,
    dialect: Dialect,
    mut streams: Vec<StreamId>,
    known: impl Fn(&StreamId) -> bool,
) -> Result<HashMap<StreamId, Locked>, ReadError> {
    streams.sort_unstable_by_key(|stream| stream.0.0);
    let new: Vec<&StreamId> = streams.iter().filter(|stream| !known(stream)).collect();
    let mut made = HashSet::<i64>::new();
    if !new.is_empty() {
        let mut insert = Statement::new("INSERT INTO stream (name) VALUES ");
        insert.rows(new, |row, stream| {
            row.value(stream.0.0.to_vec());
        });
        insert.push(" ON CONFLICT (name) DO NOTHING RETURNING id");
        for row in insert.fetch_all(connection).await? {
            made.insert(row.try_get("id")?);
        }
    }
    let mut select = Statement::new("SELECT id, name FROM stream WHERE name IN (");
    select.list(streams.iter().map(|stream| stream.0.0.to_vec())).push(") ORDER BY name").push(dialect.for_update());
    let rows = select.fetch_all(connection).await?;
    let rows: Vec<(i64, StreamId)> = rows
        .iter()
        .map(|row| Ok((row.try_get("id")?, StreamId(hash(row, "name")?))))
        .collect::<Result<_, ReadError>>()?;
    let mut last = last_bytes(connection, rows.iter().map(|(row, _)| *row)).await?;
    let mut locked = |row| Locked { row, last: last.remove(&row), made: made.contains(&row) };
    Ok(rows.into_iter().map(|(row, stream)| (stream, locked(row))).collect())
}

/// Takes away rows of streams that this transaction made and has no entry for.
pub(crate) async fn forget(connection: &mut AnyConnection, rows: &[i64]) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut delete = Statement::new("DELETE FROM stream WHERE id IN (");
    delete.list(rows.iter().copied()).push(")");
    delete.execute(connection).await.map(|_| ())
}

/// The bytes of some of a stream's entries, and of what is stored with them. Their lengths are read, not they.
pub(crate) async fn bytes(connection: &mut AnyConnection, row: i64, numbers: Range<u64>) -> Result<u64, ReadError> {
    let sum = sqlx::query_scalar::<_, i64>(
        "SELECT CAST(COALESCE(SUM(LENGTH(bytes) + LENGTH(stored)), 0) AS BIGINT) FROM entry \
         WHERE stream = $1 AND number >= $2 AND number < $3",
    );
    let sum = sum.bind(row).bind(signed(numbers.start)).bind(signed(numbers.end));
    Ok(unsigned(sum.fetch_one(connection).await?))
}

async fn last_bytes(
    connection: &mut AnyConnection,
    rows: impl Iterator<Item = i64>,
) -> Result<HashMap<i64, Vec<u8>>, ReadError> {
    let mut select = Statement::new(
        "SELECT stream.id AS id, entry.bytes AS bytes FROM stream CROSS JOIN entry WHERE stream.id IN (",
    );
    select.list(rows).push(
        ") AND entry.stream = stream.id AND entry.number = \
         (SELECT MAX(newest.number) FROM entry AS newest WHERE newest.stream = stream.id)",
    );
    let found = select.fetch_all(connection).await?;
    found.iter().map(|row| Ok((row.try_get("id")?, row.try_get("bytes")?))).collect()
}

/// The last entry of a stream, read back and checked against its place and the hash its commit group was signed over.
pub(crate) async fn last_entry(
    connection: &mut AnyConnection,
    row: i64,
    stream: StreamId,
) -> Result<Option<(Entry, Hash)>, ReadError> {
    let found = sqlx::query(
        "SELECT entry.number AS number, entry.bytes AS bytes, entry.place AS place, commit_group.hashes AS hashes \
         FROM entry JOIN commit_group ON commit_group.id = entry.commit_group \
         WHERE entry.stream = $1 ORDER BY entry.number DESC LIMIT 1",
    )
    .bind(row)
    .fetch_optional(connection)
    .await?;
    let Some(found) = found else { return Ok(None) };
    let bytes: Vec<u8> = found.try_get("bytes")?;
    let entry = Entry::parse(&bytes).map_err(|_| ReadError::Broken)?;
    let number: i64 = found.try_get("number")?;
    let hash = seal::entry::hash(&bytes);
    let (hashes, place): (Vec<u8>, i64) = (found.try_get("hashes")?, found.try_get("place")?);
    let recorded = usize::try_from(place).ok().and_then(|place| hashes.chunks_exact(32).nth(place));
    if entry.stream != stream || i64::try_from(entry.number) != Ok(number) || recorded != Some(hash.0.as_slice()) {
        return Err(ReadError::Broken);
    }
    Ok(Some((entry, hash)))
}

/// A request that was recorded: its id, entry number and envelope hash.
pub(crate) struct RecordedRequest {
    pub(crate) request: [u8; 16],
    pub(crate) number: u64,
    pub(crate) envelope: Hash,
}

/// Those of `requests` that were recorded.
pub(crate) async fn recorded(
    connection: &mut AnyConnection,
    row: i64,
    requests: &[[u8; 16]],
) -> Result<Vec<RecordedRequest>, ReadError> {
    let mut recorded = Vec::new();
    for some in requests.chunks(MAX_VALUES - 1) {
        let mut select = Statement::new("SELECT request, number, envelope FROM request WHERE stream = ");
        select.bind(row).push(" AND request IN (").list(some.iter().map(|request| request.to_vec())).push(")");
        for found in select.fetch_all(connection).await? {
            recorded.push(RecordedRequest {
                request: found.try_get::<Vec<u8>, _>("request")?.try_into().map_err(|_| ReadError::Broken)?,
                number: unsigned(found.try_get("number")?),
                envelope: hash(&found, "envelope")?,
            });
        }
    }
    Ok(recorded)
}

/// The envelope that was recorded under a request. One query, whether or not there is such a stream: how long it takes says
/// nothing about that.
pub(crate) async fn envelope_of(
    connection: &mut AnyConnection,
    stream: StreamId,
    request: [u8; 16],
) -> Result<Option<Hash>, ReadError> {
    let found = sqlx::query(
        "SELECT request.envelope AS envelope FROM request \
         WHERE request.stream = (SELECT id FROM stream WHERE name = $1) AND request.request = $2",
    );
    let found = found.bind(stream.0.0.to_vec()).bind(request.to_vec()).fetch_optional(connection).await?;
    found.map(|row| hash(&row, "envelope")).transpose()
}

/// A fact as an entry set it.
#[derive(Debug)]
pub(crate) struct Fact {
    pub(crate) key: Hash,
    /// The number of the entry.
    pub(crate) number: u64,
    pub(crate) value: Vec<u8>,
}

impl Fact {
    pub(crate) fn into_pair(self) -> (Hash, Vec<u8>) {
        (self.key, self.value)
    }
}

/// The facts under `keys` as they were after entry `number`. Facts are only ever added, so two queries one after the other
/// see one moment.
pub(crate) async fn facts(
    connection: &mut AnyConnection,
    row: i64,
    number: u64,
    keys: &[Hash],
) -> Result<Vec<Fact>, ReadError> {
    let mut facts = Vec::new();
    for some in keys.chunks(MAX_VALUES - 3) {
        // A CROSS JOIN, because SQLite joins in that order: one look into the index for each key.
        let mut select =
            Statement::new("SELECT fact.key AS key, fact.number AS number, fact.value AS value FROM (VALUES ");
        select.rows(some, |values, key| {
            values.value(key.0.to_vec());
        });
        select.push(") AS wanted CROSS JOIN fact WHERE fact.stream = ").bind(row);
        select.push(
            " AND fact.key = wanted.column1 AND fact.number = (SELECT MAX(newest.number) FROM fact AS newest \
             WHERE newest.key = wanted.column1 AND newest.stream = ",
        );
        select.bind(row).push(" AND newest.number <= ").bind(signed(number)).push(")");
        for found in select.fetch_all(connection).await? {
            facts.push(Fact {
                key: hash(&found, "key")?,
                number: unsigned(found.try_get("number")?),
                value: found.try_get("value")?,
            });
        }
    }
    Ok(facts)
}

/// A row of the table `entry`, with the request it answers.
pub(crate) struct NewEntry {
    pub(crate) row: i64,
    pub(crate) number: u64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) stored: Vec<u8>,
    pub(crate) request: [u8; 16],
    pub(crate) envelope: Hash,
}

/// Adds a commit group and gives its id.
pub(crate) async fn add_group(connection: &mut AnyConnection, note: &str, hashes: Vec<u8>) -> Result<i64, sqlx::Error> {
    let query = sqlx::query_scalar("INSERT INTO commit_group (note, hashes) VALUES ($1, $2) RETURNING id");
    query.bind(note.to_owned()).bind(hashes).fetch_one(connection).await
}

/// Adds the entries of a commit group, and their requests.
pub(crate) async fn add_entries(
    connection: &mut AnyConnection,
    group: i64,
    entries: Vec<NewEntry>,
) -> Result<(), sqlx::Error> {
    let mut requests = Statement::new("INSERT INTO request (stream, request, number, envelope) VALUES ");
    requests.rows(&entries, |row, entry| {
        row.value(entry.row).value(entry.request.to_vec());
        row.value(signed(entry.number)).value(entry.envelope.0.to_vec());
    });
    requests.execute(connection).await?;
    let mut insert = Statement::new("INSERT INTO entry (stream, number, bytes, stored, commit_group, place) VALUES ");
    insert.rows(entries.into_iter().zip(0_i64..), |row, (entry, place)| {
        row.value(entry.row).value(signed(entry.number)).value(entry.bytes);
        row.value(entry.stored).value(group).value(place);
    });
    insert.execute(connection).await.map(|_| ())
}

/// Replaces what is stored of entries: stream, number, bytes.
pub(crate) async fn replace(
    connection: &mut AnyConnection,
    replaced: Vec<(i64, u64, Vec<u8>)>,
) -> Result<(), sqlx::Error> {
    for (row, number, stored) in replaced {
        let query = sqlx::query("UPDATE entry SET stored = $1 WHERE stream = $2 AND number = $3");
        query.bind(stored).bind(row).bind(signed(number)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// A row of the table `fact`.
pub(crate) struct NewFact {
    pub(crate) row: i64,
    pub(crate) key: Hash,
    pub(crate) number: u64,
    pub(crate) value: Vec<u8>,
}

/// Adds facts. Of several that one entry set under one key, the last counts.
pub(crate) async fn add_facts(connection: &mut AnyConnection, facts: Vec<NewFact>) -> Result<(), sqlx::Error> {
    let mut last = HashMap::new();
    for (place, fact) in facts.iter().enumerate() {
        last.insert((fact.row, fact.key, fact.number), place);
    }
    let facts = facts.into_iter().enumerate();
    let facts = facts.filter(|(place, fact)| last.get(&(fact.row, fact.key, fact.number)) == Some(place));
    let facts: Vec<NewFact> = facts.map(|(_, fact)| fact).collect();
    for some in facts.chunks(MAX_VALUES / 4) {
        let mut insert = Statement::new("INSERT INTO fact (stream, key, number, value) VALUES ");
        insert.rows(some, |row, fact| {
            row.value(fact.row).value(fact.key.0.to_vec());
            row.value(signed(fact.number)).value(fact.value.clone());
        });
        insert.execute(connection).await?;
    }
    Ok(())
}

/// A hash in a column.
pub(crate) fn hash(row: &AnyRow, column: &str) -> Result<Hash, ReadError> {
    Hash::from_slice(&row.try_get::<Vec<u8>, _>(column)?).ok_or(ReadError::Broken)
}
