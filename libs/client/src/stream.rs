//! Many forms over one call.

use crate::{Client, ClientError, Refusal, SignedForm, parse_receipt};
use proto::capture::{SubmitFormsResponse, submit_forms_response::Outcome};
use seal::receipt::Receipt;
use tokio_stream::{Stream, StreamExt};
use tonic::Streaming;

/// The answers to a stream of forms, in the order of the forms.
pub struct Submitted(Streaming<SubmitFormsResponse>);

impl Client {
    /// Submits signed forms over one call, each recorded or refused for itself. Take the answers while forms are sent: the
    /// service has a bounded number of forms under way.
    ///
    /// A stream that breaks leaves open what became of the last forms. Sending the same signed forms again is safe: what was
    /// recorded is answered with its first receipt.
    pub async fn stream(
        &self,
        forms: impl Stream<Item = SignedForm> + Send + 'static,
    ) -> Result<Submitted, ClientError> {
        let answers = self.capture.clone().submit_forms(forms.map(SignedForm::into_message)).await?;
        Ok(Submitted(answers.into_inner()))
    }
}

impl Submitted {
    /// What became of the next form: its receipt, or why it was refused. Nothing once all are answered.
    ///
    /// # Errors
    ///
    /// The stream broke.
    pub async fn next(&mut self) -> Result<Option<Result<Receipt, Refusal>>, ClientError> {
        let Some(answer) = self.0.message().await? else { return Ok(None) };
        match answer.outcome {
            Some(Outcome::Receipt(receipt)) => {
                parse_receipt(receipt).map(|receipt| Some(Ok(receipt))).ok_or(ClientError::Nonsense("no receipt"))
            }
            Some(Outcome::Refusal(refusal)) => Ok(Some(Err(refusal.into()))),
            None => Err(ClientError::Nonsense("an answer without an outcome")),
        }
    }
}
