//! Asking witnesses for cosignatures (C2SP tlog-witness).

use crate::{
    chain::checkpoint_in,
    store::Store,
    tiles::{Known, Source, Tiles},
};
use axum::{
    body::Bytes,
    http::{Method, Request, StatusCode, header},
};
use channel::http::Http;
use std::{collections::HashMap, future::Future, sync::Arc, time::Duration};
use telemetry::meters;
use tlog::{
    Hash, merkle,
    note::{NoteSignature, parse_signatures},
    policy::Policy,
    tile,
    witness::{AddCheckpoint, is_size_content_type},
};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

const MAX_ANSWER: usize = 64 << 10;
const PATIENCE: Duration = Duration::from_secs(5);
/// After this time a witness that was not met is tried again.
const MEET_AGAIN: Duration = Duration::from_secs(1);

/// Why a witness did not cosign.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CosignError {
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
    #[error("it has cosigned another chain: the chain was rolled back and went on")]
    Forked,
    #[error("it has cosigned {0} blocks already")]
    Ahead(u64),
    #[error("no proof can be made")]
    Proof,
}

impl CosignError {
    /// Its name in metrics.
    fn outcome(&self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Slow => "slow",
            Self::Status(_) | Self::Nonsense => "nonsense",
            Self::RolledBack(_) => "rolled-back",
            Self::Forked => "forked",
            Self::Ahead(_) => "ahead",
            Self::Proof => "proof",
        }
    }
}

/// What witnesses answered.
pub(crate) struct Answers {
    pub(crate) cosignatures: Vec<NoteSignature>,
    pub(crate) refusals: Vec<CosignError>,
}

/// The chain as it grows: what its proofs are made of.
#[derive(Clone)]
pub(crate) struct Growth {
    pub(crate) store: Store,
    pub(crate) tiles: Tiles,
    pub(crate) size: u64,
    pub(crate) root: Hash,
    /// Tiles that are at hand.
    pub(crate) edge: Known,
}

impl Growth {
    /// The proof that the chain of `old` blocks grew into this one.
    ///
    /// A witness keeps a wrong proof as evidence of a fork, so a damaged copy of a tile must not get into one.
    async fn proof(&self, old: u64) -> Option<Vec<Hash>> {
        let before = self.store.checkpoint(old).await.ok().flatten().and_then(|(_, note)| checkpoint_in(&note));
        if let Some(before) = before.filter(|before| before.size == old) {
            let proof = self.proof_from(old, Source::Copies).await?;
            if merkle::verify_consistency(old, self.size, &before.root, &self.root, &proof).is_ok() {
                return Some(proof);
            }
        }
        self.proof_from(old, Source::Blocks).await
    }

    async fn proof_from(&self, old: u64, from: Source) -> Option<Vec<Hash>> {
        let wanted = tile::tiles_for_consistency(old, self.size);
        let tiles = self.tiles.fetch(wanted, self.edge.clone(), from).await.ok()?;
        tile::consistency_proof(&tiles, old, self.size).ok()
    }
}

/// The witnesses of a chain and what each is known to have cosigned last.
pub(crate) struct Witnesses {
    urls: Vec<String>,
    met: HashMap<String, u64>,
    tried: Option<Instant>,
    http: Http,
}

impl Witnesses {
    pub(crate) fn new(policy: &Policy, http: Http) -> Self {
        let mut urls: Vec<String> = policy.witnesses().iter().filter_map(|witness| witness.url.clone()).collect();
        urls.sort();
        urls.dedup();
        Self { urls, met: HashMap::new(), tried: None, http }
    }

    /// Shows those not met yet a checkpoint of `size` blocks that was published before, and learns what each cosigned
    /// last. `held` is how many blocks there were when nothing new had been made.
    pub(crate) async fn meet(&mut self, introduction: &str, size: u64, held: u64) -> Vec<CosignError> {
        if self.tried.is_some_and(|tried| tried.elapsed() < MEET_AGAIN) {
            return Vec::new();
        }
        self.tried = Some(Instant::now());
        let mut asked = JoinSet::new();
        for url in self.urls.iter().filter(|url| !self.met.contains_key(*url)) {
            let ask = Ask { url: url.clone(), http: self.http.clone() };
            let introduction = introduction.to_owned();
            asked.spawn(async move { (ask.url.clone(), patiently(ask.meet(&introduction, size, held)).await) });
        }
        let mut refusals = Vec::new();
        for (url, answer) in asked.join_all().await {
            match answer {
                Ok(last) => drop(self.met.insert(url, last)),
                Err(error) => refusals.push(warned(&url, error)),
            }
        }
        refusals
    }

