//! Enrollment: studies, sites, actors, delegations and participants, each act a signed command and a journal entry.

mod api;
mod config;
pub mod domain;
mod store;

pub use config::Config;

use journal::{Journal, OpenError};
use server::Parts;

/// Opens the service: what its port serves.
pub async fn open(config: Config) -> Result<Parts, OpenError> {
    let journal = Journal::open(store::journal(&config)).await?;
    let facts = store::LocalFacts::new(&journal);
    let keeper = api::Keeper { facts, services: config.services };
    Ok(Parts::default().grpc(journal.service(keeper)).grpc(api::service(journal)))
}
