//! Signing a screening.

use crate::random::{NoRandomness, random};
use proto::enrollment::RecordScreeningRequest;
use seal::{
    datapoint::{self, Datapoint},
    dsse,
    key::SecretKey,
};
use vocabulary::command::RecordScreening;

/// A screening ready to be recorded; sending it again is safe.
#[derive(Debug, Clone)]
pub struct SignedScreening {
    /// The signed command.
    pub envelope: Vec<u8>,
    /// The answers.
    pub answers: Vec<Vec<u8>>,
}

impl SignedScreening {
    /// As a call.
    pub fn into_request(self) -> RecordScreeningRequest {
        RecordScreeningRequest { envelope: self.envelope, answers: self.answers }
    }
}

/// Gives the answers fresh nonces, fills in `command`'s root and count, and signs it.
pub fn sign_screening(
    mut command: RecordScreening,
    mut answers: Vec<Datapoint>,
    key: &SecretKey,
) -> Result<SignedScreening, NoRandomness> {
    for answer in &mut answers {
        answer.nonce = random()?;
    }
    let answers: Vec<Vec<u8>> = answers.iter().map(Datapoint::to_bytes).collect();
    command.root = datapoint::root(&answers).into();
    command.count = u32::try_from(answers.len()).unwrap_or(u32::MAX);
    Ok(SignedScreening { envelope: dsse::sign(&command, &[key]), answers })
}
