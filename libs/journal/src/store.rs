//! The SQL of journals, and nothing but.

use crate::{OpenError, ReadError};
use seal::{Hash, entry::Entry, id::StreamId};
use sqlx::{
    ConnectOptions, Connection, QueryBuilder, Row as _, Sqlite, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use std::{path::Path, time::Duration};

/// The newest database format known.
const FORMAT: i64 = 1;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS stream (
    id INTEGER PRIMARY KEY,
    name BLOB NOT NULL UNIQUE
);
CREATE TABLE IF NOT EXISTS commit_group (
    id INTEGER PRIMARY KEY,
    note TEXT NOT NULL,
    hashes BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS entry (
    stream INTEGER NOT NULL,
    number INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    stored BLOB NOT NULL,
    commit_group INTEGER NOT NULL,
    place INTEGER NOT NULL,
    PRIMARY KEY (stream, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS request (
    stream INTEGER NOT NULL,
    request BLOB NOT NULL,
    number INTEGER NOT NULL,
    envelope BLOB NOT NULL,
    PRIMARY KEY (stream, request)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fact (
    stream INTEGER NOT NULL,
    key BLOB NOT NULL,
    number INTEGER NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (stream, key, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS map_node (
    hash BLOB PRIMARY KEY,
    leaf INTEGER NOT NULL,
    first BLOB NOT NULL,
    second BLOB NOT NULL
) WITHOUT ROWID;
";

/// The most rows of one statement: SQLite binds at most 32,766 values.
const ROWS_PER_STATEMENT: usize = 4_000;

/// How long a connection waits for another that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Options every connection shares.
pub(crate) fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("secure_delete", "ON") // what is taken out is overwritten, not only unlinked
        .disable_statement_logging()
}

/// Opens the connection of the writer and brings the schema up.
pub(crate) async fn open(file: &Path) -> Result<SqliteConnection, OpenError> {
    let failed = |source| OpenError::Database { file: file.to_owned(), source };
    let mut connection = SqliteConnection::connect_with(&options(file)).await.map_err(failed)?;
    let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut connection).await.map_err(failed)?;
    if found > FORMAT {
        return Err(OpenError::Newer { file: file.to_owned(), found, known: FORMAT });
    }
    sqlx::raw_sql(SCHEMA).execute(&mut connection).await.map_err(failed)?;
    sqlx::raw_sql("PRAGMA user_version = 1").execute(&mut connection).await.map_err(failed)?;
    cut_log(&mut connection).await.map_err(failed)?;
    Ok(connection)
}

/// Moves the write-ahead log into the database and cuts it: until then it holds what was taken out. False if somebody
/// who reads is in the way; they are not waited for long, because nothing is committed meanwhile.
pub(crate) async fn cut_log(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    sqlx::raw_sql("PRAGMA busy_timeout = 200").execute(&mut *connection).await?;
    let cut = sqlx::query_scalar("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *connection).await;
    let patience = format!("PRAGMA busy_timeout = {}", BUSY_TIMEOUT.as_millis());
    sqlx::raw_sql(sqlx::AssertSqlSafe(patience)).execute(connection).await?;
    cut.map(|busy: i64| busy == 0)
}

/// A stream's row, made if it is new.
pub(crate) async fn stream_row(connection: &mut SqliteConnection, stream: StreamId) -> Result<i64, sqlx::Error> {
    let name = stream.0.as_bytes().to_vec();
    sqlx::query("INSERT OR IGNORE INTO stream (name) VALUES (?)").bind(name.clone()).execute(&mut *connection).await?;
    sqlx::query_scalar("SELECT id FROM stream WHERE name = ?").bind(name).fetch_one(connection).await
}

/// The last entry of a stream, read back and checked against its place and the hash its commit group was signed over.
pub(crate) async fn last_entry(
    connection: &mut SqliteConnection,
    row: i64,
    stream: StreamId,
) -> Result<Option<(Entry, Hash)>, ReadError> {
    let found = sqlx::query(
        "SELECT number, bytes, place, hashes FROM entry JOIN commit_group ON commit_group.id = commit_group \
         WHERE stream = ? ORDER BY number DESC LIMIT 1",
    )
    .bind(row)
    .fetch_optional(connection)
    .await?;
    let Some(found) = found else { return Ok(None) };
    let bytes: Vec<u8> = found.get("bytes");
    let entry = Entry::parse(&bytes).map_err(|_| ReadError::Broken)?;
    let number: i64 = found.get("number");
    let hash = seal::entry::hash(&bytes);
    let (hashes, place): (Vec<u8>, i64) = (found.get("hashes"), found.get("place"));
    let recorded = usize::try_from(place).ok().and_then(|place| hashes.chunks_exact(32).nth(place));
    if entry.stream != stream || i64::try_from(entry.number) != Ok(number) || recorded != Some(hash.0.as_slice()) {
        return Err(ReadError::Broken);
    }
    Ok(Some((entry, hash)))
}

/// A request that was recorded: its id, entry number and envelope hash.
pub(crate) struct Recorded {
    pub(crate) request: [u8; 16],
    pub(crate) number: u64,
    pub(crate) envelope: Hash,
}

/// Those of `requests` that were recorded.
pub(crate) async fn recorded(
    connection: &mut SqliteConnection,
    row: i64,
    requests: &[[u8; 16]],
) -> Result<Vec<Recorded>, sqlx::Error> {
    let mut recorded = Vec::new();
    for some in requests.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT request, number, envelope FROM request WHERE stream = ");
        query.push_bind(row).push(" AND request IN (");
        let mut list = query.separated(", ");
        for request in some {
            list.push_bind(request.to_vec());
        }
        query.push(")");
        for found in query.build().fetch_all(&mut *connection).await? {
            recorded.push(Recorded {
                request: found.get::<Vec<u8>, _>("request").try_into().unwrap_or_default(),
                number: number(found.get("number")),
                envelope: Hash::from_slice(&found.get::<Vec<u8>, _>("envelope")).unwrap_or(Hash::ZERO),
            });
        }
    }
    Ok(recorded)
}

/// The latest facts under `keys`.
pub(crate) async fn facts(
    connection: &mut SqliteConnection,
    row: i64,
    keys: &[Hash],
) -> Result<Vec<(Hash, Vec<u8>)>, sqlx::Error> {
    let mut facts = Vec::new();
    for some in keys.chunks(ROWS_PER_STATEMENT) {
        // SQLite takes the other columns from the row that has the maximum.
        let mut query = QueryBuilder::<Sqlite>::new("SELECT key, value, MAX(number) FROM fact WHERE stream = ");
        query.push_bind(row).push(" AND key IN (");
        let mut list = query.separated(", ");
        for key in some {
            list.push_bind(key.0.to_vec());
        }
        query.push(") GROUP BY key");
        for found in query.build().fetch_all(&mut *connection).await? {
            let key = Hash::from_slice(&found.get::<Vec<u8>, _>("key")).unwrap_or(Hash::ZERO);
            facts.push((key, found.get("value")));
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
pub(crate) async fn add_group(
    connection: &mut SqliteConnection,
    note: &str,
    hashes: Vec<u8>,
) -> Result<i64, sqlx::Error> {
    let query = sqlx::query_scalar("INSERT INTO commit_group (note, hashes) VALUES (?, ?) RETURNING id");
    query.bind(note.to_owned()).bind(hashes).fetch_one(connection).await
}

/// Adds the entries of a commit group, and their requests.
pub(crate) async fn add_entries(
    connection: &mut SqliteConnection,
    group: i64,
    entries: Vec<NewEntry>,
) -> Result<(), sqlx::Error> {
    let mut requests = QueryBuilder::<Sqlite>::new("INSERT INTO request (stream, request, number, envelope) ");
    requests.push_values(&entries, |mut values, entry| {
        values.push_bind(entry.row).push_bind(entry.request.to_vec());
        values.push_bind(signed(entry.number)).push_bind(entry.envelope.0.to_vec());
    });
    requests.build().execute(&mut *connection).await?;
    let mut query =
        QueryBuilder::<Sqlite>::new("INSERT INTO entry (stream, number, bytes, stored, commit_group, place) ");
    query.push_values(entries.into_iter().zip(0_i64..), |mut values, (entry, place)| {
        values.push_bind(entry.row).push_bind(signed(entry.number)).push_bind(entry.bytes);
        values.push_bind(entry.stored).push_bind(group).push_bind(place);
    });
    query.build().execute(connection).await.map(|_| ())
}

/// Replaces what is stored of entries: stream, number, bytes.
pub(crate) async fn restore(
    connection: &mut SqliteConnection,
    restored: Vec<(i64, u64, Vec<u8>)>,
) -> Result<(), sqlx::Error> {
    for (row, number, stored) in restored {
        let query = sqlx::query("UPDATE entry SET stored = ? WHERE stream = ? AND number = ?");
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

/// Adds facts.
pub(crate) async fn add_facts(connection: &mut SqliteConnection, facts: Vec<NewFact>) -> Result<(), sqlx::Error> {
    for some in facts.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Sqlite>::new("INSERT OR REPLACE INTO fact (stream, key, number, value) ");
        query.push_values(some, |mut values, fact| {
            values.push_bind(fact.row).push_bind(fact.key.0.to_vec());
            values.push_bind(signed(fact.number)).push_bind(fact.value.clone());
        });
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// SQLite's integers are signed; numbers of entries stay far below 2^63.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The inverse of [`signed`].
pub(crate) fn number(signed: i64) -> u64 {
    u64::try_from(signed).unwrap_or_default()
}
