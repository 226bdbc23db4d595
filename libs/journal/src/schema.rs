//! The tables of a journal, and how they come to be.

use database::{Migration, Part};

/// The first format, for SQLite. For a service that has tables of its own beside its journal.
pub const SQLITE_1: &str = include_str!("../migrations/1.sqlite.sql");
/// The first format, for PostgreSQL.
pub const POSTGRES_1: &str = include_str!("../migrations/1.postgres.sql");

const MIGRATIONS: &[Migration] = &[Migration { oldest: 1, sqlite: &[SQLITE_1], postgres: &[POSTGRES_1] }];

/// The tables of a service that has nothing but a journal. `name` is the service's.
pub const fn part(name: &'static str) -> Part {
    Part { name, migrations: MIGRATIONS }
}
