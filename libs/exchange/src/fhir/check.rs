//! Checks JSON against the elements of FHIR R4, before anything is read from it.

use super::{
    path::Path,
    period::is_reversed,
    primitive::{is_code, is_date_time, is_instant, is_text},
    shape::{EVERYWHERE, EXTENSION, Element, Kind, PERIOD, Times, Type},
};
use serde_json::{Map, Value};
use std::ptr;

/// How deeply objects may be nested.
pub const MAX_DEPTH: usize = 32;

/// Why bytes are not a FHIR R4 Consent that we read. Paths are FHIR element names with indices, such as
/// `provision.provision[0].type`; they never hold a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// More than [`MAX_BYTES`](super::MAX_BYTES).
    #[error("longer than 256 KiB")]
    TooLong,
    /// Not JSON in UTF-8, or with a name that occurs twice in an object, or nested too deeply to be read at all.
    #[error("not JSON without duplicate names")]
    NotJson,
    /// JSON, but not a resource of the type Consent.
    #[error("not a FHIR Consent")]
    NotConsent,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("{path}: nested too deeply")]
    TooDeep {
        /// Where.
        path: String,
    },
    /// A mandatory element is missing.
    #[error("{path}: missing")]
    Missing {
        /// Where.
        path: String,
    },
    /// An element that FHIR R4 does not define here.
    #[error("{path}: not an element of FHIR R4")]
    Unknown {
        /// Where. The element's own name only if it looks like one.
        path: String,
    },
    /// An element of another JSON type, an empty one, or text with control characters.
    #[error("{path}: not of its type")]
    Type {
        /// Where.
        path: String,
    },
    /// A code that is not in the required value set.
    #[error("{path}: not a code of its value set")]
    Code {
        /// Where.
        path: String,
    },
    /// Not a date or time of FHIR, or a period that ends before it starts (per-1).
    #[error("{path}: not a date or time, or a period that ends before it starts")]
    Time {
        /// Where.
        path: String,
    },
    /// `implicitRules` or a modifier extension: what changes the meaning in a way we do not know must not be passed
    /// over (FHIR R4 section 2.1.0.5.0.1).
    #[error("{path}: changes the meaning in a way that is not known here")]
    Modifier {
        /// Where.
        path: String,
    },
    /// A rule of the resource is broken: neither `policy` nor `policyRule` (ppc-1), or both kinds of `source[x]`.
    #[error("{path}: breaks a rule of the resource")]
    Rule {
        /// Where.
        path: String,
    },
}

/// Checks that `object` holds these elements and nothing else.
pub(super) fn object(object: &Map<String, Value>, kind: &'static Type, at: &Path) -> Result<(), ImportError> {
    if at.depth > MAX_DEPTH {
        return Err(ImportError::TooDeep { path: at.text() });
    }
    if object.is_empty() {
        return Err(ImportError::Type { path: at.text() });
    }
    for (name, value) in object {
        match kind.0.iter().chain(EVERYWHERE).find(|element| element.name == name) {
            Some(element) => self::element(value, element, &at.field(name))?,
            None => other(name, value, kind, at)?,
        }
    }
    let mandatory = kind.0.iter().filter(|e| matches!(e.times, Times::Once | Times::Some));
    match mandatory.into_iter().find(|element| !object.contains_key(element.name)) {
        Some(element) => Err(ImportError::Missing { path: at.field(element.name).text() }),
        None => period(object, kind, at),
    }
}

/// `_name` beside a primitive `name` (FHIR R4 section 2.6.2.3), and `value[x]` of an extension.
fn other(name: &str, value: &Value, kind: &'static Type, at: &Path) -> Result<(), ImportError> {
    let path = at.field(name);
    let primitive = |e: &Element| !matches!(e.kind, Kind::Object(_) | Kind::Resource | Kind::Modifier);
    let companion = name.strip_prefix('_').and_then(|name| kind.0.iter().find(|e| e.name == name));
    if companion.is_some_and(primitive) && (value.is_object() || value.is_array()) {
        return shallow(value, &path);
    }
    if ptr::eq(kind, &raw const EXTENSION) && name.starts_with("value") {
        return shallow(value, &path);
    }
    Err(ImportError::Unknown { path: path.text() })
}

fn element(value: &Value, element: &Element, at: &Path) -> Result<(), ImportError> {
    if matches!(element.kind, Kind::Modifier) {
        return Err(ImportError::Modifier { path: at.text() });
    }
    match (element.times, value) {
        (Times::Many | Times::Some, Value::Array(items)) if !items.is_empty() => {
            items.iter().enumerate().try_for_each(|(n, item)| one(item, element.kind, &at.item(n)))
        }
        (Times::Optional | Times::Once, value) => one(value, element.kind, at),
        _ => Err(ImportError::Type { path: at.text() }),
    }
}

fn one(value: &Value, kind: Kind, at: &Path) -> Result<(), ImportError> {
    let text = value.as_str().filter(|text| is_text(text));
    let good = match kind {
        Kind::Object(elements) => {
            return value.as_object().map_or_else(|| type_error(at), |fields| object(fields, elements, at));
        }
        Kind::Resource => return resource(value, at),
        Kind::OneOf(codes) if text.is_some_and(|text| !codes.contains(&text)) => {
            return Err(ImportError::Code { path: at.text() });
        }
        Kind::DateTime if text.is_some_and(|text| !is_date_time(text)) => {
            return Err(ImportError::Time { path: at.text() });
        }
        Kind::Instant if text.is_some_and(|text| !is_instant(text)) => {
            return Err(ImportError::Time { path: at.text() });
        }
        Kind::Code => text.is_some_and(is_code),
        Kind::Boolean => value.is_boolean(),
        Kind::Unsigned => value.as_u64().is_some_and(|number| i32::try_from(number).is_ok()),
        Kind::Text | Kind::OneOf(_) | Kind::DateTime | Kind::Instant => text.is_some(),
        Kind::Modifier => false,
    };
    if good { Ok(()) } else { type_error(at) }
}

fn type_error(at: &Path) -> Result<(), ImportError> {
    Err(ImportError::Type { path: at.text() })
}

fn resource(value: &Value, at: &Path) -> Result<(), ImportError> {
    let named = value.get("resourceType").and_then(Value::as_str).is_some_and(is_text);
    if named { shallow(value, at) } else { type_error(at) }
}

/// What is not looked into is bounded in depth all the same.
fn shallow(value: &Value, at: &Path) -> Result<(), ImportError> {
    match value {
        _ if at.depth > MAX_DEPTH => Err(ImportError::TooDeep { path: at.text() }),
        Value::Array(items) => items.iter().enumerate().try_for_each(|(n, item)| shallow(item, &at.item(n).deeper())),
        Value::Object(fields) => fields.iter().try_for_each(|(name, value)| shallow(value, &at.field(name))),
        _ => Ok(()),
    }
}

/// per-1: a period does not end before it starts.
fn period(object: &Map<String, Value>, kind: &'static Type, at: &Path) -> Result<(), ImportError> {
    let text = |name| object.get(name).and_then(Value::as_str);
    let (Some(start), Some(end), true) = (text("start"), text("end"), ptr::eq(kind, &raw const PERIOD)) else {
        return Ok(());
    };
    if is_reversed(start, end) { Err(ImportError::Time { path: at.text() }) } else { Ok(()) }
}
