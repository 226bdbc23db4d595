//! Signing a form.

use crate::random::{NoRandomness, random};
use proto::capture::{SubmitFormRequest, SubmitFormsRequest};
use seal::{
    datapoint::{self, Datapoint},
    dsse,
    key::SecretKey,
};
use vocabulary::command::Submission;

/// A submission ready to be sent; sending it again is safe.
#[derive(Debug, Clone)]
pub struct SignedForm {
    /// The signed header.
    pub envelope: Vec<u8>,
    /// The datapoints.
    pub datapoints: Vec<Vec<u8>>,
}

impl SignedForm {
    /// As a call of its own.
    pub fn into_request(self) -> SubmitFormRequest {
        SubmitFormRequest { envelope: self.envelope, datapoints: self.datapoints }
    }

    /// As one message of a stream.
    pub fn into_message(self) -> SubmitFormsRequest {
        SubmitFormsRequest { envelope: self.envelope, datapoints: self.datapoints }
    }
}

/// Gives the datapoints fresh nonces, fills in `header`'s root and count, and signs it.
pub fn sign_form(
    mut header: Submission,
    mut values: Vec<Datapoint>,
    key: &SecretKey,
) -> Result<SignedForm, NoRandomness> {
    for value in &mut values {
        value.nonce = random()?;
    }
    let datapoints: Vec<Vec<u8>> = values.iter().map(Datapoint::to_bytes).collect();
    header.root = datapoint::root(&datapoints).into();
    header.count = u32::try_from(datapoints.len()).unwrap_or(u32::MAX);
    Ok(SignedForm { envelope: dsse::sign(&header, &[key]), datapoints })
}
