//! Opening a database.

use crate::{Dialect, OpenError, Part, Transaction, private};
use sqlx::{
    Any, AnyPool, ConnectOptions, Connection,
    any::{AnyConnectOptions, AnyPoolOptions, install_default_drivers},
    pool::PoolConnection,
};
use std::{
    fmt::{self, Write},
    path::Path,
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// The most connections to one PostgreSQL database, in each process.
const POSTGRES_CONNECTIONS: u32 = 10;
/// The most connections that read a SQLite file at once.
const SQLITE_READERS: u32 = 4;
/// How long a caller waits for a connection, and so the longest until it hears that a database is away.
const ACQUIRE: Duration = Duration::from_secs(3);
/// Connections nobody needs are closed after this time.
const IDLE: Duration = Duration::from_secs(60);
/// A connection that has rested for this long is asked whether it still lives before it is used.
const RESTED: Duration = Duration::from_millis(500);
/// How long a starting service waits for a database that is away, and how often it asks.
const START: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_millis(500);

/// An open database. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    dialect: Dialect,
    pool: AnyPool,
    /// SQLite has one lock for all who write: they wait in line for one connection rather than ask again and again.
    writing: AnyPool,
}

impl Database {
    /// Opens the database at a URL: `sqlite:///path`, whose schema is brought up, or `postgres://user:password@host/name`,
    /// which must have been migrated. Waits for a PostgreSQL that is away, for a minute.
    pub async fn open(url: &str, part: &Part) -> Result<Self, OpenError> {
        let database = Self::unchecked(url)?;
        match database.dialect {
            Dialect::Sqlite => {
                let mut connection = database.acquire(part).await?;
                part.bring_up(&mut connection).await?;
                // What a killed process took out may still be in the write-ahead log.
                let cut = database.dialect.scrub(&mut connection, &[]).await;
                cut.map_err(|error| part.failed(error))?;
            }
            Dialect::Postgres => database.check(part).await?,
        }
        Ok(database)
    }

    /// Opens a SQLite file, which is made if it does not exist. Only its owner reads it.
    pub async fn open_file(file: &Path, part: &Part) -> Result<Self, OpenError> {
        Self::open(&file_url(file), part).await
    }

    /// The pools of a database, whatever is in it. Nothing is connected yet.
    pub(crate) fn unchecked(url: &str) -> Result<Self, OpenError> {
        let bad = || OpenError::Url(sqlx::Error::Configuration("unknown scheme".into()));
        let dialect = Dialect::of(url).ok_or_else(bad)?;
        let url = match dialect {
            Dialect::Sqlite if !url.contains('?') => format!("{url}?mode=rwc"),
            _ => url.to_owned(),
        };
        if dialect == Dialect::Sqlite {
            private::keep_file(&url)?;
        }
        let options: AnyConnectOptions = url.parse().map_err(OpenError::Url)?;
        let options = options.disable_statement_logging();
        install_default_drivers();
        Ok(match dialect {
            Dialect::Sqlite => Self {
                dialect,
                pool: pool(dialect, SQLITE_READERS).connect_lazy_with(options.clone()),
                writing: pool(dialect, 1).connect_lazy_with(options),
            },
            Dialect::Postgres => {
                let pool = pool(dialect, POSTGRES_CONNECTIONS).connect_lazy_with(options);
                Self { dialect, writing: pool.clone(), pool }
            }
        })
    }

    async fn check(&self, part: &Part) -> Result<(), OpenError> {
        let end = Instant::now() + START;
        loop {
            let checked = match self.acquire(part).await {
                Ok(mut connection) => part.check(&mut connection).await,
                Err(error) => Err(error),
            };
            match checked {
                Err(OpenError::Database { source, .. }) if self.dialect.is_away(&source) && Instant::now() < end => {
                    tracing::warn!(part = part.name, error = %source, "the database is unavailable: waiting for it");
                    sleep(AGAIN).await;
                }
                checked => return checked,
            }
        }
    }

    pub(crate) async fn acquire(&self, part: &Part) -> Result<PoolConnection<Any>, OpenError> {
        self.writing.acquire().await.map_err(|error| part.failed(error))
    }

    /// Which database it is.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Connections to read with.
    pub fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// Connections to write with, one statement at a time.
    pub fn writing(&self) -> &AnyPool {
        &self.writing
    }

    /// Begins a transaction that writes.
    pub async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        Transaction::begin(&self.writing, self.dialect).await
    }

    /// Asks the database for nothing: whether it answers at all.
    pub async fn answers(&self) -> Result<(), sqlx::Error> {
        self.pool.acquire().await?.ping().await
    }

    /// Removes what was replaced or deleted in `tables` from where the database still holds it: see [`Dialect::scrub`].
    pub async fn scrub(&self, tables: &[&'static str]) -> Result<bool, sqlx::Error> {
        self.dialect.scrub(&mut *self.writing.acquire().await?, tables).await
    }
}

/// Without its URL, which holds a password.
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("dialect", &self.dialect).finish_non_exhaustive()
    }
}

fn pool(dialect: Dialect, connections: u32) -> AnyPoolOptions {
    let options = AnyPoolOptions::new()
        .max_connections(connections)
        .test_before_acquire(false)
        .after_connect(move |connection, _| Box::pin(dialect.set_up(connection)));
    match dialect {
        // A file is not away, and an open one stays open: a caller waits as long as those before it write.
        Dialect::Sqlite => options.acquire_timeout(Duration::from_secs(30)).idle_timeout(None).max_lifetime(None),
        Dialect::Postgres => {
            options.acquire_timeout(ACQUIRE).idle_timeout(IDLE).before_acquire(|connection, rested| {
                Box::pin(async move { Ok(rested.idle_for < RESTED || connection.ping().await.is_ok()) })
            })
        }
    }
}

/// The URL of a SQLite file.
pub fn file_url(file: &Path) -> String {
    let mut url = "sqlite://".to_owned();
    for byte in file.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => url.push(char::from(*byte)),
            _ => {
                let _infallible = write!(url, "%{byte:02X}");
            }
        }
    }
    url
}
