//! How the services are put together, in one process or in many.

use crate::keys::ChainKeys;
use access::AccessLog;
use anyhow::{Context, Result};
use bus::Bus;
use caller::ServiceToken;
use channel::{Channel, http::Http};
use database::Database;
use enrollment::Creators;
use facts::{Consents, RemoteFacts};
use journal::Quota;
use objects::Objects;
use permission::Gatekeeper;
use record::Settings;
use seal::{id::Service, policy::Policy};
use server::{Allowance, Checked, Parts};
use std::sync::Arc;
use tlog::key::SignerKey;
use tls::Identity;
use vault::Vault;

/// What one service asks another at once. Two replicas that ask as much are still within what is let in, so that those who
/// were let in here are not refused there.
const AT_ONCE: usize = 128;
/// What receipts promise: on the chain within this time.
const ANCHORED_WITHIN_MS: u64 = 10_000;

/// Where the recording services are reached: URLs. A service names those it asks; the others may be empty.
#[derive(Debug, Clone, Default)]
pub struct Peers {
    /// The enrollment service.
    pub enrollment: String,
    /// The consent service.
    pub consent: String,
    /// The capture service.
    pub capture: String,
}

/// How the services of a deployment reach each other.
pub struct Wiring {
    /// Where they are.
    pub peers: Peers,
    /// How they know each other.
    pub services: ServiceToken,
    /// By which certificates.
    pub identity: Option<Identity>,
    /// Who lets callers in.
    pub gatekeeper: Gatekeeper,
    /// Where it is told that journals moved.
    pub bus: Bus,
    /// How often each caller may call; as often as they like unless given.
    pub allowance: Option<Arc<dyn Allowance>>,
    /// Who this process is among the replicas of its service.
    pub instance: String,
    /// How much a study may hold at each service.
    pub quota: Quota,
}

impl Wiring {
    fn channel(&self, service: Service) -> Result<Channel> {
        let url = match service {
            Service::Enrollment => &self.peers.enrollment,
            Service::Consent => &self.peers.consent,
            Service::Capture => &self.peers.capture,
        };
        let settings = channel::Settings { at_once: AT_ONCE, ..channel::Settings::default() };
        let channel = Channel::new(url, self.identity.clone(), settings);
        channel.with_context(|| format!("the URL of the {service} service is invalid: check --{service}"))
    }

    fn at_the_door(&self, parts: Parts) -> Parts {
        parts.guarded(self.gatekeeper.clone()).allowance(self.allowance.clone())
    }

    /// How a recording service keeps its journals.
    fn journal(&self, database: Database, receipt_key: Arc<SignerKey>) -> Settings {
        let (bus, quota) = (self.bus.clone(), self.quota);
        Settings { database, receipt_key, anchored_within_ms: ANCHORED_WITHIN_MS, bus, quota }
    }

    fn enrollment_facts(&self) -> Result<RemoteFacts> {
        Ok(RemoteFacts::new(Service::Enrollment, self.channel(Service::Enrollment)?, self.services.clone()))
    }

    /// The enrollment service.
    pub fn enrollment(
        &self,
        database: Database,
        receipt_key: Arc<SignerKey>,
        vault: Vault,
        creators: Creators,
    ) -> Result<Parts> {
        let consent = self.channel(Service::Consent)?;
        let databases = [("enrollment.database", database.clone()), ("vault.database", vault.database().clone())];
        let config = enrollment::Config {
            journal: self.journal(database, receipt_key),
            vault,
            accesses: AccessLog::new(consent.clone()),
            consents: Consents::new(consent, self.services.clone()),
            creators,
        };
        Ok(self.at_the_door(ready_with(enrollment::open(config), databases)))
    }

    /// The consent service.
    pub fn consent(&self, database: Database, documents: Objects, receipt_key: Arc<SignerKey>) -> Result<Parts> {
        let databases = [("consent.database", database.clone())];
        let config = consent::Config {
            journal: self.journal(database, receipt_key),
            documents,
            enrollment: self.enrollment_facts()?,
        };
        Ok(self.at_the_door(ready_with(consent::open(config), databases)))
    }

    /// The capture service.
    pub fn capture(&self, database: Database, receipt_key: Arc<SignerKey>, vault: Vault) -> Result<Parts> {
        let databases = [("capture.database", database.clone()), ("vault.database", vault.database().clone())];
        let config = capture::Config {
            journal: self.journal(database, receipt_key),
            services: self.services.clone(),
            enrollment: self.enrollment_facts()?,
            consent_channel: self.channel(Service::Consent)?,
            vault,
        };
        Ok(self.at_the_door(ready_with(capture::open(config), databases)))
    }

    /// The anchoring service.
    pub fn anchoring(
        &self,
        database: Database,
        chain: Objects,
        keys: ChainKeys,
        policy: &str,
        pace: anchoring::Pace,
    ) -> Result<Parts> {
        let databases = [("anchoring.database", database.clone())];
        let config = anchoring::Config {
            database,
            chain,
            chain_key: keys.ed25519,
            chain_key_ml_dsa: keys.ml_dsa,
            policy: Policy::parse(policy).context("the policy")?.tlog,
            pace,
            instance: self.instance.clone(),
            journals: anchoring::Journals {
                enrollment: self.channel(Service::Enrollment)?,
                consent: self.channel(Service::Consent)?,
                capture: self.channel(Service::Capture)?,
                services: self.services.clone(),
            },
            http: Http::new(self.identity.clone())?,
            bus: self.bus.clone(),
        };
        Ok(self.at_the_door(ready_with(anchoring::open(config), databases)))
    }
}

/// A witness.
pub fn witness(config: witness::Config) -> Parts {
    let database = config.database.clone();
    ready_with(witness::open(config), [("witness.database", database)])
}

/// A service whose database does not answer is not ready. Other services do not count: if they did, one that is away would
/// take all that ask it away too.
fn ready_with<const N: usize>(parts: Parts, databases: [(&'static str, Database); N]) -> Parts {
    databases.into_iter().fold(parts, |parts, (name, database)| {
        parts.check(name, move || {
            let database = database.clone();
            async move { if database.answers().await.is_ok() { Checked::Ready } else { Checked::NotReady } }
        })
    })
}
