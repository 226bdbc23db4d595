//! Capture: form definitions, submissions, corrections and reads. Nothing is captured without a live consent.

mod api;
mod config;
mod content;
pub mod domain;
mod gate;
mod store;

pub use config::Config;

use journal::{Journal, OpenError};
use server::Parts;

/// Opens the service: what its port serves.
pub async fn open(config: Config) -> Result<Parts, OpenError> {
    let journal = Journal::open(store::journal(&config)).await?;
    let store = store::Store::new(journal.reader().clone(), config.vault.clone());
    let keeper =
        api::Keeper { store: store.clone(), enrollment: config.enrollment.clone(), services: config.services.clone() };
    let journals = journal.service(keeper);
    Ok(Parts::default().grpc(journals).grpc(api::service(journal, store, config)))
}
