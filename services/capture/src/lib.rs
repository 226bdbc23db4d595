//! Capture: form definitions, submissions, corrections and reads. Nothing is captured without a live consent.

mod api;
mod config;
pub mod domain;
mod gate;
mod store;

pub use config::Config;

use access::AccessLog;
use caller::Member;
use database::Part;
use journal::Journal;
use journal_service::Readers;
use seal::{
    Hash,
    id::{Service, StreamId},
};
use server::Parts;
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;
use vault::{Doomed, VaultError};

/// The service's tables.
pub const PART: Part = journal::schema::part("capture");

/// How often erasures that were not finished are looked for.
const FINISH: Duration = Duration::from_secs(60);
/// A request that is not recorded this long after its key was doomed was refused, or its process died before it was
/// recorded. Nothing waits that long to be recorded.
const GIVEN_UP: Duration = Duration::from_secs(300);

/// Opens the service: what its port serves.
pub fn open(config: Config) -> Parts {
    let journal = Journal::open(store::journal(&config));
    let store = store::Store::new(journal.reader().clone(), config.vault.clone());
    tokio::spawn(finish_erasures(store.clone()));
    let readers = Readers {
        service: Service::Capture,
        facts: Arc::new(config.enrollment.clone()),
        accesses: Some(AccessLog::new(config.consent_channel.clone())),
    };
    let journals = journal_service::service(&journal, readers, store.clone());
    Parts::of(Member::Capture).grpc(journals).grpc(api::service(journal, store, config))
}

/// Destroys the keys of participants whose erasure was recorded by a process that died before it came to that, at the start
/// and from time to time: it may have been another replica.
async fn finish_erasures(store: store::Store) {
    loop {
        for doomed in store.vault().doomed().await.unwrap_or_default() {
            if let Err(error) = finish_erasure(&store, &doomed).await {
                tracing::error!(%error, "an erasure cannot be finished now");
            }
        }
        sleep(FINISH).await;
    }
}

async fn finish_erasure(store: &store::Store, doomed: &Doomed) -> Result<(), VaultError> {
    match store.reader().recorded(StreamId(Hash(doomed.stream)), &[doomed.request]).await {
        Ok(found) if !found.is_empty() => store.vault().destroy(&doomed.reference).await,
        Ok(_) if doomed.age > GIVEN_UP => store.vault().spare(&doomed.reference, &doomed.request).await,
        Ok(_) => Ok(()),
        Err(error) => {
            tracing::error!(%error, "an erasure cannot be finished now");
            Ok(())
        }
    }
}
