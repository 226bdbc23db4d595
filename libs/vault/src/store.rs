//! The participants' wrapped keys, in a database of their own: a backup of values without it is worthless, and
//! destroying a key is one row.

use crate::key::{DataKey, MasterKey, SealedError, reference_of};
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use zeroize::Zeroizing;

/// Unwrapped keys kept in memory at most; when there are more, all are forgotten and unwrapped again as needed.
const CACHED: usize = 10_000;

/// Why the vault did not do it.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The participant has no key, or it was destroyed.
    #[error("there is no key for this reference")]
    NoKey,
    /// What is stored does not open.
    #[error("what is stored does not open")]
    Sealed(#[from] SealedError),
    /// The database failed.
    #[error("the vault's database failed")]
    Database(#[from] sqlx::Error),
}

/// A key that is to be destroyed once a request is recorded.
#[derive(Debug, Clone, Copy)]
pub struct Doomed {
    /// The key.
    pub reference: [u8; 32],
    /// The journal that records the request.
    pub stream: [u8; 32],
    /// The request.
    pub request: [u8; 16],
}

/// The keys of a deployment's participants. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    pool: SqlitePool,
    master: Arc<MasterKey>,
    cache: Arc<Mutex<HashMap<[u8; 32], Arc<DataKey>>>>,
}

impl Vault {
    /// Opens the key database, making it if it does not exist.
    pub async fn open(file: &Path, master: MasterKey) -> Result<Self, VaultError> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("secure_delete", "ON") // a key that is destroyed is overwritten, not only unlinked
            .busy_timeout(Duration::from_secs(10));
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        sqlx::raw_sql(
            "CREATE TABLE IF NOT EXISTS data_key (reference BLOB PRIMARY KEY, wrapped BLOB NOT NULL) WITHOUT ROWID; \
             CREATE TABLE IF NOT EXISTS doomed (reference BLOB, stream BLOB NOT NULL, request BLOB, \
             PRIMARY KEY (reference, request)) WITHOUT ROWID; \
             CREATE TABLE IF NOT EXISTS destroyed (reference BLOB PRIMARY KEY) WITHOUT ROWID",
        )
        .execute(&pool)
        .await?;
        Ok(Self { pool, master: Arc::new(master), cache: Arc::default() })
    }

    /// The key that names participants and forms opaquely.
    pub fn master(&self) -> &MasterKey {
        &self.master
    }

    /// Seals `plain` under the key of `reference`, made durable first if it is new.
    pub async fn seal(&self, reference: &[u8; 32], context: &[u8], plain: &[u8]) -> Result<Vec<u8>, VaultError> {
        let key = match self.find(reference).await? {
            Some(key) => key,
            None => self.make(reference).await?,
        };
        Ok(key.seal(reference, context, plain)?)
    }

    /// Opens sealed bytes with the key they name.
    pub async fn open_sealed(&self, context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let reference = reference_of(sealed).ok_or(SealedError::Format)?;
        let key = self.find(&reference).await?.ok_or(VaultError::NoKey)?;
        Ok(key.open(&reference, context, sealed)?)
    }

    /// Notes that the key of `reference` is to be destroyed once `request` is recorded in `stream`: should the process die
    /// in between, it is done at the next start.
    pub async fn doom(&self, reference: &[u8; 32], stream: &[u8; 32], request: &[u8; 16]) -> Result<(), VaultError> {
        sqlx::query("INSERT OR REPLACE INTO doomed (reference, stream, request) VALUES (?, ?, ?)")
            .bind(reference.to_vec())
            .bind(stream.to_vec())
            .bind(request.to_vec())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The keys that were to be destroyed when the process died.
    pub async fn doomed(&self) -> Result<Vec<Doomed>, VaultError> {
        let rows: Vec<(Vec<u8>, Vec<u8>, Vec<u8>)> =
            sqlx::query_as("SELECT reference, stream, request FROM doomed").fetch_all(&self.pool).await?;
        let parse = |(reference, stream, request): (Vec<u8>, Vec<u8>, Vec<u8>)| {
            Some(Doomed {
                reference: reference.try_into().ok()?,
                stream: stream.try_into().ok()?,
                request: request.try_into().ok()?,
            })
        };
        Ok(rows.into_iter().filter_map(parse).collect())
    }

    /// Takes the note of [`Self::doom`] back.
    pub async fn spare(&self, reference: &[u8; 32], request: &[u8; 16]) -> Result<(), VaultError> {
        sqlx::query("DELETE FROM doomed WHERE reference = ? AND request = ?")
            .bind(reference.to_vec())
            .bind(request.to_vec())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Destroys the key of `reference` for good, durably, and never makes another. Doing it again is safe.
    pub async fn destroy(&self, reference: &[u8; 32]) -> Result<(), VaultError> {
        let mut transaction = self.pool.begin().await?;
        for change in [
            "DELETE FROM data_key WHERE reference = ?",
            "DELETE FROM doomed WHERE reference = ?",
            "INSERT OR IGNORE INTO destroyed (reference) VALUES (?)",
        ] {
            sqlx::query(change).bind(reference.to_vec()).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        if let Ok(mut cache) = self.cache.lock() {
            cache.remove(reference);
        }
        // The write-ahead log still holds the page as it was: move it into the file and cut the log.
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.pool).await?;
        Ok(())
    }

    /// The reference of the key that sealed bytes were sealed under.
    pub fn reference(sealed: &[u8]) -> Option<[u8; 32]> {
        reference_of(sealed)
    }

    /// Whether bytes are sealed, rather than stored in the clear.
    pub fn is_sealed(bytes: &[u8]) -> bool {
        reference_of(bytes).is_some()
    }

    async fn find(&self, reference: &[u8; 32]) -> Result<Option<Arc<DataKey>>, VaultError> {
        if let Some(key) = self.cached(reference) {
            return Ok(Some(key));
        }
        // Held until the key is remembered: a destruction waits for the one connection, and then finds what to forget.
        let mut connection = self.pool.acquire().await?;
        let wrapped: Option<Vec<u8>> = sqlx::query_scalar("SELECT wrapped FROM data_key WHERE reference = ?")
            .bind(reference.to_vec())
            .fetch_optional(&mut *connection)
            .await?;
        let Some(wrapped) = wrapped else { return Ok(None) };
        let key = Arc::new(self.master.unwrap_data_key(reference, &wrapped)?);
        self.remember(*reference, key.clone());
        Ok(Some(key))
    }

    async fn make(&self, reference: &[u8; 32]) -> Result<Arc<DataKey>, VaultError> {
        let (_, wrapped) = self.master.new_data_key(reference)?;
        // A key that was destroyed is never replaced: what is sealed after an erasure could not be erased again.
        sqlx::query(
            "INSERT OR IGNORE INTO data_key (reference, wrapped) SELECT ?1, ?2 \
             WHERE NOT EXISTS (SELECT 1 FROM destroyed WHERE reference = ?1)",
        )
        .bind(reference.to_vec())
        .bind(wrapped)
        .execute(&self.pool)
        .await?;
        self.find(reference).await?.ok_or(VaultError::NoKey) // another caller may have been first
    }

    fn cached(&self, reference: &[u8; 32]) -> Option<Arc<DataKey>> {
        self.cache.lock().ok()?.get(reference).cloned()
    }

    fn remember(&self, reference: [u8; 32], key: Arc<DataKey>) {
        let Ok(mut cache) = self.cache.lock() else { return };
        if cache.len() >= CACHED {
            cache.clear();
        }
        cache.insert(reference, key);
    }
}
