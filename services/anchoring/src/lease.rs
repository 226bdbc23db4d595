//! Who makes blocks: one process at a time, by a lease in the database.
//!
//! # Why two processes that both believe to be active cannot fork the chain
//!
//! 1. A lease has a token that only grows. Each transaction that adds blocks or keeps a checkpoint updates the lease's row
//!    where the token is still its own, and does nothing if there is no such row. The update locks the row until the
//!    transaction ends, so a takeover comes wholly before it or wholly after it: blocks get their places from one process
//!    at a time, in one order, and a place once given is never given again (it is the primary key).
//! 2. A checkpoint is made of blocks read back from the database, after the transaction that placed them was committed.
//!    So whoever signs, and whenever (a process stopped just before it signs may go on minutes later), signs the root over
//!    a prefix of the one sequence of blocks. Two prefixes of one sequence are consistent: the shorter one's tree is in the
//!    longer one's, witnesses accept either order of news or refuse the older as old, and nothing is a fork.
//! 3. The lease is confirmed just before a checkpoint is signed and sent, and the transaction that keeps it is fenced like
//!    any other. This is not what prevents a fork, 1 and 2 do; it keeps a process that was overtaken from bothering
//!    witnesses.
//!
//! The clock is the database's alone: no process compares its own with anybody's. What this rests on is that a transaction
//! that was committed stays committed. A database that loses commits at a failover (an asynchronous replica that is
//! promoted) was rolled back, and is found out as such: see [`crate::chain`].

use crate::store::{Store, WriteError};
use database::Transaction;
use sqlx::{AnyConnection, AssertSqlSafe};
use std::time::Duration;

/// How long a lease lasts unless it is renewed.
pub(crate) const LASTS: Duration = Duration::from_secs(5);
/// How often it is renewed, and how often a process that stands by tries to get it.
pub(crate) const BEAT: Duration = Duration::from_secs(1);

/// The right to make blocks, until somebody else has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token(i64);

impl Store {
    /// Takes the lease, if nobody has it or it ran out. `at_once` does not wait until it runs out: for the one process that
    /// uses an embedded database, after a restart.
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

    /// Makes the lease last anew, if nobody took it over.
    pub(crate) async fn renew(&self, token: Token) -> Result<(), WriteError> {
        let mut connection = self.database.writing().acquire().await?;
        self.fence(&mut connection, token).await
    }

    /// Begins a transaction that nobody can take the lease over in.
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
