//! Answers, made comparable.

use seal::key::PublicKey;
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// All that a caller is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    code: Code,
    reason: String,
    message: String,
    metadata: BTreeMap<String, String>,
    fields: Vec<(String, String)>,
    retry: Option<Duration>,
    messages: Vec<Vec<u8>>,
}

impl Answer {
    pub(crate) fn new((messages, end): (Vec<Vec<u8>>, Result<(), Status>)) -> Self {
        let status = end.err().unwrap_or_else(|| Status::ok(""));
        let (reason, metadata) = status.get_details_error_info().map(|i| (i.reason, i.metadata)).unwrap_or_default();
        let bad = status.get_details_bad_request().map(|bad| bad.field_violations).unwrap_or_default();
        let retry = status.get_details_retry_info().and_then(|info| info.retry_delay);
        let field = |found: tonic_types::FieldViolation| (found.field, found.description);
        Self {
            code: status.code(),
            reason,
            message: status.message().to_owned(),
            metadata: metadata.into_iter().collect(),
            fields: bad.into_iter().map(field).collect(),
            retry,
            messages,
        }
    }

    /// The answer as it would be had the caller named the others: a name that was asked about may be repeated.
    pub(crate) fn naming(mut self, echoes: &[Echo]) -> Self {
        for echo in echoes {
            let put = |text: &mut String| *text = text.replace(&echo.said, &echo.instead);
            put(&mut self.message);
            self.metadata.values_mut().for_each(put);
            self.fields.iter_mut().for_each(|(field, what)| {
                put(field);
                put(what);
            });
            for message in &mut self.messages {
                replace(message, echo.said.as_bytes(), echo.instead.as_bytes());
            }
        }
        self
    }

    /// In a line.
    pub(crate) fn shown(&self) -> String {
        let Self { code, reason, message, metadata, fields, messages, .. } = self;
        let bytes: usize = messages.iter().map(Vec::len).sum();
        format!("{code:?} {reason} {message:?} {metadata:?} {fields:?} and {bytes} bytes")
    }
}

fn replace(message: &mut [u8], said: &[u8], instead: &[u8]) {
    if said.is_empty() || said.len() != instead.len() {
        return; // a length before it would give it away
    }
    let mut at = 0;
    while let Some(found) = message.get(at..).and_then(|rest| rest.windows(said.len()).position(|w| w == said)) {
        message[at + found..at + found + said.len()].copy_from_slice(instead);
        at += found + said.len();
    }
}

/// What an answer may repeat of a question.
#[derive(Debug, Clone)]
pub(crate) struct Echo {
    said: String,
    instead: String,
}

impl Echo {
    /// Of what was asked about, `said`, the other being asked about `instead`.
    pub(crate) fn new(said: &Value, instead: &Value) -> Vec<Self> {
        let (said, instead) = (plain(said), plain(instead));
        let mut echoes = Vec::new();
        if let (Ok(one), Ok(other)) = (said.parse::<PublicKey>(), instead.parse::<PublicKey>()) {
            echoes.push(Self { said: one.id().to_string(), instead: other.id().to_string() });
        }
        echoes.push(Self { said, instead });
        echoes
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
