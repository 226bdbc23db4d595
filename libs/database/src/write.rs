//! Transactions that write.

use crate::Dialect;
use sqlx::{Any, AnyConnection, AnyPool, pool::PoolConnection};
use std::ops::{Deref, DerefMut};

/// A transaction that writes. Unless it is committed or rolled back, and the database says so, its connection is closed,
/// and with it whatever it held: nobody goes on in a transaction whose state is unknown.
pub struct Transaction {
    connection: PoolConnection<Any>,
    ended: bool,
}

impl Transaction {
    pub(crate) async fn begin(pool: &AnyPool, dialect: Dialect) -> Result<Self, sqlx::Error> {
        let mut transaction = Self { connection: pool.acquire().await?, ended: false };
        transaction.run(dialect.begin()).await?;
        Ok(transaction)
    }

    /// Makes what was written durable. After an error it may be durable or not.
    pub async fn commit(mut self) -> Result<(), sqlx::Error> {
        if let Err(error) = self.run("COMMIT").await {
            self.roll_back().await;
            return Err(error);
        }
        self.ended = true;
        Ok(())
    }

    /// Gives up what was written, and the locks. If the database does not answer, its closed connection says it.
    pub async fn roll_back(mut self) {
        // After a full disk SQLite may have rolled back by itself; then there is nothing left to roll back.
        self.ended = match self.run("ROLLBACK").await {
            Err(sqlx::Error::Database(error)) => error.message().contains("no transaction is active"),
            other => other.is_ok(),
        };
    }

    /// Not `sqlx`'s own transactions: they count how deep they are, and miscount after SQLite rolled back by itself.
    async fn run(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(sql).execute(&mut *self.connection).await.map(|_| ())
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if !self.ended {
            self.connection.close_on_drop();
        }
    }
}

impl Deref for Transaction {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.connection
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.connection
    }
}
