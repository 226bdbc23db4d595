//! Statements with as many values as there are rows.

use sqlx::{
    AnyConnection, Arguments, AssertSqlSafe, Database, Encode, Sqlite, Type,
    any::{Any, AnyArguments, AnyRow},
    error::BoxDynError,
};
use std::fmt::Write;

/// The most values bound to one statement: SQLite takes 32,766, PostgreSQL 65,535.
pub const MAX_VALUES: usize = 32_000;

/// A statement in the making: text, and values behind `$1`, `$2` … in the order they are bound.
///
/// Its text is made of string literals, which hold no `$`, and of placeholders, never of values.
#[derive(Default)]
pub struct Statement {
    sql: String,
    arguments: AnyArguments,
    bound: usize,
    failed: Option<BoxDynError>,
}

impl Statement {
    /// A statement that begins so.
    pub fn new(sql: &'static str) -> Self {
        Self { sql: sql.to_owned(), ..Self::default() }
    }

    /// Adds text.
    pub fn push(&mut self, sql: &'static str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    /// Adds a value.
    pub fn bind<'t, T: Encode<'t, Any> + Type<Any>>(&mut self, value: T) -> &mut Self {
        self.bound += 1;
        let _infallible = write!(self.sql, "${}", self.bound);
        if let Err(error) = self.arguments.add(value) {
            self.failed = Some(error);
        }
        self
    }

    /// Adds `($1, $2), ($3, $4) …`: for each item a row, whose values `row` binds with [`Row::value`].
    pub fn rows<I: IntoIterator>(&mut self, items: I, mut row: impl FnMut(&mut Row<'_>, I::Item)) -> &mut Self {
        let mut before = "";
        for item in items {
            self.sql.push_str(before);
            self.sql.push('(');
            row(&mut Row { statement: self, before: "" }, item);
            self.sql.push(')');
            before = ", ";
        }
        self
    }

    /// Adds `$1, $2 …`.
    pub fn list<'t, T: Encode<'t, Any> + Type<Any>>(&mut self, values: impl IntoIterator<Item = T>) -> &mut Self {
        let mut row = Row { statement: self, before: "" };
        for value in values {
            row.value(value);
        }
        self
    }

    /// Runs the statement and gives the number of rows it changed.
    pub async fn execute(self, connection: &mut AnyConnection) -> Result<u64, sqlx::Error> {
        let kept = self.is_kept_by(connection);
        let query = sqlx::query_with(self.text_for(connection), checked(self.arguments, self.failed)?);
        query.persistent(kept).execute(connection).await.map(|done| done.rows_affected())
    }

    /// Runs the statement and gives its rows.
    pub async fn fetch_all(self, connection: &mut AnyConnection) -> Result<Vec<AnyRow>, sqlx::Error> {
        let kept = self.is_kept_by(connection);
        let query = sqlx::query_with(self.text_for(connection), checked(self.arguments, self.failed)?);
        query.persistent(kept).fetch_all(connection).await
    }

    /// The text as the connection's database reads it fastest. To SQLite `$1` is a name, and names are looked for one after
    /// the other, for each of them; `?` is the next value.
    fn text_for(&self, connection: &AnyConnection) -> AssertSqlSafe<String> {
        let is_sqlite = connection.backend_name() == Sqlite::NAME;
        AssertSqlSafe(if is_sqlite { unnumbered(&self.sql) } else { self.sql.clone() })
    }

    /// Whether the connection keeps the statement prepared. A server keeps those of every connection of every replica, and
    /// one of many values takes megabytes and is hardly ever met again.
    fn is_kept_by(&self, connection: &AnyConnection) -> bool {
        const FEW: usize = 24;
        self.bound <= FEW || connection.backend_name() == Sqlite::NAME
    }
}

/// The text with `?` for `$1`, `$2` …
fn unnumbered(sql: &str) -> String {
    let mut parts = sql.split('$');
    let mut unnumbered = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        unnumbered.push('?');
        unnumbered.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    unnumbered
}

fn checked(arguments: AnyArguments, failed: Option<BoxDynError>) -> Result<AnyArguments, sqlx::Error> {
    failed.map_or(Ok(arguments), |error| Err(sqlx::Error::Encode(error)))
}

/// A row in the making.
pub struct Row<'s> {
    statement: &'s mut Statement,
    before: &'static str,
}

impl Row<'_> {
    /// Adds a value.
    pub fn value<'t, T: Encode<'t, Any> + Type<Any>>(&mut self, value: T) -> &mut Self {
        self.statement.sql.push_str(self.before);
        self.before = ", ";
        self.statement.bind(value);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_numbered_through() {
        let mut statement = Statement::new("INSERT INTO t (a, b) VALUES ");
        statement.rows([(1_i64, "x"), (2, "y")], |row, (a, b)| {
            row.value(a).value(b);
        });
        statement.push(" RETURNING a IN (").list([3_i64, 4]).push(")");
        assert_eq!(statement.sql, "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4) RETURNING a IN ($5, $6)");
        assert_eq!(statement.arguments.len(), 6);
        assert_eq!(unnumbered(&statement.sql), "INSERT INTO t (a, b) VALUES (?, ?), (?, ?) RETURNING a IN (?, ?)");
    }
}
