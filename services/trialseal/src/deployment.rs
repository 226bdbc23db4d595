//! Everything in one process on embedded storage: the services, speaking real gRPC on loopback, and three witnesses.

mod data;

pub use data::{DataDir, write_secret};

use access::{AccessLog, Consents, RemoteFacts, ServiceToken};
use anyhow::{Context, Result};
use client::{Endpoints, channel};
use seal::{id::Service, policy::Policy};
use server::{Parts, bind, serve};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};
use tlog::key::{Algorithm, SignerKey};
use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::timeout};
use vault::{MasterKey, Vault};

/// The first of the ports that `up` takes unless told otherwise.
pub const DEFAULT_PORTS: u16 = 7401;
/// The name of the chain.
pub const ORIGIN: &str = "trialseal.example/chain";
/// The witnesses: who runs each, and by which algorithm it cosigns. Two of them are needed.
pub const WITNESSES: [(&str, Algorithm); 3] = [
    ("sponsor", Algorithm::CosignatureMlDsa44),
    ("cro", Algorithm::CosignatureEd25519),
    ("regulator", Algorithm::CosignatureMlDsa44),
];
/// The shortest time between two rounds of anchoring.
const INTERVAL: Duration = Duration::from_millis(200);
/// What receipts promise: on the chain within this time.
const ANCHORED_WITHIN_MS: u64 = 10_000;
/// How long running calls may take to finish when the deployment stops.
const DRAIN: Duration = Duration::from_secs(2);

/// A running deployment.
pub struct Deployment {
    /// Where its services are reached.
    pub endpoints: Endpoints,
    /// The policy that verifies its chain and receipts, without any study.
    pub policy: String,
    data: DataDir,
    stop: watch::Sender<bool>,
    tasks: JoinSet<Result<()>>,
}

impl Deployment {
    /// Starts everything on the data in `folder`. Ports are `ports`, `ports` + 1 …; 0 takes any that are free.
    pub async fn start(folder: &Path, ports: u16) -> Result<Self> {
        let data = DataDir::open(folder)?;
        let [enrollment, consent, capture, anchoring, witnesses @ ..] = listeners(ports).await?;
        let url = |listener: &TcpListener| Ok::<_, anyhow::Error>(format!("http://{}", listener.local_addr()?));
        let endpoints = Endpoints {
            enrollment: url(&enrollment)?,
            consent: url(&consent)?,
            capture: url(&capture)?,
            anchoring: url(&anchoring)?,
            witnesses: witnesses.iter().map(url).collect::<Result<_>>()?,
        };
        let keys = Keys::load(&data)?;
        let policy = keys.policy(&endpoints);
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
            let file = data.file(&format!("witness-{name}.sqlite"));
            let chains = vec![keys.chain.verifier()];
            start(listener, witness::open(witness::Config { file, key, chains }).await?);
        }
        let services = ServiceToken::new(&*data.secret("service.token")?);
        let vault = Vault::open(&data.file("vault.sqlite"), MasterKey::new(*data.secret("master.key")?)).await?;
        let channels = Channels::new(&endpoints, services)?;
        let [receipt_enrollment, receipt_consent, receipt_capture] = keys.receipts;
        start(enrollment, channels.enrollment(&data, receipt_enrollment, vault.clone()).await?);
        start(consent, channels.consent(&data, receipt_consent).await?);
        start(capture, channels.capture(&data, receipt_capture, vault).await?);
        start(anchoring, channels.anchoring(&data, keys.chain, &policy).await?);
        data.publish("endpoints.json", serde_json::to_string_pretty(&endpoints)?.as_bytes())?;
        data.publish("policy.txt", policy.as_bytes())?;
        Ok(Self { endpoints, policy, data, stop, tasks })
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
        let port = if ports == 0 { 0 } else { ports.checked_add(offset).context("the ports end at 65535")? };
        listeners.push(bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)).await?);
    }
    listeners.try_into().map_err(|_| anyhow::anyhow!("not all ports could be taken"))
}

struct Keys {
    chain: SignerKey,
    witnesses: Vec<SignerKey>,
    receipts: [Arc<SignerKey>; 3],
}

