//! Why a database is not opened.

/// Why a database is not opened or brought up. Nothing in it has changed, except that a migration that was finished
/// stays.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is not one of a database known here.
    #[error("the database's URL is neither sqlite:///path nor postgres://user:password@host/name")]
    Url(#[source] sqlx::Error),
    /// The file cannot be made, or others may open it and that cannot be changed.
    #[error("the permissions of the database's file cannot be restricted to its owner")]
    File(#[source] std::io::Error),
    /// The database was made or migrated by a program that this one cannot work beside.
    #[error("the {part} database has format {found}, this program supports at most {known}: use the newer program")]
    Newer {
        /// Whose tables.
        part: &'static str,
        /// The format found.
        found: i64,
        /// The newest format known.
        known: i64,
    },
    /// The database lacks migrations.
    #[error("the {part} database has format {found}, but this program needs {known}: run `trialseal migrate {part}`")]
    Older {
        /// Whose tables.
        part: &'static str,
        /// The format found; 0 if there are no tables.
        found: i64,
        /// The format needed.
        known: i64,
    },
    /// The database cannot be reached, or answers with an error.
    #[error("the {part} database cannot be opened")]
    Database {
        /// Whose tables.
        part: &'static str,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
}
