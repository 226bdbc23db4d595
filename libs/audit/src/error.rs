//! Why an audit cannot go on. What is wrong with what it read is no error but a finding.

use crate::Source;
use std::error::Error;
use tlog::tile::BundleError;

/// Why an audit cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The source cannot be read.
    #[error(transparent)]
    Source(Box<dyn Error + Send + Sync>),
    /// A file of the chain cannot be read.
    #[error("{name}")]
    File {
        /// Its name.
        name: String,
        /// Why not.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A file of the chain is not an entry bundle.
    #[error("{name}")]
    Bundle {
        /// Its name.
        name: String,
        /// Why not.
        source: BundleError,
    },
}

impl AuditError {
    pub(crate) fn of<S: Source>(error: S::Error) -> Self {
        Self::Source(error.into())
    }
}
