//! Names that a reader takes for one another.

use caseless::Caseless;
use seal::text::is_ignorable;
use unicode_normalization::UnicodeNormalization;

/// What is left of a name without what its readers do not see or mind: invisible characters, the kind and number of blanks, and
/// case. Compatibility decomposed (UAX 15), fully case-folded.
pub fn reduced(text: &str) -> String {
    folded(text).split(is_blank).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// What is left of an identifier without what its readers do not see: invisible characters, and the kind and number of blanks.
pub fn seen(text: &str) -> String {
    let visible = text.chars().filter(|character| !is_ignorable(*character));
    visible.nfkd().collect::<String>().split(is_blank).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// What is left of the name of a study event without that, without the blanks that keep no digits apart, and with one character
/// for those that are mistaken for one another: `VISIT 1`, `Visit  1`, `VIS1T_1` and `visit1` are alike, `DAY 1` and `DAY -1` are not.
pub fn alike(text: &str) -> String {
    let mut left = String::with_capacity(text.len());
    let mut before: Option<char> = None;
    let mut blank = false;
    for character in folded(text).chars() {
        if is_blank(character) || character == '_' {
            blank = true;
            continue;
        }
        if blank && character.is_numeric() && before.is_some_and(char::is_numeric) {
            left.push(' ');
        }
        left.push(mistaken(character));
        (before, blank) = (Some(character), false);
    }
    left
}

fn folded(text: &str) -> String {
    let seen = text.chars().filter(|character| !is_ignorable(*character));
    seen.nfkd().default_case_fold().nfkd().collect()
}

fn is_blank(character: char) -> bool {
    character.is_whitespace() || character.is_control() || character == '\u{2800}'
}

fn mistaken(character: char) -> char {
    match character {
        'i' | 'l' | '1' | '|' | '\u{131}' => '1',
        'o' | '0' => '0',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_the_same_are_alike() {
        let visit = alike("VISIT 1");
        for text in [
            "Visit 1",
            "VISIT  1",
            "VISIT\u{a0}1",
            "VIS1T 1",
            "VISIT 1\u{200b}",
            "VISIT_1",
            "visit1",
            "\u{ff36}ISIT 1",
            "V\u{ad}ISIT 1",
        ] {
            assert_eq!(alike(text), visit, "{text:?}");
        }
        for (one, other) in [
            ("VISIT 1", "VISIT 2"),
            ("VISIT 1", "VISIT 11"),
            ("VISIT 1 1", "VISIT 11"),
            ("UNSCHEDULED 1.1", "UNSCHEDULED 11"),
            ("DAY 1", "DAY -1"),
            ("WEEK 2", "WEEK 20"),
            ("SCREENING 1", "SCREENING 2"),
        ] {
            assert_ne!(alike(one), alike(other), "{one} {other}");
        }
        assert_eq!(alike("DAY -1"), alike("Day\u{2212}1"));
    }

    #[test]
    fn case_blanks_and_what_is_invisible_do_not_tell_columns_apart() {
        for text in ["Temp (c)", "TEMP\u{a0} (C)", " TEMP (C)", "TEMP\u{200b} (C)\u{feff}"] {
            assert_eq!(reduced(text), reduced("TEMP (C)"), "{text:?}");
        }
        for (one, other) in [("VS10", "VSIO"), ("Q1", "Ql"), ("TEMP", "TEMP 1"), ("AGE", "AGEU")] {
            assert_ne!(reduced(one), reduced(other), "{one} {other}");
        }
        assert_eq!(reduced(" \u{200b}"), "");
    }
}
