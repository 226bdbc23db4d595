//! When a witness may be asked again.

use std::time::Duration;
use tokio::time::Instant;

/// How long after its first failure a witness is asked again; after each further one, twice as long.
const FIRST: Duration = Duration::from_millis(500);
/// The longest pause for one that is away or overloaded: it may be back any moment.
const AWAY: Duration = Duration::from_secs(15);
/// The longest pause for one that refuses or answers nonsense.
const WRONG: Duration = Duration::from_secs(60);

/// When a witness may be asked again.
pub(super) struct Pace {
    gap: Duration,
    failures: u32,
    not_before: Option<Instant>,
}

impl Pace {
    /// At most one question in `gap`.
    pub(super) fn new(gap: Duration) -> Self {
        Self { gap, failures: 0, not_before: None }
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.not_before.is_none_or(|not_before| not_before <= now)
    }

    /// Whether it answered well when it was last asked.
    pub(super) fn is_well(&self) -> bool {
        self.failures == 0
    }

    pub(super) fn asked(&mut self, now: Instant) {
        self.not_before = Some(now + self.gap);
    }

    pub(super) fn well(&mut self) {
        self.failures = 0;
    }

    pub(super) fn failed(&mut self, is_away: bool, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        let pause = pause(self.failures, if is_away { AWAY } else { WRONG });
        let again = now + jittered(pause);
        self.not_before = Some(self.not_before.map_or(again, |not_before| not_before.max(again)));
    }
}

/// The pause after so many failures in a row, before jitter.
fn pause(failures: u32, longest: Duration) -> Duration {
    let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).and_then(|times| FIRST.checked_mul(times));
    doubled.map_or(longest, |pause| pause.min(longest))
}

/// Between half of a pause and all of it, so that not everybody asks at once who was refused at once.
fn jittered(pause: Duration) -> Duration {
    let mut random = [0];
    let share = getrandom::fill(&mut random).map_or(u32::from(u8::MAX), |()| u32::from(random[0]));
    pause / 2 + pause / 2 * share / u32::from(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_fails_again_and_again_is_asked_ever_less_often_and_who_answers_well_at_once() {
        let now = Instant::now();
        for (is_away, longest) in [(true, AWAY), (false, WRONG)] {
            let mut pace = Pace::new(Duration::ZERO);
            let mut expected = FIRST;
            for _ in 0..40 {
                pace.failed(is_away, now);
                assert!(!pace.is_due(now + expected / 2 - Duration::from_millis(1)) && !pace.is_well());
                assert!(pace.is_due(now + expected));
                pace.asked(now);
                expected = (expected * 2).min(longest);
            }
            pace.well();
            pace.asked(now);
            assert!(pace.is_due(now) && pace.is_well());
        }
    }

    #[test]
    fn nobody_is_asked_more_often_than_the_rate() {
        let (now, gap) = (Instant::now(), Duration::from_secs(3));
        let mut pace = Pace::new(gap);
        assert!(pace.is_due(now));
        pace.asked(now);
        pace.well();
        assert!(!pace.is_due(now + gap / 2) && pace.is_due(now + gap));
        pace.failed(true, now);
        assert!(!pace.is_due(now + gap / 2), "a short pause makes nobody be asked sooner");
    }
}
