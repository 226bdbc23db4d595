//! What the service must be told.

use facts::RemoteFacts;

/// The configuration of the consent service.
pub struct Config {
    /// The journals; their database opened with [`crate::PART`].
    pub journal: record::Settings,
    /// Where the documents' files are kept, each named by its SHA-256.
    pub documents: objects::Objects,
    /// The enrollment service's facts.
    pub enrollment: RemoteFacts,
}
