//! Asking witnesses for cosignatures (C2SP tlog-witness).

use crate::tiles::TileDir;
use axum::{
    body::Bytes,
    http::{Method, Request, StatusCode, header},
};
use channel::http::Http;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tlog::{
    note::{NoteSignature, parse_signatures},
    policy::Policy,
    tile,
    witness::{AddCheckpoint, SIZE_CONTENT_TYPE},
};
use tokio::{task::JoinSet, time::timeout};

const MAX_ANSWER: usize = 64 << 10;
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a witness did not cosign.
#[derive(Debug, thiserror::Error)]
enum CosignError {
    #[error("it cannot be reached")]
    Unreachable,
    #[error("it did not answer in time")]
    Slow,
    #[error("it answers {0}")]
    Status(StatusCode),
    #[error("it answers nonsense")]
    Nonsense,
    #[error("it has cosigned {0} blocks, more than the chain holds: the chain was rolled back")]
    RolledBack(u64),
    #[error("no proof can be made")]
    Proof,
}

/// The witnesses of a chain and what each is believed to have cosigned last.
pub(crate) struct Witnesses {
    urls: Vec<String>,
    believed: Arc<Mutex<HashMap<String, u64>>>,
    http: Http,
}

impl Witnesses {
    pub(crate) fn new(policy: &Policy, http: Http) -> Self {
        let mut urls: Vec<String> = policy.witnesses().iter().filter_map(|witness| witness.url.clone()).collect();
        urls.sort();
        urls.dedup();
        Self { urls, believed: Arc::default(), http }
    }

    /// The cosignatures of all witnesses that answer in time, on a signed checkpoint of `size` blocks.
    pub(crate) async fn cosign(&self, checkpoint: &str, size: u64, tiles: &TileDir) -> Vec<NoteSignature> {
        let mut asked = JoinSet::new();
        for url in &self.urls {
            let ask = Ask {
                url: url.clone(),
                checkpoint: checkpoint.to_owned(),
                size,
                tiles: tiles.clone(),
                http: self.http.clone(),
            };
            let believed = self.believed.clone();
            asked.spawn(async move {
                let url = ask.url.clone();
                let answer = timeout(PATIENCE, ask.cosign(&believed)).await.unwrap_or(Err(CosignError::Slow));
                answer.inspect_err(|error| tracing::warn!(%url, %error, "a witness did not cosign")).unwrap_or_default()
            });
        }
        asked.join_all().await.into_iter().flatten().collect()
    }
}

struct Ask {
    url: String,
    checkpoint: String,
    size: u64,
    tiles: TileDir,
    http: Http,
}

impl Ask {
    async fn cosign(self, believed: &Mutex<HashMap<String, u64>>) -> Result<Vec<NoteSignature>, CosignError> {
        let mut old = believed.lock().map_or(0, |sizes| sizes.get(&self.url).copied().unwrap_or_default());
        old = old.min(self.size);
        let (mut status, mut is_size, mut body) = self.post(old).await?;
        if status == StatusCode::CONFLICT && is_size {
            old = body.trim_end().parse().map_err(|_| CosignError::Nonsense)?;
            if old > self.size {
                return Err(CosignError::RolledBack(old));
            }
            (status, is_size, body) = self.post(old).await?;
        }
        if status != StatusCode::OK || is_size {
            return Err(CosignError::Status(status));
        }
        let signatures = parse_signatures(body.as_bytes()).map_err(|_| CosignError::Nonsense)?;
        if let Ok(mut sizes) = believed.lock() {
            sizes.insert(self.url.clone(), self.size);
        }
        Ok(signatures)
    }

    async fn post(&self, old: u64) -> Result<(StatusCode, bool, String), CosignError> {
        let (tiles, size) = (self.tiles.clone(), self.size);
        let proof = tokio::task::spawn_blocking(move || match old {
            0 => Ok(Vec::new()),
            old => tile::consistency_proof(&tiles, old, size),
        });
        let proof = proof.await.map_err(|_| CosignError::Proof)?.map_err(|_| CosignError::Proof)?;
        let body = AddCheckpoint { old, proof, checkpoint: self.checkpoint.clone() }.to_string();
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}/add-checkpoint", self.url.trim_end_matches('/')))
            .body(Bytes::from(body))
            .map_err(|_| CosignError::Unreachable)?;
        let answer = self.http.send(request, MAX_ANSWER).await.map_err(|_| CosignError::Unreachable)?;
        let status = answer.status();
        let content_type = answer.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_size = content_type == Some(SIZE_CONTENT_TYPE);
        let body = String::from_utf8(answer.into_body().into()).map_err(|_| CosignError::Nonsense)?;
        Ok((status, is_size, body))
    }
}
