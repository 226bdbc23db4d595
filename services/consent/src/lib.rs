//! Consent: documents, consents, withdrawals, grants and reads, each a signed command and a journal entry; and decisions.

mod api;
mod config;
mod copy;
pub mod domain;
mod store;

pub use config::Config;

use caller::Member;
use database::Part;
use journal_service::Readers;
use seal::id::Service;
use server::Parts;
use std::sync::Arc;

/// The service's tables.
pub const PART: Part = journal::schema::part("consent");

/// Opens the service: what its port serves.
pub fn open(config: Config) -> Parts {
    let files = store::Files(config.documents.clone());
    let journal = config.journal.clone().open(Service::Consent, true, store::IN_RESERVE);
    let facts = Arc::new(config.enrollment.clone());
    let readers = Readers { service: Service::Consent, facts, accesses: None };
    let journals = journal_service::service(&journal, readers, api::InTheClear);
    Parts::of(Member::Consent).grpc(journals).grpc(api::service(journal, files, config))
}
