//! What the bus did, counted.

use crate::News;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What the bus of this process did since it was made, and how it is. Everything is counted in messages unless it says
/// otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Heads told.
    pub published: u64,
    /// Heads replaced by newer ones of the same journal before they could be told.
    pub coalesced: u64,
    /// Heads dropped because more journals than fit waited to be told; a sweep is asked for in their place.
    pub dropped: u64,
    /// Heads that wait to be told now.
    pub queued: u64,
    /// Heads heard by followers.
    pub heard: u64,
    /// Times followers were told that they may have missed something, and workers to sweep.
    pub missed: u64,
    /// Heads given to workers.
    pub delivered: u64,
    /// Heads taken over from workers that did not acknowledge them.
    pub claimed: u64,
    /// Messages set aside because they cannot be read, or nobody could deal with them.
    pub poison: u64,
    /// Failures of a connection to Redis, or of a command there.
    pub failures: u64,
    /// Connections to Redis that stand now.
    pub connections: u64,
}

/// The counters behind [`Figures`].
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) published: Counter,
    pub(crate) coalesced: Counter,
    pub(crate) dropped: Counter,
    pub(crate) heard: Counter,
    pub(crate) missed: Counter,
    pub(crate) delivered: Counter,
    pub(crate) claimed: Counter,
    pub(crate) poison: Counter,
    pub(crate) failures: Counter,
    pub(crate) connections: Counter,
}

/// A number that many tasks change.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, more: usize) {
        self.0.fetch_add(more as u64, Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A connection that stands.
#[cfg(feature = "redis")]
pub(crate) struct Connected<'a>(&'a Counter);

#[cfg(feature = "redis")]
impl Drop for Connected<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
    }
}

impl Counters {
    #[cfg(feature = "redis")]
    /// Counts a connection for as long as it stands.
    pub(crate) fn connected(&self) -> Connected<'_> {
        self.connections.add(1);
        Connected(&self.connections)
    }

    /// Counts what a follower is told.
    pub(crate) fn hear(&self, news: &News) {
        match news {
            News::Moved(_) => self.heard.add(1),
            News::Missed => self.missed.add(1),
            News::Away => {}
        }
    }

    pub(crate) fn figures(&self, queued: usize) -> Figures {
        Figures {
            published: self.published.get(),
            coalesced: self.coalesced.get(),
            dropped: self.dropped.get(),
            queued: queued as u64,
            heard: self.heard.get(),
            missed: self.missed.get(),
            delivered: self.delivered.get(),
            claimed: self.claimed.get(),
            poison: self.poison.get(),
            failures: self.failures.get(),
            connections: self.connections.get(),
        }
    }
}
