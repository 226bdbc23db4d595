//! Dates and times as SDTM writes them (ISO 8601; SDTMIG 3.4 section 4.4), and between which moments they lie.

use seal::text::digits;
use std::str::Chars;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// How far local time is ahead of UTC at most, and behind it.
const AHEAD_MS: i64 = 14 * HOUR_MS;
const BEHIND_MS: i64 = 12 * HOUR_MS;

/// When something was, as far as its text tells: moments in Unix milliseconds. Without an offset from UTC it may be
/// local time anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct When {
    /// The first moment at which it, or the last of its interval, may have been.
    earliest: i64,
    /// The moment after the last at which it may have been.
    latest: i64,
}

impl When {
    /// Reads a date, a date and time, or an interval of two of them that does not end before it begins.
    pub fn parse(text: &str) -> Option<Self> {
        let Some((first, last)) = text.split_once('/') else { return Some(Moment::parse(text)?.anywhere()) };
        let (first, last) = (Moment::parse(first)?, Moment::parse(last)?);
        let ends_before = if first.offset == last.offset {
            last.latest <= first.earliest
        } else {
            last.anywhere().latest <= first.anywhere().earliest
        };
        let (first, last) = (first.anywhere(), last.anywhere());
        (!ends_before).then_some(Self { earliest: first.earliest.max(last.earliest), latest: last.latest })
    }

    /// Whether all or a part of it was after `time` (Unix milliseconds), whatever is not known of it.
    pub fn is_after(&self, time: u64) -> bool {
        i64::try_from(time).is_ok_and(|time| self.earliest > time)
    }

    /// Whether all of it was before `time` (Unix milliseconds), whatever is not known of it.
    pub fn is_before(&self, time: u64) -> bool {
        i64::try_from(time).is_ok_and(|time| self.latest <= time)
    }
}

/// One date, or date and time: moments as if it were UTC, where it states no offset.
struct Moment {
    earliest: i64,
    latest: i64,
    /// Whether it states an offset from UTC.
    offset: bool,
}

impl Moment {
    fn parse(text: &str) -> Option<Self> {
        let (date, time) = text.split_once('T').map_or((text, None), |(date, time)| (date, Some(time)));
        let date = parts(date, '-', &[4, 2, 2])?;
        let (time, offset) = match time {
            Some(_) if date.len() < 3 => return None,
            Some(time) => clock(time)?,
            None => (Vec::new(), None),
        };
        let last = time.last().or(date.last())?;
        (last.is_some() && is_of_calendar(&date)).then(|| bounds(&date, &time, offset))
    }

    /// Without an offset it may be local time anywhere.
    fn anywhere(&self) -> When {
        let (ahead, behind) = if self.offset { (0, 0) } else { (AHEAD_MS, BEHIND_MS) };
        When { earliest: self.earliest.saturating_sub(ahead), latest: self.latest.saturating_add(behind) }
    }
}

/// Components behind one another, as many as there are: a number of so many digits, or a hyphen for one that is not known.
fn parts(text: &str, separator: char, widths: &[usize]) -> Option<Vec<Option<u32>>> {
    let mut rest = text.chars();
    let mut found = Vec::with_capacity(widths.len());
    for width in widths {
        found.push(part(&mut rest, *width)?);
        match rest.next() {
            None => return Some(found),
            Some(next) if next == separator && found.len() < widths.len() => {}
            Some(_) => return None,
        }
    }
    None
}

fn part(rest: &mut Chars<'_>, width: usize) -> Option<Option<u32>> {
    if let Some(after) = rest.as_str().strip_prefix('-') {
        *rest = after.chars();
        return Some(None);
    }
    let (number, after) = rest.as_str().split_at_checked(width)?;
    *rest = after.chars();
    digits(number, width).map(Some)
}

