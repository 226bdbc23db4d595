//! What the service must be told.

use access::AccessLog;
use facts::Consents;

/// The configuration of the enrollment service.
pub struct Config {
    /// The journals; their database opened with [`crate::PART`].
    pub journal: record::Settings,
    /// Where reads from outside a participant's site are recorded.
    pub accesses: AccessLog,
    /// Who decides whether a participant's consent is in force.
    pub consents: Consents,
    /// Seals screening answers under the participants' keys, and the study's own secrets.
    pub vault: vault::Vault,
    /// Who may create studies.
    pub creators: crate::Creators,
}
