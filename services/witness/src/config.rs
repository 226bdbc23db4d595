//! What the witness must be told.

use tlog::key::{SignerKey, VerifierKey};

/// The configuration of a witness.
pub struct Config {
    /// The database of what was cosigned, opened with [`crate::PART`].
    pub database: database::Database,
    /// Signs cosignatures.
    pub key: SignerKey,
    /// The keys of the chains it cosigns; their names are the origins.
    pub chains: Vec<VerifierKey>,
}
