//! The participants' wrapped keys, in a database of their own: a backup of values without it is worthless, and
//! destroying a key is one row.
//!
//! What erasure means on each database. A destroyed key's row stays as a mark without the key. SQLite overwrites the bytes
//! (`secure_delete`) and its log is cut before the destruction is done. PostgreSQL writes the mark beside the old row and a
//! vacuum, asked for at once and else run within a minute or so, unlinks the old one; its bytes lie in the table's file
//! until the space is used again, in the write-ahead log until that is recycled, and in archived logs, on replicas that
//! lag and in backups until those are deleted. All of these hold the key wrapped, useless without the key-encryption key,
//! which is in no database. So an erasure is complete once the backups that are older than it are gone: keep them no
//! longer than the erasure may take, and apart from the key-encryption key.

use crate::key::{DataKey, MasterKey, SealedError, reference_of};
use database::{Database, Migration, Part, Statement, unsigned};
use moka::sync::Cache;
use sqlx::{Row as _, any::AnyRow};
use std::{sync::Arc, time::Duration};
use zeroize::Zeroizing;

/// The vault's tables.
pub const PART: Part = Part {
    name: "vault",
    migrations: &[
        Migration {
            oldest: 1,
            sqlite: &[include_str!("../migrations/1.sqlite.sql")],
            postgres: &[include_str!("../migrations/1.postgres.sql")],
        },
        Migration { oldest: 1, sqlite: &[include_str!("../migrations/2.sqlite.sql")], postgres: &[] },
    ],
};

/// Unwrapped keys kept in memory at most.
const CACHED: u64 = 10_000;
/// How long an unwrapped key is kept: so long, at most, another process still opens what a destroyed key sealed.
const KEPT: Duration = Duration::from_secs(10);

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
    /// How long ago it was noted, by the database's clock.
    pub age: Duration,
}

/// The keys of a deployment's participants. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    database: Database,
    master: Arc<MasterKey>,
    cache: Cache<[u8; 32], Arc<DataKey>>,
    /// What was destroyed here of late: not to be remembered again by who read it just before.
    destroyed: Cache<[u8; 32], ()>,
}

impl Vault {
    /// The vault in a database that was opened with [`PART`].
    pub fn open(database: Database, master: MasterKey) -> Self {
        let cache = Cache::builder().max_capacity(CACHED).time_to_live(KEPT).build();
        let destroyed = Cache::builder().max_capacity(CACHED).time_to_live(2 * KEPT).build();
        Self { database, master: Arc::new(master), cache, destroyed }
    }

    /// Where the keys are.
    pub fn database(&self) -> &Database {
        &self.database
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
        let mut note = Statement::new("INSERT INTO doomed (reference, stream, request, noted) VALUES (");
        note.list([reference.to_vec(), stream.to_vec(), request.to_vec()]).push(", ");
        note.push(self.database.dialect().now_ms())
            .push(") ON CONFLICT (reference, request) DO UPDATE SET stream = excluded.stream, noted = excluded.noted");
        note.execute(&mut *self.database.writing().acquire().await?).await?;
        Ok(())
    }

    /// The keys that are to be destroyed once something is recorded, which another process may be about to do.
    pub async fn doomed(&self) -> Result<Vec<Doomed>, VaultError> {
        let mut notes = Statement::new("SELECT reference, stream, request, ");
        notes.push(self.database.dialect().now_ms()).push(" - noted AS age FROM doomed");
        let rows = notes.fetch_all(&mut *self.database.pool().acquire().await?).await?;
        Ok(rows.iter().map(doomed).collect::<Result<_, _>>()?)
    }

    /// Takes the note of [`Self::doom`] back.
    pub async fn spare(&self, reference: &[u8; 32], request: &[u8; 16]) -> Result<(), VaultError> {
        sqlx::query("DELETE FROM doomed WHERE reference = $1 AND request = $2")
            .bind(reference.to_vec())
            .bind(request.to_vec())
            .execute(self.database.writing())
            .await?;
        Ok(())
    }

    /// Destroys the key of `reference` for good, durably, and never makes another. Doing it again is safe.
    pub async fn destroy(&self, reference: &[u8; 32]) -> Result<(), VaultError> {
        let mut transaction = self.database.begin().await?;
        // Who makes a key of this reference meanwhile waits for this row, and then finds it.
        sqlx::query(
            "INSERT INTO data_key (reference, wrapped) VALUES ($1, $2) \
             ON CONFLICT (reference) DO UPDATE SET wrapped = excluded.wrapped",
        )
        .bind(reference.to_vec())
        .bind(DESTROYED.to_vec())
        .execute(&mut *transaction)
        .await?;
        let noted = sqlx::query("DELETE FROM doomed WHERE reference = $1").bind(reference.to_vec());
        noted.execute(&mut *transaction).await?;
        transaction.commit().await?;
        self.destroyed.insert(*reference, ());
        self.cache.invalidate(reference);
        self.scrub().await
    }

    /// Removes what is left of destroyed keys in the database. Who reads meanwhile is waited for, within reason.
    async fn scrub(&self) -> Result<(), VaultError> {
        for _ in 0..10 {
            if self.database.scrub(&["data_key"]).await? {
                return Ok(());
            }
        }
        tracing::error!(
            "a destroyed key is still in the database: a long-running read holds it, or this user is not allowed to vacuum"
        );
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
        if let Some(key) = self.cache.get(reference) {
            return Ok(Some(key));
        }
        let wrapped: Option<Vec<u8>> = sqlx::query_scalar("SELECT wrapped FROM data_key WHERE reference = $1")
            .bind(reference.to_vec())
            .fetch_optional(self.database.pool())
            .await?;
        match wrapped {
            None => Ok(None),
            Some(wrapped) if wrapped == DESTROYED => Err(VaultError::NoKey),
            Some(wrapped) => {
                let key = Arc::new(self.master.unwrap_data_key(reference, &wrapped)?);
                self.remember(*reference, key.clone());
                Ok(Some(key))
            }
        }
    }

    async fn make(&self, reference: &[u8; 32]) -> Result<Arc<DataKey>, VaultError> {
        let (_, wrapped) = self.master.new_data_key(reference)?;
        // A key that was destroyed is never replaced: what is sealed after an erasure could not be erased again.
        sqlx::query("INSERT INTO data_key (reference, wrapped) VALUES ($1, $2) ON CONFLICT (reference) DO NOTHING")
            .bind(reference.to_vec())
            .bind(wrapped)
            .execute(self.database.writing())
            .await?;
        self.find(reference).await?.ok_or(VaultError::NoKey) // another caller may have been first
    }

    fn remember(&self, reference: [u8; 32], key: Arc<DataKey>) {
        self.cache.insert(reference, key);
        if self.destroyed.contains_key(&reference) {
            self.cache.invalidate(&reference);
        }
    }
}

/// What stands in place of a destroyed key.
const DESTROYED: &[u8] = b"";

fn doomed(row: &AnyRow) -> Result<Doomed, sqlx::Error> {
    fn fixed<const N: usize>(row: &AnyRow, column: &str) -> Result<[u8; N], sqlx::Error> {
        let bytes: Vec<u8> = row.try_get(column)?;
        bytes.try_into().map_err(|_| sqlx::Error::Decode("not of its length".into()))
    }
    Ok(Doomed {
        reference: fixed(row, "reference")?,
        stream: fixed(row, "stream")?,
        request: fixed(row, "request")?,
        age: Duration::from_millis(unsigned(row.try_get("age")?)),
    })
}
