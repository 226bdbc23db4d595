//! The facts of this service's own journal, as a source for decisions.

mod keys;

use facts::{FactError, FactSource};
use journal::Reader;
use seal::{
    entry::Head,
    id::{Name, Service, Uuid},
    key::KeyId,
};
use vocabulary::{fact::Facts, subject::Subject};

/// The facts of this service's own journal.
#[derive(Clone)]
pub(crate) struct LocalFacts(pub(crate) Reader);

#[tonic::async_trait]
impl FactSource for LocalFacts {
    async fn facts(&self, study: Uuid, subjects: &[Subject]) -> Result<(Option<Head>, Facts), FactError> {
        let stream = Service::Enrollment.stream(study);
        let found = record::facts(&self.0, stream, study, subjects).await;
        found.map_err(|_| FactError::Unavailable(Service::Enrollment))
    }

    async fn key_of(&self, study: Uuid, actor: &Name) -> Result<Option<KeyId>, FactError> {
        let unavailable = |_| FactError::Unavailable(Service::Enrollment);
        keys::of(&self.0, study, actor).await.map_err(unavailable)
    }
}
