//! What waits to be told: the newest head of each journal, and for which services heads were dropped.

use crate::Moved;
use seal::id::{Service, StreamId};
use std::collections::{BTreeSet, HashMap, VecDeque};

/// The most messages told at once.
const BATCH: usize = 256;

/// What became of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    /// It waits.
    Queued,
    /// It took the place of an older one of its journal, or a newer one stands there already.
    Coalesced,
    /// It waits; the head that waited longest does not any more.
    Dropped,
}

/// Heads that wait, at most one for each journal and no more than fit.
pub(crate) struct Outbox {
    room: usize,
    order: VecDeque<StreamId>,
    newest: HashMap<StreamId, Moved>,
    missed: BTreeSet<Service>,
}

/// What is told at once: heads of one service, after the request to sweep if some were dropped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) service: Service,
    pub(crate) missed: bool,
    pub(crate) heads: Vec<Moved>,
}

impl Outbox {
    pub(crate) fn new(room: usize) -> Self {
        Self { room, order: VecDeque::new(), newest: HashMap::new(), missed: BTreeSet::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.newest.len()
    }

    /// Adds a head.
    pub(crate) fn put(&mut self, moved: Moved) -> Put {
        if let Some(waiting) = self.newest.get_mut(&moved.head.stream) {
            if waiting.head.number < moved.head.number {
                *waiting = moved;
            }
            return Put::Coalesced;
        }
        let dropped = self.newest.len() >= self.room && self.drop_oldest();
        self.order.push_back(moved.head.stream);
        self.newest.insert(moved.head.stream, moved);
        if dropped { Put::Dropped } else { Put::Queued }
    }

    fn drop_oldest(&mut self) -> bool {
        let Some(moved) = self.order.pop_front().and_then(|oldest| self.newest.remove(&oldest)) else { return false };
        self.missed.insert(moved.service);
        true
    }

    /// Takes what is to be told next.
    pub(crate) fn take(&mut self) -> Option<Batch> {
        let oldest = self.order.front().and_then(|stream| self.newest.get(stream)).map(|moved| moved.service);
        let service = self.missed.first().copied().or(oldest)?;
        let is_of = |newest: &HashMap<StreamId, Moved>, stream: &StreamId| {
            newest.get(stream).is_some_and(|one| one.service == service)
        };
        let streams: Vec<StreamId> =
            self.order.iter().filter(|stream| is_of(&self.newest, stream)).take(BATCH).copied().collect();
        let heads: Vec<Moved> = streams.iter().filter_map(|stream| self.newest.remove(stream)).collect();
        self.order.retain(|stream| self.newest.contains_key(stream));
        Some(Batch { service, missed: self.missed.remove(&service), heads })
    }

    /// Takes back what could not be told. Gives how many heads were dropped for want of room.
    pub(crate) fn put_back(&mut self, batch: Batch) -> usize {
        if batch.missed {
            self.missed.insert(batch.service);
        }
        batch.heads.into_iter().filter(|moved| self.put(moved.clone()) == Put::Dropped).count()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use seal::{Hash, entry::Head};

    fn moved(stream: u8, number: u64) -> Moved {
        let service = Service::ALL[usize::from(stream) % 3];
        let head = Head { stream: StreamId(Hash([stream; 32])), number, hash: Hash::ZERO };
        Moved { service, head, trace: None }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Put(u8),
        Tell,
        Fail,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![4 => (0_u8..12).prop_map(Step::Put), 1 => Just(Step::Tell), 1 => Just(Step::Fail)]
    }

    /// A follower, who reads the journals of a service when it is told that it missed something.
    #[derive(Default)]
    struct Follower {
        known: HashMap<StreamId, u64>,
    }

    impl Follower {
        fn hear(&mut self, batch: Batch, now: &HashMap<StreamId, Moved>) {
            if batch.missed {
                let read = now.values().filter(|moved| moved.service == batch.service);
                self.known.extend(read.map(|moved| (moved.head.stream, moved.head.number)));
            }
            for moved in batch.heads {
                let known = self.known.entry(moved.head.stream).or_default();
                *known = (*known).max(moved.head.number);
            }
        }
    }

    proptest! {
        #[test]
        fn in_the_end_the_newest_head_is_known_or_a_sweep_was_asked_for(steps in prop::collection::vec(step(), 0..200)) {
            let (mut outbox, mut follower, mut journals) = (Outbox::new(4), Follower::default(), HashMap::new());
            let mut number = 0;
            for step in steps {
                match step {
                    Step::Put(stream) => {
                        number += 1;
                        journals.insert(moved(stream, number).head.stream, moved(stream, number));
                        outbox.put(moved(stream, number));
                    }
                    Step::Tell => if let Some(batch) = outbox.take() { follower.hear(batch, &journals); },
                    Step::Fail => if let Some(batch) = outbox.take() { outbox.put_back(batch); },
                }
                prop_assert!(outbox.len() <= 4);
            }
            while let Some(batch) = outbox.take() {
                follower.hear(batch, &journals);
            }
            for (stream, moved) in journals {
                prop_assert_eq!(follower.known.get(&stream), Some(&moved.head.number));
            }
        }
    }

    #[test]
    fn only_the_newest_head_of_a_journal_waits() {
        let mut outbox = Outbox::new(4);
        assert_eq!(outbox.put(moved(1, 5)), Put::Queued);
        assert_eq!(outbox.put(moved(1, 7)), Put::Coalesced);
        assert_eq!(outbox.put(moved(1, 6)), Put::Coalesced);
        assert_eq!(outbox.take().unwrap().heads, [moved(1, 7)]);
        assert_eq!(outbox.take(), None);
    }

    #[test]
    fn what_comes_back_does_not_replace_what_is_newer() {
        let mut outbox = Outbox::new(4);
        outbox.put(moved(1, 5));
        let batch = outbox.take().unwrap();
        outbox.put(moved(1, 6));
        assert_eq!(outbox.put_back(batch), 0);
        assert_eq!(outbox.take().unwrap().heads, [moved(1, 6)]);
    }
}
