//! How patient a channel is.

use std::time::Duration;

/// How a channel connects, waits and tries again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How many calls may wait for the beginning of their answers at once; the others wait here, where waiting costs the
    /// service nothing.
    pub at_once: usize,
    /// How long connecting to an address may take, TLS included.
    pub connect: Duration,
    /// How long an address may take to begin its answer before another is tried, where there is one.
    pub attempt: Duration,
    /// How long an answer may take to begin when neither the caller nor the call that is being served has a deadline.
    pub patience: Duration,
    /// How often a connection is asked whether it still answers.
    pub ping: Duration,
    /// How long it may take to say so.
    pub ping_timeout: Duration,
    /// How often a name is looked up again.
    pub resolve: Duration,
    /// How often a call is sent at most.
    pub attempts: u32,
    /// The longest wait before a call is sent again the first time; it doubles each time, and a random part of it is waited.
    pub backoff: Duration,
    /// How many calls may be sent again at once; calls refill a fifth of one each.
    pub reserve: u32,
    /// Up to how many bytes a request is kept to be sent again.
    pub replay: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            at_once: 1_024,
            connect: Duration::from_secs(1),
            attempt: Duration::from_secs(3),
            patience: Duration::from_secs(30),
            ping: Duration::from_secs(2),
            ping_timeout: Duration::from_secs(3),
            resolve: Duration::from_secs(5),
            attempts: 4,
            backoff: Duration::from_millis(100),
            reserve: 100,
            replay: (4 << 20) + 1_024, // what tonic's servers take, and its framing
        }
    }
}

/// A random part of `longest`: full jitter.
pub(crate) fn part_of(longest: Duration) -> Duration {
    let share = f64::from(getrandom::u32().unwrap_or(u32::MAX)) / f64::from(u32::MAX);
    longest.mul_f64(share)
}
