//! The published vectors, here and in Python, and every character of Unicode, compared with Python's own tables.

#![allow(clippy::unwrap_used)]

use identity::{Attributes, MatchingKey, national_id_token, token};
use seal::Hash;
use serde_json::{Value, json};
use std::{fs, path::PathBuf, process::Command};
use testbed::repository;

fn vectors() -> Value {
    serde_json::from_slice(&fs::read(repository().join("docs/vectors/identity.json")).unwrap()).unwrap()
}

fn attributes(vector: &Value) -> Attributes {
    let text = |name: &str| vector[name].as_str().unwrap().to_owned();
    Attributes {
        given_name: text("given_name"),
        family_name: text("family_name"),
        birth_date: text("birth_date"),
        national_id: vector["national_id"].as_str().map(str::to_owned),
    }
}

fn computed(key: &MatchingKey, vector: &Value) -> Value {
    let attributes = attributes(vector);
    let normalised: String = attributes.normalised().unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut computed = vector.clone();
    computed["normalised"] = json!(normalised);
    computed["token"] = json!(token(key, &attributes).unwrap().to_hex());
    computed["national_id_token"] = json!(national_id_token(key, &attributes).unwrap().map(|token| token.to_hex()));
    computed
}

fn key(vectors: &Value) -> MatchingKey {
    MatchingKey::new(Hash::from_hex(vectors["key"].as_str().unwrap()).unwrap().0)
}

#[test]
fn the_vectors_hold() {
    let vectors = vectors();
    for vector in vectors["vectors"].as_array().unwrap() {
        assert_eq!(computed(&key(&vectors), vector), *vector);
    }
}

/// The normalised form of a character, read back from the record it is in.
fn normal(character: char) -> String {
    let attributes = Attributes {
        given_name: format!("x{character}"),
        family_name: "x".to_owned(),
        birth_date: "2000-01-01".to_owned(),
        national_id: None,
    };
    let bytes = attributes.normalised().unwrap();
    let field = &bytes["trialseal/participation@v1\n".len()..];
    let length = u32::from_be_bytes(field[..4].try_into().unwrap()) as usize;
    String::from_utf8(field[5..4 + length].to_vec()).unwrap()
}

#[test]
fn python_agrees_on_the_vectors_and_on_every_character_it_knows() {
    let all: Vec<_> = ('\0'..=char::MAX).map(|character| (character, normal(character))).collect();
    let characters = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("identity-characters.json");
    fs::write(&characters, serde_json::to_vec(&all).unwrap()).unwrap();
    let mut python = Command::new("python3");
    python.arg(repository().join("tests/judges/identity.py")).arg(repository().join("docs/vectors/identity.json"));
    let output = python.arg(&characters).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let judged: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(judged["vectors"], vectors()["vectors"].as_array().unwrap().len());
    assert!(judged["characters"].as_u64().unwrap() > 280_000, "{judged}");
}
