//! How many calls a process has at once: so many that are handled, and some that wait a moment for their turn. Whoever comes
//! when there are enough of both is refused before anything is done for them.

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

/// Room for calls being handled, for those that wait, and for the large messages they bring.
pub(crate) struct Room {
    places: Semaphore,
    present: AtomicUsize,
    most: usize,
    patience: Duration,
    bytes: AtomicUsize,
    most_bytes: usize,
}

impl Room {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            places: Semaphore::new(limits.calls),
            present: AtomicUsize::new(0),
            most: limits.calls.saturating_add(limits.waiting),
            patience: limits.patience,
            bytes: AtomicUsize::new(0),
            most_bytes: limits.messages,
        }
    }

    /// What a call is about to bring.
    pub(crate) fn hold(self: &Arc<Self>) -> Arc<Held> {
        Arc::new(Held { room: self.clone(), bytes: AtomicUsize::new(0) })
    }

    /// Lets a call in, to be handled or to wait; nothing if there are enough of both.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Present> {
        let present = Present(self.clone());
        (self.present.fetch_add(1, AcqRel) < self.most).then_some(present)
    }

    /// Handles a call that was let in as soon as there is a place; gives nothing if there is none in time.
    pub(crate) async fn handle<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        let _place = timeout(self.patience, self.places.acquire()).await.ok()?.ok()?;
        Some(call.await)
    }
}

/// A call that was let in, until this is dropped.
pub(crate) struct Present(Arc<Room>);

impl Drop for Present {
    fn drop(&mut self) {
        self.0.present.fetch_sub(1, Release);
    }
}

/// Bytes that a call holds in memory, until this is dropped.
pub(crate) struct Held {
    room: Arc<Room>,
    bytes: AtomicUsize,
}

impl Held {
    /// Holds so many bytes, unless it holds as many already; nothing more, and false, if there is no room for them.
    pub(crate) fn grow_to(&self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes.load(Acquire));
        let fits = more == 0 || self.room.bytes.fetch_add(more, AcqRel).saturating_add(more) <= self.room.most_bytes;
        if fits {
            self.bytes.fetch_add(more, Release);
        } else {
            self.room.bytes.fetch_sub(more, Release);
        }
        fits
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.room.bytes.fetch_sub(self.bytes.load(Acquire), Release);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::future::pending;
    use tokio::time::advance;

    fn room(calls: usize, waiting: usize) -> Arc<Room> {
        Arc::new(Room::new(&Limits { calls, waiting, ..Limits::default() }))
    }

    #[test]
    fn so_many_are_let_in_as_are_handled_and_wait() {
        let room = room(4, 3);
        let present: Vec<_> = (0..20).filter_map(|_| room.enter()).collect();
        assert_eq!(present.len(), 7);
        drop(present);
        assert!(room.enter().is_some(), "there is room again, and whoever was refused takes none");
    }

    #[test]
    fn so_many_bytes_are_held_as_there_is_room_for() {
        let room = Arc::new(Room::new(&Limits { messages: 10, ..Limits::default() }));
        let (one, other) = (room.hold(), room.hold());
        assert!(one.grow_to(7) && other.grow_to(3));
        assert!(!other.grow_to(4), "one more than there is room for");
        assert!(one.grow_to(5) && other.grow_to(3), "as many are held already");
        drop(one);
        assert!(other.grow_to(10));
        drop(other);
        assert!(room.hold().grow_to(10));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_too_long_is_not_handled_and_a_call_given_up_leaves_its_place() {
        let room = room(1, 1);
        let call = tokio::spawn({
            let room = room.clone();
            async move { room.handle(pending::<()>()).await }
        });
        advance(Duration::from_millis(1)).await;
        assert_eq!(room.handle(async { 7 }).await, None);
        call.abort();
        assert!(call.await.is_err());
        assert_eq!(room.handle(async { 7 }).await, Some(7));
    }
}
