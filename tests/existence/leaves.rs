//! The fields of a request, and what each names.

use client::{new_key, new_pseudonym, new_representative, new_uuid};
use seal::{
    id::{is_pseudonym, is_representative},
    key::{KeyId, PublicKey},
};
use serde_json::{Value, json};

/// Fields that name something which exists or does not.
const NAMES: [&str; 36] = [
    "actor",
    "allocation",
    "amends",
    "arm",
    "at_most",
    "by",
    "content",
    "corrects",
    "criteria",
    "delegation",
    "device",
    "document",
    "earlier",
    "entries",
    "entry",
    "event",
    "first",
    "form",
    "forms_version",
    "grant",
    "grantee",
    "item",
    "key",
    "keys",
    "language",
    "number",
    "participant",
    "protocol",
    "reader",
    "request",
    "requests",
    "second",
    "site",
    "stream",
    "study",
    "token",
];
/// Fields that name in some requests, and state something in others.
const BOTH: [&str; 2] = ["version", "from"];
/// Fields that state something, and name nothing.
const STATES: [&str; 57] = [
    "answers",
    "block_sizes",
    "body",
    "categories",
    "certificate",
    "code",
    "collected",
    "commitment",
    "completed",
    "controller",
    "contact",
    "count",
    "criterion",
    "date",
    "datapoints",
    "effective",
    "envelope",
    "event_repeat",
    "expression",
    "file",
    "form_repeat",
    "format",
    "grounds",
    "index",
    "jurisdiction",
    "kind",
    "law",
    "level",
    "levels",
    "limit",
    "mandatory",
    "name",
    "notified",
    "order",
    "outcome",
    "page_size",
    "page_token",
    "parents",
    "participants",
    "provision",
    "provisions",
    "purpose",
    "reason",
    "reference",
    "relation",
    "remote",
    "repeat",
    "representative",
    "resource",
    "retention",
    "root",
    "root_key",
    "rules",
    "scope",
    "secret",
    "seed",
    "source",
];
const STATES_TOO: [&str; 16] = [
    "service",
    "stage",
    "state",
    "storage",
    "synthetic",
    "task",
    "text",
    "time",
    "title",
    "type",
    "until",
    "view",
    "weight",
    "slots",
    "arms",
    "factor",
];

/// A field that names something.
#[derive(Debug, Clone)]
pub(crate) struct Leaf {
    /// Where it is: a JSON pointer into the message or the payload.
    pub(crate) at: String,
    /// Its own name.
    pub(crate) name: String,
    /// What it names: something that exists.
    pub(crate) exists: Value,
    /// Something of the same form that does not.
    pub(crate) absent: Value,
}

/// The fields of `value` that name something. Fails on a field it has never heard of.
pub(crate) fn leaves(value: &Value, of_payload: bool) -> Vec<Leaf> {
    let mut found = Vec::new();
    walk(value, (String::new(), ""), of_payload, &mut found);
    found
}

fn walk(value: &Value, (at, name): (String, &str), of_payload: bool, found: &mut Vec<Leaf>) {
    match value {
        Value::Object(_) if name == "scheme" || name == "terms" => {} // what is defined, not what there is
        Value::Object(fields) => {
            fields.iter().for_each(|(field, value)| walk(value, (format!("{at}/{field}"), field), of_payload, found));
        }
        Value::Array(values) => {
            values
                .iter()
                .enumerate()
                .for_each(|(place, value)| walk(value, (format!("{at}/{place}"), name), of_payload, found));
        }
        Value::Null => {}
        leaf => {
            let both = BOTH.contains(&name);
            let names = NAMES.contains(&name) || (both && (name == "version" || !of_payload));
            let states = STATES.contains(&name) || STATES_TOO.contains(&name) || both;
            assert!(names || states, "say whether the field `{name}` names something that may exist");
            if names && *leaf != json!("") {
                found.push(Leaf { at, name: name.to_owned(), exists: leaf.clone(), absent: unlike(leaf) });
            }
        }
    }
}

/// Something of the same form and length that there is not.
pub(crate) fn unlike(value: &Value) -> Value {
    let Some(text) = value.as_str() else { return json!(value.as_u64().unwrap() + 4_000_000) };
    let key = new_key().unwrap().public();
    if text.parse::<PublicKey>().is_ok() {
        return json!(key);
    }
    if text.parse::<KeyId>().is_ok() {
        return json!(key.id());
    }
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return json!(text.chars().rev().collect::<String>());
    }
    if text.parse::<seal::id::Uuid>().is_ok() {
        return json!(new_uuid().unwrap());
    }
    match text.parse() {
        Ok(name) if is_pseudonym(&name) => json!(new_pseudonym().unwrap()),
        Ok(name) if is_representative(&name) => json!(new_representative().unwrap()),
        _ => json!(format!("q{}z", &text[..text.len().saturating_sub(2)])),
    }
}
