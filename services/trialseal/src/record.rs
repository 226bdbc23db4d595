//! `trialseal record`: signing any command and having it recorded.
//!
//! The method of a command is its kind in camel case, and its message begins with the envelope: the descriptors say which
//! service has it.

mod answers;
mod attach;
mod missing;

pub use answers::Answers;

use anyhow::{Context, Result, ensure};
use client::{Client, ClientError, Reader, new_uuid, now_ms, parse_receipt};
use prost_types::FileDescriptorSet;
use proto::types::Receipt;
use seal::{dsse, entry::Entry, id::Service, key::SecretKey};
use serde::Serialize;
use serde_json::{Map, Value};
use tonic::{Request, client::Grpc, codegen::http::uri::PathAndQuery};
use tonic_prost::ProstCodec;

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
    let (service, path) = method(kind)?;
    attach::check(kind, attached.len())?;
    let request = fields.entry("request").or_insert(Value::from(new_uuid()?.to_string()));
    let request = request.as_str().context("request: not a UUID")?.to_owned();
    fields.entry("study").or_insert(Value::from(signer.study.to_string()));
    fields.entry("by").or_insert(Value::from(signer.actor.as_str()));
    fields.entry("time").or_insert(Value::from(now_ms()));
    let keys: Vec<&SecretKey> = std::iter::once(&signer.key).chain(others).collect();

    let recording = Service::ALL.into_iter().find(|known| known.name() == service).context("no such service")?;
    let mut grpc = Grpc::new(client.channel(recording));
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
    Ok(Recorded { service, entry: entry.number, recorded: entry.time, request })
}

/// Reads the fields of a command.
pub fn fields(json: &[u8]) -> Result<Map<String, Value>> {
    serde_json::from_slice(json).map_err(|error| missing::not_fields(&error))
}

/// The service that records commands of a kind, and the path of the method.
fn method(kind: &str) -> Result<(String, PathAndQuery)> {
    let found = methods()?.into_iter().find(|(known, ..)| known == kind);
    let (_, service, path) =
        found.with_context(|| format!("{kind}: no such kind of command; `trialseal commands` lists them"))?;
    Ok((service, path.parse()?))
}

/// The kinds of commands, with the service and the method's path.
pub fn methods() -> Result<Vec<(String, String, String)>> {
    let descriptors: FileDescriptorSet = prost::Message::decode(proto::DESCRIPTORS).context("the descriptors")?;
    let mut found = Vec::new();
    for file in &descriptors.file {
        let takes_envelope = |input: &str| {
            let name = input.rsplit('.').next().unwrap_or_default();
            let message = file.message_type.iter().find(|message| message.name() == name);
            message.and_then(|message| message.field.first()).is_some_and(|field| field.name() == "envelope")
        };
        for service in &file.service {
            let path = format!("/{}.{}", file.package(), service.name());
            let short = file.package().split('.').nth(1).unwrap_or_default();
            let signed = service.method.iter().filter(|method| {
                !method.client_streaming()
                    && takes_envelope(method.input_type())
                    && !method.name().starts_with("Submit")
            });
            found.extend(
                signed.map(|method| (dashed(method.name()), short.to_owned(), format!("{path}/{}", method.name()))),
            );
        }
    }
    ensure!(!found.is_empty(), "the descriptors contain no command");
    Ok(found)
}

/// `GiveConsent` as `give-consent`.
fn dashed(name: &str) -> String {
    let mut dashed = String::with_capacity(name.len() + 4);
    for (place, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && place > 0 {
            dashed.push('-');
        }
        dashed.push(letter.to_ascii_lowercase());
    }
    dashed
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use vocabulary::command::{
        AccessData, CreateStudy, DefineForms, EraseParticipant, GiveConsent, Payload, RevealAllocation,
    };

    #[test]
    fn every_kind_of_command_has_its_method() {
        let methods = methods().unwrap();
        let kinds: Vec<&str> = methods.iter().map(|(kind, ..)| kind.as_str()).collect();
        for kind in [
            AccessData::KIND,
            CreateStudy::KIND,
            DefineForms::KIND,
            EraseParticipant::KIND,
            GiveConsent::KIND,
            RevealAllocation::KIND,
        ] {
            assert_eq!(kinds.iter().filter(|known| **known == kind).count(), 1, "{kind}");
        }
        assert!(!kinds.contains(&"submit-form"), "forms go with their datapoints");
    }
}
