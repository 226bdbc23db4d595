//! What a study keeps secret: allocations' seeds and the matching key. Sealed, in tables beside the journal; durable
//! before anything rests on them, and never changed.

use crate::store::{Store, StoreError, damaged};
use journal::ReadError;
use seal::{
    Hash,
    id::{Name, Uuid},
};
use vocabulary::allocation::Secret;
use zeroize::Zeroizing;

pub(crate) const SQLITE_1: &str = include_str!("../migrations/1.sqlite.sql");
pub(crate) const POSTGRES_1: &str = include_str!("../migrations/1.postgres.sql");

impl Store {
    /// Keeps the secret of an allocation. Keeping it again changes nothing: there is one secret to a commitment.
    pub(crate) async fn keep_secret(
        &self,
        study: Uuid,
        allocation: &Name,
        commitment: &Hash,
        secret: &[u8],
    ) -> Result<(), StoreError> {
        let reference = self.vault().master().reference("allocation", &[&study.0, allocation.as_str().as_bytes()]);
        let sealed = self.vault().seal(&reference, &commitment.0, secret).await?;
        sqlx::query(
            "INSERT INTO allocation_secret (study, allocation, commitment, sealed) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (study, allocation, commitment) DO NOTHING",
        )
        .bind(study.0.to_vec())
        .bind(allocation.as_str())
        .bind(commitment.0.to_vec())
        .bind(sealed)
        .execute(self.reader().database().writing())
        .await
        .map_err(ReadError::from)?;
        Ok(())
    }

    /// The secret behind a commitment.
    pub(crate) async fn secret(&self, study: Uuid, allocation: &Name, commitment: &Hash) -> Result<Secret, StoreError> {
        let sealed: Option<Vec<u8>> = sqlx::query_scalar(
            "SELECT sealed FROM allocation_secret WHERE study = $1 AND allocation = $2 AND commitment = $3",
        )
        .bind(study.0.to_vec())
        .bind(allocation.as_str())
        .bind(commitment.0.to_vec())
        .fetch_optional(self.reader().database().pool())
        .await
        .map_err(ReadError::from)?;
        let plain = self.vault().open_sealed(&commitment.0, &sealed.ok_or_else(damaged)?).await?;
        serde_json::from_slice(&plain).map_err(|_| damaged())
    }

    /// The key of the study's tokens, made when it is first asked for.
    pub(crate) async fn matching_key(&self, study: Uuid) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        if let Some(key) = self.find_matching_key(study).await? {
            return Ok(key);
        }
        let mut key = Zeroizing::new([0_u8; 32]);
        getrandom::fill(&mut *key).map_err(|_| StoreError::NoRandomness)?;
        let reference = self.vault().master().reference("matching key", &[&study.0]);
        let sealed = self.vault().seal(&reference, &study.0, &*key).await?;
        sqlx::query("INSERT INTO matching_key (study, sealed) VALUES ($1, $2) ON CONFLICT (study) DO NOTHING")
            .bind(study.0.to_vec())
            .bind(sealed)
            .execute(self.reader().database().writing())
            .await
            .map_err(ReadError::from)?;
        self.find_matching_key(study).await?.ok_or_else(damaged) // another caller may have been first
    }

    async fn find_matching_key(&self, study: Uuid) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let sealed: Option<Vec<u8>> = sqlx::query_scalar("SELECT sealed FROM matching_key WHERE study = $1")
            .bind(study.0.to_vec())
            .fetch_optional(self.reader().database().pool())
            .await
            .map_err(ReadError::from)?;
        let Some(sealed) = sealed else { return Ok(None) };
        Ok(Some(self.vault().open_sealed(&study.0, &sealed).await?))
    }
}
