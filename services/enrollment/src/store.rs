//! The enrollment journal, and its facts as a source for decisions.

use crate::{Config, domain::Refusal};
use access::{FactError, FactSource};
use journal::{Journal, Reader};
use seal::{
    entry::Head,
    fact::{Fact, Facts, Subject},
    id::{Service, Uuid},
};

/// The journal as this service keeps it.
pub(crate) type Enrollment = Journal<Refusal>;

/// How the journal is opened.
pub(crate) fn journal(config: &Config) -> journal::Config {
    journal::Config {
        file: config.file.clone(),
        receipt_key: config.receipt_key.clone(),
        anchored_within_ms: config.anchored_within_ms,
        state_map: true,
    }
}

/// The facts of this service's own journal.
pub(crate) struct LocalFacts(Reader);

impl LocalFacts {
    pub(crate) fn new(journal: &Enrollment) -> Self {
        Self(journal.reader().clone())
    }
}

#[tonic::async_trait]
impl FactSource for LocalFacts {
    async fn facts(&self, study: Uuid, subjects: &[Subject]) -> Result<(Option<Head>, Facts), FactError> {
        let keys: Vec<_> = subjects.iter().map(|subject| subject.map_key(study)).collect();
        let stream = Service::Enrollment.stream(study);
        let (head, found) =
            self.0.facts(stream, &keys).await.map_err(|_| FactError::Unavailable(Service::Enrollment))?;
        let facts = subjects.iter().zip(&keys).filter_map(|(subject, key)| {
            let (_, bytes) = found.iter().find(|(found, _)| found == key)?;
            Some((subject.clone(), Fact::parse(bytes)?))
        });
        Ok((head, facts.collect()))
    }
}
