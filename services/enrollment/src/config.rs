//! What the service must be told.

use access::AccessLog;
use bus::Bus;
use facts::Consents;

/// The configuration of the enrollment service.
pub struct Config {
    /// The journal's database, opened with [`crate::PART`].
    pub database: database::Database,
    /// Signs receipts.
    pub receipt_key: std::sync::Arc<tlog::key::SignerKey>,
    /// Within how many milliseconds entries will be on the chain.
    pub anchored_within_ms: u64,
    /// Where reads from outside a participant's site are recorded.
    pub accesses: AccessLog,
    /// Who decides whether a participant's consent is in force.
    pub consents: Consents,
    /// Seals screening answers under the participants' keys, and the study's own secrets.
    pub vault: vault::Vault,
    /// Where it is told that journals moved.
    pub bus: Bus,
    /// Who may create studies.
    pub creators: crate::Creators,
    /// How much a study may hold here.
    pub quota: journal::Quota,
}
