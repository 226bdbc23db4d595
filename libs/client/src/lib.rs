//! The Rust client: signing commands, submitting forms, reading, fetching proofs.

mod command;
mod endpoints;
mod form;
mod random;
mod screening;

pub use command::Command;
pub use endpoints::{Endpoints, OwnFiles, TlsFiles};
pub use form::{SignedForm, sign_form};
pub use random::{NoRandomness, new_key, new_pseudonym, new_representative, new_study, new_uuid, random};
pub use screening::{SignedScreening, sign_screening};

use channel::{AddressError, Channel, http::Http};
use proto::{
    anchoring::{GetBundleRequest, GetRecordBundleRequest, anchoring_service_client::AnchoringServiceClient},
    capture::capture_service_client::CaptureServiceClient,
    consent::{PublishDocumentRequest, RequestConsentRequest, consent_service_client::ConsentServiceClient},
    enrollment::{CommitAllocationRequest, enrollment_service_client::EnrollmentServiceClient},
    journal::journal_service_client::JournalServiceClient,
    types,
};
use seal::{
    Hash,
    allocation::Secret,
    bundle::MAX_BUNDLE_BYTES,
    command::{AccessData, CommitAllocation, ItemRead, Provision, PublishDocument, RequestConsent},
    dsse,
    id::{Name, Service, Uuid},
    key::SecretKey,
    receipt::Receipt,
};
use std::time::{SystemTime, UNIX_EPOCH};
use tls::TlsError;
use tonic::{Request, Status, metadata::MetadataValue};
use tonic_types::StatusExt;

/// The largest answer of the anchoring service: a bundle, and what is around it.
const MAX_ANSWER_BYTES: usize = MAX_BUNDLE_BYTES + (64 << 10);

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// An address is not the URL of a service, or lacks an authority to trust.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The certificates cannot be read.
    #[error("the certificates cannot be used")]
    Certificates(#[from] TlsError),
    /// The service refused, or cannot be reached.
    #[error("{}", describe(.0))]
    Refused(Box<Status>),
    /// The service answered with something that makes no sense.
    #[error("the service gave an invalid answer: {0}")]
    Nonsense(&'static str),
}

impl From<Status> for ClientError {
    fn from(status: Status) -> Self {
        ClientError::Refused(Box::new(status))
    }
}

impl ClientError {
    /// The machine-readable reason of a refusal.
    pub fn reason(&self) -> Option<String> {
        match self {
            ClientError::Refused(status) => status.get_details_error_info().map(|info| info.reason),
            _ => None,
        }
    }
}

impl ClientError {
    /// If a command was signed on another state than the present one: SHA-256 of the envelope to be seen.
    pub fn newest(&self) -> Option<Hash> {
        let ClientError::Refused(status) = self else { return None };
        let info = status.get_details_error_info().filter(|info| info.reason == "STATE_CHANGED")?;
        info.metadata.get("newest").and_then(|text| Hash::from_hex(text))
    }
}

fn describe(status: &Status) -> String {
    let found = status.metadata().get(channel::FOUND).and_then(|found| found.to_str().ok());
    match (status.get_details_error_info(), found) {
        (Some(info), _) => format!("{}: {}", info.reason, status.message()),
        (None, Some(found)) => format!("{:?}: {found}: see --endpoints", status.code()),
        (None, None) => format!("{:?}: {}", status.code(), status.message()),
    }
}

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

/// The call is not sent again by itself: who asks for a proof asks until it is on the chain, at their own pace, and a signed
/// read is for one call.
fn asked_once<T>(mut request: Request<T>) -> Request<T> {
    request.extensions_mut().insert(channel::Once);
    request
}

/// An actor who reads: every call carries a fresh token signed with their key.
pub struct Reader {
    /// The study.
    pub study: Uuid,
    /// Who.
    pub actor: Name,
    /// Their key.
    pub key: SecretKey,
    /// For who is not of the participant's site: what they read and what for. Every call then carries a command
    /// `access-data` of its own, and each is recorded.
    pub access: Option<Access>,
}

/// What a reader from outside reads, and what for.
#[derive(Debug, Clone)]
pub struct Access {
    /// The participant; `*` for everybody's, with the task audit.
    pub participant: Name,
    /// The participant's site; `*` with participant `*`.
    pub site: Name,
    /// The provisions under which it was captured; empty: everything, with a task.
    pub categories: Vec<Provision>,
    /// What for.
    pub purpose: Name,
    /// The participant's grant; absent: a task.
    pub grant: Option<Name>,
    /// The one item that is read; absent: all that is within the categories. It opens the item's proof and nothing else.
    pub only: Option<ItemRead>,
}

impl Access {
    /// Everybody's data, for who holds the task audit.
    pub fn everybody(purpose: Name) -> Self {
        let everywhere = Name::all_sites();
        let (participant, site) = (everywhere.clone(), everywhere);
        Self { participant, site, categories: Vec::new(), purpose, grant: None, only: None }
    }
}

impl Reader {
    /// A call with this reader's token, and what they read, signed. A call that is signed so is sent once: the signature
    /// opens one read, and a call that was answered unheard would be refused the second time.
    pub fn request<T>(&self, message: T) -> Request<T> {
        self.request_for(message, self.access.as_ref())
    }

    /// A call for one item's proof. No item is named otherwise than by a [`Name`]: for another text nothing is signed, and
    /// the call is refused.
    fn item_request<T>(&self, message: T, entry: u64, item: &str, repeat: &str) -> Request<T> {
        let only = item.parse().ok().map(|item| ItemRead { entry, item, repeat: repeat.to_owned() });
        let access = self.access.clone().zip(only).map(|(access, only)| Access { only: Some(only), ..access });
        self.request_for(message, access.as_ref())
    }

    fn request_for<T>(&self, message: T, access: Option<&Access>) -> Request<T> {
        let mut request = Request::new(message);
        let token = token::issue(&self.actor, self.study, &self.key, now_ms());
        if let Ok(value) = MetadataValue::try_from(format!("Bearer {token}")) {
            request.metadata_mut().insert("authorization", value);
        }
        if let Some(envelope) = access.and_then(|access| self.sign(access)) {
            request.metadata_mut().insert_bin(token::ACCESS_HEADER, MetadataValue::from_bytes(&envelope));
            request = asked_once(request);
        }
        request
    }

    /// The signed request to read. Without randomness there is none, and the call is refused.
    fn sign(&self, access: &Access) -> Option<Vec<u8>> {
        let Access { participant, site, categories, purpose, grant, only } = access.clone();
        let (by, time) = (self.actor.clone(), now_ms());
        let request = new_uuid().ok()?;
        let command =
            AccessData { study: self.study, request, by, time, participant, site, categories, purpose, grant, only };
        Some(dsse::sign(&command, &[&self.key]))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_call_that_carries_a_signed_read_is_sent_once() {
        let (study, actor, key) = (Uuid([1; 16]), Name::root(), SecretKey::from_seed(&[1; 32]));
        let reader = |access| Reader { study, actor: actor.clone(), key: key.clone(), access };
        let once = |request: Request<()>| request.extensions().get::<channel::Once>().is_some();
        let signed = reader(Some(Access::everybody("audit".parse().unwrap())));
        assert!(once(signed.request(())) && once(signed.item_request((), 1, "SYSBP", "")));
        assert!(!once(reader(None).request(())));
    }
}
