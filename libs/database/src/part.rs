//! The tables of a service, and how they come to be.

use crate::{Database, Dialect, OpenError};
use sqlx::{AnyConnection, AssertSqlSafe, Executor};

/// The tables that one service, or the vault, owns in a database.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Its name, as in `trialseal migrate NAME`.
    pub name: &'static str,
    /// Its migrations, oldest first. The number of those that were applied is the database's *format*.
    pub migrations: &'static [Migration],
}

/// A step from one format to the next. A step that was released never changes.
///
/// Replicas of two versions run side by side during an upgrade, after the new version's migrations were applied. So a
/// step only adds what the version before can live with (expand); what nobody needs any more is removed one version
/// later (contract), in a step whose `oldest` is the format of the version before that.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// The oldest format whose program can still use the database after this step.
    pub oldest: i64,
    /// The step for SQLite. That of the first format is applied at every start, so it must be safe to repeat: files made
    /// before formats were counted have some of its tables.
    pub sqlite: &'static [&'static str],
    /// The step for PostgreSQL.
    pub postgres: &'static [&'static str],
}

/// What [`migrate`] found and left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrated {
    /// The format before; 0 if there were no tables.
    pub from: i64,
    /// The format now.
    pub to: i64,
}

/// The formats of the parts in a PostgreSQL database, and the oldest format whose program may use each.
const VERSIONS: &str = "CREATE TABLE IF NOT EXISTS schema_version \
                        (part TEXT PRIMARY KEY, format BIGINT NOT NULL, oldest BIGINT NOT NULL)";

/// Nobody else migrates meanwhile; the number is ours alone. Waited for without an end, because a migration may take
/// long, while the locks that a step takes on tables are not: a queue behind them would stop every service.
const LOCK: &str = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; \
                    SELECT 1 FROM pg_advisory_xact_lock(7310589173341202532); SET LOCAL lock_timeout = '5s'";

impl Part {
    /// The newest format this program knows.
    pub fn known(&self) -> i64 {
        crate::signed(self.migrations.len() as u64)
    }

    fn newer(&self, found: i64) -> OpenError {
        OpenError::Newer { part: self.name, found, known: self.known() }
    }

    pub(crate) fn failed(&self, source: sqlx::Error) -> OpenError {
        OpenError::Database { part: self.name, source }
    }

    /// Refuses a PostgreSQL database that lacks migrations or is too new.
    pub(crate) async fn check(&self, connection: &mut AnyConnection) -> Result<(), OpenError> {
        let (found, oldest) = self.format(connection).await?;
        if found < self.known() {
            return Err(OpenError::Older { part: self.name, found, known: self.known() });
        }
        if oldest > self.known() { Err(self.newer(found)) } else { Ok(()) }
    }

    async fn format(&self, connection: &mut AnyConnection) -> Result<(i64, i64), OpenError> {
        const UNDEFINED_TABLE: &str = "42P01";
        let found = sqlx::query_as("SELECT format, oldest FROM schema_version WHERE part = $1");
        match found.bind(self.name).fetch_optional(connection).await {
            Ok(found) => Ok(found.unwrap_or_default()),
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(UNDEFINED_TABLE) => Ok((0, 0)),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Brings a SQLite file up, if this program knows its format.
    pub(crate) async fn bring_up(&self, connection: &mut AnyConnection) -> Result<Migrated, OpenError> {
        let failed = |error| self.failed(error);
        let format = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *connection).await;
        let from: i64 = format.map_err(failed)?;
        if from > self.known() {
            return Err(self.newer(from));
        }
        for (to, migration) in (1..).zip(self.migrations).filter(|(to, _)| *to == 1 || *to > from) {
            let count = if to > from { format!("PRAGMA user_version = {to};") } else { String::new() };
            let step = format!("BEGIN IMMEDIATE; {} {count} COMMIT", migration.sqlite.concat());
            sqlx::raw_sql(AssertSqlSafe(step)).execute(&mut *connection).await.map_err(failed)?;
        }
        Ok(Migrated { from, to: self.known() })
    }

    /// Applies the next migration to a PostgreSQL database, if it lacks one. Gives the format found, and whether.
    async fn step(&self, database: &Database) -> Result<(i64, bool), OpenError> {
        let failed = |error| self.failed(error);
        let mut transaction = database.begin().await.map_err(failed)?;
        transaction.execute(sqlx::raw_sql(LOCK)).await.map_err(failed)?;
        transaction.execute(sqlx::raw_sql(VERSIONS)).await.map_err(failed)?;
        let (found, oldest) = self.format(&mut transaction).await?;
        if oldest > self.known() {
            return Err(self.newer(found));
        }
        let next = usize::try_from(found).ok().and_then(|found| self.migrations.get(found));
        if let Some(migration) = next {
            let tables = AssertSqlSafe(migration.postgres.concat());
            transaction.execute(sqlx::raw_sql(tables)).await.map_err(failed)?;
            self.record(&mut transaction, found + 1, migration.oldest).await.map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)?;
        Ok((found, next.is_some()))
    }

    async fn record(&self, connection: &mut AnyConnection, format: i64, oldest: i64) -> Result<(), sqlx::Error> {
        let query = sqlx::query(
            "INSERT INTO schema_version (part, format, oldest) VALUES ($1, $2, $3) \
             ON CONFLICT (part) DO UPDATE SET format = excluded.format, oldest = excluded.oldest",
        );
        query.bind(self.name).bind(format).bind(oldest).execute(connection).await.map(|_| ())
    }
}

/// Applies the migrations that a database lacks, each in a transaction of its own, one process at a time. Doing it again
/// changes nothing. A database of a newer format is left as it is, if this program can still work with it.
pub async fn migrate(url: &str, part: &Part) -> Result<Migrated, OpenError> {
    let database = Database::unchecked(url)?;
    if database.dialect() == Dialect::Sqlite {
        return part.bring_up(&mut *database.acquire(part).await?).await;
    }
    let mut from = None;
    loop {
        let (found, applied) = part.step(&database).await?;
        let from = *from.get_or_insert(found);
        if !applied {
            return Ok(Migrated { from, to: found });
        }
    }
}
