//! Capture: form definitions, submissions, corrections and reads. Nothing is captured without a live consent.

mod api;
mod config;
pub mod domain;
mod erasure;
mod gate;
mod store;

pub use config::Config;

use access::AccessLog;
use caller::Member;
use database::Part;
use journal_service::Readers;
use seal::id::Service;
use server::Parts;
use std::sync::Arc;

/// The service's tables.
pub const PART: Part = journal::schema::part("capture");

/// Opens the service: what its port serves.
pub fn open(config: Config) -> Parts {
    let journal = config.journal.clone().open(Service::Capture, false, store::IN_RESERVE);
    let store = store::Store::new(journal.reader().clone(), config.vault.clone());
    tokio::spawn(erasure::finish_all(store.clone()));
    let readers = Readers {
        service: Service::Capture,
        facts: Arc::new(config.enrollment.clone()),
        accesses: Some(AccessLog::new(config.consent_channel.clone())),
    };
    let journals = journal_service::service(&journal, readers, store.clone());
    Parts::of(Member::Capture).grpc(journals).grpc(api::service(journal, store, config))
}