/// A time of day, and its offset from UTC in minutes, if it states one.
fn clock(text: &str) -> Option<(Vec<Option<u32>>, Option<i64>)> {
    let (time, offset) = match text.strip_suffix('Z') {
        Some(time) => (time, Some(0)),
        None => zone(text)?,
    };
    let (whole, fraction) = time.split_once('.').map_or((time, None), |(whole, fraction)| (whole, Some(fraction)));
    let time = parts(whole, ':', &[2, 2, 2])?;
    let good = fraction.is_none_or(|fraction| {
        let number = (1..=9).contains(&fraction.len()) && fraction.bytes().all(|byte| byte.is_ascii_digit());
        number && matches!(time.as_slice(), [_, _, Some(_)])
    });
    let limits = [24, 60, 61]; // a second 60 is a leap second
    let in_range = time.iter().zip(limits).all(|(part, limit)| part.is_none_or(|part| part < limit));
    (good && in_range).then_some((time, offset))
}

/// Splits an offset of the form `+hh:mm` from the time it follows, where there is one. A hyphen that stands for a component follows
/// no digit.
fn zone(text: &str) -> Option<(&str, Option<i64>)> {
    let place = text.rfind(['+', '-']).filter(|place| *place > 0 && text.as_bytes()[place - 1].is_ascii_digit());
    let Some((time, offset)) = place.map(|place| text.split_at(place)) else { return Some((text, None)) };
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    let minutes = i64::from(hours.checked_mul(60)?.checked_add(minutes).filter(|_| hours <= 14 && minutes < 60)?);
    Some((time, Some(if offset.starts_with('-') { -minutes } else { minutes })))
}

/// Whether there is such a day in a month and year, as far as they are known.
fn is_of_calendar(date: &[Option<u32>]) -> bool {
    let known = |place: usize| date.get(place).copied().flatten();
    let month = known(1).is_none_or(|month| (1..=12).contains(&month));
    month && known(2).is_none_or(|day| (1..=days_in(known(0), known(1))).contains(&day))
}

/// The days of a month; the most it may have, where the year or the month is not known.
fn days_in(year: Option<u32>, month: Option<u32>) -> u32 {
    let leap =
        year.is_none_or(|year| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)));
    match month {
        Some(2) => 28 + u32::from(leap),
        Some(4 | 6 | 9 | 11) => 30,
        _ => 31,
    }
}

fn bounds(date: &[Option<u32>], time: &[Option<u32>], offset: Option<i64>) -> Moment {
    let Some(year) = date.first().copied().flatten() else {
        return Moment { earliest: i64::MIN, latest: i64::MAX, offset: offset.is_some() };
    };
    let number =
        |parts: &[Option<u32>], place: usize, unknown: u32| parts.get(place).copied().flatten().unwrap_or(unknown);
    let of_day = |unknown: [u32; 3]| {
        let [hour, minute, second] = [0, 1, 2].map(|place| i64::from(number(time, place, unknown[place])));
        hour * HOUR_MS + minute * MINUTE_MS + second * 1_000
    };
    let earliest = day_number(year, number(date, 1, 1), number(date, 2, 1)) * DAY_MS + of_day([0, 0, 0]);
    let month = number(date, 1, 12);
    let last_day = number(date, 2, days_in(Some(year), Some(month)));
    let last = day_number(year, month, last_day.min(days_in(Some(year), Some(month)))) * DAY_MS;
    let latest = match time.len() {
        0 => last + DAY_MS,
        1 => last + of_day([23, 0, 0]) + HOUR_MS,
        2 => last + of_day([23, 59, 0]) + MINUTE_MS,
        _ => last + of_day([23, 59, 60]) + 1_000,
    };
    let minutes = offset.unwrap_or(0) * MINUTE_MS;
    Moment { earliest: earliest - minutes, latest: latest - minutes, offset: offset.is_some() }
}

