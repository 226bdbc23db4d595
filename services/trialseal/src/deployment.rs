//! Everything in one process on embedded storage: the services, speaking real gRPC on loopback, and three witnesses.

mod data;

pub use data::DataDir;

use crate::{
    foreign::{self, ForeignWitnesses},
    keys::{self, ChainKeys, KeyDir, NAME, WITNESSES},
    telling,
    wiring::{self, Peers, Wiring},
};
use anchoring::Pace;
use anyhow::{Context, Result};
use bus::Bus;
use caller::ServiceToken;
use client::Endpoints;
use enrollment::Creators;
use journal::Quota;
use objects::Objects;
use permission::Gatekeeper;
use seal::id::Service;
use server::{bind, serve};
use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};
use tlog::key::SignerKey;
use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::timeout};
use vault::{MasterKey, Vault};
use zeroize::Zeroizing;

/// The first of the ports that `up` takes unless told otherwise.
pub const DEFAULT_PORTS: u16 = 7401;
/// How long running calls may take to finish when the deployment stops.
const DRAIN: Duration = Duration::from_secs(2);

/// A running deployment.
pub struct Deployment {
    /// Where its services are reached.
    pub endpoints: Endpoints,
    /// The policy that verifies its chain and receipts, without any study: the text of both its files.
    pub policy: String,
    data: DataDir,
    stop: watch::Sender<bool>,
    tasks: JoinSet<Result<()>>,
}

impl Deployment {
    /// Starts everything on the data in `folder`. Ports are `ports`, `ports` + 1 …; 0 takes any that are free. Whoever
    /// reaches it, which is who works on this machine, may create studies.
    pub async fn start(folder: &Path, ports: u16) -> Result<Self> {
        Self::start_for(folder, ports, (Creators::anybody(), Quota::default(), Pace::default())).await
    }

    /// As [`Deployment::start`], with studies created by `creators` only, each within a quota, and checkpoints at a pace.
    pub async fn start_for(folder: &Path, ports: u16, within: (Creators, Quota, Pace)) -> Result<Self> {
        Self::start_beside(folder, ports, within, &ForeignWitnesses::default()).await
    }

    /// As [`Deployment::start_for`], with witnesses that others run beside the three of its own.
    pub async fn start_beside(
        folder: &Path,
        ports: u16,
        (creators, quota, pace): (Creators, Quota, Pace),
        foreign: &ForeignWitnesses,
    ) -> Result<Self> {
        let data = DataDir::open(folder)?;
        let [enrollment, consent, capture, anchoring, witnesses @ ..] = listeners(ports).await?;
        let url = |listener: &TcpListener| Ok::<_, anyhow::Error>(format!("http://{}", listener.local_addr()?));
        let mut endpoints = Endpoints {
            enrollment: url(&enrollment)?,
            consent: url(&consent)?,
            capture: url(&capture)?,
            anchoring: url(&anchoring)?,
            witnesses: witnesses.iter().map(url).collect::<Result<_>>()?,
            tls: None,
        };
        data.has_its_keys(&Keys::files(&data))?;
        let keys = Keys::load(data.keys())?;
        let own = keys.witnesses.iter().map(SignerKey::verifier).collect();
        let all = foreign.beside(keys::own_witnesses(own, &endpoints.witnesses))?;
        endpoints.witnesses = all.iter().map(|witness| witness.url.clone()).collect();
        let chains = keys.chain.verifiers();
        let policy = foreign::checked(keys::policy(&chains, &endpoints.anchoring, &all, foreign.quorum()))?;
        let policy_keys = keys.policy_keys();
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let mut start = |listener, parts| {
            let mut stopped = stopped.clone();
            tasks.spawn(async move {
                let until = async move { drop(stopped.wait_for(|stop| *stop).await) };
                Ok(serve(listener, parts, until).await?)
            });
        };
        for ((listener, (name, _)), key) in witnesses.into_iter().zip(WITNESSES).zip(keys.witnesses) {
            let database = data.database(&format!("witness-{name}"), &witness::PART).await?;
            let chains = chains.clone();
            start(listener, wiring::witness(witness::Config { database, key, chains }));
        }
        let services = ServiceToken::new(&keys.services);
        let vault = Vault::open(data.database("vault", &vault::PART).await?, MasterKey::new(*keys.master));
        let Endpoints { enrollment: at_enrollment, consent: at_consent, capture: at_capture, .. } = endpoints.clone();
        let peers = Peers { enrollment: at_enrollment, consent: at_consent, capture: at_capture };
        let gatekeeper = Gatekeeper::new()?.with_services(services.clone());
        let bus = Bus::in_process();
        telling::measure(&bus, None);
        let instance = "up".to_owned();
        let wiring = Wiring { peers, services, identity: None, gatekeeper, bus, allowance: None, instance, quota };
        let [for_enrollment, for_consent, for_capture] = keys.receipts;
        let database = data.database("enrollment", &enrollment::PART).await?;
        start(enrollment, wiring.enrollment(database, for_enrollment, vault.clone(), creators)?);
        let documents = Objects::folder(&data.file("documents"))?;
        let database = data.database("consent", &consent::PART).await?;
        start(consent, wiring.consent(database, documents, for_consent)?);
        let database = data.database("capture", &capture::PART).await?;
        start(capture, wiring.capture(database, for_capture, vault)?);
        let database = data.database("anchoring", &anchoring::PART).await?;
        let files = Objects::folder(&data.file("chain"))?;
        start(anchoring, wiring.anchoring(database, files, keys.chain, &policy, pace)?);
        data.publish("endpoints.json", serde_json::to_string_pretty(&endpoints)?.as_bytes())?;
        data.publish("policy.txt", policy.as_bytes())?;
        data.publish("policy-keys.txt", policy_keys.as_bytes())?;
        Ok(Self { endpoints, policy: policy + &policy_keys, data, stop, tasks })
    }

