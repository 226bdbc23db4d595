//! Periods of FHIR R4 (section 2.24.0.7) as spans of milliseconds.
//!
//! A rule's span lies within the spans of all rules it is nested in. No span says more than the resource: what permits has
//! the narrower reading of a time, what denies the wider one.

use super::{
    element::text,
    primitive::{Instant, instant},
};
use jiff::civil::Date;
use serde_json::{Map, Value};

const SECOND: i64 = 1_000;
const DAY: i64 = 86_400 * SECOND;

/// From `from`, before `until`, Unix milliseconds. `i64::MIN` and `i64::MAX`: without bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) from: i64,
    pub(super) until: i64,
}

impl Span {
    pub(super) const ALWAYS: Span = Span { from: i64::MIN, until: i64::MAX };
    const NEVER: Span = Span { from: i64::MAX, until: i64::MIN };

    pub(super) fn is_empty(self) -> bool {
        self.from >= self.until
    }

    pub(super) fn within(self, other: Span) -> Span {
        Span { from: self.from.max(other.from), until: self.until.min(other.until) }
    }
}

/// When a rule applies, in both readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    /// Surely: for a rule that permits.
    pub(super) narrow: Span,
    /// Possibly: for a rule that denies.
    pub(super) wide: Span,
}

impl Times {
    pub(super) const ALWAYS: Times = Times { narrow: Span::ALWAYS, wide: Span::ALWAYS };

    /// These times, within those of the period `object[name]`.
    pub(super) fn within(self, object: &Map<String, Value>, name: &str) -> Times {
        let Some(period) = object.get(name).and_then(Value::as_object) else { return self };
        let written = |name| text(period, name).and_then(Written::parse);
        let (start, end) = (written("start"), written("end"));
        // A bound that is there, but not told (such as with data-absent-reason), is not the same as none.
        let untold = |bound: &Option<_>, name| bound.is_none() && period.contains_key(name);
        let narrow = Span {
            from: start.as_ref().map_or(i64::MIN, Written::latest_start),
            until: end.as_ref().map_or(i64::MAX, |end| end.last.saturating_add(1)),
        };
        let wide = Span {
            from: start.as_ref().map_or(i64::MIN, |start| start.first),
            until: end.as_ref().map_or(i64::MAX, Written::latest_end),
        };
        let narrow = if untold(&start, "_start") || untold(&end, "_end") { Span::NEVER } else { narrow };
        Times { narrow: self.narrow.within(narrow), wide: self.wide.within(wide) }
    }
}

/// The time of what was made at `object[name]`: before that it permits nothing.
pub(super) fn made(object: &Map<String, Value>, name: &str) -> Span {
    let made = text(object, name).and_then(Written::parse);
    Span { from: made.map_or(i64::MIN, |made| made.latest_start()), until: i64::MAX }
}

/// per-1: whether a period ends before it starts.
pub(super) fn is_reversed(start: &str, end: &str) -> bool {
    match (Written::parse(start), Written::parse(end)) {
        (Some(start), Some(end)) => (end.last, end.beyond) < (start.first, start.beyond),
        _ => false,
    }
}

/// What a dateTime stands for. A date stands for all of its day, month or year, in UTC: FHIR gives it no zone.
struct Written<'a> {
    /// Its first millisecond.
    first: i64,
    /// The last millisecond that is surely meant as an end.
    last: i64,
    /// The digits after the milliseconds, without trailing zeros.
    beyond: &'a str,
    /// What the last digit stands for, in milliseconds, at least one.
    precision: i64,
    leap: bool,
}

impl<'a> Written<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let whole = |first: Date, last: Date| {
            let (first, last) = (ms(first), ms(last) + DAY - 1);
            Some(Self { first, last, beyond: "", precision: 1, leap: false })
        };
        let date = |text: String| text.parse::<Date>().ok();
        match text.len() {
            4 => date(format!("{text}-01-01")).and_then(|day| whole(day, day.last_of_year())),
            7 => date(format!("{text}-01")).and_then(|day| whole(day, day.last_of_month())),
            10 => date(text.to_owned()).and_then(|day| whole(day, day)),
            _ => instant(text).as_ref().map(Self::exact),
        }
    }

    fn exact(instant: &Instant<'a>) -> Self {
        let digits = instant.fraction;
        let (thousandths, beyond) = digits.split_at(digits.len().min(3));
        let parsed: i64 = format!("{thousandths:0<3}").parse().unwrap_or_default();
        let first = instant.second * SECOND + parsed;
        let precision = [SECOND, 100, 10].get(digits.len()).copied().unwrap_or(1);
        Self { first, last: first, beyond: beyond.trim_end_matches('0'), precision, leap: instant.leap }
    }

    /// The first whole millisecond that is not before this start.
    fn latest_start(&self) -> i64 {
        self.first + i64::from(!self.beyond.is_empty()) + if self.leap { SECOND } else { 0 }
    }

    /// The first millisecond that is surely after this end.
    fn latest_end(&self) -> i64 {
        self.last + self.precision + if self.leap { SECOND } else { 0 }
    }
}

