//! What the service must be told.

use caller::ServiceToken;
use channel::Channel;
use facts::RemoteFacts;
use vault::Vault;

/// The configuration of the capture service.
pub struct Config {
    /// The journals; their database opened with [`crate::PART`].
    pub journal: record::Settings,
    /// How the deployment's services know each other.
    pub services: ServiceToken,
    /// The enrollment service's facts.
    pub enrollment: RemoteFacts,
    /// Where the consent service is reached.
    pub consent_channel: Channel,
    /// The participants' keys.
    pub vault: Vault,
}
