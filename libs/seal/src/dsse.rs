//! Signed envelopes: DSSE 1.0 (Dead Simple Signing Envelope) in its JSON form, over Ed25519.
//!
//! An envelope is kept as the bytes that were received; nothing is ever re-encoded.

use crate::{
    command::Payload,
    id::{Name, Uuid},
    json,
    key::{KeyId, PublicKey, SecretKey},
    text::Base64,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::fmt;
use tlog::{Hash, sha256};

/// The largest envelope, in bytes.
pub const MAX_ENVELOPE_BYTES: usize = 1 << 20;
/// The longest payload type, in bytes.
pub const MAX_PAYLOAD_TYPE_BYTES: usize = 128;
/// The most signatures an envelope may carry.
pub const MAX_SIGNATURES: usize = 8;

/// Why an envelope is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Larger than [`MAX_ENVELOPE_BYTES`].
    #[error("the envelope is larger than {MAX_ENVELOPE_BYTES} bytes")]
    TooLarge,
    /// Not the JSON of an envelope: unknown, missing or repeated fields, bad base64, no or too many signatures.
    #[error("not a DSSE envelope: {0}")]
    Malformed(String),
    /// The payload type is another one.
    #[error("the payload type is {found:?}, expected {expected:?}")]
    PayloadType {
        /// The type the envelope states.
        found: String,
        /// The type that was needed.
        expected: String,
    },
    /// The payload is not the JSON its type promises.
    #[error("the payload is not valid: {0}")]
    Payload(String),
    /// No signature by this key, or one that does not verify.
    #[error("no valid signature by {0}")]
    Signature(KeyId),
}

/// A parsed envelope. Signatures have been read, not yet verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    payload_type: String,
    payload: Vec<u8>,
    signatures: Vec<(KeyId, Vec<u8>)>,
    hash: Hash,
    size: usize,
}

/// What every command says, whatever its kind, and its text.
#[derive(Debug, Clone, PartialEq)]
pub struct AnyCommand {
    /// The study it names.
    pub study: Uuid,
    /// Who says they signed.
    pub by: Name,
    /// The signer's clock, Unix milliseconds, if it states one that can be read.
    pub time: Option<u64>,
    /// All of it.
    pub text: SignedText,
}

/// JSON as it was signed: shown with the digits, escapes and order of fields it was written with.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct SignedText(Box<RawValue>);

impl SignedText {
    /// The text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }
}

impl PartialEq for SignedText {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl fmt::Display for SignedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Json {
    payload_type: String,
    payload: Base64,
    signatures: Vec<JsonSignature>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonSignature {
    keyid: KeyId,
    sig: Base64,
}

impl Envelope {
    /// Parses the JSON form of an envelope that was stored. A key may sign once.
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        Self::read(bytes, json::read_stored)
    }

    /// Parses the JSON form of an envelope that is to be accepted, or that a proof rests on: as [`Self::parse`], and written
    /// with objects where objects belong. What a service accepts so, a verifier can read.
    pub fn parse_strict(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        Self::read(bytes, json::read)
    }

    fn read(bytes: &[u8], read: fn(&[u8]) -> serde_json::Result<Json>) -> Result<Self, EnvelopeError> {
        if bytes.len() > MAX_ENVELOPE_BYTES {
            return Err(EnvelopeError::TooLarge);
        }
        let json = read(bytes).map_err(|e| EnvelopeError::Malformed(json_fault(&e)))?;
        if json.payload_type.len() > MAX_PAYLOAD_TYPE_BYTES {
            return Err(EnvelopeError::Malformed(format!("payloadType is longer than {MAX_PAYLOAD_TYPE_BYTES} bytes")));
        }
        if json.signatures.is_empty() || json.signatures.len() > MAX_SIGNATURES {
            return Err(EnvelopeError::Malformed(format!("1 to {MAX_SIGNATURES} signatures are needed")));
        }
        let mut signatures: Vec<(KeyId, Vec<u8>)> = Vec::with_capacity(json.signatures.len());
        for JsonSignature { keyid, sig } in json.signatures {
            if signatures.iter().any(|(known, _)| *known == keyid) {
                return Err(EnvelopeError::Malformed("a key signed twice".to_owned()));
            }
            signatures.push((keyid, sig.0));
        }
        let (hash, size) = (sha256(&[bytes]), bytes.len());
        Ok(Self { payload_type: json.payload_type, payload: json.payload.0, signatures, hash, size })
    }

    /// SHA-256 of its bytes, as entries name it.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// How many bytes it has.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The payload type as stated; it is covered by the signatures.
    pub fn payload_type(&self) -> &str {
        &self.payload_type
    }

    /// The keys that claim to have signed, in order.
    pub fn key_ids(&self) -> impl Iterator<Item = KeyId> + '_ {
        self.signatures.iter().map(|(id, _)| *id)
    }

