//! What the service must be told.

use bus::Bus;
use caller::ServiceToken;
use channel::{Channel, http::Http};
use seal::id::Service;
use std::{num::NonZeroU32, time::Duration};

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
    /// How often there are checkpoints, and how often witnesses are asked.
    pub pace: Pace,
    /// Who this process is among the replicas: shown to operators, who look for the one that makes blocks.
    pub instance: String,
    /// Where the journals are.
    pub journals: Journals,
    /// Where it is told that journals moved.
    pub bus: Bus,
    /// By which witnesses are reached.
    pub http: Http,
}

/// How often there are checkpoints, and how often witnesses are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The shortest time between two checkpoints.
    pub interval: Duration,
    /// The oldest the published checkpoint's cosignatures get: after this time an idle chain has them made anew.
    pub refresh: Duration,
    /// How many times each witness is asked to cosign within a minute, at most.
    pub witness_rate: NonZeroU32,
    /// How long a witness may take to answer before it counts as away. Nobody waits for it who has the quorum.
    pub witness_patience: Duration,
}

impl Default for Pace {
    /// Five checkpoints a second, cosigned anew every five minutes; ten requests a second to each witness, five seconds for
    /// each answer.
    fn default() -> Self {
        Self {
            interval: Duration::from_millis(200),
            refresh: Duration::from_secs(300),
            witness_rate: NonZeroU32::MIN.saturating_add(599),
            witness_patience: Duration::from_secs(5),
        }
    }
}

impl Pace {
    /// The shortest time between two requests to one witness.
    pub(crate) fn gap(&self) -> Duration {
        Duration::from_secs(60) / self.witness_rate.get()
    }
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
