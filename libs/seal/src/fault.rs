//! What is wrong with the JSON of a command, for who signed it: which field, what was expected, what was found. Values are never
//! quoted: they may be personal data.

/// What was expected and what was found, out of the words of an error of `serde_json`.
pub(crate) fn wrong_kind(error: &str) -> String {
    let words = error.rsplit_once(" at line").map_or(error, |(words, _)| words);
    let Some((found, expected)) = words.rsplit_once(", expected ") else {
        return "a value of the wrong kind".to_owned();
    };
    let expected = match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, not negative",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        other if other.starts_with("struct ") => "an object",
        other if other.contains("enum ") => "one of the values it may have",
        other => other,
    };
    match kind_of(found) {
        Some(kind) => format!("expected {expected}, found {kind}"),
        None => format!("expected {expected}"),
    }
}

/// The kind of value that was found, out of `invalid type: string "…"`.
fn kind_of(found: &str) -> Option<&'static str> {
    let value = found.strip_prefix("invalid type: ").or_else(|| found.strip_prefix("invalid value: "))?;
    let kinds = [
        ("string", "a string"),
        ("integer", "a whole number"),
        ("floating point", "a number"),
        ("boolean", "true or false"),
        ("null", "null"),
        ("map", "an object"),
        ("sequence", "a list"),
    ];
    kinds.into_iter().find(|(start, _)| value.starts_with(start)).map(|(_, kind)| kind)
}

/// The field of `json` that the words of a fault, which end in `at line … column …`, are about, such as `instance.event` or
/// `forms[0].items[2].type`. Nothing if it is the whole.
pub fn path(json: &[u8], words: &str) -> Option<String> {
    let (words, place) = words.rsplit_once(" at line ")?;
    let (line, column) = place.split_once(" column ")?;
    let (line, column): (usize, usize) = (line.parse().ok()?, column.parse().ok()?);
    let before: usize = json.split_inclusive(|byte| *byte == b'\n').take(line.checked_sub(1)?).map(<[u8]>::len).sum();
    let read = json.get(..before.checked_add(column)?)?;
    let mut steps = steps(read);
    // These are about an object and name its field themselves.
    if ["missing field", "unknown field", "duplicate field"].iter().any(|start| words.contains(start)) {
        steps.pop();
    }
    let path = steps.iter().fold(String::new(), |path, step| match step {
        Step::Item(number) => format!("{path}[{number}]"),
        Step::Field(name) if path.is_empty() => name.clone(),
        Step::Field(name) => format!("{path}.{name}"),
    });
    Some(path).filter(|path| !path.is_empty())
}

/// A step into a value.
enum Step {
    Field(String),
    Item(usize),
}

/// Where in a document one is after reading a part of it.
fn steps(read: &[u8]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let (mut place, mut names) = (0, false);
    while let Some(byte) = read.get(place) {
        match byte {
            b'"' => {
                let start = place + 1;
                place = end_of_string(read, start);
                if names && let Some(Step::Field(name)) = steps.last_mut() {
                    *name = shown(read.get(start..place).unwrap_or_default());
                }
            }
            b'{' => {
                steps.push(Step::Field(String::new()));
                names = true;
            }
            b'[' => {
                steps.push(Step::Item(0));
                names = false;
            }
            b':' => names = false,
            b'}' | b']' if place + 1 < read.len() => drop(steps.pop()),
            b',' => match steps.last_mut() {
                Some(Step::Item(number)) => *number += 1,
                _ => names = true,
            },
            _ => {}
        }
        place += 1;
    }
    steps.retain(|step| !matches!(step, Step::Field(name) if name.is_empty()));
    steps
}

fn end_of_string(read: &[u8], mut place: usize) -> usize {
    while let Some(byte) = read.get(place) {
        match byte {
            b'\\' => place += 2,
            b'"' => return place,
            _ => place += 1,
        }
    }
    read.len()
}

