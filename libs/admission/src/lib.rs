//! Admission of signed commands: read strictly, within what their signer is allowed, before anything is looked up.
//!
//! What this crate is *not*: it does not verify signatures, which needs the signer's key, and decides no rule.

use clock::now_ms;
use problem::Problem;
use seal::{
    Hash,
    dsse::{Envelope, EnvelopeError},
    fault,
    id::StreamId,
};
use vocabulary::command::Payload;

/// The largest message of a method that takes a command, in bytes: an envelope and its framing.
pub const MAX_COMMAND_BYTES: usize = seal::dsse::MAX_ENVELOPE_BYTES + 1_024;

/// A command as received: its signatures are read and not verified yet.
pub struct Received<P> {
    /// The envelope's bytes, exactly as received.
    pub bytes: Vec<u8>,
    /// Their SHA-256.
    pub hash: Hash,
    /// The envelope.
    pub envelope: Envelope,
    /// Its payload.
    pub command: P,
}

impl<P: Payload> Received<P> {
    /// The journal of `service` it belongs to.
    pub fn stream(&self, service: seal::id::Service) -> StreamId {
        service.stream(self.command.study())
    }
}

/// Reads a command of the kind `P`, within what its signer is allowed.
pub async fn receive<P: Payload>(bytes: Vec<u8>) -> Result<Received<P>, Problem> {
    let envelope = Envelope::parse_strict(&bytes)?;
    // An envelope without a signature is refused at once.
    if let Some(key) = envelope.key_ids().next() {
        server::charge_claimed(&key.0.0).await?;
    }
    let command: P = envelope.payload_strict().map_err(|error| placed(error, &envelope))?;
    if command.time() > now_ms().saturating_add(seal::MAX_CLOCK_AHEAD_MS) {
        let what = "the signer's clock is more than five minutes ahead: correct it and sign again";
        return Err(Problem::field("CLOCK_AHEAD", "envelope.payload.time", what));
    }
    Ok(Received { hash: envelope.hash(), bytes, envelope, command })
}

/// A payload that is not valid, with the field that is not.
fn placed(error: EnvelopeError, envelope: &Envelope) -> Problem {
    let EnvelopeError::Payload(words) = &error else { return error.into() };
    match fault::path(envelope.payload_bytes(), words) {
        Some(path) => Problem::field("MALFORMED", format!("envelope.payload.{path}"), words.clone()),
        None => error.into(),
    }
}
