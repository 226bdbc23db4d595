//! What SQLite and PostgreSQL do differently, in one place.

use sqlx::{AnyConnection, AssertSqlSafe, Executor};
use std::time::Duration;

/// How long a SQLite connection waits for another that writes.
const SQLITE_PATIENCE: Duration = Duration::from_secs(10);

/// What every SQLite connection is told. A commit is on the disk when it returns; what is taken out is overwritten, not
/// only unlinked.
const SQLITE_SESSION: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                              PRAGMA secure_delete = ON";

/// What every PostgreSQL session is told. A process that is stopped in a transaction loses it, and its locks, after five
/// seconds; who waits for a lock waits longer than that, so that it gets it; nothing runs without an end.
const POSTGRES_SESSION: &str = "SET application_name = 'trialseal'; SET synchronous_commit = on; \
                                SET default_transaction_isolation = 'read committed'; \
                                SET idle_in_transaction_session_timeout = '5s'; SET lock_timeout = '8s'; \
                                SET statement_timeout = '15s'";

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// A SQLite file, which this process has for itself.
    Sqlite,
    /// PostgreSQL, which replicas share.
    Postgres,
}

impl Dialect {
    /// The dialect of a database's URL.
    pub(crate) fn of(url: &str) -> Option<Self> {
        match url.split_once(':')?.0 {
            "sqlite" => Some(Dialect::Sqlite),
            "postgres" | "postgresql" => Some(Dialect::Postgres),
            _ => None,
        }
    }

    pub(crate) async fn set_up(self, connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
        let session = match self {
            Dialect::Sqlite => SQLITE_SESSION,
            Dialect::Postgres => POSTGRES_SESSION,
        };
        connection.execute(sqlx::raw_sql(session)).await.map(|_| ())
    }

    /// Begins a transaction that writes. SQLite takes its one lock at once; PostgreSQL locks rows as they are asked for.
    pub(crate) fn begin(self) -> &'static str {
        match self {
            Dialect::Sqlite => "BEGIN IMMEDIATE",
            Dialect::Postgres => "BEGIN",
        }
    }

    /// What ends a `SELECT` whose rows nobody else may change before the transaction ends. A transaction that writes to
    /// SQLite has all rows for itself.
    pub fn for_update(self) -> &'static str {
        match self {
            Dialect::Sqlite => "",
            Dialect::Postgres => " FOR UPDATE",
        }
    }

    /// An expression: the time by the database's own clock, Unix milliseconds. Processes that share a database share it.
    pub fn now_ms(self) -> &'static str {
        match self {
            Dialect::Sqlite => "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
            Dialect::Postgres => "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
        }
    }

    /// Whether other processes write to the same database.
    pub fn is_shared(self) -> bool {
        self == Dialect::Postgres
    }

    /// Whether one may go on after a commit failed so. PostgreSQL's next connection shows what is durable. SQLite says
    /// for certain that nothing was written only when the disk is full or another process writes; after any other failure
    /// what reached the disk is unknown, and is not to be read back and built upon.
    pub fn may_go_on(self, error: &sqlx::Error) -> bool {
        const FULL: i32 = 13;
        const BUSY: i32 = 5;
        match self {
            Dialect::Postgres => true,
            Dialect::Sqlite => sqlite_code(error).is_some_and(|code| [FULL, BUSY].contains(&(code & 0xff))),
        }
    }

    /// Whether the failure is the network's or the server's being away, and may be over soon.
    pub(crate) fn is_away(self, error: &sqlx::Error) -> bool {
        match error {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => self == Dialect::Postgres,
            // Class 57 (operator intervention: starting up, shutting down) and 53 (too many connections).
            sqlx::Error::Database(error) => error.code().is_some_and(|code| code.starts_with("57P") || code == "53300"),
            _ => false,
        }
    }

    /// Removes what was replaced or deleted in `tables` from where the database itself still holds it. False if somebody
    /// who reads is in the way, who is not waited for long, or if this user may not.
    ///
    /// SQLite moves the write-ahead log into the file and cuts it; `secure_delete` has overwritten the rest. PostgreSQL
    /// vacuums the tables: the old row version is unlinked from its page, whose bytes are overwritten when the space is
    /// used again; its own log holds the old bytes until it is recycled, an archive of the log and backups until they are
    /// deleted.
    pub async fn scrub(self, connection: &mut AnyConnection, tables: &[&'static str]) -> Result<bool, sqlx::Error> {
        if self == Dialect::Sqlite {
            return cut_log(connection).await;
        }
        for table in tables {
            if !may_vacuum(connection, table).await? {
                return Ok(false); // PostgreSQL would only warn, and leave the table as it is
            }
            sqlx::raw_sql(AssertSqlSafe(format!("VACUUM {table}"))).execute(&mut *connection).await?;
        }
        Ok(true)
    }
}

async fn may_vacuum(connection: &mut AnyConnection, table: &str) -> Result<bool, sqlx::Error> {
    let sql = "SELECT CASE WHEN current_setting('server_version_num')::int >= 170000 \
               THEN has_table_privilege(oid, 'MAINTAIN') ELSE pg_has_role(relowner, 'USAGE') END \
               FROM pg_class WHERE oid = to_regclass($1)";
    sqlx::query_scalar(sql).bind(table.to_owned()).fetch_one(connection).await
}

fn sqlite_code(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}

async fn cut_log(connection: &mut AnyConnection) -> Result<bool, sqlx::Error> {
    sqlx::raw_sql("PRAGMA busy_timeout = 200").execute(&mut *connection).await?;
    let cut = sqlx::query_scalar("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *connection).await;
    let patience = format!("PRAGMA busy_timeout = {}", SQLITE_PATIENCE.as_millis());
    sqlx::raw_sql(AssertSqlSafe(patience)).execute(connection).await?;
    cut.map(|busy: i64| busy == 0)
}
