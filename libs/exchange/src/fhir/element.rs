//! Elements of a resource, read.

use serde_json::{Map, Value};

/// The text of an element.
pub(super) fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str()
}

/// The codes of a CodeableConcept in one code system.
pub(super) fn codes_of<'a>(concept: &'a Value, system: &str) -> Vec<&'a str> {
    let codings = concept.get("coding").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    codings.iter().filter_map(|coding| code_of(coding, system)).collect()
}

/// The code of a Coding, if it is of a code system.
pub(super) fn code_of<'a>(coding: &'a Value, system: &str) -> Option<&'a str> {
    let same = coding.get("system").and_then(Value::as_str) == Some(system);
    coding.get("code").and_then(Value::as_str).filter(|_| same)
}
