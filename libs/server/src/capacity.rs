//! How many calls a process has at once: those that are handled, and a few that wait a moment for their turn. A call beyond
//! both is refused before anything is done for it.

use crate::Limits;
use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{
            AtomicUsize,
            Ordering::{AcqRel, Acquire, Release},
        },
    },
    time::Duration,
};
use tokio::{sync::Semaphore, time::timeout};

/// Capacity for calls being handled, for those that wait, and for the large messages they bring.
pub(crate) struct Capacity {
    places: Semaphore,
    admitted: AtomicUsize,
    most: usize,
    patience: Duration,
    bytes: AtomicUsize,
    most_bytes: usize,
}

impl Capacity {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            places: Semaphore::new(limits.calls),
            admitted: AtomicUsize::new(0),
            most: limits.calls.saturating_add(limits.waiting),
            patience: limits.patience,
            bytes: AtomicUsize::new(0),
            most_bytes: limits.messages,
        }
    }

    /// The memory of one call; nothing is reserved yet.
    pub(crate) fn reserve(self: &Arc<Self>) -> Arc<Reservation> {
        Arc::new(Reservation { capacity: self.clone(), bytes: AtomicUsize::new(0) })
    }

    /// Admits a call, to be handled or to wait; nothing if there are enough of both.
    pub(crate) fn admit(self: &Arc<Self>) -> Option<Admitted> {
        let admitted = Admitted(self.clone());
        (self.admitted.fetch_add(1, AcqRel) < self.most).then_some(admitted)
    }

    /// Handles a call that was admitted as soon as there is a place; gives nothing if there is none in time.
    pub(crate) async fn handle<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        let _place = timeout(self.patience, self.places.acquire()).await.ok()?.ok()?;
        Some(call.await)
    }
}

/// A call that was admitted, until this is dropped.
pub(crate) struct Admitted(Arc<Capacity>);

impl Drop for Admitted {
    fn drop(&mut self) {
        self.0.admitted.fetch_sub(1, Release);
    }
}

/// Bytes of memory reserved for a call, until this is dropped.
pub(crate) struct Reservation {
    capacity: Arc<Capacity>,
    bytes: AtomicUsize,
}

impl Reservation {
    /// Reserves at least `bytes` in all. Reserves nothing more, and returns false, if there is no capacity for them.
    pub(crate) fn grow_to(&self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes.load(Acquire));
        let fits =
            more == 0 || self.capacity.bytes.fetch_add(more, AcqRel).saturating_add(more) <= self.capacity.most_bytes;
        if fits {
            self.bytes.fetch_add(more, Release);
        } else {
            self.capacity.bytes.fetch_sub(more, Release);
        }
        fits
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.capacity.bytes.fetch_sub(self.bytes.load(Acquire), Release);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::future::pending;
    use tokio::time::advance;

    fn capacity(calls: usize, waiting: usize) -> Arc<Capacity> {
        Arc::new(Capacity::new(&Limits { calls, waiting, ..Limits::default() }))
    }

    #[test]
    fn as_many_are_admitted_as_are_handled_and_wait() {
        let capacity = capacity(4, 3);
        let admitted: Vec<_> = (0..20).filter_map(|_| capacity.admit()).collect();
        assert_eq!(admitted.len(), 7);
        drop(admitted);
        assert!(capacity.admit().is_some(), "there is capacity again, and calls that were refused take none");
    }

    #[test]
    fn no_more_bytes_are_reserved_than_there_is_capacity_for() {
        let capacity = Arc::new(Capacity::new(&Limits { messages: 10, ..Limits::default() }));
        let (one, other) = (capacity.reserve(), capacity.reserve());
        assert!(one.grow_to(7) && other.grow_to(3));
        assert!(!other.grow_to(4), "one more than there is capacity for");
        assert!(one.grow_to(5) && other.grow_to(3), "as many are reserved already");
        drop(one);
        assert!(other.grow_to(10));
        drop(other);
        assert!(capacity.reserve().grow_to(10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_waits_too_long_is_not_handled_and_one_given_up_leaves_its_place() {
        let capacity = capacity(1, 1);
        let call = tokio::spawn({
            let capacity = capacity.clone();
            async move { capacity.handle(pending::<()>()).await }
        });
        advance(Duration::from_millis(1)).await;
        assert_eq!(capacity.handle(async { 7 }).await, None);
        call.abort();
        assert!(call.await.is_err());
        assert_eq!(capacity.handle(async { 7 }).await, Some(7));
    }
}