/// The beginning of a day in UTC, Unix milliseconds.
fn ms(day: Date) -> i64 {
    day.duration_since(Date::constant(1970, 1, 1)).as_secs() * SECOND
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn times(period: &Value) -> Times {
        Times::ALWAYS.within(json!({ "period": period }).as_object().unwrap(), "period")
    }

    #[test]
    fn an_end_includes_all_that_it_stands_for() {
        for (end, narrow, wide) in [
            ("1970", 365 * DAY, 365 * DAY),
            ("1970-01", 31 * DAY, 31 * DAY),
            ("1972-02", (365 + 365 + 60) * DAY, (365 + 365 + 60) * DAY),
            ("1970-01-01", DAY, DAY),
            ("1969-12-31", 0, 0),
            ("1970-01-01T00:00:07Z", 7_001, 8_000),
            ("1970-01-01T00:00:07.5Z", 7_501, 7_600),
            ("1970-01-01T00:00:07.123999Z", 7_124, 7_124),
            ("1970-01-01T02:00:07.000+02:00", 7_001, 7_001),
            ("1969-12-31T23:00:07.000-01:00", 7_001, 7_001),
            ("1970-01-01T00:00:60Z", 59_001, 61_000),
        ] {
            let times = times(&json!({ "end": end }));
            assert_eq!((times.narrow.until, times.wide.until), (narrow, wide), "{end}");
            assert_eq!((times.narrow.from, times.wide.from), (i64::MIN, i64::MIN), "{end}");
        }
    }

    #[test]
    fn a_start_begins_with_all_that_it_stands_for() {
        for (start, narrow, wide) in [
            ("1971", 365 * DAY, 365 * DAY),
            ("1970-02", 31 * DAY, 31 * DAY),
            ("1970-01-02", DAY, DAY),
            ("1970-01-01T00:00:07Z", 7_000, 7_000),
            ("1970-01-01T00:00:07.1230001Z", 7_124, 7_123),
            ("1970-01-01T00:00:07.123000Z", 7_123, 7_123),
            ("1970-01-01T00:00:60Z", 60_000, 59_000),
        ] {
            let times = times(&json!({ "start": start }));
            assert_eq!((times.narrow.from, times.wide.from), (narrow, wide), "{start}");
            assert_eq!((times.narrow.until, times.wide.until), (i64::MAX, i64::MAX), "{start}");
        }
    }

    #[test]
    fn the_calendar_ends_without_overflow() {
        let end = times(&json!({ "start": "0001", "end": "9999" })).narrow;
        assert!(end.from < 0 && end.until == 253_402_300_800_000 && !end.is_empty());
    }

    #[test]
    fn a_bound_that_is_not_told_permits_never_and_denies_always() {
        let masked = json!({ "extension": [{ "url": "urn:x" }] });
        for period in [json!({ "start": "1970", "_end": masked }), json!({ "_start": masked, "end": "1970" })] {
            assert!(times(&period).narrow.is_empty() && !times(&period).wide.is_empty(), "{period}");
        }
        assert!(!times(&json!({ "end": "1970", "_end": masked })).narrow.is_empty());
    }

    #[test]
    fn a_period_is_reversed_at_any_precision() {
        for (start, end, reversed) in [
            ("2020", "2019", true),
            ("2020", "2020", false),
            ("2020-06", "2020", false),
            ("2020-06-15", "2020-05", true),
            ("2021", "2020-12-31T23:59:59.999Z", true),
            ("2021", "2020-12-31T23:59:59-01:00", false),
            ("2020-01-01T12:00:00+02:00", "2020-01-01T09:59:59Z", true),
            ("2020-01-01T12:00:00.0005Z", "2020-01-01T12:00:00.0004Z", true),
            ("2020-01-01T12:00:00.0005Z", "2020-01-01T12:00:00.00050Z", false),
            ("2020-01-01T12:00:00Z", "2020-01-01T12:00:00Z", false),
        ] {
            assert_eq!(is_reversed(start, end), reversed, "{start} {end}");
        }
    }
}
