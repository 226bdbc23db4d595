//! Text that is safe to show: what other people wrote cannot steer a terminal or disguise itself.

use serde_json::Value;
use std::collections::BTreeMap;

/// The text without control characters and without characters that are invisible or turn the direction of writing
/// (Unicode TR 36 section 2). Line breaks and tabs become spaces.
pub(crate) fn line(text: &str) -> String {
    let spaced = text.replace(['\n', '\r', '\t', '\u{2028}', '\u{2029}'], " ");
    spaced.chars().filter(|c| !is_hidden(*c)).collect::<String>().trim().to_owned()
}

/// A FHIR or ISO value without what JSON forms must not hold: nulls, empty texts, empty lists and objects; every text
/// without hidden characters. Fields stand in the order of their names, so that the same form is always the same bytes.
pub(crate) fn pruned(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(text) => some_text(&text),
        Value::Array(items) => {
            let items: Vec<Value> = items.into_iter().filter_map(pruned).collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        Value::Object(fields) => {
            let kept = |(name, value)| pruned(value).map(|value| (name, value));
            let fields: BTreeMap<_, _> = fields.into_iter().filter_map(kept).collect();
            (!fields.is_empty()).then(|| Value::Object(fields.into_iter().collect()))
        }
        other => Some(other),
    }
}

fn some_text(text: &str) -> Option<Value> {
    let shown: String = text.chars().filter(|c| *c == '\n' || !is_hidden(*c)).collect();
    let shown = shown.trim();
    (!shown.is_empty()).then(|| Value::String(shown.to_owned()))
}

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_hidden_is_left() {
        assert_eq!(line("a\u{1b}[31mb\r\nc\u{202e}d\u{0}\u{200b}e\u{9b}"), "a[31mb  cde");
    }

    #[test]
    fn what_says_nothing_is_left_out() {
        let value =
            json!({ "a": null, "b": [], "c": [{ "d": " " }], "e": { "f": [null, "g\u{7}"] }, "h": 0, "i": false });
        assert_eq!(pruned(value), Some(json!({ "e": { "f": ["g"] }, "h": 0, "i": false })));
    }
}
