//! `trialseal prove`: fetching a proof bundle.

use anyhow::{Context, Result};
use client::{Client, ClientError, Endpoints, Reader};
use seal::id::{Service, Uuid};
use std::{fs, path::Path, time::Duration};
use tokio::time::{Instant, sleep};

/// How long an entry may take to reach the chain before `prove` gives up.
const PATIENCE: Duration = Duration::from_secs(30);
const AGAIN: Duration = Duration::from_millis(100);

/// Reads where a deployment's services are.
pub fn endpoints(file: &Path) -> Result<Endpoints> {
    let text = fs::read(file).with_context(|| {
        format!("{}: is `trialseal up` running? Else name the file with --endpoints", file.display())
    })?;
    let endpoints: Endpoints =
        serde_json::from_slice(&text).with_context(|| format!("{}: not an endpoints file", file.display()))?;
    Ok(endpoints.in_folder(file.parent().unwrap_or(Path::new(""))))
}

/// Fetches the bundle of a datapoint, waiting until it is on the chain.
pub async fn fetch(client: &Client, reader: &Reader, entry: u64, item: &str, repeat: &str) -> Result<Vec<u8>> {
    anchored(|| client.bundle(reader, entry, item, repeat)).await
}

/// Fetches the bundle of a command as such, waiting until it is on the chain.
pub async fn record(client: &Client, study: Uuid, of: (Service, u64), envelope: &[u8]) -> Result<Vec<u8>> {
    anchored(|| client.record_bundle(study, of, envelope)).await
}

/// Asks again until what is asked for is on the chain.
async fn anchored<F: Future<Output = Result<Vec<u8>, ClientError>>>(ask: impl Fn() -> F) -> Result<Vec<u8>> {
    let until = Instant::now() + PATIENCE;
    loop {
        match ask().await {
            Err(error) if error.reason().as_deref() == Some("NOT_ANCHORED_YET") && Instant::now() < until => {
                sleep(AGAIN).await;
            }
            answer => return Ok(answer?),
        }
    }
}
