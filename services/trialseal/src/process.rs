//! One service as a process of its own: the same code as in `trialseal up`, with its surroundings told by flags.

mod args;
mod pace;
mod quotas;

pub use args::{PlainBackends, Process, Witness};
pub use pace::{Pace, duration};
pub use quotas::Quotas;

use crate::{
    keys::KeyDir,
    telling,
    wiring::{self, Wiring},
};
use anyhow::{Context, Result};
use args::Common;
use bus::{Bus, Trust};
use caller::{ServiceToken, oidc::Oidc};
use database::{Database, Part};
use enrollment::Creators;
use objects::Objects;
use permission::Gatekeeper;
use rate_limits::{Rate, RateLimits};
use seal::{id::Service, policy::Policy};
use server::{Allowance, Parts, bind, serve, serve_tls};
use std::{
    fs,
    io::{self, IsTerminal},
    net::SocketAddr,
    num::NonZeroU32,
    path::Path,
    sync::Arc,
};
use tlog::key::SignerKey;
use tls::Identity;
use tokio::signal::unix::{SignalKind, signal};
use vault::{MasterKey, Vault};

/// Of how many seconds' calls a caller may make at once.
const BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(3);

/// Runs the service until it is told to stop.
pub async fn run(process: Process) -> Result<()> {
    let common = process.common();
    let service = telemetry::Service {
        name: process.name(),
        instance: Some(common.instance.clone()),
        level: "info",
        json: !io::stderr().is_terminal(),
    };
    let telling = telling::begin(&service)?;
    let identity = common.identity()?;
    let parts = open(&process, identity.clone()).await?.limits(common.limits());
    if let Some(address) = common.metrics {
        telling::expose(address, Some(&parts)).await?;
    }
    let ended = serve_until_told(process.listen(), identity, parts).await;
    telling.finish().await;
    ended
}

async fn open(process: &Process, identity: Option<Identity>) -> Result<Parts> {
    let keys = KeyDir::existing(process.common().keys.clone());
    let wiring = || wiring(process, identity, &keys);
    let open = async |part| database(process.common(), "--database", &process.common().database, part).await;
    match process {
        Process::Enrollment(it) => {
            let vault = vault(process.common(), &keys, &it.vault_database).await?;
            let creators = creators(it.studies.as_deref())?.at_most(it.studies_per_hour);
            let (database, key) = (open(&enrollment::PART).await?, receipt_key(&keys, Service::Enrollment)?);
            wiring()?.enrollment(database, key, vault, creators)
        }
        Process::Consent(it) => {
            let objects = Objects::open(&it.objects).context("--objects")?;
            wiring()?.consent(open(&consent::PART).await?, objects, receipt_key(&keys, Service::Consent)?)
        }
        Process::Capture(it) => {
            let vault = vault(process.common(), &keys, &it.vault_database).await?;
            wiring()?.capture(open(&capture::PART).await?, receipt_key(&keys, Service::Capture)?, vault)
        }
        Process::Anchoring(it) => {
            let objects = Objects::open(&it.objects).context("--objects")?;
            let (database, keys) = (open(&anchoring::PART).await?, keys.existing_chain()?);
            wiring()?.anchoring(database, objects, keys, &read(&it.policy)?, it.pace.pace())
        }
        Process::Witness(it) => {
            let policy = Policy::parse(&read(&it.policy)?).with_context(|| format!("{}", it.policy.display()))?;
            let chains = policy.tlog.logs().iter().map(|log| log.key.clone()).collect();
            let database = open(&witness::PART).await?;
            let parts = wiring::witness(witness::Config { database, key: keys.signer("witness")?, chains });
            Ok(parts.allowance(limits(process, &Bus::absent()).map(allowance)))
        }
    }
}

fn wiring(process: &Process, identity: Option<Identity>, keys: &KeyDir) -> Result<Wiring> {
    // Services know each other by certificates; where there are none, on one machine, by a token they share.
    let services = match process.common().tls_cert {
        Some(_) => ServiceToken::absent(),
        None => ServiceToken::new(&*keys.secret("service.token")?),
    };
    let gatekeeper = gatekeeper(process)?.with_services(services.clone());
    let bus = bus(process)?;
    let limits = limits(process, &bus);
    telling::measure(&bus, limits.as_ref());
    let allowance = limits.map(allowance);
    let instance = process.common().instance.clone();
    let (peers, quota) = (process.peers(), process.quota());
    Ok(Wiring { peers, services, identity, gatekeeper, bus, allowance, instance, quota })
}

/// Who may create studies. What everybody can reach is open to nobody until the operator says to whom.
fn creators(studies: Option<&Path>) -> Result<Creators> {
    match studies {
        Some(list) => Creators::listed(list).context("--studies"),
        None => Ok(Creators::nobody()),
    }
}

/// Without Redis the processes ask each other, again and again.
fn bus(process: &Process) -> Result<Bus> {
    let common = process.common();
    let Some(redis) = process.shared().and_then(|shared| shared.redis.as_deref()) else { return Ok(Bus::absent()) };
    common.plain.check("--redis", bus::is_private(redis))?;
    let identity = common.tls_cert.clone().zip(common.tls_key.clone());
    let trust = common.tls_ca.clone().map(|ca| Trust { ca: Some(ca), identity });
    Bus::connect(redis, &common.instance, trust.as_ref()).context("--redis")
}

fn limits(process: &Process, bus: &Bus) -> Option<RateLimits> {
    let per_second = NonZeroU32::new(process.common().rate)?;
    let burst = per_second.saturating_mul(BURST);
    let rate = Rate { per_second, burst, processes: NonZeroU32::MIN };
    Some(RateLimits::new(bus.clone(), process.name(), rate))
}

fn allowance(limits: RateLimits) -> Arc<dyn Allowance> {
    Arc::new(limits)
}

fn gatekeeper(process: &Process) -> Result<Gatekeeper> {
    let mut gatekeeper = Gatekeeper::new()?;
    let Some(shared) = process.shared() else { return Ok(gatekeeper) };
    if let Some(policies) = &shared.policies {
        gatekeeper = gatekeeper.with_policies(policies)?;
    }
    if let Some(oidc) = &shared.oidc {
        gatekeeper = gatekeeper.with_oidc(Oidc::open(oidc)?);
    }
    Ok(gatekeeper)
}

fn receipt_key(keys: &KeyDir, service: Service) -> Result<Arc<SignerKey>> {
    keys.signer(&format!("receipts-{service}")).map(Arc::new)
}

async fn database(common: &Common, flag: &'static str, url: &str, part: &Part) -> Result<Database> {
    common.plain.check(flag, database::is_private(url))?;
    Database::open(url, part).await.context(flag)
}

async fn vault(common: &Common, keys: &KeyDir, url: &str) -> Result<Vault> {
    let database = database(common, "--vault-database", url, &vault::PART).await?;
    Ok(Vault::open(database, MasterKey::new(*keys.secret("master.key")?)))
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("{}", file.display()))
}

async fn serve_until_told(address: SocketAddr, identity: Option<Identity>, parts: Parts) -> Result<()> {
    let listener = bind(address).await?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    println!("listening on {}", listener.local_addr()?); // whoever is told may stop it
    let told = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    match identity {
        Some(identity) => Ok(serve_tls(listener, identity, parts, told).await?),
        None => Ok(serve(listener, parts, told).await?),
    }
}
