//! Enrollment: studies, sites, actors, delegations and participants, each act a signed command and a journal entry.

mod api;
mod config;
pub mod domain;
mod secrets;
mod store;

pub use config::Config;

use access::Member;
use journal::{Journal, OpenError};
use server::Parts;

/// Opens the service: what its port serves.
pub async fn open(config: Config) -> Result<Parts, OpenError> {
    let journal = Journal::open(store::journal(&config)).await?;
    let store = store::Store::open(&journal, config.vault).await.map_err(|source| {
        let file = config.file;
        OpenError::Database { file, source }
    })?;
    let (accesses, consents) = (config.accesses, config.consents);
    let keeper = api::Keeper { facts: store.facts(), store: store.clone(), accesses: accesses.clone() };
    let journals = journal.service(keeper);
    Ok(Parts::of(Member::Enrollment).grpc(journals).grpc(api::service(journal, store, accesses, consents)))
}
