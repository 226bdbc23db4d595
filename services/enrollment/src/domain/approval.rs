//! Approvals of ethics boards, and days in general.

use super::{Next, Refusal};
use seal::{
    command::Approval,
    id::Name,
    text::{digits, is_day},
};

/// How far any place on Earth is ahead of UTC, in milliseconds: 14 hours.
const AHEAD_OF_UTC_MS: u64 = 14 * 3_600_000;
const DAY_MS: u64 = 86_400_000;

/// Checks an approval's day.
pub(super) fn check(approval: &Approval, next: Next) -> Result<(), Refusal> {
    check_day("approval.date", &approval.date, next)
}

/// Checks that a field is a calendar day that has begun somewhere on Earth.
pub(super) fn check_day(field: &'static str, day: &Name, next: Next) -> Result<(), Refusal> {
    let today = next.time.saturating_add(AHEAD_OF_UTC_MS) / DAY_MS;
    match day_number(day.as_str()) {
        None => Err(Refusal::Malformed { field, what: "not a day, YYYY-MM-DD" }),
        Some(day) if day > i64::try_from(today).unwrap_or(i64::MAX) => {
            Err(Refusal::Malformed { field, what: "lies in the future" })
        }
        Some(_) => Ok(()),
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar (ISO 8601 section 4.2.1).
fn day_number(text: &str) -> Option<i64> {
    if !is_day(text) {
        return None;
    }
    let number = |range, length| text.get(range).and_then(|part| digits(part, length)).map(i64::from);
    let (year, month, day) = (number(0..4, 4)?, number(5..7, 2)?, number(8..10, 2)?);
    // Years begin in March, so that the day that may be missing is the last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(365 * year + leap_days + (153 * month + 2) / 5 + day - 719_469)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_from_1970() {
        let days = [
            ("1970-01-01", 0),
            ("1970-03-01", 59),
            ("1969-12-31", -1),
            ("2000-02-29", 11_016),
            ("2000-03-01", 11_017),
            ("2026-01-15", 20_468),
            ("0000-03-01", -719_468),
        ];
        for (text, number) in days {
            assert_eq!(day_number(text), Some(number), "{text}");
        }
        assert_eq!(day_number("2023-02-29"), None);
    }

    #[test]
    fn a_day_is_past_once_it_has_begun_anywhere() {
        let at = |time| check_day("date", &"1970-01-02".parse().unwrap(), Next { number: 0, time });
        assert!(at(10 * 3_600_000).is_ok());
        assert!(at(10 * 3_600_000 - 1).is_err());
        assert!(at(u64::MAX).is_ok());
    }
}
