//! What is refused before the parser sees it: the parser recurses, so its depth is bounded here.

use crate::fault::Problem;
use cel::{ParseError, Program};

/// The most opening brackets of an expression.
pub const MAX_BRACKETS: usize = 48;
/// The most words and operator characters of an expression, outside strings.
pub const MAX_SYMBOLS: usize = 384;

/// A fault and its place in the expression, in bytes.
pub(crate) type Located = (usize, Problem);

pub(crate) fn parse(expression: &str) -> Result<Program, Located> {
    Scan::default().run(expression.as_bytes())?;
    Program::compile(expression).map_err(|errors| (place(expression, errors.errors.first()), Problem::Syntax))
}

/// The parser says line and column in characters, both from 1.
fn place(expression: &str, error: Option<&ParseError>) -> usize {
    let (line, column) = error.map_or((1, 1), |error| error.pos);
    let before = |number: isize| usize::try_from(number).map_or(0, |number| number.saturating_sub(1));
    let mut lines = expression.split_inclusive('\n');
    let start: usize = lines.by_ref().take(before(line)).map(str::len).sum();
    start + lines.next().map_or(0, |line| line.chars().take(before(column)).map(char::len_utf8).sum())
}

/// Splits as CEL's lexer does, for the characters it lets through.
#[derive(Default)]
struct Scan {
    at: usize,
    brackets: usize,
    symbols: usize,
}

impl Scan {
    fn run(mut self, bytes: &[u8]) -> Result<(), Located> {
        while let Some(rest) = bytes.get(self.at..).filter(|rest| !rest.is_empty()) {
            let length = token(rest).ok_or((self.at, Problem::Character))?;
            self.count(rest[0]).map_err(|problem| (self.at, problem))?;
            self.at += length;
        }
        Ok(())
    }

    fn count(&mut self, first: u8) -> Result<(), Problem> {
        match first {
            b'(' | b'[' | b'{' => self.brackets += 1,
            b' ' | b'\t' | b'\n' | b')' | b']' | b'}' | b',' | b'"' | b'\'' | b'0'..=b'9' => {}
            _ => self.symbols += 1,
        }
        if self.brackets > MAX_BRACKETS {
            return Err(Problem::TooManyBrackets);
        }
        if self.symbols > MAX_SYMBOLS {
            return Err(Problem::TooManySymbols);
        }
        Ok(())
    }
}

/// How many bytes the next token has; nothing if no accepted expression goes on like this.
fn token(rest: &[u8]) -> Option<usize> {
    match rest {
        [b'/', b'/', ..] => None,
        [quote @ (b'"' | b'\''), text @ ..] => string(*quote, text),
        [b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'0'..=b'9', ..] => word(rest),
        [b' ' | b'\t' | b'\n' | b'(' | b')' | b'[' | b']' | b'{' | b'}' | b',', ..] => Some(1),
        [b'+' | b'-' | b'*' | b'/' | b'%' | b'<' | b'>' | b'=' | b'!' | b'&' | b'|' | b'?' | b':' | b'.', ..] => {
            Some(1)
        }
        _ => None,
    }
}

/// A string in one pair of quotes. Another quote right behind it would make CEL's lexer read triple quotes.
fn string(quote: u8, text: &[u8]) -> Option<usize> {
    let length = text.iter().position(|byte| *byte == quote || *byte == b'\\' || byte.is_ascii_control())?;
    let good = text[length] == quote && !matches!(text.get(length + 1), Some(b'"' | b'\''));
    good.then_some(length + 2)
}

/// A name or number; a quote right behind it would make it a prefix.
fn word(rest: &[u8]) -> Option<usize> {
    let inside = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let length = rest.iter().position(|byte| !inside(byte)).unwrap_or(rest.len());
    (!matches!(rest.get(length), Some(b'"' | b'\''))).then_some(length)
}
