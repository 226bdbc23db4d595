//! How much one stream may hold: its entries, and the bytes of these and of what is stored with them.
//!
//! Entries are counted by their numbers. Bytes are counted as they are appended; what was appended before this process
//! began, or by another replica, is read from the database once, and only when it could matter: while even the largest
//! entries would leave the stream below the level at which somebody is warned, nothing is read.

use crate::{ReadError, store};
use seal::id::{Service, StreamId};
use sqlx::AnyConnection;
use telemetry::meters;

/// The largest entry with what is stored with it, in bytes: no service takes a larger message.
const LARGEST: u64 = 16 << 20;
/// Entries that may be appended before bytes are looked at again: those of one commit group.
const AT_ONCE: u64 = 512;
/// Entries whose bytes are read within one commit; of a longer stream the rest is read by the next ones.
const PAGE: u64 = 100_000;
/// From how many percent of a quota on somebody is warned.
const WARNING_PERCENT: u64 = 80;

/// The most that one stream, the journal of one study at one service, may hold. The default is generous.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Bytes of entries and of what is stored with them; 0: no limit.
    pub bytes: u64,
    /// Entries; 0: no limit.
    pub entries: u64,
}

impl Default for Quota {
    fn default() -> Self {
        Self { bytes: 64 << 30, entries: 50_000_000 }
    }
}

impl Quota {
    /// No limit.
    pub const NONE: Self = Self { bytes: 0, entries: 0 };

    /// What of it does not suffice for a stream of so many entries and bytes. Commands `in_reserve` may use an eighth more.
    pub(crate) fn exceeded(&self, in_reserve: bool, entries: u64, bytes: u64) -> Option<&'static str> {
        let over = |used: u64, limit: u64| {
            let reserve = if in_reserve { limit.div_ceil(8) } else { 0 };
            limit > 0 && used > limit.saturating_add(reserve)
        };
        if over(entries, self.entries) {
            return Some("entries");
        }
        over(bytes, self.bytes).then_some("bytes")
    }

    /// How much of it a stream uses, percent.
    pub(crate) fn percent(&self, entries: u64, bytes: u64) -> u64 {
        let share = |used: u64, limit: u64| used.saturating_mul(100).checked_div(limit).unwrap_or(0);
        share(entries, self.entries).max(share(bytes, self.bytes))
    }

    /// Says once that a study comes near its quota, and again after a restart.
    pub(crate) fn warn(&self, service: Service, stream: StreamId, before: u64, percent: u64) {
        meters().quota.raise(percent);
        if before < WARNING_PERCENT && percent >= WARNING_PERCENT {
            tracing::warn!(%service, %stream, percent, "a study comes near its quota: raise it, or commands are refused");
        }
    }
}

/// The bytes of a stream's first entries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    entries: u64,
    pub(crate) bytes: u64,
}

impl Counted {
    /// Counts what is not counted of a stream of `entries` entries, if it could matter.
    pub(crate) async fn catch_up(
        &mut self,
        connection: &mut AnyConnection,
        row: i64,
        entries: u64,
        quota: &Quota,
    ) -> Result<(), ReadError> {
        let uncounted = entries.saturating_sub(self.entries);
        let at_most = uncounted.saturating_add(AT_ONCE).saturating_mul(LARGEST).saturating_add(self.bytes);
        if uncounted == 0 || quota.bytes == 0 || quota.percent(0, at_most) < WARNING_PERCENT {
            return Ok(());
        }
        let until = entries.min(self.entries.saturating_add(PAGE));
        self.bytes = self.bytes.saturating_add(store::bytes(connection, row, self.entries..until).await?);
        self.entries = until;
        Ok(())
    }

    /// Counts the entry `number`, if all before it are counted.
    pub(crate) fn add(&mut self, number: u64, bytes: usize) {
        if self.entries == number {
            self.entries += 1;
            self.bytes = self.bytes.saturating_add(bytes as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_nothing_is_none_and_the_reserve_is_an_eighth() {
        assert_eq!(Quota::NONE.exceeded(false, u64::MAX, u64::MAX), None);
        let quota = Quota { bytes: 800, entries: 80 };
        assert_eq!(quota.exceeded(false, 80, 800), None);
        assert_eq!(quota.exceeded(false, 81, 800), Some("entries"));
        assert_eq!(quota.exceeded(false, 80, 801), Some("bytes"));
        assert_eq!(quota.exceeded(true, 90, 900), None);
        assert_eq!(quota.exceeded(true, 91, 900), Some("entries"));
        assert_eq!(quota.exceeded(true, 90, 901), Some("bytes"));
    }

    #[test]
    fn the_fuller_of_the_two_counts() {
        let quota = Quota { bytes: 800, entries: 80 };
        assert_eq!((quota.percent(40, 80), quota.percent(4, 640), Quota::NONE.percent(9, 9)), (50, 80, 0));
    }
}
