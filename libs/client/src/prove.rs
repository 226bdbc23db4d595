//! Proofs of what was just recorded: asked for until it is on the chain.

use crate::{Client, ClientError, Reader};
use seal::id::{Service, Uuid};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long an entry may take to reach the chain before it is given up.
const PATIENCE: Duration = Duration::from_secs(30);
const AGAIN: Duration = Duration::from_millis(100);

impl Client {
    /// Fetches the proof bundle of a datapoint as [`Client::bundle`] does, waiting up to 30 seconds until it is on the chain.
    pub async fn prove(&self, reader: &Reader, entry: u64, item: &str, repeat: &str) -> Result<Vec<u8>, ClientError> {
        anchored(|| self.bundle(reader, entry, item, repeat)).await
    }

    /// Fetches the proof bundle of a command as [`Client::record_bundle`] does, waiting up to 30 seconds until it is on the
    /// chain.
    pub async fn prove_record(&self, study: Uuid, of: (Service, u64), envelope: &[u8]) -> Result<Vec<u8>, ClientError> {
        anchored(|| self.record_bundle(study, of, envelope)).await
    }
}

/// Asks again until what is asked for is on the chain.
async fn anchored<F: Future<Output = Result<Vec<u8>, ClientError>>>(
    ask: impl Fn() -> F,
) -> Result<Vec<u8>, ClientError> {
    let until = Instant::now() + PATIENCE;
    loop {
        match ask().await {
            Err(error) if error.reason().as_deref() == Some("NOT_ANCHORED_YET") && Instant::now() < until => {
                sleep(AGAIN).await;
            }
            answer => return answer,
        }
    }
}
