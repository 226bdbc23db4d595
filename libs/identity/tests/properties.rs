//! What does not change a token, and what does.

#![allow(clippy::unwrap_used)]

use identity::{Attributes, Fault, MAX_ATTRIBUTE_BYTES, MatchingKey, national_id_token, token};
use proptest::prelude::*;
use seal::Hash;

const NAMES: [(&str, &str); 8] = [
    ("Anne-Marie", "O'Connor"),
    ("Zoë", "Müller"),
    ("Søren", "Ærø Nuñez"),
    ("Łukasz", "Żółć"),
    ("Nguyễn", "Đặng"),
    ("Никита", "Йовович"),
    ("Ἀλέξανδρος", "Παπαδόπουλος"),
    ("Weiß", "Strauß Þór"),
];

fn person(given_name: &str, family_name: &str) -> Attributes {
    Attributes {
        given_name: given_name.to_owned(),
        family_name: family_name.to_owned(),
        birth_date: "1980-02-29".to_owned(),
        national_id: None,
    }
}

fn born(birth_date: &str, mut attributes: Attributes) -> Attributes {
    attributes.birth_date = birth_date.to_owned();
    attributes
}

fn identified(national_id: &str, mut attributes: Attributes) -> Attributes {
    attributes.national_id = Some(national_id.to_owned());
    attributes
}

fn key() -> MatchingKey {
    MatchingKey::new([7; 32])
}

fn made(attributes: &Attributes) -> Hash {
    token(&key(), attributes).unwrap()
}

/// One name as two people might write it.
fn variant(name: &str) -> impl Strategy<Value = String> + use<> {
    let noise = prop::sample::select(vec![
        "", "", "", " ", "-", "'", "’", "ʻ", ".", "\u{a0}", "\u{2010}", "\u{301}", "\u{200d}",
    ]);
    let one = |character: char| {
        (0..4u8, noise.clone()).prop_map(move |(how, noise)| {
            let written: String = match how {
                0 => character.to_uppercase().collect(),
                1 => character.to_lowercase().collect(),
                2 => decomposed(character),
                _ => character.to_string(),
            };
            written + noise
        })
    };
    name.chars().map(one).collect::<Vec<_>>().prop_map(|parts| parts.concat())
}

/// As some keyboards and file systems write accents.
fn decomposed(character: char) -> String {
    match character {
        'ë' => "e\u{308}".to_owned(),
        'ü' => "u\u{308}".to_owned(),
        'ñ' => "n\u{303}".to_owned(),
        'Ż' => "Z\u{307}".to_owned(),
        'ó' => "o\u{301}".to_owned(),
        'ć' => "c\u{301}".to_owned(),
        'ễ' => "e\u{302}\u{303}".to_owned(),
        'Й' => "И\u{306}".to_owned(),
        'ά' => "α\u{301}".to_owned(),
        other => other.to_string(),
    }
}

fn any_spelling() -> impl Strategy<Value = (usize, String, String)> {
    (0..NAMES.len()).prop_flat_map(|which| {
        let (given, family) = NAMES[which];
        (Just(which), variant(given), variant(family))
    })
}

proptest! {
    #[test]
    fn case_accents_spaces_hyphens_and_apostrophes_do_not_matter((which, given, family) in any_spelling()) {
        let (first, second) = NAMES[which];
        prop_assert_eq!(made(&person(&given, &family)), made(&person(first, second)), "{} {}", given, family);
    }

    #[test]
    fn different_letters_make_different_tokens(
        first in ("[a-z]{1,12}", "[a-z]{1,12}"), second in ("[a-z]{1,12}", "[a-z]{1,12}"),
    ) {
        let same = made(&person(&first.0, &first.1)) == made(&person(&second.0, &second.1));
        prop_assert_eq!(same, first == second);
    }

    #[test]
    fn nothing_panics(given in any::<String>(), family in any::<String>(), birth_date in any::<String>(), id in any::<String>()) {
        let attributes = Attributes { given_name: given, family_name: family, birth_date, national_id: Some(id) };
        let _ = token(&key(), &attributes);
        let _ = national_id_token(&key(), &attributes);
        let _ = token(&key(), &born("1980-02-29", attributes));
    }
}

#[test]
fn letters_do_not_move_between_fields() {
    assert_ne!(made(&person("Anna", "Berg")), made(&person("Ann", "Aberg")));
    assert_ne!(made(&person("Anna", "Berg")), made(&person("Berg", "Anna")));
}

#[test]
fn birth_date_key_and_kind_of_token_matter() {
    let anna = person("Anna", "Berg");
    let other = born("1980-02-28", anna.clone());
    assert_ne!(made(&anna), made(&other));
    assert_ne!(made(&anna), token(&MatchingKey::new([8; 32]), &anna).unwrap());
    let with_id = identified("SE 19800229-1234", anna.clone());
    let by_id = national_id_token(&key(), &with_id).unwrap().unwrap();
    assert_eq!(made(&with_id), made(&anna), "a site without the number still matches");
    assert_ne!(by_id, made(&anna));
    let respelt = identified("se198002291234", person("Ana", "Bergh"));
    assert_eq!(national_id_token(&key(), &respelt).unwrap(), Some(by_id));
    assert_eq!(national_id_token(&key(), &anna).unwrap(), None);
}

#[test]
fn names_that_differ_in_vowel_signs_differ() {
    assert_ne!(made(&person("राम", "शर्मा")), made(&person("रम", "शर्मा")));
}

#[test]
fn bounds_and_empty_fields_are_refused() {
    let longest = "x".repeat(MAX_ATTRIBUTE_BYTES);
    assert!(token(&key(), &person(&longest, &longest)).is_ok());
    let longer = format!("{longest}x");
    let fault = |attributes: &Attributes| token(&key(), attributes).unwrap_err();
    assert_eq!(fault(&person(&longer, "x")), Fault::TooLong("given name"));
    assert_eq!(fault(&person("x", &longer)), Fault::TooLong("family name"));
    assert_eq!(fault(&person("-'\u{301} ", "x")), Fault::Empty("given name"));
    assert_eq!(fault(&person("x", "")), Fault::Empty("family name"));
    for birth_date in ["", "1980-02-30", "29.02.1980", "1980-2-29", " 1980-02-29"] {
        assert_eq!(fault(&born(birth_date, person("x", "y"))), Fault::BirthDate);
    }
    let id = |id: &str| identified(id, person("x", "y"));
    assert_eq!(national_id_token(&key(), &id(&longer)), Err(Fault::TooLong("national identifier")));
    assert_eq!(national_id_token(&key(), &id("-")), Err(Fault::Empty("national identifier")));
}

#[test]
fn nothing_secret_is_printed() {
    assert_eq!(format!("{:?} {:?}", key(), person("Anna", "Berg")), "MatchingKey(…) Attributes(…)");
}
