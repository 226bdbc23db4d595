//! A provider's keys, from a file or a URL, followed while they change. No call waits for them.

use super::{
    OidcError,
    fetch::{Fetcher, MAX_BYTES},
    written::Entry,
};
use arc_swap::ArcSwap;
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use serde_json::Value;
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};
use watcher::{Contents, POLL, Watched};

const MAX_KEYS: usize = 64;
/// How often a key set is fetched again.
const AGAIN: Duration = Duration::from_secs(300);
/// The shortest time between two fetches: tokens with unknown keys ask for one, and anybody can send those.
const REST: Duration = Duration::from_secs(5);
/// How long fetched keys are good for while the provider does not answer, in milliseconds.
const STALE_MS: u64 = 3_600_000;

/// The keys of one set, by `kid`.
pub(super) type Set = HashMap<String, (DecodingKey, Vec<Algorithm>)>;

/// A provider's keys.
pub(super) enum Keys {
    File(Arc<Watched<Set>>),
    Url(Arc<Fetched>),
}

/// Keys as they were fetched last.
pub(super) struct Fetched {
    set: ArcSwap<(Set, u64)>,
    wanted: Notify,
}

impl Keys {
    /// Begins to follow a provider's keys. A file must be there; a server may come later.
    pub(super) fn follow(entry: &Entry, folder: &Path) -> Result<Self, OidcError> {
        if entry.jwks.contains("://") {
            let wrong = |what| OidcError::Provider { issuer: entry.issuer.clone(), what };
            let ca = entry.ca.as_ref().map(|ca| folder.join(ca));
            let fetcher = Fetcher::new(&entry.jwks, ca.as_deref(), wrong)?;
            let fetched = Arc::new(Fetched { set: ArcSwap::default(), wanted: Notify::new() });
            tokio::spawn(follow(Arc::downgrade(&fetched), fetcher));
            return Ok(Self::Url(fetched));
        }
        let path = folder.join(&entry.jwks);
        Watched::start("key sets", POLL, move || read(&path), |contents| parse(contents.first().map_or(&[], |c| c)))
            .map(Self::File)
    }

    /// The key `kid`, if it signs by `algorithm`.
    pub(super) fn find(&self, kid: &str, algorithm: Algorithm, now_ms: u64) -> Option<DecodingKey> {
        let key = |set: &Set| {
            let (key, algorithms) = set.get(kid)?;
            algorithms.contains(&algorithm).then(|| key.clone())
        };
        match self {
            Self::File(watched) => key(&watched.current()),
            Self::Url(fetched) => {
                let current = fetched.set.load();
                let (set, at_ms) = &**current;
                if !set.contains_key(kid) {
                    fetched.wanted.notify_one(); // perhaps it is new; this call does not wait
                }
                key(set).filter(|_| now_ms < at_ms.saturating_add(STALE_MS))
            }
        }
    }
}

fn read(path: &PathBuf) -> Result<Contents, OidcError> {
    use std::io::Read;
    let mut content = Vec::new();
    let file = std::fs::File::open(path);
    let read = file.and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut content));
    read.map_err(|source| OidcError::File { path: path.clone(), source })?;
    Ok(Contents::new(vec![content]))
}

async fn follow(keys: Weak<Fetched>, fetcher: Fetcher) {
    while let Some(keys) = keys.upgrade() {
        match fetcher.fetch().await.and_then(|content| parse(&content)) {
            Ok(set) => keys.set.store(Arc::new((set, now_ms()))),
            Err(error) => tracing::warn!(%error, "an identity provider's keys were not fetched"),
        }
        sleep(REST).await;
        drop(timeout(AGAIN, keys.wanted.notified()).await); // asked for, or due
    }
}

fn now_ms() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// The keys of a set that verify signatures. Others, and what is not understood, are passed over (RFC 7517 section 5).
fn parse(content: &[u8]) -> Result<Set, OidcError> {
    #[derive(serde::Deserialize)]
    struct Keys {
        keys: Vec<Value>,
    }
    if content.len() > MAX_BYTES {
        return Err(OidcError::Keys);
    }
    let found: Keys = serde_json::from_slice(content).map_err(|_| OidcError::Keys)?;
    let mut set = Set::new();
    for key in found.keys.into_iter().take(MAX_KEYS) {
        let Ok(key) = serde_json::from_value::<Jwk>(key) else { continue };
        if let Some((kid, key)) = usable(&key) {
            set.entry(kid).or_insert(key);
        }
    }
    if set.is_empty() { Err(OidcError::Keys) } else { Ok(set) }
}

fn usable(key: &Jwk) -> Option<(String, (DecodingKey, Vec<Algorithm>))> {
    let kid = key.common.key_id.clone()?;
    if key.common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature) {
        return None;
    }
    let mut algorithms = by_type(&key.algorithm);
    if let Some(only) = key.common.key_algorithm {
        algorithms.retain(|algorithm| only == (*algorithm).into());
    }
    let key = DecodingKey::from_jwk(key).ok().filter(|_| !algorithms.is_empty())?;
    Some((kid, (key, algorithms)))
}

/// The algorithms of a key's type: never those of shared secrets, whatever the key says.
fn by_type(key: &AlgorithmParameters) -> Vec<Algorithm> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    match key {
        AlgorithmParameters::RSA(_) => vec![PS256, PS384, PS512, RS256, RS384, RS512],
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => vec![ES256],
            EllipticCurve::P384 => vec![ES384],
            _ => Vec::new(),
        },
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => vec![EdDSA],
        _ => Vec::new(),
    }
}