    /// Verifies the signature by `key`.
    pub fn verify(&self, key: &PublicKey) -> Result<(), EnvelopeError> {
        #[cfg(test)]
        crate::verify::counted::count_signature(self.payload.len());
        let id = key.id();
        let message = pre_authentication_encoding(&self.payload_type, &self.payload);
        let found = self.signatures.iter().find(|(known, _)| *known == id);
        match found {
            Some((_, signature)) if key.verifies(&message, signature) => Ok(()),
            _ => Err(EnvelopeError::Signature(id)),
        }
    }

    /// The payload's bytes. Says nothing about who signed them.
    pub fn payload_bytes(&self) -> &[u8] {
        &self.payload
    }

    /// Those fields of the payload that `T` names, whatever its type. Says nothing about who signed it.
    pub fn common<T: for<'de> Deserialize<'de>>(&self) -> Result<T, EnvelopeError> {
        serde_json::from_slice(&self.payload).map_err(|e| EnvelopeError::Payload(json_fault(&e)))
    }

    /// The payload of whatever kind, where a proof rests on it: an object in which no field is there twice, at any depth.
    /// Whatever [`Self::payload_strict`] reads, this reads too. Says nothing about who signed it.
    pub fn any_payload(&self) -> Result<AnyCommand, EnvelopeError> {
        #[derive(Deserialize)]
        struct Common<'t> {
            study: Uuid,
            by: Name,
            #[serde(borrow)]
            time: Option<&'t RawValue>,
        }
        let fault = |e: serde_json::Error| EnvelopeError::Payload(json_fault(&e));
        let well_formed = std::str::from_utf8(&self.payload).ok().filter(|text| json::is_well_formed(text));
        let text = well_formed.filter(|text| text.trim_start().starts_with('{'));
        let text = text.ok_or_else(|| EnvelopeError::Payload("not an object with each field once".to_owned()))?;
        let Common { study, by, time } = serde_json::from_str(text).map_err(fault)?;
        let time = time.and_then(|time| time.get().parse().ok());
        let text = RawValue::from_string(text.to_owned()).map(SignedText).map_err(fault)?;
        Ok(AnyCommand { study, by, time, text })
    }

    /// The payload as `P`, as it was stored. Says nothing about who signed it.
    pub fn payload<P: Payload>(&self) -> Result<P, EnvelopeError> {
        self.payload_by(json::read_stored)
    }

    /// The payload as `P`, where it is to be accepted, or a proof rests on it: as [`Self::payload`], and written with objects
    /// where objects belong. Says nothing about who signed it.
    pub fn payload_strict<P: Payload>(&self) -> Result<P, EnvelopeError> {
        self.payload_by(json::read)
    }

    fn payload_by<P: Payload>(&self, read: fn(&[u8]) -> serde_json::Result<P>) -> Result<P, EnvelopeError> {
        let expected = payload_type(P::KIND);
        if self.payload_type != expected {
            return Err(EnvelopeError::PayloadType { found: self.payload_type.clone(), expected });
        }
        read(&self.payload).map_err(|e| EnvelopeError::Payload(json_fault(&e)))
    }
}

/// The payload type of a command: `application/vnd.trialseal.<kind>.v1+json`.
pub fn payload_type(kind: &str) -> String {
    format!("application/vnd.trialseal.{kind}.v1+json")
}

/// Signs a command with each key and returns the envelope's bytes.
pub fn sign<P: Payload>(payload: &P, keys: &[&SecretKey]) -> Vec<u8> {
    let body = serde_json::to_vec(payload).unwrap_or_default();
    sign_bytes(&payload_type(P::KIND), body, keys)
}

/// Signs any payload with each key and returns the envelope's bytes.
pub fn sign_bytes(payload_type: &str, payload: Vec<u8>, keys: &[&SecretKey]) -> Vec<u8> {
    let message = pre_authentication_encoding(payload_type, &payload);
    let signature =
        |key: &&SecretKey| JsonSignature { keyid: key.public().id(), sig: Base64(key.sign(&message).to_vec()) };
    let json = Json {
        payload_type: payload_type.to_owned(),
        payload: Base64(payload),
        signatures: keys.iter().map(signature).collect(),
    };
    serde_json::to_vec(&json).unwrap_or_default()
}

/// What is signed: `DSSEv1`, then the lengths and bytes of type and payload (DSSE protocol, section "Signature Definition").
pub fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut message = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    message.extend_from_slice(payload);
    message
}

/// What is wrong with JSON, without quoting any of its values: they may be personal data.
fn json_fault(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let safe =
        ["missing field", "unknown field", "duplicate field", "not a ", "not padded", "not 64", "EOF", "an object in"];
    let what = if safe.iter().any(|start| text.starts_with(start)) {
        text.split(" at line").next().unwrap_or_default().chars().take(100).collect()
    } else {
        crate::fault::wrong_kind(&text)
    };
    format!("{what} at line {} column {}", error.line(), error.column())
}
