//! What set a fact, what an entry set, and pages of entries that are bounded in bytes.

use super::{Reader, Stored};
use crate::{ReadError, store};
use database::{signed, unsigned};
use seal::{Hash, id::StreamId};
use sqlx::Row as _;

impl Reader {
    /// Up to `limit` entries from number `from` on, as many as have `bytes` behind them, but at least one.
    pub async fn entries_within(
        &self,
        stream: StreamId,
        from: u64,
        limit: u32,
        bytes: u64,
    ) -> Result<Vec<Stored>, ReadError> {
        let sql = "SELECT CAST(LENGTH(stored) AS BIGINT) AS length FROM entry \
                   WHERE stream = $1 AND number >= $2 ORDER BY number LIMIT $3";
        let mut sum = 0_u64;
        let mut fit = 0;
        for row in self.rows(sql, stream, from, limit).await? {
            sum = sum.saturating_add(unsigned(row.try_get("length")?));
            if fit > 0 && sum > bytes {
                break;
            }
            fit += 1;
        }
        self.entries(stream, from, fit).await
    }

    /// The entries after number `after` that set the fact under `key`, and what they set it to, oldest first.
    pub async fn history(
        &self,
        stream: StreamId,
        key: &Hash,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Vec<(u64, Vec<u8>)>, ReadError> {
        let sql =
            "SELECT number, value FROM fact WHERE stream = $1 AND key = $2 AND number > $3 ORDER BY number LIMIT $4";
        self.settings(sql, stream, key, after.map_or(-1, signed), limit).await
    }

    /// The entries before number `before` that set the fact under `key`, and what they set it to, newest first.
    pub async fn history_back(
        &self,
        stream: StreamId,
        key: &Hash,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<(u64, Vec<u8>)>, ReadError> {
        let sql = "SELECT number, value FROM fact WHERE stream = $1 AND key = $2 AND number < $3 \
                   ORDER BY number DESC LIMIT $4";
        self.settings(sql, stream, key, before.map_or(i64::MAX, signed), limit).await
    }

    async fn settings(
        &self,
        sql: &'static str,
        stream: StreamId,
        key: &Hash,
        from: i64,
        limit: u32,
    ) -> Result<Vec<(u64, Vec<u8>)>, ReadError> {
        let (mut connection, row) = match self.at(stream).await {
            Err(ReadError::NotFound) => return Ok(Vec::new()),
            other => other?,
        };
        let query = sqlx::query(sql).bind(row).bind(key.0.to_vec()).bind(from).bind(i64::from(limit));
        let found = query.fetch_all(&mut *connection).await?;
        found.into_iter().map(|row| Ok((unsigned(row.try_get("number")?), row.try_get("value")?))).collect()
    }

    /// The facts that entry `number` set, in the order of their keys.
    pub async fn set_by(&self, stream: StreamId, number: u64) -> Result<Vec<(Hash, Vec<u8>)>, ReadError> {
        let (mut connection, row) = self.at(stream).await?;
        let found = sqlx::query("SELECT key, value FROM fact WHERE stream = $1 AND number = $2 ORDER BY key")
            .bind(row)
            .bind(signed(number))
            .fetch_all(&mut *connection)
            .await?;
        found.into_iter().map(|row| Ok((store::hash(&row, "key")?, row.try_get("value")?))).collect()
    }
}
