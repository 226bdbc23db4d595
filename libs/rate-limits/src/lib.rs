//! Rate limits that the processes of a deployment share: the generic cell rate algorithm (GCRA, ITU-T I.371), in Redis by
//! its clock, or here.
//!
//! What this crate is *not*: it does not know who a caller is, nor what is refused when a limit is reached.

use bus::Bus;
use moka::sync::Cache;
use seal::Hash;
use std::{
    num::NonZeroU32,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// In one step: the time, what was used up, and whether there is room.
const SCRIPT: &str = include_str!("gcra.lua");
/// A call waits no longer than this for Redis.
const PATIENCE: Duration = Duration::from_millis(100);
/// What a caller owes beyond what they are allowed at once is remembered so long here.
const OWED: Duration = Duration::from_secs(60);
/// The most callers remembered here.
const CALLERS: u64 = 100_000;

/// How often something may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How often in a second, on average.
    pub per_second: NonZeroU32,
    /// How often at once.
    pub burst: NonZeroU32,
    /// Among how many processes the rate is divided while Redis is away.
    pub processes: NonZeroU32,
}

/// The limits of one purpose, for many callers. Cheap to clone.
#[derive(Clone)]
pub struct RateLimits {
    bus: Bus,
    purpose: &'static str,
    rate: Rate,
    here: Cache<Hash, Arc<Mutex<Instant>>>,
    decided_here: Arc<AtomicU64>,
}

impl RateLimits {
    /// Limits shared by all processes that use the same `purpose` on the same bus.
    pub fn new(bus: Bus, purpose: &'static str, rate: Rate) -> Self {
        let here = Cache::builder().max_capacity(CALLERS).time_to_idle(rate.full() + OWED).build();
        Self { bus, purpose, rate, here, decided_here: Arc::default() }
    }

    /// Takes one of what `caller`, an opaque digest, may have, or says how long to wait before asking again. Never fails:
    /// while Redis is away, this process limits alone.
    pub async fn take(&self, caller: Hash) -> Result<(), Duration> {
        if self.bus.is_in_process() {
            return self.take_here(caller, self.rate.interval());
        }
        match self.take_shared(caller, self.rate.interval(), false).await {
            Some(taken) => taken,
            None => self.take_alone(caller),
        }
    }

    /// Takes so many of what `caller` may have, also if there are not as many left: they wait the longer for the next.
    /// Never fails, as [`RateLimits::take`] does not.
    pub async fn owe(&self, caller: Hash, calls: u32) {
        let cost = self.rate.interval().saturating_mul(calls);
        let shared = self.take_shared(caller, cost, true).await;
        if shared.is_none() {
            self.owe_here(caller, cost);
        }
    }

    /// How often this process decided alone because Redis did not answer.
    pub fn decided_here(&self) -> u64 {
        self.decided_here.load(Relaxed)
    }

    /// Takes what costs so much, if there is room or if it is taken `anyway`. Nothing if there is no Redis, or it does not
    /// answer.
    async fn take_shared(&self, caller: Hash, cost: Duration, anyway: bool) -> Option<Result<(), Duration>> {
        let key = format!("trialseal:rate:{}:{}", self.purpose, caller.to_hex());
        let arguments = [cost.as_micros() as u64, self.rate.full().as_micros() as u64, u64::from(anyway)];
        match self.bus.evaluate(SCRIPT, &key, &arguments, PATIENCE).await? {
            0 => Some(Ok(())),
            micros => Some(Err(Duration::from_micros(micros))),
        }
    }

    /// Takes from this process's share.
    fn take_alone(&self, caller: Hash) -> Result<(), Duration> {
        self.decided_here.fetch_add(1, Relaxed);
        self.take_here(caller, self.rate.interval().saturating_mul(self.rate.processes.get()))
    }

    fn owe_here(&self, caller: Hash, cost: Duration) {
        let now = Instant::now();
        let next = self.here.get_with(caller, || Arc::new(Mutex::new(now)));
        if let Ok(mut next) = next.lock() {
            *next = (*next).max(now) + cost;
        }
    }

    fn take_here(&self, caller: Hash, interval: Duration) -> Result<(), Duration> {
        let now = Instant::now();
        let next = self.here.get_with(caller, || Arc::new(Mutex::new(now)));
        let Ok(mut next) = next.lock() else { return Ok(()) };
        let after = (*next).max(now) + interval;
        let wait = (after - now).saturating_sub(self.rate.full().max(interval));
        if wait.is_zero() {
            *next = after;
            return Ok(());
        }
        Err(wait)
    }
}

impl Rate {
    /// The time between two, on average.
    fn interval(self) -> Duration {
        (Duration::from_secs(1) / self.per_second.get()).max(Duration::from_micros(1))
    }

    /// The time in which all that is allowed at once is allowed again.
    fn full(self) -> Duration {
        self.interval().saturating_mul(self.burst.get())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn number(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    #[tokio::test]
    async fn a_caller_may_do_so_much_at_once_and_then_waits() {
        let rate = Rate { per_second: number(1), burst: number(3), processes: number(1) };
        let limits = RateLimits::new(Bus::in_process(), "test", rate);
        for _ in 0..3 {
            assert_eq!(limits.take(Hash([1; 32])).await, Ok(()));
        }
        let wait = limits.take(Hash([1; 32])).await.unwrap_err();
        assert!(wait <= Duration::from_secs(1) && !wait.is_zero(), "{wait:?}");
        assert_eq!(limits.take(Hash([2; 32])).await, Ok(()), "another caller");
    }

    #[tokio::test]
    async fn what_a_caller_owes_is_waited_for_before_the_next() {
        let rate = Rate { per_second: number(1), burst: number(3), processes: number(1) };
        let limits = RateLimits::new(Bus::in_process(), "test", rate);
        let caller = Hash([1; 32]);
        assert_eq!(limits.take(caller).await, Ok(()));
        limits.owe(caller, 5).await;
        let wait = limits.take(caller).await.unwrap_err();
        assert!(
            wait > Duration::from_secs(3) && wait <= Duration::from_secs(4),
            "{wait:?}: three are owed, and one more"
        );
        assert_eq!(limits.take(Hash([2; 32])).await, Ok(()), "another caller owes nothing");
    }

    #[test]
    fn what_was_used_up_comes_back() {
        let rate = Rate { per_second: number(1_000), burst: number(2), processes: number(1) };
        let limits = RateLimits::new(Bus::in_process(), "test", rate);
        let (caller, began, mut taken) = (Hash([1; 32]), Instant::now(), 0);
        while taken < 20 {
            taken += usize::from(limits.take_here(caller, rate.interval()).is_ok());
        }
        assert!(began.elapsed() >= Duration::from_millis(17));
    }
}
