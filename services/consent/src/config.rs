//! What the service must be told.

use bus::Bus;
use facts::RemoteFacts;
use std::sync::Arc;

/// The configuration of the consent service.
pub struct Config {
    /// The journal's database, opened with [`crate::PART`].
    pub database: database::Database,
    /// Where the documents' files are kept, each named by its SHA-256.
    pub documents: objects::Objects,
    /// Signs receipts.
    pub receipt_key: Arc<tlog::key::SignerKey>,
    /// Within how many milliseconds entries will be on the chain.
    pub anchored_within_ms: u64,
    /// The enrollment service's facts.
    pub enrollment: RemoteFacts,
    /// Where it is told that journals moved.
    pub bus: Bus,
    /// How much a study may hold here.
    pub quota: journal::Quota,
}
