//! What the tests of the bus share.
#![allow(dead_code)] // each test uses its part

use bus::{Bus, Delivery, Following, Job, Moved, News, Work};
use seal::{
    Hash,
    entry::Head,
    id::{Service, StreamId},
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// Nothing takes longer, on the slowest machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// A head of the consent service.
pub(crate) fn moved(stream: u8, number: u64) -> Moved {
    of(Service::Consent, stream, number)
}

pub(crate) fn of(service: Service, stream: u8, number: u64) -> Moved {
    let head = Head { stream: StreamId(Hash([stream; 32])), number, hash: Hash([7; 32]) };
    Moved { service, head, trace: None }
}

/// What happens in time.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(DEADLINE, what).await.expect("nothing happened in time")
}

/// A follower that hears everything from here on.
pub(crate) async fn follower(bus: &Bus) -> Following {
    let mut following = bus.follow(Service::Consent);
    missed(&mut following).await;
    following
}

/// Waits until the follower is told that it may have missed something.
pub(crate) async fn missed(following: &mut Following) {
    soon(async { while following.next().await != News::Missed {} }).await;
}

/// Waits until nothing is heard any more.
pub(crate) async fn away(following: &mut Following) {
    soon(async { while following.next().await != News::Away {} }).await;
}

/// The next head that is heard.
pub(crate) async fn heard(following: &mut Following) -> Moved {
    soon(async {
        loop {
            if let News::Moved(moved) = following.next().await {
                return moved;
            }
        }
    })
    .await
}

/// Hears until each of `expected` was heard, and gives how often each was.
pub(crate) async fn heard_all(following: &mut Following, expected: &[Moved]) -> BTreeMap<StreamId, usize> {
    let mut often = BTreeMap::new();
    while !expected.iter().all(|moved| often.contains_key(&moved.head.stream)) {
        *often.entry(heard(following).await.head.stream).or_default() += 1;
    }
    often
}

/// The next message a worker is given.
pub(crate) async fn given(work: &mut Work) -> Delivery {
    soon(async {
        loop {
            if let Job::Moved(delivery) = work.next().await {
                return delivery;
            }
        }
    })
    .await
}

/// Waits until a worker is asked to sweep.
pub(crate) async fn swept(work: &mut Work) {
    soon(async { while work.next().await != Job::Sweep {} }).await;
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < DEADLINE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await; // between two looks; what must hold is what is waited for
    }
}
