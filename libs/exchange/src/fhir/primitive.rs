//! The primitive types of FHIR R4 (section 2.24.0.1).

use jiff::{Timestamp, civil::Date};

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
    let Some((day, time)) = text.split_once('T') else { return false };
    let Some(zone) = time.find(['Z', '+', '-']) else { return false };
    let (time, zone) = time.split_at(zone);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let good_fraction = !fraction.is_empty() && fraction.bytes().all(|b| b.is_ascii_digit());
    let good_zone = zone == "Z" || has_shape(zone.get(1..).unwrap_or_default(), "00:00");
    let whole = format!("{day}T{time}{zone}");
    is_day(day) && has_shape(time, "00:00:00") && good_fraction && good_zone && whole.parse::<Timestamp>().is_ok()
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
