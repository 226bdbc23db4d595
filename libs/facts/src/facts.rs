//! Facts of a journal's present state, from wherever they are kept.

use caller::ServiceToken;
use channel::Channel;
use problem::Problem;
use proto::{
    enrollment::{FindKeyRequest, enrollment_service_client::EnrollmentServiceClient},
    journal::{ReadFactsRequest, journal_service_client::JournalServiceClient},
};
use seal::{
    Hash,
    entry::Head,
    id::{Name, Service, StreamId, Uuid},
    key::KeyId,
};
use tonic::Request;
use vocabulary::{
    fact::{Fact, Facts},
    subject::Subject,
};

/// Why facts cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum FactError {
    /// The service that keeps them does not answer.
    #[error("the {0} service does not answer")]
    Unavailable(Service),
    /// What it answers makes no sense.
    #[error("the {0} service gave an invalid answer")]
    Nonsense(Service),
}

impl From<FactError> for Problem {
    fn from(error: FactError) -> Self {
        Problem::unavailable("DEPENDENCY_UNAVAILABLE", format!("{error}; nothing was recorded, try again"))
    }
}

/// A place to look facts up.
#[tonic::async_trait]
pub trait FactSource: Send + Sync {
    /// The facts about `subjects` and the head of the journal they hold at, from one moment.
    async fn facts(&self, study: Uuid, subjects: &[Subject]) -> Result<(Option<Head>, Facts), FactError>;

    /// The key by which `actor`, an actor or a participant, signs in `study` now; nothing if they have no valid one.
    async fn key_of(&self, study: Uuid, actor: &Name) -> Result<Option<KeyId>, FactError>;
}

/// The journal of another service, asked over gRPC.
#[derive(Clone)]
pub struct RemoteFacts {
    service: Service,
    journal: JournalServiceClient<Channel>,
    enrollment: EnrollmentServiceClient<Channel>,
    token: ServiceToken,
}

impl RemoteFacts {
    /// Facts kept by `service` behind `channel`.
    pub fn new(service: Service, channel: Channel, token: ServiceToken) -> Self {
        let enrollment = EnrollmentServiceClient::new(channel.clone());
        Self { service, journal: JournalServiceClient::new(channel), enrollment, token }
    }
}

#[tonic::async_trait]
impl FactSource for RemoteFacts {
    async fn facts(&self, study: Uuid, subjects: &[Subject]) -> Result<(Option<Head>, Facts), FactError> {
        let stream = self.service.stream(study);
        let keys: Vec<Hash> = subjects.iter().map(|subject| subject.map_key(study)).collect();
        let request =
            ReadFactsRequest { stream: stream.0.0.to_vec(), keys: keys.iter().map(|key| key.0.to_vec()).collect() };
        let answer = self.journal.clone().read_facts(self.token.attach(Request::new(request))).await;
        let answer = answer.map_err(|_| FactError::Unavailable(self.service))?.into_inner();
        let nonsense = || FactError::Nonsense(self.service);
        let head = match answer.head {
            None => None,
            Some(found) => Some(head(&found, self.service)?),
        };
        let mut facts = Facts::default();
        for found in answer.facts {
            let place = keys.iter().position(|key| key.0.as_slice() == found.key).ok_or_else(nonsense)?;
            facts.set(subjects[place].clone(), Fact::parse(&found.fact).ok_or_else(nonsense)?);
        }
        Ok((head, facts))
    }

    async fn key_of(&self, study: Uuid, actor: &Name) -> Result<Option<KeyId>, FactError> {
        let request = FindKeyRequest { study: study.to_string(), actor: actor.to_string() };
        let answer = self.enrollment.clone().find_key(self.token.attach(Request::new(request))).await;
        let key = answer.map_err(|_| FactError::Unavailable(self.service))?.into_inner().key;
        let parse = |key: String| key.parse().map_err(|_| FactError::Nonsense(self.service));
        Some(key).filter(|key| !key.is_empty()).map(parse).transpose()
    }
}

/// A head from a message of `service`.
pub(crate) fn head(found: &proto::types::Head, service: Service) -> Result<Head, FactError> {
    let (stream, hash) = (Hash::from_slice(&found.stream), Hash::from_slice(&found.hash));
    let (stream, hash) = stream.zip(hash).ok_or(FactError::Nonsense(service))?;
    Ok(Head { stream: StreamId(stream), number: found.number, hash })
}
