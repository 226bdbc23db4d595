//! Answers, typed by the items they answer.

use crate::value::Value;
use seal::{datapoint::Datapoint, text::is_day};
use std::collections::HashMap;
use vocabulary::command::{ItemDef, ItemType};

/// The longest answer that is evaluated, in bytes.
pub const MAX_ANSWER_BYTES: usize = 4_096;

/// The value of every item, by its position; nothing where it is unanswered.
pub(crate) struct Answers<'a>(Vec<Option<Value<'a>>>);

impl<'a> Answers<'a> {
    pub(crate) fn new(items: &[ItemDef], answers: &'a [Datapoint]) -> Self {
        let mut given: HashMap<&str, Vec<&'a Datapoint>> = HashMap::new();
        for answer in answers {
            given.entry(&answer.item).or_default().push(answer);
        }
        let value = |item: &ItemDef| match given.get(item.item.as_str()).map(Vec::as_slice) {
            Some([answer]) if answer.repeat.is_empty() => read(item.kind, &answer.value),
            _ => None,
        };
        Self(items.iter().map(value).collect())
    }

    pub(crate) fn get(&self, item: usize) -> Option<Value<'a>> {
        self.0.get(item).copied().flatten()
    }
}

fn read(kind: ItemType, text: &str) -> Option<Value<'_>> {
    if text.is_empty() || text.len() > MAX_ANSWER_BYTES {
        return None;
    }
    match kind {
        ItemType::Text => Some(Value::Text(text)),
        ItemType::Integer => is_integer(text).then(|| text.parse().ok().map(Value::Int))?,
        ItemType::Decimal => is_decimal(text).then(|| text.parse().ok().map(Value::Double))?,
        ItemType::Boolean => text.parse().ok().map(Value::Bool),
        ItemType::Date => is_day(text).then_some(Value::Text(text)),
        ItemType::PartialDatetime => None,
    }
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    (1..=18).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_decimal(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    is_integer(whole) && !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit())
}
