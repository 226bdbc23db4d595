//! What is left of a name, however it was written.

use caseless::Caseless;
use unicode_normalization::{UnicodeNormalization, char::canonical_combining_class};
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};
use zeroize::Zeroizing;

/// Decomposed for compatibility (UAX 15) and fully case-folded (Unicode 16, section 3.13), without accents, with
/// special letters spelt out, and of that letters, digits and dependent vowel signs only.
pub(crate) fn normalise(text: &str) -> Zeroizing<String> {
    let folded = text.nfkd().default_case_fold();
    let mut normal = Zeroizing::new(String::with_capacity(MAX_GROWTH * text.len()));
    for character in folded.filter(|character| kept(*character)) {
        match spelt_out(character) {
            Some(letters) => normal.push_str(letters),
            None => normal.push(character),
        }
    }
    normal
}

/// No text grows more, in bytes: U+FDFA becomes 15 Arabic letters. Reserving so much keeps a growing string from leaving
/// copies of the name behind.
const MAX_GROWTH: usize = 10;

/// Accents have a combining class other than 0; vowel signs of Indic and similar scripts, without which names would merge,
/// have class 0.
fn kept(character: char) -> bool {
    let sign = matches!(character.general_category(), GeneralCategory::NonspacingMark | GeneralCategory::SpacingMark);
    match character.general_category_group() {
        GeneralCategoryGroup::Letter => !is_apostrophe(character),
        GeneralCategoryGroup::Number => true,
        GeneralCategoryGroup::Mark => {
            sign && canonical_combining_class(character) == 0 && !is_variation_selector(character)
        }
        _ => false,
    }
}

/// Letters of Unicode that stand for apostrophes in names, such as the ʻokina.
fn is_apostrophe(character: char) -> bool {
    matches!(character, '\u{2b9}'..='\u{2bf}' | '\u{a78c}')
}

/// They choose between glyphs of one character.
fn is_variation_selector(character: char) -> bool {
    matches!(character, '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Letters that no decomposition reduces, in the spelling of passports (ICAO 9303 part 3) where that is one letter or is
/// unambiguous. ß is folded to ss before.
fn spelt_out(character: char) -> Option<&'static str> {
    Some(match character {
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'þ' => "th",
        'ħ' => "h",
        'ŧ' => "t",
        'ŋ' => "n",
        'ı' => "i",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assigned() -> impl Iterator<Item = char> {
        ('\0'..=char::MAX).filter(|character| character.general_category() != GeneralCategory::Unassigned)
    }

    /// Letters with case that Unicode 17 brought, unknown to the case folding of Unicode 16.
    fn is_newer_than_the_folding(character: char) -> bool {
        matches!(character, '\u{a7ce}'..='\u{a7d5}' | '\u{16ea0}'..='\u{16ed3}')
    }

    #[test]
    fn no_character_grows_more_than_is_reserved() {
        for character in assigned() {
            let normal = normalise(&character.to_string());
            assert!(normal.len() <= MAX_GROWTH * character.len_utf8(), "{character:?}");
        }
    }

    #[test]
    fn normalising_twice_changes_nothing() {
        for character in assigned() {
            let once = normalise(&character.to_string());
            assert_eq!(normalise(&once), once, "{character:?}");
        }
    }

    #[test]
    fn case_never_matters() {
        for character in assigned().filter(|character| !is_newer_than_the_folding(*character)) {
            let normal = normalise(&character.to_string());
            for other in [character.to_string().to_uppercase(), character.to_string().to_lowercase()] {
                assert_eq!(normalise(&other), normal, "{character:?} {other}");
            }
        }
    }
}