/// The days from 1 January 1970 to a day of the Gregorian calendar.
fn day_number(year: u32, month: u32, day: u32) -> i64 {
    // Years begin with March here: the leap day is then the last of its year.
    let (year, month) = if month > 2 { (i64::from(year), month - 3) } else { (i64::from(year) - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leap_days + i64::from((153 * month + 2) / 5 + day) - 719_469
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use seal::text::day_of;

    #[test]
    fn dates_are_read_as_sdtm_writes_them() {
        let good = [
            "2003",
            "2003-12",
            "2003-12-15",
            "2003-12-15T13",
            "2003-12-15T13:15",
            "2003-12-15T13:15:17",
            "2003-12-15T13:15:17.123",
            "2003---15",
            "2013---05",
            "--12-15",
            "--12",
            "-----T07:15",
            "2003-12-15T-:15",
            "2003-12-15T13:-:17",
            "2003-12-15T-:-:17",
            "2003-12--T07:15",
            "2003-12-15T13:15Z",
            "2003-12-15T13:15:17.5+05:30",
            "2003-12-15T13-05:00",
            "2003-12-15T-:15-05:00",
            "2003-12-01/2003-12-10",
            "2003-12-15T10:00/2003-12-15T10:30",
            "2003-01/2003-02-15",
            "--06-01/--06-10",
            "2004-02-29",
            "--02-29",
            "2003-12-31T23:59:60",
            "0000",
        ];
        for text in good {
            assert!(When::parse(text).is_some(), "{text}");
        }
        let bad = [
            "",
            "-",
            "--",
            "----",
            "-----",
            "2003-",
            "2003--",
            "2003-12-",
            "2003-12--",
            "2003--15",
            "2003-13",
            "2003-00",
            "2003-12-32",
            "2003-02-29",
            "2003-04-31",
            "--04-31",
            "--02-30",
            "2003---32",
            "03-12-15",
            "20031215",
            "2003-12-15T",
            "2003T10",
            "2003-12T10",
            "2003-12-15T24:00",
            "2003-12-15T13:60",
            "2003-12-15T13:15:61",
            "2003-12-15T13:-",
            "2003-12-15T-",
            "2003-12-15T13:15:17.",
            "2003-12-15T13.5",
            "2003-12-15T13:15:-.5",
            "2003-12-15T13:15+5:30",
            "2003-12-15T13:15+0530",
            "2003-12-15T13:15+15:00",
            "2003-12-15T13:15+05:60",
            "2003-12-15+05:00",
            "2003-12-15T-05:00",
            "2003-12-15 13:15",
            "2003-12-15t13:15z",
            "2003/",
            "/2003",
            "2003/2004/2005",
            "2004/2003",
            "2003-12-10/2003-12-01",
            "P1D",
            "2003-12-01/P9D",
            "2003-12-15T13:15:17,123",
            "yesterday",
            "\u{662}\u{660}\u{660}\u{663}",
            "2003-12-15\u{200b}",
            " 2003",
        ];
        for text in bad {
            assert_eq!(When::parse(text), None, "{text}");
        }
    }

    #[test]
    fn days_have_their_numbers() {
        for time in (0..200_000).map(|day| day * 86_400_000_u64) {
            let day = day_of(time);
            let number = |range: std::ops::Range<usize>| day[range].parse().unwrap();
            assert_eq!(
                day_number(number(0..4), number(5..7), number(8..10)) * DAY_MS,
                i64::try_from(time).unwrap(),
                "{day}"
            );
        }
    }

    #[test]
    fn only_what_is_certain_is_before_or_after() {
        let noon = u64::try_from(day_number(2026, 6, 15) * DAY_MS + 12 * HOUR_MS).unwrap();
        let cases = [
            // text, before noon of 15 June 2026 UTC, after it
            ("2026-06-15T12:00Z", false, false),
            ("2026-06-15T11:59Z", true, false),
            ("2026-06-15T12:01Z", false, true),
            ("2026-06-15T14:30+02:00", false, true),
            ("2026-06-15T13:59+02:00", true, false),
            ("2026-06-15", false, false),
            ("2026-06-14", true, false),
            ("2026-06-16", false, false), // it has begun at 14 hours ahead of UTC
            ("2026-06-17", false, true),
            ("2026-06", false, false),
            ("2026", false, false),
            ("2027", false, true),
            ("2025", true, false),
            ("2099-01-01", false, true),
            ("0000", true, false),
            ("--06-14", false, false),
            ("-----T07:15", false, false),
            ("2026---16", false, false),
            ("2025---31", true, false),
            ("2027---01", false, true),
            ("2025-01/2026-06-14", true, false),
            ("2025-01/2026-06-30", false, true),
            ("2026-06-01/2026-06-15", false, false),
        ];
        for (text, before, after) in cases {
            let when = When::parse(text).unwrap();
            assert_eq!((when.is_before(noon), when.is_after(noon)), (before, after), "{text}");
        }
    }
}
