//! Checks JSON against the elements of FHIR R4, before anything is read from it.

use super::{
    import::MAX_DEPTH,
    shape::{EVERYWHERE, EXTENSION, Element, Kind, PERIOD, Times, Type},
};
use jiff::{Timestamp, civil::Date};
use serde_json::{Map, Value};
use std::ptr;

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
    /// Not a date or time of FHIR, or a period that ends before it starts.
    #[error("{path}: not a date or time")]
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

/// per-1: a period does not end before it starts. Judged where both ends are as precise.
fn period(object: &Map<String, Value>, kind: &'static Type, at: &Path) -> Result<(), ImportError> {
    let text = |name| object.get(name).and_then(Value::as_str);
    let (Some(start), Some(end), true) = (text("start"), text("end"), ptr::eq(kind, &raw const PERIOD)) else {
        return Ok(());
    };
    let reversed = match (start.parse::<Timestamp>(), end.parse::<Timestamp>()) {
        (Ok(start), Ok(end)) => end < start,
        _ => start.len() == end.len() && !start.contains('T') && end < start,
    };
    if reversed { Err(ImportError::Time { path: at.text() }) } else { Ok(()) }
}

/// FHIR R4 string: at least one character that is not white space, no control characters but tab and line breaks.
fn is_text(text: &str) -> bool {
    !text.trim().is_empty() && !text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
}

fn is_code(text: &str) -> bool {
    text.split(' ').all(|word| !word.is_empty() && !word.contains(char::is_whitespace))
}

/// FHIR R4 dateTime: `YYYY`, `YYYY-MM`, `YYYY-MM-DD` or a full time with zone.
fn is_date_time(text: &str) -> bool {
    match text.len() {
        4 => is_day(&format!("{text}-01-01")),
        7 => is_day(&format!("{text}-01")),
        10 => is_day(text),
        _ => is_instant(text),
    }
}

fn is_instant(text: &str) -> bool {
    let Some((day, time)) = text.split_once('T') else { return false };
    let Some(zone) = time.find(['Z', '+', '-']) else { return false };
    let (time, zone) = time.split_at(zone);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let good_fraction = !fraction.is_empty() && fraction.bytes().all(|b| b.is_ascii_digit());
    let good_zone = zone == "Z" || has_shape(zone.get(1..).unwrap_or_default(), "00:00");
    let whole = format!("{day}T{time}{zone}");
    is_day(day) && has_shape(time, "00:00:00") && good_fraction && good_zone && whole.parse::<Timestamp>().is_ok()
}

fn is_day(text: &str) -> bool {
    has_shape(text, "0000-00-00") && !text.starts_with("0000") && text.parse::<Date>().is_ok()
}

/// Whether digits are where `shape` has digits, and everything else is the same.
fn has_shape(text: &str, shape: &str) -> bool {
    let same = |(a, b): (u8, u8)| if b.is_ascii_digit() { a.is_ascii_digit() } else { a == b };
    text.len() == shape.len() && text.bytes().zip(shape.bytes()).all(same)
}

/// Where an element is.
pub(super) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
    depth: usize,
}

enum Step<'a> {
    Root,
    Field(&'a str),
    Item(usize),
}

impl<'a> Path<'a> {
    pub(super) fn root() -> Self {
        Path { parent: None, step: Step::Root, depth: 0 }
    }

    pub(super) fn field(&'a self, name: &'a str) -> Self {
        Path { parent: Some(self), step: Step::Field(name), depth: self.depth + 1 }
    }

    pub(super) fn item(&'a self, index: usize) -> Self {
        Path { parent: Some(self), step: Step::Item(index), depth: self.depth }
    }

    fn deeper(mut self) -> Self {
        self.depth += 1;
        self
    }

    /// `a.b[0].c`. A name that does not look like an element's is somebody's text, and becomes `?`.
    pub(super) fn text(&self) -> String {
        let before = self.parent.map(Path::text).unwrap_or_default();
        match self.step {
            Step::Root => before,
            Step::Item(index) => format!("{before}[{index}]"),
            Step::Field(name) => {
                let bare = name.strip_prefix('_').unwrap_or(name);
                let good = (1..=40).contains(&bare.len()) && bare.bytes().all(|b| b.is_ascii_alphanumeric());
                let name = if good { name } else { "?" };
                if before.is_empty() { name.to_owned() } else { format!("{before}.{name}") }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_fhir() {
        for good in [
            "2015",
            "2015-02",
            "2016-02-29",
            "2016-06-23T17:02:33+10:00",
            "2016-06-23T17:02:33Z",
            "2016-06-23T17:02:33.123456789123Z",
            "2016-06-23T23:59:60Z",
            "1964-01-01T00:00:00-04:00",
        ] {
            assert!(is_date_time(good), "{good}");
        }
        for bad in [
            "",
            "15",
            "2015-13",
            "2015-02-29",
            "2015-02-01T10:00Z",
            "2015-02-01T10:00:00",
            "2015-02-01 10:00:00Z",
            "2015-02-01T10:00:00.Z",
            "2015-02-01T25:00:00Z",
            "2015-02-01t10:00:00z",
            "0000",
            "+2015",
            "2015-02-01T",
            "2015-02-01T10:00:00+1000",
            "2015-02-01T10:00:00+99:00",
            "２０１５",
            "2015-02-01T10:00:00Z[UTC]",
        ] {
            assert!(!is_date_time(bad), "{bad}");
        }
    }

    #[test]
    fn codes_have_single_inner_spaces() {
        assert!(is_code("a") && is_code("a b") && is_code("application/hl7-cda+xml"));
        assert!(!is_code(" a") && !is_code("a  b") && !is_code("a\tb") && !is_code("a "));
    }
}
