//! What is on the bus.

use seal::{entry::Head, id::Service};
use std::{fmt, str::FromStr};

/// A journal moved: its head, which is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Whose journal.
    pub service: Service,
    /// Where it is now, or was since.
    pub head: Head,
    /// The trace in which it moved.
    pub trace: Option<Traceparent>,
}

/// Where a trace stands: a `traceparent` of version 00 (W3C Trace Context, section 3.2).
#[derive(Clone, PartialEq, Eq)]
pub struct Traceparent(String);

impl Traceparent {
    /// The header's value, 55 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is not a `traceparent` of version 00.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent of version 00")]
pub struct NotTraceparent;

impl FromStr for Traceparent {
    type Err = NotTraceparent;

    fn from_str(text: &str) -> Result<Self, NotTraceparent> {
        let parts: Vec<&str> = text.split('-').collect();
        let hex =
            |part: &str, length| part.len() == length && part.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        let some = |part: &str| part.bytes().any(|c| c != b'0');
        match parts[..] {
            ["00", trace, span, flags]
                if hex(trace, 32) && hex(span, 16) && hex(flags, 2) && some(trace) && some(span) =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(NotTraceparent),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_traceparent_has_one_form() {
        assert_eq!(TRACE.parse::<Traceparent>().unwrap().as_str(), TRACE);
        let upper = TRACE.to_uppercase();
        let zero = TRACE.replace("b7ad6b7169203331", "0000000000000000");
        for bad in ["", "00", &TRACE[1..], &upper, &zero, &TRACE.replacen("00", "01", 1), &format!("{TRACE}-00")] {
            assert_eq!(bad.parse::<Traceparent>(), Err(NotTraceparent), "{bad}");
        }
    }
}
