//! Times as the forms write them: RFC 3339 in UTC.

use jiff::{Timestamp, tz::TimeZone};

/// `YYYY-MM-DDThh:mm:ss.mmmZ`. The calendar of the forms ends with the year 9999: a later time is written as its last.
pub(crate) fn instant(ms: u64) -> String {
    format!("{:.3}", timestamp(ms))
}

/// The day, `YYYY-MM-DD`, in UTC.
pub(crate) fn day(ms: u64) -> String {
    timestamp(ms).to_zoned(TimeZone::UTC).date().to_string()
}

/// `YYYY-MM-DD hh:mm UTC`, for people.
pub(crate) fn minute(ms: u64) -> String {
    let text = instant(ms);
    let (day, time) = text.split_once('T').unwrap_or((&text, ""));
    format!("{day} {} UTC", time.get(..5).unwrap_or_default())
}

fn timestamp(ms: u64) -> Timestamp {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_to_the_millisecond() {
        assert_eq!(instant(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(instant(1_767_225_599_999), "2025-12-31T23:59:59.999Z");
        assert_eq!((day(1_767_225_599_999).as_str(), minute(60_000).as_str()), ("2025-12-31", "1970-01-01 00:01 UTC"));
    }

    #[test]
    fn a_time_beyond_the_calendar_is_its_last() {
        for ms in [u64::MAX, i64::MAX as u64, 253_402_300_800_000] {
            assert!(instant(ms).starts_with("9999-12-3"), "{}", instant(ms));
        }
    }
}
