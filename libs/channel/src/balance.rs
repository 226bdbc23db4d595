//! All addresses of a service, and which of them a call goes to.

use crate::{
    Settings,
    peer::{Peer, Running},
    target::Target,
};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tls::Identity;
use tokio::{
    sync::{Mutex as AsyncMutex, watch},
    time::{Instant, timeout},
};

/// After a failure names are looked up again, but not more often than this.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

type Place = (Target, SocketAddr);

/// The addresses of a service.
pub(crate) struct Balance {
    targets: Vec<Target>,
    tls: Option<Tls>,
    settings: Settings,
    known: Mutex<Resolved>,
    resolving: Arc<AsyncMutex<()>>,
}

struct Tls {
    identity: Identity,
    changed: watch::Receiver<u64>,
}

/// What was found when, with which certificates.
#[derive(Default)]
struct Resolved {
    peers: Vec<(Place, Arc<Peer>)>,
    resolved: Option<Instant>,
    doubted: bool,
    certificates: u64,
}

impl Balance {
    pub(crate) fn new(targets: Vec<Target>, tls: Option<Identity>, settings: Settings) -> Self {
        let tls = tls.map(|identity| Tls { changed: identity.changed(), identity });
        let known = Resolved { certificates: tls.as_ref().map_or(0, Tls::version), ..Resolved::default() };
        Self { targets, tls, settings, known: Mutex::new(known), resolving: Arc::default() }
    }

    /// An address for a call that was already tried at others: of two at random the less busy, of those that answer. If
    /// none does, the one that is back first. Nothing if all were tried.
    pub(crate) async fn pick(self: &Arc<Self>, tried: &[Arc<Peer>]) -> Option<Running> {
        self.refresh().await;
        let now = Instant::now();
        let mut left: Vec<Arc<Peer>> = self.known().peers.iter().map(|(_, peer)| peer.clone()).collect();
        left.retain(|peer| !tried.iter().any(|other| Arc::ptr_eq(peer, other)));
        let here: Vec<&Arc<Peer>> = left.iter().filter(|peer| peer.away_until(now).is_none()).collect();
        let picked = match here.len() {
            0 => left.iter().min_by_key(|peer| peer.away_until(now)),
            count => {
                let (one, other) = two_of(count);
                Some(if here[other].running() < here[one].running() { here[other] } else { here[one] })
            }
        };
        picked.map(Peer::begin)
    }

    /// Whether there is an address that was not tried.
    pub(crate) fn has_other(&self, tried: &[Arc<Peer>]) -> bool {
        self.known().peers.iter().any(|(_, peer)| !tried.iter().any(|other| Arc::ptr_eq(peer, other)))
    }

    /// Something failed: names may stand for other addresses now.
    pub(crate) fn doubt(&self) {
        self.known().doubted = true;
    }

    /// Looks names up again where it is time to, and takes new certificates at once. Waits only if nothing is known.
    async fn refresh(self: &Arc<Self>) {
        self.take_certificates();
        let (is_known, is_due) = {
            let known = self.known();
            let keep = if known.doubted { LOOK_AGAIN.min(self.settings.resolve) } else { self.settings.resolve };
            (!known.peers.is_empty(), known.resolved.is_none_or(|resolved| resolved.elapsed() >= keep))
        };
        if !is_known {
            let asked = Instant::now();
            let _one_at_a_time = self.resolving.lock().await;
            if self.known().resolved.is_none_or(|resolved| resolved < asked) {
                self.resolve().await;
            }
        } else if is_due && let Ok(one_at_a_time) = self.resolving.clone().try_lock_owned() {
            let this = self.clone();
            tokio::spawn(async move {
                this.resolve().await;
                drop(one_at_a_time);
            });
        }
    }

    /// Looks all names up. A name that is not known any more keeps its addresses: rather old ones than none.
    async fn resolve(&self) {
        let mut places = Vec::new();
        for target in &self.targets {
            let found = timeout(self.settings.connect, target.resolve()).await.unwrap_or_default();
            if found.is_empty() {
                tracing::warn!(?target, "the name of a service cannot be resolved");
                places.extend(self.known().peers.iter().map(|(place, _)| place.clone()).filter(|(of, _)| of == target));
            }
            places.extend(found.into_iter().map(|address| (target.clone(), address)));
        }
        let mut known = self.known();
        let kept = std::mem::take(&mut known.peers);
        known.peers = self.peers(places, &kept);
        (known.resolved, known.doubted) = (Some(Instant::now()), false);
    }

    /// With other certificates every connection is made anew; calls under way end on the old ones.
    fn take_certificates(&self) {
        let Some(version) = self.tls.as_ref().map(Tls::version) else { return };
        let mut known = self.known();
        if known.certificates != version {
            let places = std::mem::take(&mut known.peers).into_iter().map(|(place, _)| place).collect();
            known.peers = self.peers(places, &[]);
            known.certificates = version;
        }
    }

    fn peers(&self, places: Vec<Place>, kept: &[(Place, Arc<Peer>)]) -> Vec<(Place, Arc<Peer>)> {
        let peer = |place: Place| {
            let kept = kept.iter().find(|(old, _)| *old == place).map(|(_, peer)| peer.clone());
            let identity = self.tls.as_ref().map(|tls| &tls.identity);
            let made =
                || Some(Arc::new(Peer::new(place.0.endpoint(place.1, identity, &self.settings)?, &self.settings)));
            kept.or_else(made).map(|peer| (place, peer))
        };
        places.into_iter().filter_map(peer).collect()
    }

    fn known(&self) -> MutexGuard<'_, Resolved> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tls {
    fn version(&self) -> u64 {
        *self.changed.borrow()
    }
}

/// Two different places of `count` at random; the same twice if there is only one.
fn two_of(count: usize) -> (usize, usize) {
    let below = |most: usize| getrandom::u32().map_or(0, |random| random as usize % most);
    let one = below(count);
    (one, (one + 1 + below(count.saturating_sub(1).max(1))) % count)
}
