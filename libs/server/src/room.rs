//! How many calls a process has at once. As many as it answers in good time: the bound follows how long they take, and
//! whoever comes when it is reached is refused before anything is done for them.

use crate::Limits;
use std::{
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{
            AtomicUsize,
            Ordering::{AcqRel, Acquire, Release},
        },
    },
    time::Duration,
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout},
};

/// However long calls take, this many are handled at once: they may wait for something else than the processor.
const LEAST: usize = 64;
/// A call that takes longer than this many patiences is too slow. By then most callers still wait.
const SLOW: u32 = 2;
/// Of the bound this part is given up when calls are too slow, at most once in the time such a call takes.
const PART: usize = 8;
/// After this many calls that were fast enough, the bound is raised by one, if it is reached.
const PROBE: usize = 8;

/// Room for calls being handled, and for as many that wait a moment.
pub(crate) struct Room {
    least: usize,
    most: usize,
    line: usize,
    patience: Duration,
    present: AtomicUsize,
    /// How many are handled at once, now.
    bound: AtomicUsize,
    free: Semaphore,
    pace: Mutex<Pace>,
}

#[derive(Default)]
struct Pace {
    lowered: Option<Instant>,
    fast: usize,
    /// Places given up while they were taken.
    owed: usize,
}

impl Room {
    pub(crate) fn new(limits: &Limits) -> Self {
        let least = limits.calls.min(LEAST);
        Self {
            least,
            most: limits.calls,
            line: limits.waiting,
            patience: limits.patience,
            present: AtomicUsize::new(0),
            bound: AtomicUsize::new(limits.calls),
            free: Semaphore::new(limits.calls),
            pace: Mutex::default(),
        }
    }

    /// Lets a call in, to be handled or to wait; nothing if there are enough of both.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Present> {
        let bound = self.bound.load(Acquire);
        let present = Present(self.clone());
        (self.present.fetch_add(1, AcqRel) < bound.saturating_add(bound.min(self.line))).then_some(present)
    }

    /// Handles a call that was let in as soon as there is a place; gives nothing if there is none in time.
    pub(crate) async fn handle<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        let place = timeout(self.patience, self.free.acquire()).await.ok()?.ok()?;
        let place = Place { room: self, place: Some(place), began: Instant::now() };
        let answer = call.await;
        drop(place);
        Some(answer)
    }

    fn left(&self, began: Instant, place: SemaphorePermit<'_>) {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let bound = self.bound.load(Acquire);
        if began.elapsed() > self.patience * SLOW {
            if pace.lowered.is_none_or(|lowered| began > lowered) {
                let lower = (bound - bound / PART).max(self.least);
                pace.owed += bound - lower;
                (pace.lowered, pace.fast) = (Some(Instant::now()), 0);
                self.bound.store(lower, Release);
            }
        } else if self.free.available_permits() == 0 && bound < self.most {
            pace.fast += 1;
            if pace.fast >= PROBE {
                pace.fast = 0;
                self.bound.store(bound + 1, Release);
                match pace.owed.checked_sub(1) {
                    Some(owed) => pace.owed = owed,
                    None => self.free.add_permits(1),
                }
            }
        }
        if let Some(owed) = pace.owed.checked_sub(1) {
            pace.owed = owed;
            place.forget();
        }
    }
}

/// A call that was let in, until this is dropped.
pub(crate) struct Present(Arc<Room>);

impl Drop for Present {
    fn drop(&mut self) {
        self.0.present.fetch_sub(1, AcqRel);
    }
}

/// A call being handled, until this is dropped.
struct Place<'a> {
    room: &'a Room,
    place: Option<SemaphorePermit<'a>>,
    began: Instant,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.room.left(self.began, place);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tokio::time::{advance, sleep};

    fn room(calls: usize) -> Arc<Room> {
        Arc::new(Room::new(&Limits { calls, ..Limits::default() }))
    }

    /// Has `count` calls of `length` handled by whoever gets a place.
    async fn busy(room: &Arc<Room>, count: usize, length: Duration) -> usize {
        let calls: Vec<_> = (0..count)
            .map(|_| {
                let room = room.clone();
                tokio::spawn(async move { room.handle(sleep(length)).await })
            })
            .collect();
        let mut handled = 0;
        for call in calls {
            handled += usize::from(call.await.unwrap().is_some());
        }
        handled
    }

    #[tokio::test(start_paused = true)]
    async fn fast_calls_widen_the_room_and_slow_ones_narrow_it() {
        let room = room(512);
        let fast = room.patience / 10;
        for _ in 0..2_000 {
            busy(&room, 600, fast).await;
        }
        assert_eq!(room.bound.load(Acquire), 512);
        for _ in 0..100 {
            busy(&room, 600, room.patience * (SLOW + 1)).await;
        }
        assert_eq!(room.bound.load(Acquire), LEAST);
        assert_eq!(busy(&room, 600, room.patience * (SLOW + 1)).await, LEAST, "as many are handled as are promised");
        for _ in 0..2_000 {
            busy(&room, 600, fast).await;
        }
        assert_eq!(room.bound.load(Acquire), 512, "and it widens again");
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_are_slow_together_narrow_it_once() {
        let room = room(512);
        for _ in 0..2_000 {
            busy(&room, 600, room.patience / 10).await;
        }
        busy(&room, 512, room.patience * (SLOW + 1)).await;
        assert_eq!(room.bound.load(Acquire), 512 - 512 / PART);
    }

    #[tokio::test(start_paused = true)]
    async fn a_room_nobody_needs_stays_as_it_is() {
        let room = room(512);
        for _ in 0..1_000 {
            busy(&room, 3, room.patience / 10).await;
        }
        assert_eq!(room.bound.load(Acquire), 512);
    }

    #[tokio::test]
    async fn as_many_wait_as_are_handled() {
        let room = room(4);
        let present: Vec<_> = (0..20).filter_map(|_| room.enter()).collect();
        assert_eq!(present.len(), 8);
        drop(present);
        assert!(room.enter().is_some());
        let narrow = Arc::new(Room::new(&Limits { calls: 4, waiting: 1, ..Limits::default() }));
        assert_eq!((0..20).filter_map(|_| narrow.enter()).collect::<Vec<_>>().len(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_given_up_leaves_its_place() {
        let room = room(1);
        let call = tokio::spawn({
            let room = room.clone();
            async move { room.handle(std::future::pending::<()>()).await }
        });
        advance(Duration::from_millis(1)).await;
        call.abort();
        assert!(call.await.is_err());
        assert_eq!(room.handle(async { 7 }).await, Some(7));
    }
}
