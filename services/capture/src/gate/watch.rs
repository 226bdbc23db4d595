//! Whether an answer still holds, as far as the bus tells.

use bus::{Bus, Following, News};
use seal::{
    entry::Head,
    id::{Service, StreamId},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, Weak},
};

/// The most journals remembered; beyond, all kept answers are given up and it begins anew.
const JOURNALS: usize = 100_000;

/// The time since which everything was heard: an answer from another time is not to be relied on. None while the bus is
/// away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Since(Option<u64>);

/// Watches the journals of some services. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Watch(Arc<Mutex<State>>);

struct State {
    /// Counts the times something may have been missed.
    times: u64,
    /// Those services that nothing is heard of.
    away: Vec<Service>,
    /// Where journals moved to meanwhile.
    moved: HashMap<StreamId, u64>,
}

impl Watch {
    /// Watches the journals of `services` for as long as a clone of it is there.
    pub(crate) fn over(bus: &Bus, services: &[Service]) -> Self {
        let watch = Self(Arc::new(Mutex::new(State { times: 0, away: services.to_vec(), moved: HashMap::new() })));
        for service in services {
            tokio::spawn(hear(bus.follow(*service), *service, Arc::downgrade(&watch.0)));
        }
        watch
    }

    /// The present time. To be taken before anybody is asked.
    pub(crate) fn now(&self) -> Since {
        Since(self.0.lock().ok().filter(|state| state.away.is_empty()).map(|state| state.times))
    }

    /// Whether an answer that was asked for at that time, and holds at these heads, still holds.
    pub(crate) fn is_current(&self, since: Since, heads: &[Head]) -> bool {
        let Ok(state) = self.0.lock() else { return false };
        let behind = |head: &Head| state.moved.get(&head.stream).is_some_and(|latest| *latest > head.number);
        state.away.is_empty() && since == Since(Some(state.times)) && !heads.iter().any(behind)
    }
}

impl State {
    fn hear(&mut self, service: Service, news: &News) {
        match news {
            News::Moved(moved) if self.moved.len() < JOURNALS => {
                let latest = self.moved.entry(moved.head.stream).or_default();
                *latest = (*latest).max(moved.head.number);
            }
            News::Moved(_) => self.begin_anew(),
            News::Missed => {
                self.away.retain(|away| *away != service);
                self.begin_anew();
            }
            News::Away => {
                self.away.retain(|away| *away != service);
                self.away.push(service);
                self.begin_anew();
            }
        }
    }

    fn begin_anew(&mut self) {
        self.times += 1;
        self.moved.clear();
    }
}

async fn hear(mut following: Following, service: Service, state: Weak<Mutex<State>>) {
    loop {
        let news = following.next().await;
        let Some(state) = state.upgrade() else { return };
        if let Ok(mut state) = state.lock() {
            state.hear(service, &news);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use bus::Moved;
    use seal::Hash;
    use std::time::{Duration, Instant};

    fn head(number: u64) -> Head {
        Head { stream: StreamId(Hash([1; 32])), number, hash: Hash::ZERO }
    }

    fn moved(number: u64) -> News {
        News::Moved(Moved { service: Service::Consent, head: head(number), trace: None })
    }

    fn watch() -> Watch {
        Watch(Arc::new(Mutex::new(State { times: 0, away: vec![Service::Consent], moved: HashMap::new() })))
    }

    fn hear(watch: &Watch, news: &News) {
        watch.0.lock().unwrap().hear(Service::Consent, news);
    }

    #[test]
    fn an_answer_holds_until_its_journal_moves() {
        let watch = watch();
        hear(&watch, &News::Missed);
        let since = watch.now();
        hear(&watch, &moved(5));
        assert!(watch.is_current(since, &[head(5)]));
        hear(&watch, &moved(6));
        hear(&watch, &moved(4));
        assert!(!watch.is_current(since, &[head(5)]), "news may come out of order");
    }

    #[test]
    fn what_may_have_been_missed_ends_every_answer_even_one_that_is_still_being_asked_for() {
        let watch = watch();
        hear(&watch, &News::Missed);
        let asked_before = watch.now();
        hear(&watch, &News::Missed);
        assert!(!watch.is_current(asked_before, &[head(5)]));
        assert!(watch.is_current(watch.now(), &[head(5)]));
    }

    #[test]
    fn nothing_holds_while_the_bus_is_away() {
        let watch = watch();
        assert!(!watch.is_current(watch.now(), &[]));
        hear(&watch, &News::Missed);
        let before = watch.now();
        hear(&watch, &News::Away);
        for since in [before, watch.now()] {
            assert!(!watch.is_current(since, &[head(5)]));
        }
        hear(&watch, &News::Missed);
        assert!(!watch.is_current(before, &[head(5)]), "what was kept before does not come back");
        assert!(watch.is_current(watch.now(), &[head(5)]));
    }

    #[tokio::test]
    async fn what_is_told_on_the_bus_ends_an_answer() {
        let bus = Bus::in_process();
        let watch = Watch::over(&bus, &[Service::Enrollment, Service::Consent]);
        let soon = |what: &str, holds: &dyn Fn() -> bool, began: Instant| {
            assert!(began.elapsed() < Duration::from_secs(60), "not in time: {what}");
            holds()
        };
        let began = Instant::now();
        while !soon("the bus is heard", &|| watch.now() != Since(None), began) {
            tokio::task::yield_now().await;
        }
        let since = watch.now();
        assert!(watch.is_current(since, &[head(5)]));
        bus.publish(Moved { service: Service::Consent, head: head(6), trace: None });
        while !soon("the answer ends", &|| !watch.is_current(since, &[head(5)]), began) {
            tokio::task::yield_now().await;
        }
    }
}