/// The name of a field, if it can be one of a command's.
fn shown(name: &[u8]) -> String {
    let good = (1..=64).contains(&name.len()) && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    if good { String::from_utf8_lossy(name).into_owned() } else { "…".to_owned() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::command::{Delegate, PublishDocument, Submission};
    use serde::de::DeserializeOwned;

    fn said<T: DeserializeOwned + std::fmt::Debug>(json: &str) -> (Option<String>, String) {
        let error = serde_json::from_str::<T>(json).unwrap_err().to_string();
        (path(json.as_bytes(), &error), wrong_kind(&error))
    }

    const SUBMISSION: &str = r#"{"study":"00000000-0000-4000-8000-000000000000","request":"00000000-0000-4000-8000-000000000000","by":"ann","time":1,
        "site":"701","instance":{"participant":"P, expected nothing","event":"V","event_repeat":0,"form":"VS","form_repeat":0},
        "forms_version":"1","root":"0000000000000000000000000000000000000000000000000000000000000000","count":1}"#;

    #[test]
    fn the_field_and_what_was_expected_are_named_and_no_value() {
        let cases = [
            (
                r#""time":1"#,
                r#""time":"John Doe, expected at noon""#,
                "time",
                "expected a whole number, not negative, found a string",
            ),
            (r#""time":1"#, r#""time":-5"#, "time", "expected a whole number, not negative, found a whole number"),
            (r#""event":"V""#, r#""event":7"#, "instance.event", "expected a string, found a whole number"),
            (
                r#""event_repeat":0"#,
                r#""event_repeat":{"a":1}"#,
                "instance.event_repeat",
                "expected a whole number, not negative, found an object",
            ),
            (r#""site":"701""#, r#""site":null"#, "site", "expected a string, found null"),
            (r#""count":1"#, r#""count":1,"collected":["2016"]"#, "collected", "expected a string, found a list"),
        ];
        for (good, bad, path, words) in cases {
            let found = said::<Submission>(&SUBMISSION.replacen(good, bad, 1));
            assert_eq!(found, (Some(path.to_owned()), words.to_owned()), "{bad}");
        }
        let head = r#"{"study":"00000000-0000-4000-8000-000000000000","request":"00000000-0000-4000-8000-000000000000","by":"root","time":1"#;
        let (path, words) =
            said::<Delegate>(&format!(r#"{head},"actor":"ann","task":"enrol","site":"701","from":"now","until":2}}"#));
        assert_eq!(
            (path.as_deref(), words.as_str()),
            (Some("from"), "expected a whole number, not negative, found a string")
        );
        let document = |terms: &str| {
            let approval = r#""approval":{"reference":"IRB-1","date":"2026-01-15"}"#;
            let content = "0".repeat(64);
            let json = format!(
                r#"{head},"document":"ICF","version":"1","language":"en","content":"{content}",{approval},"terms":{{"title":"ICF","effective":1,{terms}}}}}"#
            );
            said::<PublishDocument>(&json)
        };
        let offers =
            r#""provisions":[{"provision":"genetics","mandatory":true},{"provision":"recontact","mandatory":"John"}]"#;
        let (path, words) = document(offers);
        assert_eq!(path.as_deref(), Some("terms.provisions[1].mandatory"));
        assert_eq!(words, "expected true or false, found a string");
        let demand = r#""provisions":[],"reconsent":{"by":1,"meanwhile":"warn","then":"Ask John"}"#;
        let (path, words) = document(demand);
        assert_eq!(path.as_deref(), Some("terms.reconsent.then"));
        assert!(words.starts_with("expected `warn` or `stop`") && !words.contains("John"), "{words}");
    }

    #[test]
    fn what_is_wrong_with_an_object_is_said_of_the_object() {
        for (good, bad, path) in [
            (r#","form_repeat":0"#, "", Some("instance")),
            (r#","form_repeat":0"#, r#","form_repeat":0,"more":1"#, Some("instance")),
            (r#""count":1"#, r#""counts":1"#, None),
            (r#","count":1"#, "", None),
            (r#""count":1"#, r#""count":1,"count":1"#, None),
        ] {
            let found = said::<Submission>(&SUBMISSION.replacen(good, bad, 1)).0;
            assert_eq!(found.as_deref(), path, "{bad}");
        }
        assert_eq!(path(b"{", "EOF while parsing an object at line 1 column 1"), None);
        assert_eq!(path(b"", "no place"), None);
        assert_eq!(path(b"{\"a\":1}", "what at line 9 column 9999999999"), None);
    }
}
