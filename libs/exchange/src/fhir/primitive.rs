//! The primitive types of FHIR R4 (section 2.24.0.1).

use jiff::civil::{Date, DateTime};

/// FHIR R4 string: at least one character that is not white space, no control characters but tab and line breaks.
pub(super) fn is_text(text: &str) -> bool {
    !text.trim().is_empty() && !text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
}

pub(super) fn is_code(text: &str) -> bool {
    text.split(' ').all(|word| !word.is_empty() && !word.contains(char::is_whitespace))
}

/// FHIR R4 dateTime: `YYYY`, `YYYY-MM`, `YYYY-MM-DD` or a full time with zone.
pub(super) fn is_date_time(text: &str) -> bool {
    match text.len() {
        4 => is_day(&format!("{text}-01-01")),
        7 => is_day(&format!("{text}-01")),
        10 => is_day(text),
        _ => is_instant(text),
    }
}

pub(super) fn is_instant(text: &str) -> bool {
    instant(text).is_some()
}

/// A time of day with zone.
pub(super) struct Instant<'a> {
    /// The second, since 1970 in UTC. A leap second is the one before it.
    pub(super) second: i64,
    /// The digits after the point.
    pub(super) fraction: &'a str,
    /// Whether it is a leap second.
    pub(super) leap: bool,
}

/// FHIR R4 instant: seconds and zone are mandatory.
pub(super) fn instant(text: &str) -> Option<Instant<'_>> {
    let (day, time) = text.split_once('T')?;
    let (time, zone) = time.split_at(time.find(['Z', '+', '-'])?);
    let (time, fraction) = match time.split_once('.') {
        Some((_, "")) => return None,
        Some(split) => split,
        None => (time, ""),
    };
    let good = is_day(day) && has_shape(time, "00:00:00") && fraction.bytes().all(|b| b.is_ascii_digit());
    let local: DateTime = format!("{day}T{time}").parse().ok().filter(|_| good)?;
    let since = local.duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0));
    Some(Instant { second: since.as_secs() - offset(zone)?, fraction, leap: time.ends_with(":60") })
}

/// How many seconds a zone is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let (sign, clock) = zone.split_at_checked(1)?;
    let (hours, minutes) = clock.split_once(':').filter(|_| has_shape(clock, "00:00"))?;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    let ahead = (hours * 60 + minutes) * 60;
    (minutes < 60 && ahead <= 14 * 3_600).then_some(if sign == "-" { -ahead } else { ahead })
}

fn is_day(text: &str) -> bool {
    has_shape(text, "0000-00-00") && !text.starts_with("0000") && text.parse::<Date>().is_ok()
}

/// Whether digits are where `shape` has digits, and everything else is the same.
fn has_shape(text: &str, shape: &str) -> bool {
    let same = |(a, b): (u8, u8)| if b.is_ascii_digit() { a.is_ascii_digit() } else { a == b };
    text.len() == shape.len() && text.bytes().zip(shape.bytes()).all(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_fhir() {
        for good in [
            "2015",
            "2015-02",
            "2016-02-29",
            "2016-06-23T17:02:33+10:00",
            "2016-06-23T17:02:33Z",
            "2016-06-23T17:02:33.123456789123Z",
            "2016-06-23T23:59:60Z",
            "1964-01-01T00:00:00-04:00",
            "9999-12-31T23:59:59-14:00",
        ] {
            assert!(is_date_time(good), "{good}");
        }
        for bad in [
            "",
            "15",
            "2015-13",
            "2015-02-29",
            "2015-02-01T10:00Z",
            "2015-02-01T10:00:00",
            "2015-02-01 10:00:00Z",
            "2015-02-01T10:00:00.Z",
            "2015-02-01T25:00:00Z",
            "2015-02-01t10:00:00z",
            "0000",
            "+2015",
            "2015-02-01T",
            "2015-02-01T10:00:00+1000",
            "2015-02-01T10:00:00+99:00",
            "2015-02-01T10:00:00+14:01",
            "2015-02-01T10:00:00+10:60",
            "2015-02-01T10:60:00Z",
            "2015-02-01T10:00:00Z+01:00",
            "２０１５",
            "2015-02-01T10:00:00Z[UTC]",
        ] {
            assert!(!is_date_time(bad), "{bad}");
        }
    }

    #[test]
    fn codes_have_single_inner_spaces() {
        assert!(is_code("a") && is_code("a b") && is_code("application/hl7-cda+xml"));
        assert!(!is_code(" a") && !is_code("a  b") && !is_code("a\tb") && !is_code("a "));
    }
}
