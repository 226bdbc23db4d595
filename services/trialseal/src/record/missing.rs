//! Whose signature a command lacks.

use anyhow::{Error, anyhow};
use client::ClientError;
use seal::key::{PublicKey, SecretKey};
use serde_json::{Map, Value};

/// Says of a refusal for want of a signature which field names the key that must sign, and how it does.
pub(super) fn explain(error: Error, fields: &Map<String, Value>, keys: &[&SecretKey]) -> Error {
    let reason = error.downcast_ref::<ClientError>().and_then(ClientError::reason);
    if reason.as_deref() != Some("SIGNATURE_INVALID") {
        return error;
    }
    match unsigned(fields, keys) {
        Some((field, key)) => error.context(format!(
            "the holder of the secret half of `{field}`, {key}, must sign too: give their key file with --also FILE"
        )),
        None => error,
    }
}

/// The first field with a key that is not among those that sign.
fn unsigned(fields: &Map<String, Value>, keys: &[&SecretKey]) -> Option<(String, PublicKey)> {
    let named = fields.iter().filter_map(|(field, value)| Some((field.clone(), value.as_str()?.parse().ok()?)));
    let mut named = named.filter(|(_, key): &(String, PublicKey)| keys.iter().all(|known| known.public() != *key));
    named.next()
}

/// Why fields cannot be used, without their values.
pub(super) fn not_fields(error: &serde_json::Error) -> Error {
    anyhow!("the fields: not a JSON object, at line {} column {}", error.line(), error.column())
}
