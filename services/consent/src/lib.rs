//! Consent: documents, consents, withdrawals, grants and reads, each a signed command and a journal entry; and decisions.

mod api;
mod config;
mod copy;
pub mod domain;
mod store;

pub use config::Config;

use access::Member;
use database::Part;
use journal::Journal;
use server::Parts;

/// The service's tables.
pub const PART: Part = journal::schema::part("consent");

/// Opens the service: what its port serves.
pub fn open(config: Config) -> Parts {
    let files = store::Files(config.documents.clone());
    let journal = Journal::open(store::journal(&config));
    let keeper = api::Keeper { enrollment: config.enrollment.clone() };
    let journals = journal.service(keeper);
    Parts::of(Member::Consent).grpc(journals).grpc(api::service(journal, files, config))
}
