//! Approvals of ethics boards, and days in general.

use super::{Next, Refusal};
use seal::{
    id::Name,
    text::{day_of, is_day},
};
use vocabulary::command::Approval;

/// How far any place on Earth is ahead of UTC, in milliseconds: 14 hours.
const AHEAD_OF_UTC_MS: u64 = 14 * 3_600_000;

/// Checks an approval's day.
pub(super) fn check(approval: &Approval, next: Next) -> Result<(), Refusal> {
    check_day("approval.date", &approval.date, next)
}

/// Checks that a field is a calendar day that has begun somewhere on Earth.
pub(super) fn check_day(field: &'static str, day: &Name, next: Next) -> Result<(), Refusal> {
    if !is_day(day.as_str()) {
        return Err(Refusal::Malformed { field, what: "not a day, YYYY-MM-DD" });
    }
    if *day.as_str() > *day_of(next.time.saturating_add(AHEAD_OF_UTC_MS)) {
        return Err(Refusal::Malformed { field, what: "is in the future" });
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_past_once_it_has_begun_anywhere() {
        let at = |time| check_day("date", &"1970-01-02".parse().unwrap(), Next { number: 0, time });
        assert!(at(10 * 3_600_000).is_ok());
        assert!(at(10 * 3_600_000 - 1).is_err());
        assert!(at(u64::MAX).is_ok());
    }
}
