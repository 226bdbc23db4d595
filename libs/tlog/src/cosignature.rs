//! Cosignatures: a witness states that it saw a checkpoint, consistent with all it saw before
//! (C2SP tlog-cosignature).

use crate::{
    checkpoint::Checkpoint,
    key::{Algorithm, SignerKey, VerifierKey},
    note::{NoteError, NoteSignature},
};

/// The latest time a cosignature can carry, in POSIX seconds: 2^63 - 1.
pub const MAX_TIME_SECONDS: u64 = i64::MAX as u64;

/// Cosigns a checkpoint with a key of type 0x04 or 0x06.
///
/// `time_seconds` is POSIX time. Sign nothing that is inconsistent with an earlier cosignature, see
/// [`crate::witness::decide`]. An Ed25519 cosignature does not name its cosigner: one key each.
///
/// # Errors
///
/// [`NoteError::Algorithm`] for a log key, [`NoteError::Time`] for time 0 or one above
/// [`MAX_TIME_SECONDS`], [`NoteError::Text`] for a checkpoint that cannot be written or signed.
pub fn cosign(checkpoint: &Checkpoint, key: &SignerKey, time_seconds: u64) -> Result<NoteSignature, NoteError> {
    if time_seconds == 0 || time_seconds > MAX_TIME_SECONDS {
        return Err(NoteError::Time);
    }
    let body = checkpoint.to_string();
    // The fields are open to the caller: what does not read back must not be signed.
    if Checkpoint::parse(&body).as_ref() != Ok(checkpoint) {
        return Err(NoteError::Text);
    }
    if !key.key().algorithm().is_cosignature() {
        return Err(NoteError::Algorithm);
    }
    let message = message(key.key(), checkpoint, &body, time_seconds).ok_or(NoteError::Text)?;
    let mut signature = time_seconds.to_be_bytes().to_vec();
    signature.extend(key.sign_raw(&message).ok_or(NoteError::Signing)?);
    Ok(NoteSignature::by(key.key(), signature))
}

/// Verifies the payload of a cosignature and gives its time in POSIX seconds.
///
/// `body` is the text `checkpoint` was parsed from.
pub(crate) fn verify(key: &VerifierKey, checkpoint: &Checkpoint, body: &str, payload: &[u8]) -> Option<u64> {
    let (time, signature) = payload.split_first_chunk()?;
    let time = u64::from_be_bytes(*time);
    if time > MAX_TIME_SECONDS {
        return None;
    }
    let message = message(key, checkpoint, body, time)?;
    key.verify_raw(&message, signature).then_some(time)
}

fn message(key: &VerifierKey, checkpoint: &Checkpoint, body: &str, time: u64) -> Option<Vec<u8>> {
    match key.algorithm() {
        Algorithm::Ed25519 => None,
        Algorithm::CosignatureEd25519 => Some(format!("cosignature/v1\ntime {time}\n{body}").into_bytes()),
        Algorithm::CosignatureMlDsa44 => subtree_message(key.name(), checkpoint, time),
    }
}

/// The `cosigned_message` of tlog-cosignature for a whole tree: the subtree from 0 to its size.
fn subtree_message(cosigner: &str, checkpoint: &Checkpoint, time: u64) -> Option<Vec<u8>> {
    let mut message = b"subtree/v1\n\0".to_vec();
    push_prefixed(&mut message, cosigner)?;
    message.extend(time.to_be_bytes());
    push_prefixed(&mut message, &checkpoint.origin)?;
    message.extend(0_u64.to_be_bytes());
    message.extend(checkpoint.size.to_be_bytes());
    message.extend(checkpoint.root.0);
    Some(message)
}

fn push_prefixed(message: &mut Vec<u8>, text: &str) -> Option<()> {
    message.push(text.len().try_into().ok()?);
    message.extend(text.as_bytes());
    Some(())
}
