//! What a sponsor's program needs: sign commands, submit forms, read, fetch proofs and verify them, follow a journal.
//!
//! A [`Client`] reaches the services of one deployment, over TLS if its [`Endpoints`] say so. Every write carries a request
//! identifier, so it is safe to send again: calls are repeated by themselves within their deadline where the service invites it,
//! and a caller may repeat any other. A [`ClientError`] says which service refused and why; its [`Refusal`] is for machines.
//! Nothing of services, databases or policies comes along.
//!
//! A program that captures, proves and follows (`libs/client/examples/sponsor.rs`, which `tests/sponsor.rs` runs):
//!
//! ```no_run
#![doc = include_str!("../examples/sponsor.rs")]
//! ```

mod command;
mod endpoints;
mod error;
mod follow;
mod form;
mod prove;
mod random;
mod reader;
mod refusal;
mod screening;
mod stream;
mod verify;

pub use command::Command;
pub use endpoints::{Endpoints, EndpointsError, OwnFiles, TlsFiles};
pub use error::ClientError;
pub use follow::Following;
pub use form::{SignedForm, sign_form};
pub use random::{NoRandomness, new_key, new_pseudonym, new_representative, new_study, new_uuid, random};
pub use reader::{Access, Reader};
pub use refusal::{Reason, Refusal};
pub use screening::{SignedScreening, sign_screening};
pub use stream::Submitted;
pub use verify::verify;
// What calls are made of, so that a program depends on this crate alone.
pub use {proto, seal, vocabulary};

use channel::{Channel, http::Http};
use proto::{
    anchoring::{GetBundleRequest, GetRecordBundleRequest, anchoring_service_client::AnchoringServiceClient},
    capture::capture_service_client::CaptureServiceClient,
    consent::{PublishDocumentRequest, RequestConsentRequest, consent_service_client::ConsentServiceClient},
    enrollment::{CommitAllocationRequest, enrollment_service_client::EnrollmentServiceClient},
    journal::journal_service_client::JournalServiceClient,
    types,
};
use reader::asked_once;
use seal::{
    Hash,
    bundle::MAX_BUNDLE_BYTES,
    dsse,
    id::{Service, Uuid},
    key::SecretKey,
    receipt::Receipt,
};
use std::time::{SystemTime, UNIX_EPOCH};
use tonic::Request;
use vocabulary::{
    allocation::Secret,
    command::{CommitAllocation, PublishDocument, RequestConsent},
};

/// The largest answer of the anchoring service: a bundle, and what is around it.
const MAX_ANSWER_BYTES: usize = MAX_BUNDLE_BYTES + (64 << 10);

/// A deployment's services. Cheap to clone; connects when first used.
#[derive(Clone)]
pub struct Client {
    /// Enrollment.
    pub enrollment: EnrollmentServiceClient<Channel>,
    /// Consent.
    pub consent: ConsentServiceClient<Channel>,
    /// Capture.
    pub capture: CaptureServiceClient<Channel>,
    /// Anchoring.
    pub anchoring: AnchoringServiceClient<Channel>,
    /// Plain HTTP, for the chain's tiles.
    pub http: Http,
    channels: [Channel; 4],
}

impl Client {
    /// A client of the services at `endpoints`, with the certificates named there.
    ///
    /// # Errors
    ///
    /// An address is not a URL, or certificates cannot be read.
    pub fn new(endpoints: &Endpoints) -> Result<Self, ClientError> {
        let identity = endpoints.identity()?;
        let channel = |urls: &str| endpoints::channel(urls, identity.clone());
        let (enrollment, consent) = (channel(&endpoints.enrollment)?, channel(&endpoints.consent)?);
        let (capture, anchoring) = (channel(&endpoints.capture)?, channel(&endpoints.anchoring)?);
        Ok(Self {
            enrollment: EnrollmentServiceClient::new(enrollment.clone()),
            consent: ConsentServiceClient::new(consent.clone()),
            capture: CaptureServiceClient::new(capture.clone()),
            anchoring: AnchoringServiceClient::new(anchoring.clone()).max_decoding_message_size(MAX_ANSWER_BYTES),
            http: Http::new(identity)?,
            channels: [enrollment, consent, capture, anchoring],
        })
    }

    /// How often calls were sent again, to all services together.
    pub fn retries(&self) -> u64 {
        self.channels.iter().map(|channel| channel.counts().retries).sum()
    }

    /// The channel to a recording service.
    pub fn channel(&self, service: Service) -> Channel {
        let [enrollment, consent, capture, _] = &self.channels;
        match service {
            Service::Enrollment => enrollment.clone(),
            Service::Consent => consent.clone(),
            Service::Capture => capture.clone(),
        }
    }

    /// The journals of a service.
    pub fn journal(&self, service: Service) -> JournalServiceClient<Channel> {
        JournalServiceClient::new(self.channel(service))
    }

