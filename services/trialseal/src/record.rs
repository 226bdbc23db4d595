//! `trialseal record`: signing any command and having it recorded.
//!
//! The tables of commands say which method of which service records a kind; its message begins with the envelope.

mod answers;
mod attach;
mod missing;

pub use answers::Answers;

use anyhow::{Context, Result};
use client::{Client, ClientError, Reader, new_uuid, now_ms, parse_receipt};
use proto::types::Receipt;
use seal::{dsse, entry::Entry, key::SecretKey};
use serde::Serialize;
use serde_json::{Map, Value};
use tonic::{Request, client::Grpc, codegen::http::uri::PathAndQuery};
use tonic_prost::ProstCodec;
use vocabulary::command::{self, Kind, Payload, Submission};

/// What every request to record a command begins with; some go on with what the command names by its hash.
#[derive(Clone, PartialEq, prost::Message)]
struct Signed {
    #[prost(bytes = "vec", tag = "1")]
    envelope: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    attached: Vec<Vec<u8>>,
}

/// What every answer begins with.
#[derive(Clone, PartialEq, prost::Message)]
struct Answer {
    #[prost(message, optional, tag = "1")]
    receipt: Option<Receipt>,
}

/// What was recorded.
#[derive(Debug, Clone, Serialize)]
pub struct Recorded {
    /// The journal.
    pub service: String,
    /// The number of the entry.
    pub entry: u64,
    /// When it was recorded, Unix milliseconds.
    pub recorded: u64,
    /// The request's identifier: sending the same command under it again is safe.
    pub request: String,
}

/// Signs a command of `kind` with the fields given, and has it recorded. Study, request, signer and time are filled in where
/// they are not given. `others` sign after the signer. `attached` is what the command names by its hash.
pub async fn record(
    client: &Client,
    signer: &Reader,
    (kind, mut fields): (&str, Map<String, Value>),
    others: &[SecretKey],
    attached: Vec<Vec<u8>>,
) -> Result<Recorded> {
    let known = kind_named(kind)?;
    let path: PathAndQuery = known.path().parse()?;
    attach::check(known, attached.len())?;
    let request = fields.entry("request").or_insert(Value::from(new_uuid()?.to_string()));
    let request = request.as_str().context("request: not a UUID")?.to_owned();
    fields.entry("study").or_insert(Value::from(signer.study.to_string()));
    fields.entry("by").or_insert(Value::from(signer.actor.as_str()));
    fields.entry("time").or_insert(Value::from(now_ms()));
    let keys: Vec<&SecretKey> = std::iter::once(&signer.key).chain(others).collect();

    let mut grpc = Grpc::new(client.channel(known.service));
    let mut send = async |fields: &Map<String, Value>| -> Result<Answer> {
        let envelope = dsse::sign_bytes(&dsse::payload_type(kind), serde_json::to_vec(fields)?, &keys);
        grpc.ready().await.map_err(ClientError::from)?;
        let message = Request::new(Signed { envelope, attached: attached.clone() });
        let answer = grpc.unary(message, path.clone(), ProstCodec::<Signed, Answer>::default()).await;
        Ok(answer.map_err(ClientError::from)?.into_inner())
    };
    let mut answer = send(&fields).await;
    let newest = |error: &anyhow::Error| error.downcast_ref::<ClientError>().and_then(ClientError::newest);
    if let Some(newest) = answer.as_ref().err().and_then(newest).filter(|_| !fields.contains_key("seen")) {
        // Signed on a state that was not named: on what is newest now.
        fields.insert("seen".to_owned(), Value::from(newest.to_hex()));
        answer = send(&fields).await;
    }
    let answer = answer.map_err(|error| missing::explain(error, &fields, &keys))?;
    let receipt = answer.receipt.and_then(parse_receipt).context("the service answered without a receipt")?;
    let entry = Entry::parse(&receipt.entry).context("the service gave an invalid answer")?;
    Ok(Recorded { service: known.service.name().to_owned(), entry: entry.number, recorded: entry.time, request })
}

/// Reads the fields of a command.
pub fn fields(json: &[u8]) -> Result<Map<String, Value>> {
    serde_json::from_slice(json).map_err(|error| missing::not_fields(&error))
}

/// The kind of command of this name.
fn kind_named(name: &str) -> Result<&'static Kind> {
    let found = recordable().find(|kind| kind.name == name);
    found.with_context(|| format!("{name}: no such kind of command; `trialseal commands` lists them"))
}

/// The kinds of commands that go alone, or with a few files. Forms go with their datapoints, by `trialseal import`.
pub fn recordable() -> impl Iterator<Item = &'static Kind> {
    command::kinds().filter(|kind| kind.name != Submission::KIND)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use prost_types::FileDescriptorSet;
    use std::collections::BTreeSet;

    /// The table of commands and `proto/` name the same RPCs: those whose request begins with an envelope.
    #[test]
    fn every_rpc_that_takes_an_envelope_records_a_command_of_the_table() {
        let descriptors: FileDescriptorSet = prost::Message::decode(proto::DESCRIPTORS).unwrap();
        let mut rpcs = BTreeSet::new();
        for file in &descriptors.file {
            let takes_envelope = |input: &str| {
                let message = file.message_type.iter().find(|message| input.ends_with(&format!(".{}", message.name())));
                message.and_then(|message| message.field.first()).is_some_and(|field| field.name() == "envelope")
            };
            for service in &file.service {
                let signed = service.method.iter().filter(|method| {
                    !method.client_streaming() && takes_envelope(method.input_type()) // a stream has the RPC of one
                });
                rpcs.extend(signed.map(|rpc| format!("/{}.{}/{}", file.package(), service.name(), rpc.name())));
            }
        }
        let kinds: Vec<String> = command::kinds().map(Kind::path).collect();
        assert_eq!(kinds.len(), 40);
        assert_eq!(kinds.into_iter().collect::<BTreeSet<_>>(), rpcs);
        let names: BTreeSet<&str> = command::kinds().map(|kind| kind.name).collect();
        assert_eq!(names.len(), 40, "a kind is in the table twice");
    }
}
