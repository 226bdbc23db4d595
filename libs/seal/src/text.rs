//! How binary values are written in JSON: hashes as 64 lower-case hexadecimal digits, byte strings as padded base64
//! (RFC 4648 section 4). One value has one spelling; any other is refused.

use crate::json;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A byte string, written as base64.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Base64(pub Vec<u8>);

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        json::from_text(deserializer, |text| STANDARD.decode(text).map(Base64).map_err(|_| "not padded base64"))
    }
}

/// A SHA-256 hash, written as lower-case hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hex(pub tlog::Hash);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_hex())
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parse = |text: &str| tlog::Hash::from_hex(text).map(Hex).ok_or("not 64 lower-case hexadecimal digits");
        json::from_text(deserializer, parse)
    }
}

impl From<tlog::Hash> for Hex {
    fn from(hash: tlog::Hash) -> Self {
        Hex(hash)
    }
}

/// Whether text is a calendar day, `YYYY-MM-DD` (ISO 8601 section 5.2.2).
pub fn is_day(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return false };
    let (Some(year), Some(month), Some(day)) = (digits(year, 4), digits(month, 2), digits(day, 2)) else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=last).contains(&day)
}

/// The calendar day, `YYYY-MM-DD` in UTC, of a time in Unix milliseconds.
pub fn day_of(time_ms: u64) -> String {
    // Days since 1 March of year 0, in eras of 400 years: the leap day is then the last of its year.
    let days = time_ms / 86_400_000 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (0, month + 3) } else { (1, month - 9) };
    format!("{:04}-{month:02}-{day:02}", era * 400 + year_of_era + year)
}

/// A number written with exactly `length` digits.
pub fn digits(text: &str, length: usize) -> Option<u32> {
    let good = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    good.then(|| text.parse().ok()).flatten()
}

/// Whether text says nothing: nothing in it is visible.
pub fn is_blank(text: &str) -> bool {
    !text.chars().any(is_visible)
}

/// Whether text says why: a letter or a number of any script is in it.
pub fn is_in_words(text: &str) -> bool {
    text.chars().any(|character| is_visible(character) && character.is_alphanumeric())
}

/// Whether a reader sees a character: it is no white space, no control character, not ignored by default, and not the blank
/// pattern of Braille.
pub fn is_visible(character: char) -> bool {
    !(character.is_whitespace() || character.is_control() || is_ignorable(character) || character == '\u{2800}')
}

/// Whether text that has this character looks as if it had it not: `Default_Ignorable_Code_Point` (Unicode 17, UAX 44).
pub fn is_ignorable(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::{day_of, is_blank, is_in_words};

    #[test]
    fn text_without_a_visible_character_is_blank() {
        for blank in
            ["", "   ", "\t\r\n", "\u{a0}", "\u{2007}\u{202f}\u{3000}", "\u{200b}\u{feff}\u{2060}", "\u{ad}\u{34f}"]
        {
            assert!(is_blank(blank), "{blank:?}");
        }
        for blank in
            ["\u{115f}", "\u{3164}\u{ffa0}", "\u{2800}", "\u{fe0f}\u{e0101}", "\u{85}\u{2028}", "\u{180e}", "\u{e0041}"]
        {
            assert!(is_blank(blank) && !is_in_words(blank), "{blank:?}");
        }
        for text in ["x", " x ", ".", "\u{200b}0", "\u{5b78}"] {
            assert!(!is_blank(text), "{text:?}");
        }
        for (text, says) in [(".", false), ("\u{200b}-?", false), ("x", true), ("\u{8aa4}", true), ("7", true)] {
            assert_eq!(is_in_words(text), says, "{text:?}");
        }
    }

    #[test]
    fn days_of_known_times() {
        let known = [(0, "1970-01-01"), (951_782_399_999, "2000-02-28"), (951_782_400_000, "2000-02-29")];
        let later = [(4_107_542_400_000, "2100-03-01"), (1_795_219_200_000, "2026-11-21")];
        for (time, day) in known.into_iter().chain(later) {
            assert_eq!(day_of(time), day);
        }
    }
}