impl Keys {
    fn load(data: &DataDir) -> Result<Self> {
        let chain = data.signer("chain", ORIGIN, Algorithm::Ed25519)?;
        let witnesses = WITNESSES
            .iter()
            .map(|(name, algorithm)| {
                data.signer(&format!("witness-{name}"), &format!("trialseal.example/witness/{name}"), *algorithm)
            })
            .collect::<Result<_>>()?;
        let receipt = |service: Service| {
            let name = format!("trialseal.example/receipts/{service}");
            data.signer(&format!("receipts-{service}"), &name, Algorithm::Ed25519).map(Arc::new)
        };
        let receipts = [receipt(Service::Enrollment)?, receipt(Service::Consent)?, receipt(Service::Capture)?];
        Ok(Self { chain, witnesses, receipts })
    }

    fn policy(&self, endpoints: &Endpoints) -> String {
        let mut text = "# The chain, its witnesses and how many of them must agree (C2SP tlog-policy).\n".to_owned();
        text += &format!("log {} {}\n", self.chain.verifier(), endpoints.anchoring);
        let names: Vec<&str> = WITNESSES.iter().map(|(name, _)| *name).collect();
        for ((name, key), url) in names.iter().zip(&self.witnesses).zip(&endpoints.witnesses) {
            text += &format!("witness {name} {} {url}\n", key.verifier());
        }
        text += &format!("group witnesses 2 {}\nquorum witnesses\n", names.join(" "));
        text += "# Who signs receipts.\n";
        for key in &self.receipts {
            text += &format!("receipt {}\n", key.verifier());
        }
        text += "# Studies and their root keys: study <uuid> ed25519:<base64>\n";
        text
    }
}

/// How the services of this process reach each other.
struct Channels {
    enrollment: tonic::transport::Channel,
    consent: tonic::transport::Channel,
    capture: tonic::transport::Channel,
    services: ServiceToken,
}

impl Channels {
    fn new(endpoints: &Endpoints, services: ServiceToken) -> Result<Self> {
        Ok(Self {
            enrollment: channel(&endpoints.enrollment)?,
            consent: channel(&endpoints.consent)?,
            capture: channel(&endpoints.capture)?,
            services,
        })
    }

    fn enrollment_facts(&self) -> RemoteFacts {
        RemoteFacts::new(Service::Enrollment, self.enrollment.clone(), self.services.clone())
    }

    async fn enrollment(&self, data: &DataDir, receipt_key: Arc<SignerKey>, vault: Vault) -> Result<Parts> {
        let config = enrollment::Config {
            file: data.file("enrollment.sqlite"),
            receipt_key,
            anchored_within_ms: ANCHORED_WITHIN_MS,
            services: self.services.clone(),
            vault,
            accesses: AccessLog::new(self.consent.clone()),
            consents: Consents::new(self.consent.clone(), self.services.clone()),
        };
        Ok(enrollment::open(config).await?)
    }

    async fn consent(&self, data: &DataDir, receipt_key: Arc<SignerKey>) -> Result<Parts> {
        let config = consent::Config {
            file: data.file("consent.sqlite"),
            documents: data.file("documents"),
            receipt_key,
            anchored_within_ms: ANCHORED_WITHIN_MS,
            services: self.services.clone(),
            enrollment: self.enrollment_facts(),
        };
        Ok(consent::open(config).await?)
    }

    async fn capture(&self, data: &DataDir, receipt_key: Arc<SignerKey>, vault: Vault) -> Result<Parts> {
        let config = capture::Config {
            file: data.file("capture.sqlite"),
            receipt_key,
            anchored_within_ms: ANCHORED_WITHIN_MS,
            services: self.services.clone(),
            enrollment: self.enrollment_facts(),
            enrollment_channel: self.enrollment.clone(),
            consent_channel: self.consent.clone(),
            vault,
        };
        Ok(capture::open(config).await?)
    }

    async fn anchoring(&self, data: &DataDir, chain_key: SignerKey, policy: &str) -> Result<Parts> {
        let config = anchoring::Config {
            file: data.file("anchoring.sqlite"),
            chain: data.file("chain"),
            chain_key,
            policy: Policy::parse(policy).context("the deployment's own policy")?.tlog,
            interval: INTERVAL,
            journals: anchoring::Journals {
                enrollment: self.enrollment.clone(),
                consent: self.consent.clone(),
                capture: self.capture.clone(),
                services: self.services.clone(),
            },
        };
        Ok(anchoring::open(config).await?)
    }
}