    /// The data directory.
    pub fn data(&self) -> &DataDir {
        &self.data
    }

    /// Completes when a service ends by itself, which none should.
    pub async fn failed(&mut self) -> anyhow::Error {
        match self.tasks.join_next().await {
            Some(Ok(Err(error))) => error,
            _ => anyhow::anyhow!("a service stopped"),
        }
    }

    /// Lets running calls finish, then stops.
    pub async fn stop(mut self) {
        let _all_stopped_already = self.stop.send(true);
        let drained = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(DRAIN, drained).await.is_err() {
            self.tasks.shutdown().await; // calls that follow a journal never end by themselves
        }
    }
}

async fn listeners(ports: u16) -> Result<[TcpListener; 7]> {
    let mut listeners = Vec::new();
    for offset in 0..7 {
        let port =
            if ports == 0 { 0 } else { ports.checked_add(offset).context("there are not enough ports below 65536")? };
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        listeners.push(bind(address).await.context("choose other ports with --port")?);
    }
    listeners.try_into().map_err(|_| anyhow::anyhow!("not all ports could be used"))
}

/// The services that sign receipts.
const RECEIPTED: [Service; 3] = [Service::Enrollment, Service::Consent, Service::Capture];

struct Keys {
    chain: ChainKeys,
    witnesses: Vec<SignerKey>,
    receipts: [Arc<SignerKey>; 3],
    services: Zeroizing<[u8; 32]>,
    master: Zeroizing<[u8; 32]>,
}

impl Keys {
    /// The files they are kept in. A chain's second key is one of them if the policy written last names two.
    fn files(data: &DataDir) -> Vec<String> {
        let policy = fs::read_to_string(data.file("policy.txt")).unwrap_or_default();
        let two = policy.lines().filter(|line| line.starts_with("log ")).count() > 1;
        let second = two.then(|| "chain-ml-dsa.key".to_owned());
        let witnesses = WITNESSES.iter().map(|(name, _)| format!("witness-{name}.key"));
        let receipts = RECEIPTED.iter().map(|service| format!("receipts-{service}.key"));
        let others = ["chain.key", "service.token", "master.key"].map(ToOwned::to_owned);
        others.into_iter().chain(second).chain(receipts).chain(witnesses).collect()
    }

    /// Reads them all, and makes those that are missing.
    fn load(keys: &KeyDir) -> Result<Self> {
        let witness = |of: &(&str, _)| keys.witness(&format!("witness-{}", of.0), NAME, *of);
        let [enrollment, consent, capture] = RECEIPTED.map(|service| keys.receipts(NAME, service).map(Arc::new));
        Ok(Self {
            chain: keys.chain(NAME)?,
            witnesses: WITNESSES.iter().map(witness).collect::<Result<_>>()?,
            receipts: [enrollment?, consent?, capture?],
            services: keys.secret_or_new("service.token")?,
            master: keys.secret_or_new("master.key")?,
        })
    }

    fn policy_keys(&self) -> String {
        let receipts: Vec<_> = self.receipts.iter().map(|key| key.verifier()).collect();
        keys::policy_keys(&receipts)
    }
}
