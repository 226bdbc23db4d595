//! Capture: form definitions, submissions, corrections and reads. Nothing is captured without a live consent.

mod api;
mod config;
pub mod domain;
mod gate;
mod store;

pub use config::Config;

use access::{AccessLog, Member};
use journal::{Journal, OpenError};
use seal::{Hash, id::StreamId};
use server::Parts;

/// Opens the service: what its port serves.
pub async fn open(config: Config) -> Result<Parts, OpenError> {
    let journal = Journal::open(store::journal(&config)).await?;
    let store = store::Store::new(journal.reader().clone(), config.vault.clone());
    finish_erasures(&store).await;
    let keeper = api::Keeper {
        store: store.clone(),
        enrollment: config.enrollment.clone(),
        accesses: AccessLog::new(config.consent_channel.clone()),
    };
    let journals = journal.service(keeper);
    Ok(Parts::of(Member::Capture).grpc(journals).grpc(api::service(journal, store, config)))
}

/// Destroys the keys of participants whose erasure was recorded when the process died. What cannot be done now is tried
/// again at the next start, and when the command is sent again.
async fn finish_erasures(store: &store::Store) {
    let vault = store.vault();
    for doomed in vault.doomed().await.unwrap_or_default() {
        let stream = StreamId(Hash(doomed.stream));
        let done = match store.reader().recorded(stream, &[doomed.request]).await {
            Ok(found) if found.is_empty() => vault.spare(&doomed.reference, &doomed.request).await,
            Ok(_) => vault.destroy(&doomed.reference).await,
            Err(error) => {
                tracing::error!(%error, "an erasure cannot be finished now");
                continue;
            }
        };
        if let Err(error) = done {
            tracing::error!(%error, "an erasure cannot be finished now");
        }
    }
}
