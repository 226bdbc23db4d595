//! What a service's own user may do: read and write rows, and no more.

use crate::{Database, Dialect, OpenError, Part};
use sqlx::{AnyConnection, AssertSqlSafe};

/// Lets a role read and write the rows of a migrated PostgreSQL database, and vacuum its tables where PostgreSQL knows that
/// right (17 and newer). Doing it again changes nothing; a SQLite file has no roles.
pub async fn grant(url: &str, part: &Part, role: &str) -> Result<(), OpenError> {
    let database = Database::unchecked(url)?;
    if database.dialect() == Dialect::Sqlite {
        return Ok(());
    }
    let mut connection = database.acquire(part).await?;
    granted(&mut connection, role).await.map_err(|error| part.failed(error))
}

async fn granted(connection: &mut AnyConnection, role: &str) -> Result<(), sqlx::Error> {
    let version: i32 =
        sqlx::query_scalar("SELECT current_setting('server_version_num')::int").fetch_one(&mut *connection).await?;
    let schema: String = sqlx::query_scalar("SELECT current_schema()::text").fetch_one(&mut *connection).await?;
    let (role, schema, vacuum) = (quoted(role), quoted(&schema), if version >= 170_000 { ", MAINTAIN" } else { "" });
    let sql = format!(
        "GRANT USAGE ON SCHEMA {schema} TO {role}; \
         GRANT SELECT, INSERT, UPDATE, DELETE{vacuum} ON ALL TABLES IN SCHEMA {schema} TO {role}; \
         GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role}"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(|_| ())
}

/// A name as SQL writes it, whatever is in it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
