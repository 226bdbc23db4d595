//! Signed envelopes: DSSE 1.0 (Dead Simple Signing Envelope) in its JSON form, over Ed25519.
//!
//! An envelope is kept as the bytes that were received; nothing is ever re-encoded.

use crate::{
    command::Payload,
    key::{KeyId, PublicKey, SecretKey},
    text::Base64,
};
use serde::{Deserialize, Serialize};
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
    /// Parses the JSON form. A key may sign once.
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        if bytes.len() > MAX_ENVELOPE_BYTES {
            return Err(EnvelopeError::TooLarge);
        }
        let json: Json = serde_json::from_slice(bytes).map_err(|e| EnvelopeError::Malformed(json_fault(&e)))?;
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
        crate::verify::counted::count(crate::verify::counted::Check::Signature);
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

    /// The payload as `P`. Says nothing about who signed it.
    pub fn payload<P: Payload>(&self) -> Result<P, EnvelopeError> {
        let expected = payload_type(P::KIND);
        if self.payload_type != expected {
            return Err(EnvelopeError::PayloadType { found: self.payload_type.clone(), expected });
        }
        serde_json::from_slice(&self.payload).map_err(|e| EnvelopeError::Payload(json_fault(&e)))
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
    let safe = ["missing field", "unknown field", "duplicate field", "not a ", "not padded", "not 64", "EOF"];
    let what = if safe.iter().any(|start| text.starts_with(start)) {
        text.split(" at line").next().unwrap_or_default().chars().take(100).collect()
    } else {
        crate::fault::wrong_kind(&text)
    };
    format!("{what} at line {} column {}", error.line(), error.column())
}
