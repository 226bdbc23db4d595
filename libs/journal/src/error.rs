//! What can go wrong with a journal.

/// Why a proposal was not recorded. Nothing of it is stored.
#[derive(Debug, thiserror::Error)]
pub enum AppendError<E> {
    /// The rule refused.
    #[error("refused")]
    Refused(E),
    /// The request id was used with another envelope.
    #[error("the request id was already used with another envelope")]
    RequestReused,
    /// The stream holds as much as its quota allows: `bytes` or `entries`.
    #[error("the study has reached the operator's limit on {0}")]
    Quota(&'static str),
    /// The stored journal does not match its own hashes.
    #[error("the stored journal is damaged and is not extended")]
    Broken,
    /// The database cannot be written.
    #[error("the journal cannot be written")]
    Storage,
}

/// Why a read failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such stream, entry or state.
    #[error("there is no such stream, entry or state")]
    NotFound,
    /// What is stored cannot be what was written.
    #[error("the stored journal is damaged")]
    Broken,
    /// The database cannot be read.
    #[error("the journal cannot be read")]
    Database(#[source] sqlx::Error),
}

impl From<sqlx::Error> for ReadError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            // A value of another type than was written: somebody changed it.
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => ReadError::Broken,
            error => ReadError::Database(error),
        }
    }
}
