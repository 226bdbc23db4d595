//! JSON of which nobody reads the fields: whether it is JSON at all, and says one thing only.

use super::MAX_DEPTH;
use std::{borrow::Cow, collections::HashSet};

/// Whether a text is one JSON value (RFC 8259) in which no object has a field twice, escapes resolved, no string has an
/// unpaired surrogate, and arrays and objects nest at most [`MAX_DEPTH`] deep. Numbers may have any size. Takes time in
/// proportion to the text.
pub(crate) fn is_well_formed(text: &str) -> bool {
    let mut scanner = Scanner { text, at: 0, open: Vec::new() };
    scanner.value().is_some() && scanner.rest()
}

struct Scanner<'t> {
    text: &'t str,
    at: usize,
    open: Vec<Open<'t>>,
}

/// An array or object that has begun; of an object the fields so far.
enum Open<'t> {
    Array,
    Object(HashSet<Cow<'t, str>>),
}

impl<'t> Scanner<'t> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        self.blank();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Whether only white space is left.
    fn rest(&mut self) -> bool {
        self.blank();
        self.at == self.text.len()
    }

    /// Passes a value with everything in it; nothing if it is none.
    fn value(&mut self) -> Option<()> {
        loop {
            self.blank();
            let begun = match self.peek()? {
                b'{' => self.begin(Open::Object(HashSet::new()), b'}')?,
                b'[' => self.begin(Open::Array, b']')?,
                b'"' => self.string().map(|_| false)?,
                b'-' | b'0'..=b'9' => self.number().map(|()| false)?,
                _ => self.word().map(|()| false)?,
            };
            if !begun && !self.next()? {
                return Some(());
            }
        }
    }

    /// Begins an array or object; whether a value comes next in it, and it is not empty.
    fn begin(&mut self, open: Open<'t>, end: u8) -> Option<bool> {
        self.at += 1;
        if self.open.len() == MAX_DEPTH {
            return None;
        }
        if self.take(end) {
            return Some(false);
        }
        self.open.push(open);
        self.field().map(|()| true)
    }

    /// What follows a value: whether another value does, in what is open.
    fn next(&mut self) -> Option<bool> {
        loop {
            let end = match self.open.last() {
                None => return Some(false),
                Some(Open::Array) => b']',
                Some(Open::Object(_)) => b'}',
            };
            if self.take(b',') {
                return self.field().map(|()| true);
            }
            if !self.take(end) {
                return None;
            }
            self.open.pop();
        }
    }

    /// Passes a field's name and colon, if an object is open; nothing if it is no name or there twice.
    fn field(&mut self) -> Option<()> {
        if !matches!(self.open.last(), Some(Open::Object(_))) {
            return Some(());
        }
        self.blank();
        let name = self.string()?;
        let Some(Open::Object(names)) = self.open.last_mut() else { return None };
        (names.insert(name) && self.take(b':')).then_some(())
    }

    /// Passes a string, and gives it with its escapes resolved.
    fn string(&mut self) -> Option<Cow<'t, str>> {
        let (start, text) = (self.at, self.text);
        if self.peek()? != b'"' {
            return None;
        }
        let mut escapes = false;
        loop {
            self.at += 1;
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    escapes = true;
                    self.at += 1;
                }
                0..=0x1f => return None,
                _ => {}
            }
        }
        self.at += 1;
        if escapes {
            return serde_json::from_str(text.get(start..self.at)?).ok().map(Cow::Owned);
        }
        text.get(start + 1..self.at - 1).map(Cow::Borrowed)
    }

    /// Passes digits; nothing if there is none.
    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn number(&mut self) -> Option<()> {
        self.at += usize::from(self.peek() == Some(b'-'));
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Some(())
    }

    fn word(&mut self) -> Option<()> {
        let rest = self.text.get(self.at..)?;
        let word = ["true", "false", "null"].into_iter().find(|word| rest.starts_with(word))?;
        self.at += word.len();
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    #[test]
    fn one_value_that_says_one_thing() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        let fields = |depth: usize| "{\"a\":".repeat(depth) + "0" + &"}".repeat(depth);
        for good in [
            "0",
            "-0",
            "18446744073709551616",
            "1e400",
            "-1.50E+999999",
            "1.0",
            "null",
            " true ",
            "[]",
            "{}",
            "[[],{}]",
            r#"{"a":1,"b":[{"a":1},{"a":"\ud83d\ude00"}],"c":{"a":null}}"#,
            "\"\\u0041 \u{7f}\"",
            &"9".repeat(10_000),
            &nested(MAX_DEPTH),
            &fields(MAX_DEPTH),
        ] {
            assert!(is_well_formed(good), "{good}");
        }
        for bad in [
            "",
            " ",
            "00",
            "01",
            "-",
            "+1",
            ".5",
            "1.",
            "1e",
            "1e+",
            "0x1",
            "NaN",
            "Infinity",
            "nul",
            "True",
            "[",
            "[,]",
            "[1,]",
            "[1 2]",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "{1:1}",
            "1 1",
            "\u{feff}1",
            "\"",
            "\"\\\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\t\"",
            "\"\\ud800\"",
            "\"\\udc00\\ud800\"",
            "{\"\\ud800\":1}",
            "[1}",
            "{\"a\":1]",
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":1}"#,
            r#"[{"b":{"a":1,"c":0,"a":1}}]"#,
            "\u{a0}1",
            &nested(MAX_DEPTH + 1),
            &fields(MAX_DEPTH + 1),
        ] {
            assert!(!is_well_formed(bad), "{bad}");
        }
    }

    proptest! {
        /// What serde_json reads and writes is well-formed, and what is well-formed it reads, but for numbers beyond its own.
        #[test]
        fn it_agrees_with_another_reader(text in "[\\[\\]{}:,\"\\\\au0d8e1. -]{0,24}") {
            let read = serde_json::from_str::<Value>(&text);
            if is_well_formed(&text) {
                prop_assert!(read.as_ref().is_ok_and(|_| true) || read.is_err_and(|e| e.to_string().contains("number out of range")));
            } else if let Ok(value) = read {
                // Only a field that is there twice tells them apart.
                prop_assert!(value.to_string().len() < text.len());
            }
        }
    }
}