    /// Signs a command with `keys` and has it recorded.
    ///
    /// A command that gives a right is signed on a state. If the command names none, it is signed on what is newest when
    /// this is called; who decides on what they saw earlier names that, and is refused with `STATE_CHANGED` if something
    /// was recorded since.
    pub async fn record<C: Command>(&self, command: &C, keys: &[&SecretKey]) -> Result<Receipt, ClientError> {
        let first = command.send(self, dsse::sign(command, keys)).await.map_err(ClientError::from);
        let receipt = match first {
            Err(error) if command.seen().is_none() => match error.newest() {
                Some(newest) => {
                    let mut command = command.clone();
                    command.see(newest);
                    command.send(self, dsse::sign(&command, keys)).await?
                }
                None => return Err(error),
            },
            first => first?,
        };
        receipt.and_then(parse_receipt).ok_or(ClientError::Nonsense("no receipt"))
    }

    /// Signs and records a version of a consent document together with its file.
    pub async fn publish(
        &self,
        command: &PublishDocument,
        file: Vec<u8>,
        keys: &[&SecretKey],
    ) -> Result<Receipt, ClientError> {
        let request = PublishDocumentRequest { envelope: dsse::sign(command, keys), file };
        let answer = self.consent.clone().publish_document(request).await?.into_inner();
        answer.receipt.and_then(parse_receipt).ok_or(ClientError::Nonsense("no receipt"))
    }

    /// Signs and records what another system's consent asks for.
    pub async fn request_consent(
        &self,
        command: &RequestConsent,
        resource: Vec<u8>,
        keys: &[&SecretKey],
    ) -> Result<Receipt, ClientError> {
        let request = RequestConsentRequest { envelope: dsse::sign(command, keys), resource };
        let answer = self.consent.clone().request_consent(request).await?.into_inner();
        answer.receipt.and_then(parse_receipt).ok_or(ClientError::Nonsense("no receipt"))
    }

    /// Signs and records a commitment to an allocation, and hands the secret over.
    pub async fn commit_allocation(
        &self,
        command: &CommitAllocation,
        secret: &Secret,
        keys: &[&SecretKey],
    ) -> Result<Receipt, ClientError> {
        let secret = serde_json::to_vec(secret).map_err(|_| ClientError::Nonsense("the secret"))?;
        let request = CommitAllocationRequest { envelope: dsse::sign(command, keys), secret };
        let answer = self.enrollment.clone().commit_allocation(request).await?.into_inner();
        answer.receipt.and_then(parse_receipt).ok_or(ClientError::Nonsense("no receipt"))
    }

    /// Records a signed screening.
    pub async fn record_screening(&self, screening: SignedScreening) -> Result<Receipt, ClientError> {
        let answer = self.enrollment.clone().record_screening(screening.into_request()).await?.into_inner();
        answer.receipt.and_then(parse_receipt).ok_or(ClientError::Nonsense("no receipt"))
    }

    /// The enrollment service, for reads.
    pub fn enrollment(&self) -> EnrollmentServiceClient<Channel> {
        self.enrollment.clone()
    }

    /// Submits a signed form.
    pub async fn submit(&self, form: SignedForm) -> Result<Receipt, ClientError> {
        let answer = self.capture.clone().submit_form(form.into_request()).await?.into_inner();
        answer.receipt.and_then(parse_receipt).ok_or(ClientError::Nonsense("no receipt"))
    }

    /// Fetches the proof bundle of a datapoint: the content of a bundle file. Who signs what they read signs that they read
    /// this item and nothing else.
    pub async fn bundle(&self, reader: &Reader, entry: u64, item: &str, repeat: &str) -> Result<Vec<u8>, ClientError> {
        let study = reader.study.to_string();
        let request = GetBundleRequest { study, entry, item: item.to_owned(), repeat: repeat.to_owned() };
        let request = asked_once(reader.item_request(request, entry, item, repeat));
        Ok(self.anchoring.clone().get_bundle(request).await?.into_inner().bundle)
    }
}

impl Client {
    /// Fetches the proof bundle of a command as such: the content of a bundle file.
    pub async fn record_bundle(
        &self,
        study: Uuid,
        (service, entry): (Service, u64),
        envelope: &[u8],
    ) -> Result<Vec<u8>, ClientError> {
        let request = GetRecordBundleRequest {
            study: study.to_string(),
            service: service.name().to_owned(),
            entry,
            envelope: envelope.to_vec(),
        };
        Ok(self.anchoring.clone().get_record_bundle(asked_once(Request::new(request))).await?.into_inner().bundle)
    }
}

/// A receipt from a message.
pub fn parse_receipt(message: types::Receipt) -> Option<Receipt> {
    let path = message.path.iter().map(|hash| Hash::from_slice(hash)).collect::<Option<_>>()?;
    Some(Receipt { entry: message.entry, index: message.index, path, note: message.note })
}

/// The client's clock, Unix milliseconds.
pub fn now_ms() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// The number of the entry a receipt is for.
pub fn entry_number(receipt: &Receipt) -> Option<u64> {
    seal::entry::Entry::parse(&receipt.entry).ok().map(|entry| entry.number)
}
