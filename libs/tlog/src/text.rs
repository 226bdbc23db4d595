//! The strict text rules shared by every C2SP format: one spelling per value, nothing tolerated.

use base64::{Engine, engine::general_purpose::STANDARD};

/// Padded base64 (RFC 4648 §4).
pub(crate) fn encode_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Reads padded base64; refuses white space, missing padding and non-zero trailing bits.
pub(crate) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Reads exactly `2 * N` lower-case hexadecimal digits.
pub(crate) fn decode_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    text.bytes().all(|b| !b.is_ascii_uppercase()).then_some(bytes)
}

/// Reads an ASCII decimal without sign and without leading zero, up to `u64::MAX`.
pub(crate) fn decode_decimal(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let canonical = text == "0" || !text.starts_with('0');
    if digits && canonical { text.parse().ok() } else { None }
}

/// True if the text has no ASCII control character but the newline (signed-note, "Format").
pub(crate) fn is_plain(text: &str) -> bool {
    text.bytes().all(|b| b >= 0x20 || b == b'\n')
}

/// True for a key name: not empty, no Unicode space, no control character, no `+`.
pub(crate) fn is_key_name(name: &str) -> bool {
    !name.is_empty() && is_plain(name) && !name.chars().any(|c| c.is_whitespace() || c == '+')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_have_one_spelling() {
        assert_eq!(decode_decimal("0"), Some(0));
        assert_eq!(decode_decimal("18446744073709551615"), Some(u64::MAX));
        for bad in ["", "00", "01", "+1", "-1", " 1", "1 ", "1_0", "٣", "18446744073709551616"] {
            assert_eq!(decode_decimal(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn names_without_spaces_or_plus() {
        assert!(is_key_name("example.com/löwe"));
        for bad in ["", "a b", "a+b", "a\u{a0}b", "a\u{2003}b", "a\nb", "a\u{1}b", "a\u{85}"] {
            assert!(!is_key_name(bad), "{bad:?}");
        }
    }
}