    /// The cosignatures of all witnesses that were met and answer in time, on a signed checkpoint of what has grown.
    pub(crate) async fn cosign(&mut self, checkpoint: &str, growth: Growth) -> Answers {
        let (growth, mut asked) = (Arc::new(growth), JoinSet::new());
        for (url, last) in &self.met {
            let ask = Ask { url: url.clone(), http: self.http.clone() };
            let (checkpoint, growth, last) = (checkpoint.to_owned(), growth.clone(), *last);
            asked.spawn(async move { (ask.url.clone(), patiently(ask.cosign(&checkpoint, &growth, last)).await) });
        }
        let mut answers = Answers { cosignatures: Vec::new(), refusals: Vec::new() };
        for (url, answer) in asked.join_all().await {
            match answer {
                Ok(signatures) => {
                    meters().cosignatures.of("cosigned");
                    meters().witness.end(&url);
                    self.met.insert(url, growth.size);
                    answers.cosignatures.extend(signatures);
                }
                Err(error) => answers.refusals.push(warned(&url, error)),
            }
        }
        answers
    }
}

impl Drop for Witnesses {
    /// Nobody waits for witnesses any more: who makes blocks now asks them anew.
    fn drop(&mut self) {
        self.urls.iter().for_each(|url| meters().witness.end(url));
    }
}

async fn patiently<T>(answer: impl Future<Output = Result<T, CosignError>>) -> Result<T, CosignError> {
    timeout(PATIENCE, answer).await.unwrap_or(Err(CosignError::Slow))
}

fn warned(url: &str, error: CosignError) -> CosignError {
    meters().cosignatures.of(error.outcome());
    meters().witness.begin(url);
    tracing::warn!(%url, %error, "a witness did not cosign");
    error
}

struct Ask {
    url: String,
    http: Http,
}

/// What a witness answered to one request.
enum Answer {
    Cosigned(String),
    /// It cosigned another size last.
    Last(u64),
}

impl Ask {
    async fn meet(self, introduction: &str, size: u64, held: u64) -> Result<u64, CosignError> {
        let last = match self.post(0, Vec::new(), introduction).await? {
            Answer::Cosigned(_) => size,
            Answer::Last(last) => last,
        };
        if last > held { Err(CosignError::RolledBack(last)) } else { Ok(last) }
    }

    async fn cosign(self, checkpoint: &str, growth: &Growth, last: u64) -> Result<Vec<NoteSignature>, CosignError> {
        let mut answer = self.prove(checkpoint, growth, last).await?;
        if let Answer::Last(last) = answer {
            answer = self.prove(checkpoint, growth, last).await?;
        }
        match answer {
            Answer::Cosigned(body) => parse_signatures(body.as_bytes()).map_err(|_| CosignError::Nonsense),
            Answer::Last(_) => Err(CosignError::Nonsense),
        }
    }

    async fn prove(&self, checkpoint: &str, growth: &Growth, old: u64) -> Result<Answer, CosignError> {
        if old > growth.size {
            return Err(CosignError::Ahead(old));
        }
        let proof = match old {
            0 => Vec::new(),
            old => growth.proof(old).await.ok_or(CosignError::Proof)?,
        };
        self.post(old, proof, checkpoint).await
    }

    async fn post(&self, old: u64, proof: Vec<Hash>, checkpoint: &str) -> Result<Answer, CosignError> {
        let body = AddCheckpoint { old, proof, checkpoint: checkpoint.to_owned() }.to_string();
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}/add-checkpoint", self.url.trim_end_matches('/')))
            .body(Bytes::from(body))
            .map_err(|_| CosignError::Unreachable)?;
        let answer = self.http.send(request, MAX_ANSWER).await.map_err(|_| CosignError::Unreachable)?;
        let status = answer.status();
        let content_type = answer.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_size = content_type.is_some_and(is_size_content_type);
        let body = String::from_utf8(answer.into_body().into()).map_err(|_| CosignError::Nonsense)?;
        match status {
            StatusCode::OK => Ok(Answer::Cosigned(body)),
            StatusCode::CONFLICT if is_size => {
                body.trim_end().parse().map(Answer::Last).map_err(|_| CosignError::Nonsense)
            }
            StatusCode::UNPROCESSABLE_ENTITY => Err(CosignError::Forked),
            status => Err(CosignError::Status(status)),
        }
    }
}
