//! What the calls of one channel share.

use crate::{Settings, balance::Balance, budget::Budget};
use std::sync::{Arc, atomic::AtomicU64};
use tokio::sync::Semaphore;

/// What the calls of one channel share.
pub(crate) struct Shared {
    pub(crate) balance: Arc<Balance>,
    pub(crate) budget: Budget,
    pub(crate) settings: Settings,
    pub(crate) retries: AtomicU64,
    pub(crate) calls: AtomicU64,
    /// Places for calls at once.
    pub(crate) places: Semaphore,
}
