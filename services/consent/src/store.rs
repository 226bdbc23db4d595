//! The consent journal.

use crate::{Config, domain::Refusal};
use journal::Journal;

/// The journal as this service keeps it.
pub(crate) type Consent = Journal<Refusal>;

/// How the journal is opened.
pub(crate) fn journal(config: &Config) -> journal::Config {
    journal::Config {
        file: config.file.clone(),
        receipt_key: config.receipt_key.clone(),
        anchored_within_ms: config.anchored_within_ms,
        state_map: true,
    }
}
