//! Opens the databases of services: SQLite files and PostgreSQL, one set of queries, explicit migrations.
//!
//! Queries are written once, with `$1` placeholders, and run through `sqlx`'s `Any` driver. Both dialects know
//! `INSERT … ON CONFLICT`, `RETURNING` and `VALUES` as a table; what one does not know of the other is in [`Dialect`],
//! what many rows need in [`Statement`].
//!
//! - SQLite (`sqlite:///path`): one process, embedded. The schema is brought up when the file is opened; its version is
//!   `PRAGMA user_version`.
//! - PostgreSQL 15 or newer (`postgres://…`): replicas share it. The schema is brought up by [`migrate`] alone; a service
//!   refuses a database that is older than it needs or newer than it can work with.
//!
//! What this crate is *not*: it knows no table of any service. Tables arrive as a [`Part`].

mod dialect;
mod error;
mod grant;
mod open;
mod part;
mod private;
mod statement;
mod write;

pub use dialect::Dialect;
pub use error::OpenError;
pub use grant::grant;
pub use open::{Database, file_url};
pub use part::{Migrated, Migration, Part, migrate};
pub use private::is_private;
pub use statement::{MAX_VALUES, Row, Statement};
pub use write::Transaction;

/// A whole number as SQL stores it: signed. Numbers of entries, blocks and times stay far below 2^63.
pub fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The inverse of [`signed`].
pub fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
