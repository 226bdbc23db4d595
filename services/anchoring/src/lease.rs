//! The lease that decides which process makes blocks.
//!
//! **Invariant: every signed checkpoint covers a prefix of one sequence of blocks**, even if two processes both believe that
//! they hold the lease. So no two checkpoints can contradict each other. It holds because:
//!
//! 1. *Only the holder of the newest token adds blocks.* A token only grows. Each transaction that adds blocks or stores a
//!    checkpoint first updates the lease's row where the token is still its own, and has no effect if there is no such row.
//!    The update locks the row until the transaction ends, so a takeover happens entirely before or entirely after it.
//!    Blocks thus get their places in one order, and a place is never reused (it is the primary key).
//! 2. *Only committed blocks are signed.* A checkpoint is computed from blocks read back from the database after their
//!    transaction was committed. A process that was suspended just before signing may sign minutes later, but still signs a
//!    prefix. Two prefixes of one sequence are consistent: witnesses accept them in order, and refuse the older as old.
//!
//! The lease is also confirmed just before a checkpoint is signed and sent, and storing the checkpoint is fenced like any
//! other transaction. That does not prevent forks (1 and 2 do); it spares witnesses the requests of an overtaken process.
//!
//! Only the database's clock is used: no process compares its own clock with another's. The invariant assumes that
//! committed transactions stay committed. A database that loses commits at a failover (an asynchronous replica that is
//! promoted) was rolled back, and is detected as such: see [`crate::chain`].

use crate::store::{Store, WriteError};
use database::Transaction;
use sqlx::{AnyConnection, AssertSqlSafe};
use std::time::Duration;

/// How long a lease lasts unless it is renewed.
pub(crate) const LASTS: Duration = Duration::from_secs(5);
/// How often it is renewed, and how often a standby process tries to get it.
pub(crate) const BEAT: Duration = Duration::from_secs(1);

/// The right to make blocks, until another process takes it over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token(i64);

impl Store {
    /// Takes the lease, if nobody has it or it has expired. `at_once` does not wait for it to expire: for the only process
    /// that uses an embedded database, after a restart.
    pub(crate) async fn acquire(&self, holder: &str, at_once: bool) -> Result<Option<Token>, sqlx::Error> {
        let now = self.database.dialect().now_ms();
        let sql = format!(
            "INSERT INTO lease (name, holder, token, until) VALUES ('sequencer', $1, 1, {now} + $2) \
             ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, token = lease.token + 1, until = excluded.until \
             WHERE lease.until < {now} OR $3 = 1 RETURNING token"
        );
        let query = sqlx::query_scalar(AssertSqlSafe(sql)).bind(holder.to_owned()).bind(lasts());
        Ok(query.bind(i64::from(at_once)).fetch_optional(self.database.writing()).await?.map(Token))
    }

    /// Extends the lease, unless another process took it over.
    pub(crate) async fn renew(&self, token: Token) -> Result<(), WriteError> {
        let mut connection = self.database.writing().acquire().await?;
        self.fence(&mut connection, token).await
    }

    /// Begins a transaction during which no other process can take the lease over.
    pub(crate) async fn fenced(&self, token: Token) -> Result<Transaction, WriteError> {
        let mut transaction = self.database.begin().await?;
        match self.fence(&mut transaction, token).await {
            Ok(()) => Ok(transaction),
            Err(error) => {
                transaction.roll_back().await;
                Err(error)
            }
        }
    }

    async fn fence(&self, connection: &mut AnyConnection, token: Token) -> Result<(), WriteError> {
        let now = self.database.dialect().now_ms();
        let sql = format!("UPDATE lease SET until = {now} + $1 WHERE name = 'sequencer' AND token = $2");
        let renewed = sqlx::query(AssertSqlSafe(sql)).bind(lasts()).bind(token.0).execute(connection).await?;
        if renewed.rows_affected() == 1 { Ok(()) } else { Err(WriteError::Overtaken) }
    }
}

fn lasts() -> i64 {
    i64::try_from(LASTS.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
