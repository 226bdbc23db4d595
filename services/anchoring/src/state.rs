//! How the chain stands, for health checks.

use tokio::sync::watch;

/// The name under which health checks ask whether the chain may grow: not once it was found rolled back.
pub const CHAIN: &str = "chain";
/// The name under which health checks ask whether all journals are put on the chain: not once one was found damaged or
/// rolled back.
pub const JOURNALS: &str = "journals";

/// How the chain stands. Cheap to clone.
#[derive(Clone)]
pub(crate) struct State {
    chain: watch::Sender<bool>,
    journals: watch::Sender<bool>,
}

impl State {
    pub(crate) fn new() -> Self {
        Self { chain: watch::Sender::new(true), journals: watch::Sender::new(true) }
    }

    pub(crate) fn tell(&self, halted: bool, stopped_journals: usize) {
        self.chain.send_replace(!halted);
        self.journals.send_replace(stopped_journals == 0);
    }

    /// Whether the chain may grow, and whether all journals are put on it, as they change.
    pub(crate) fn watch(&self) -> [(&'static str, watch::Receiver<bool>); 2] {
        [(CHAIN, self.chain.subscribe()), (JOURNALS, self.journals.subscribe())]
    }
}
