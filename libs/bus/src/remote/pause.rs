//! How long to wait before something is tried again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(1);

/// Waits that double from 50 ms to 1 s, shortened by up to half so that processes do not return all at once.
pub(crate) struct Pause(Duration);

impl Pause {
    pub(crate) fn new() -> Self {
        Self(FIRST)
    }

    /// Begins anew, after something succeeded.
    pub(crate) fn reset(&mut self) {
        self.0 = FIRST;
    }

    /// Waits.
    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(self.next()).await;
    }

    fn next(&mut self) -> Duration {
        let mut random = [0; 4];
        // Without randomness all wait the full time.
        let _ignored = getrandom::fill(&mut random);
        let shortened = f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX) / 2.0;
        let now = self.0.mul_f64(1.0 - shortened);
        self.0 = (self.0 * 2).min(LONGEST);
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_second_and_begin_anew() {
        let mut pause = Pause::new();
        assert!(pause.next() <= FIRST);
        let waits: Vec<Duration> = (0..10).map(|_| pause.next()).collect();
        assert!(waits.iter().all(|wait| *wait <= LONGEST));
        assert!(waits.last() >= Some(&(LONGEST / 2)), "{waits:?}");
        pause.reset();
        assert!(pause.next() <= FIRST);
    }
}
