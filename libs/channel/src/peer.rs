//! One address of a service: its connection, how busy it is, and whether it answers.

use crate::{Settings, settings::part_of};
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use std::{
    fmt::{Debug, Display},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::{Instant, timeout};
use tonic::transport::{self, Channel, Endpoint};

/// How long an address that failed once is left alone, and one that fails again and again.
const AWAY: Duration = Duration::from_millis(100);
const AWAY_MOST: Duration = Duration::from_secs(10);

type Connection = Shared<BoxFuture<'static, Result<Channel, Arc<Unconnected>>>>;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unconnected {
    #[error("no connection in time")]
    Late,
    #[error("it failed")]
    Failed(#[source] transport::Error),
}

/// An address.
pub(crate) struct Peer {
    endpoint: Endpoint,
    patience: Duration,
    running: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connection: Option<Connection>,
    failures: u32,
    failed: Option<Instant>,
    away_until: Option<Instant>,
}

impl Peer {
    pub(crate) fn new(endpoint: Endpoint, settings: &Settings) -> Self {
        Self { endpoint, patience: settings.connect, running: AtomicUsize::new(0), state: Mutex::default() }
    }

    /// Until when it is left alone.
    pub(crate) fn away_until(&self, now: Instant) -> Option<Instant> {
        self.state().away_until.filter(|until| *until > now)
    }

    /// How many calls are under way.
    pub(crate) fn running(&self) -> usize {
        self.running.load(Relaxed)
    }

    /// Begins a call. If the last one failed, others keep away until this one knows.
    pub(crate) fn begin(self: &Arc<Self>) -> Running {
        let mut state = self.state();
        if state.failures > 0 {
            state.stay_away();
        }
        drop(state);
        self.running.fetch_add(1, Relaxed);
        Running { peer: self.clone(), began: Instant::now() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Half of the time is certain, the other half random, so that clients do not come back together.
    fn stay_away(&mut self) {
        let longest = AWAY.saturating_mul(1 << self.failures.min(10)).min(AWAY_MOST);
        self.away_until = Some(Instant::now() + longest / 2 + part_of(longest / 2));
    }
}

/// A call under way; it is until this is dropped.
pub(crate) struct Running {
    pub(crate) peer: Arc<Peer>,
    began: Instant,
}

impl Running {
    /// The connection, made if there is none. Whoever waits for it learns of its failure at the same time.
    pub(crate) async fn connection(&self) -> Result<Channel, Arc<Unconnected>> {
        let connect = || connect(&self.peer.endpoint, self.peer.patience);
        let connection = self.peer.state().connection.get_or_insert_with(connect).clone();
        let connected = connection.clone().await;
        if let Err(why) = &connected {
            self.failed(why);
            let mut state = self.peer.state();
            state.connection.take_if(|current| current.ptr_eq(&connection));
        }
        connected
    }

    /// What was found at the address, for people.
    pub(crate) fn found(&self, what: impl Display) -> String {
        format!("{}: {what}", self.peer.endpoint.uri())
    }

    /// The address answered.
    pub(crate) fn answered(&self) {
        let mut state = self.peer.state();
        if state.failures > 0 {
            tracing::info!(address = %self.peer.endpoint.uri(), "answers again");
            (state.failures, state.away_until) = (0, None);
        }
    }

    /// The address broke off or gave no answer: the next call connects anew.
    pub(crate) fn broke(&self, why: &dyn Debug) {
        if self.failed(why) {
            self.peer.state().connection = None;
        }
    }

    /// The address could not serve and is left alone for a while. Calls that fail together fail once: this says whether it
    /// was the first.
    pub(crate) fn failed(&self, why: &dyn Debug) -> bool {
        let mut state = self.peer.state();
        let is_news = state.failed.is_none_or(|failed| self.began > failed);
        if is_news {
            if state.failures == 0 {
                tracing::warn!(address = %self.peer.endpoint.uri(), ?why, "does not answer: others are asked");
            }
            (state.failures, state.failed) = (state.failures.saturating_add(1), Some(Instant::now()));
            state.stay_away();
        }
        is_news
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.peer.running.fetch_sub(1, Relaxed);
    }
}

fn connect(endpoint: &Endpoint, patience: Duration) -> Connection {
    let endpoint = endpoint.clone();
    let connecting = async move {
        let connected = timeout(patience, endpoint.connect()).await.map_err(|_| Unconnected::Late)?;
        Ok(connected.map_err(Unconnected::Failed)?)
    };
    connecting.boxed().shared()
}
