//! Consent: documents, consents, withdrawals, grants and reads, each a signed command and a journal entry; and decisions.

mod api;
mod config;
mod copy;
pub mod domain;
mod store;

pub use config::Config;

use access::Member;
use journal::{Journal, OpenError};
use server::Parts;

/// Opens the service: what its port serves.
pub async fn open(config: Config) -> Result<Parts, OpenError> {
    let files = store::Files(config.documents.clone());
    let journal = Journal::open(store::journal(&config)).await?;
    let keeper = api::Keeper { enrollment: config.enrollment.clone() };
    let journals = journal.service(keeper);
    Ok(Parts::of(Member::Consent).grpc(journals).grpc(api::service(journal, files, config)))
}
