//! What the witness must be told.

use std::path::PathBuf;
use tlog::key::{SignerKey, VerifierKey};

/// The configuration of a witness.
pub struct Config {
    /// The database file of what was cosigned.
    pub file: PathBuf,
    /// Signs cosignatures.
    pub key: SignerKey,
    /// The keys of the chains it cosigns; their names are the origins.
    pub chains: Vec<VerifierKey>,
}
