//! Values of answers and of parts of expressions.

/// A value of any type. Dates are text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    Int(i64),
    Double(f64),
    Bool(bool),
    Text(&'a str),
}

impl Value<'_> {
    /// How many bytes of text it has.
    pub(crate) fn bytes(self) -> u64 {
        match self {
            Value::Text(text) => text.len() as u64,
            _ => 0,
        }
    }
}
