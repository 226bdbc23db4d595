//! What the service must be told.

use access::ServiceToken;
use bus::Bus;
use channel::{Channel, http::Http};
use seal::id::Service;
use std::time::Duration;

/// The configuration of the anchoring service.
pub struct Config {
    /// The database of blocks and checkpoints, opened with [`crate::PART`].
    pub database: database::Database,
    /// Where the chain's files are kept: `checkpoint` and `tile/`.
    pub chain: objects::Objects,
    /// Signs checkpoints; its name is the chain's origin.
    pub chain_key: tlog::key::SignerKey,
    /// Signs checkpoints too, by ML-DSA-44, under the same name (C2SP tlog-cosignature, type 06). Chains that began without
    /// one have none.
    pub chain_key_ml_dsa: Option<tlog::key::SignerKey>,
    /// Witnesses, their addresses and the quorum a checkpoint needs.
    pub policy: tlog::policy::Policy,
    /// The shortest time between two rounds.
    pub interval: Duration,
    /// Who this process is among the replicas: shown to operators, who look for the one that makes blocks.
    pub instance: String,
    /// Where the journals are.
    pub journals: Journals,
    /// Where it is told that journals moved.
    pub bus: Bus,
    /// By which witnesses are reached.
    pub http: Http,
}

/// Where the journals of the recording services are read.
#[derive(Clone)]
pub struct Journals {
    /// Enrollment.
    pub enrollment: Channel,
    /// Consent.
    pub consent: Channel,
    /// Capture.
    pub capture: Channel,
    /// How the deployment's services know each other.
    pub services: ServiceToken,
}

impl Journals {
    /// Where a service is reached.
    pub fn channel(&self, service: Service) -> Channel {
        match service {
            Service::Enrollment => self.enrollment.clone(),
            Service::Consent => self.consent.clone(),
            Service::Capture => self.capture.clone(),
        }
    }
}
