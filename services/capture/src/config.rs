//! What the service must be told.

use bus::Bus;
use caller::ServiceToken;
use channel::Channel;
use facts::RemoteFacts;
use std::sync::Arc;
use vault::Vault;

/// The configuration of the capture service.
pub struct Config {
    /// The journal's database, opened with [`crate::PART`].
    pub database: database::Database,
    /// Signs receipts.
    pub receipt_key: Arc<tlog::key::SignerKey>,
    /// Within how many milliseconds entries will be on the chain.
    pub anchored_within_ms: u64,
    /// How the deployment's services know each other.
    pub services: ServiceToken,
    /// The enrollment service's facts.
    pub enrollment: RemoteFacts,
    /// Where the consent service is reached.
    pub consent_channel: Channel,
    /// The participants' keys.
    pub vault: Vault,
    /// Where it is told that journals moved.
    pub bus: Bus,
    /// How much a study may hold here.
    pub quota: journal::Quota,
}
