//! How many calls may be sent again: a fifth of those made, so that trouble is not multiplied.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// What sending again costs, and the share of it that each call brings in.
const COST: u32 = 5;
const SHARE: u32 = 1;

/// A store of retries: full at first, a fifth of one added by every call, never more than at first.
#[derive(Debug)]
pub(crate) struct Budget {
    left: AtomicU32,
    most: u32,
}

impl Budget {
    /// A budget that starts with `reserve` retries.
    pub(crate) fn new(reserve: u32) -> Self {
        let most = reserve.saturating_mul(COST);
        Self { left: AtomicU32::new(most), most }
    }

    /// A call is made.
    pub(crate) fn deposit(&self) {
        let more = |left: u32| Some(left.saturating_add(SHARE).min(self.most));
        let _always_some = self.left.fetch_update(Relaxed, Relaxed, more);
    }

    /// Whether one may be sent again; if so it is paid for.
    pub(crate) fn withdraw(&self) -> bool {
        self.left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(COST)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_may_be_sent_again_after_the_reserve() {
        let budget = Budget::new(3);
        assert_eq!((0..10).filter(|_| budget.withdraw()).count(), 3);
        let again = (0..1_000).filter(|_| {
            budget.deposit();
            budget.withdraw()
        });
        assert_eq!(again.count(), 200);
    }

    #[test]
    fn quiet_times_save_no_more_than_the_reserve() {
        let budget = Budget::new(2);
        (0..1_000).for_each(|_| budget.deposit());
        assert_eq!((0..10).filter(|_| budget.withdraw()).count(), 2);
    }
}
