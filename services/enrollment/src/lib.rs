//! Enrollment: studies, sites, actors, delegations and participants, each act a signed command and a journal entry.

mod api;
mod config;
mod creators;
pub mod domain;
mod local_facts;
mod secrets;
mod store;
mod work;

pub use config::Config;
pub use creators::{CreatorList, Creators, CreatorsError};

use caller::Member;
use database::{Migration, Part};
use journal::schema;
use journal_service::Readers;
use local_facts::LocalFacts;
use seal::id::Service;
use server::Parts;
use std::sync::Arc;

/// The service's tables: its journal's, and those of its secrets.
pub const PART: Part = Part {
    name: "enrollment",
    migrations: &[Migration {
        oldest: 1,
        sqlite: &[schema::SQLITE_1, secrets::SQLITE_1],
        postgres: &[schema::POSTGRES_1, secrets::POSTGRES_1],
    }],
};

/// Opens the service: what its port serves.
pub fn open(config: Config) -> Parts {
    let journal = config.journal.open(Service::Enrollment, true, store::IN_RESERVE);
    let store = store::Store::new(journal.reader().clone(), config.vault);
    let (accesses, consents) = (config.accesses, config.consents);
    let readers = Readers {
        service: Service::Enrollment,
        facts: Arc::new(LocalFacts(store.reader().clone())),
        accesses: Some(accesses.clone()),
    };
    let journals = journal_service::service(&journal, readers, store.clone());
    Parts::of(Member::Enrollment).grpc(journals).grpc(api::service(journal, store, accesses, consents, config.creators))
}
