//! One witness's answer to one question.

use super::Truth;
use crate::{
    chain::checkpoint_in,
    store::Store,
    tiles::{Source, TileHashes, Tiles},
};
use axum::{
    body::Bytes,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use channel::http::{Http, HttpError};
use clock::now_ms;
use std::{future::Future, time::Duration};
use tlog::{
    Hash,
    key::VerifierKey,
    merkle,
    note::{Note, NoteSignature, parse_each_signature},
    sha256, tile,
    witness::{AddCheckpoint, is_size_content_type},
};
use tokio::time::timeout;

/// The largest answer read: a dozen ML-DSA-44 cosignatures.
const MAX_ANSWER: usize = 64 << 10;
/// The largest checkpoint read that a witness shows.
const MAX_SHOWN: usize = tlog::note::MAX_NOTE_BYTES;
/// How far the time of a cosignature may be from this machine's clock.
const CLOCKS_DIFFER: u64 = 600;

/// Why a witness did not cosign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CosignError {
    #[error("it cannot be reached")]
    Unreachable,
    #[error("it did not answer in time")]
    Slow,
    #[error("it answered {0}")]
    Status(StatusCode),
    #[error("its answer is larger than {MAX_ANSWER} bytes, or was cut off")]
    TooLarge,
    #[error("its answer does not follow the protocol")]
    Nonsense,
    #[error("its answer contains no cosignature by its key in the policy")]
    NoSignature,
    #[error("its own cosignature does not verify")]
    WrongSignature,
    #[error("the time of its cosignature is more than {CLOCKS_DIFFER} seconds from this machine's clock")]
    WrongTime,
    #[error("it has cosigned {cosigned} blocks, the database holds {held}: the chain was rolled back")]
    RolledBack { held: u64, cosigned: u64 },
    #[error("it has cosigned a different chain: the chain was rolled back and then extended")]
    Forked,
    #[error(
        "it claims to have cosigned a longer or different chain, but shows no checkpoint signed with this chain's key"
    )]
    Unproven,
    #[error("it has cosigned {0} blocks already")]
    Ahead(u64),
    #[error("no proof can be made")]
    Proof,
}

impl CosignError {
    /// Its name in metrics.
    pub(super) fn outcome(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Slow => "slow",
            Self::Status(status) if status.is_client_error() => "refused",
            Self::Status(_) | Self::TooLarge | Self::Nonsense => "nonsense",
            Self::NoSignature | Self::WrongSignature | Self::WrongTime => "signature",
            Self::RolledBack { .. } => "rolled-back",
            Self::Forked => "forked",
            Self::Unproven => "unproven",
            Self::Ahead(_) => "ahead",
            Self::Proof => "proof",
        }
    }

    /// Whether the chain's own signature says so, and not the witness alone.
    pub(super) fn is_proven(self) -> bool {
        matches!(self, Self::RolledBack { .. } | Self::Forked)
    }

    /// Whether the witness may be well again any moment.
    pub(super) fn is_away(self) -> bool {
        match self {
            Self::Unreachable | Self::Slow | Self::Proof | Self::Ahead(_) => true,
            Self::Status(status) => status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS,
            _ => false,
        }
    }
}

/// The last published checkpoint, or one over nothing.
#[derive(Clone)]
pub(crate) struct Introduction {
    /// The checkpoint, signed by the chain alone.
    pub(crate) note: String,
    /// How many blocks it is over.
    pub(crate) size: u64,
    /// How many blocks there were when nothing new had been made.
    pub(crate) held: u64,
}

/// The chain as it grows: what its proofs are made of.
#[derive(Clone)]
pub(crate) struct Growth {
    pub(crate) store: Store,
    pub(crate) tiles: Tiles,
    pub(crate) size: u64,
    pub(crate) root: Hash,
    /// Tiles that are at hand.
    pub(crate) edge: TileHashes,
}

impl Growth {
    /// The proof that the chain of `old` blocks grew into this one.
    ///
    /// A witness keeps what a proof shows to be a fork as evidence, so a damaged copy of a tile must not get into one.
    async fn proof(&self, old: u64) -> Option<Vec<Hash>> {
        if old == 0 || old == self.size {
            return Some(Vec::new());
        }
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

/// Cosignatures of one witness, verified.
pub(super) struct Cosigned {
    pub(super) lines: Vec<(VerifierKey, NoteSignature)>,
    /// How many lines of the answer were something else.
    pub(super) others: usize,
}

/// A question to one witness.
pub(super) struct Ask {
    url: String,
    keys: Vec<VerifierKey>,
    http: Http,
    truth: Truth,
    patience: Duration,
}

/// What a witness answered to one request.
enum Answer {
    Cosigned(Bytes),
    /// It cosigned another size last.
    Last(u64),
    /// It says that the checkpoint contradicts what it cosigned.
    Contradicts,
}

impl Ask {
    pub(super) fn new(url: &str, keys: &[VerifierKey], http: &Http, truth: &Truth, patience: Duration) -> Self {
        Self { url: url.to_owned(), keys: keys.to_vec(), http: http.clone(), truth: truth.clone(), patience }
    }

    /// Shows it what is known already; gives how many blocks it cosigned last.
    pub(super) async fn meet(self, introduction: &Introduction) -> Result<u64, CosignError> {
        patiently(self.patience, async {
            match self.post(0, Vec::new(), &introduction.note).await {
                Ok(Answer::Cosigned(_)) => Ok(introduction.size),
                Ok(Answer::Last(last)) if last <= introduction.size => Ok(last),
                Ok(Answer::Last(last)) => match self.examined(Some(last)).await {
                    // It may have cosigned what was never published, and need not show it.
                    Err(error) if last <= introduction.held && !error.is_proven() => Ok(last),
                    examined => examined,
                },
                Ok(Answer::Contradicts) => self.examined(None).await,
                // Some cosign no empty chain. If it holds nothing of this one, there is nothing to be met for.
                Err(CosignError::Status(status)) if introduction.size == 0 => match self.shown().await? {
                    None => Ok(0),
                    Some(_) => Err(CosignError::Status(status)),
                },
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// Its cosignatures of a checkpoint.
    pub(super) async fn cosign(self, own: &Note, growth: &Growth, last: u64) -> Result<Cosigned, CosignError> {
        patiently(self.patience, async {
            let checkpoint = own.to_string();
            let mut answer = self.prove(&checkpoint, growth, last).await?;
            if let Answer::Last(last) = answer {
                answer = self.prove(&checkpoint, growth, last).await?;
            }
            match answer {
                Answer::Cosigned(body) => self.judge(&body, &own.text),
                Answer::Last(_) => Err(CosignError::Nonsense),
                Answer::Contradicts => self.examined(None).await.and(Err(CosignError::Unproven)),
            }
        })
        .await
    }

    /// What counts of an answer: lines by its own keys that verify and were made now.
    fn judge(&self, body: &[u8], text: &str) -> Result<Cosigned, CosignError> {
        let (signatures, others) = parse_each_signature(body);
        let all = others + signatures.len();
        let judged = Note { text: text.to_owned(), signatures }.judge(&self.keys);
        let (verified, now) = (judged.valid.len(), now_ms() / 1_000);
        let is_now = |time: Option<u64>| time.is_some_and(|time| time.abs_diff(now) <= CLOCKS_DIFFER);
        let valid = judged.valid.into_iter().filter(|(_, verified)| is_now(verified.time));
        let lines: Vec<_> = valid.map(|(line, verified)| (verified.key, line)).collect();
        match (lines.len(), verified, judged.wrong) {
            (0, 0, 0) => Err(CosignError::NoSignature),
            (0, 0, _) => Err(CosignError::WrongSignature),
            (0, ..) => Err(CosignError::WrongTime),
            (counted, ..) => Ok(Cosigned { lines, others: all - counted }),
        }
    }

    async fn prove(&self, checkpoint: &str, growth: &Growth, old: u64) -> Result<Answer, CosignError> {
        if old > growth.size {
            self.examined(Some(old)).await?;
            return Err(CosignError::Ahead(old));
        }
        let proof = growth.proof(old).await.ok_or(CosignError::Proof)?;
        self.post(old, proof, checkpoint).await
    }

    /// What it can show for its claim to know a longer chain, of so many blocks, or another one.
    async fn examined(&self, claimed: Option<u64>) -> Result<u64, CosignError> {
        let shown = self.shown().await?.ok_or(CosignError::Unproven)?;
        let size = self.truth.compare(&shown).await?;
        if claimed.is_none_or(|claimed| claimed == size) { Ok(size) } else { Err(CosignError::Unproven) }
    }

    /// The checkpoint that it shows to whoever asks, if it has one.
    async fn shown(&self) -> Result<Option<Bytes>, CosignError> {
        let origin = sha256(&[self.truth.origin().as_bytes()]).to_hex();
        let answer = self.send(Method::GET, &format!("{origin}/checkpoint"), Bytes::new(), MAX_SHOWN).await?;
        match answer {
            (StatusCode::OK, _, body) => Ok(Some(body)),
            (StatusCode::NOT_FOUND, ..) => Ok(None),
            (status, ..) => Err(CosignError::Status(status)),
        }
    }

    async fn post(&self, old: u64, proof: Vec<Hash>, checkpoint: &str) -> Result<Answer, CosignError> {
        let body = AddCheckpoint { old, proof, checkpoint: checkpoint.to_owned() }.to_string();
        let (status, headers, body) = self.send(Method::POST, "add-checkpoint", body.into(), MAX_ANSWER).await?;
        match status {
            StatusCode::OK => Ok(Answer::Cosigned(body)),
            StatusCode::CONFLICT if is_size(&headers) => match size(&body) {
                Some(last) if last != old => Ok(Answer::Last(last)),
                _ => Err(CosignError::Nonsense),
            },
            StatusCode::UNPROCESSABLE_ENTITY => Ok(Answer::Contradicts),
            status => Err(CosignError::Status(status)),
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        limit: usize,
    ) -> Result<(StatusCode, HeaderMap, Bytes), CosignError> {
        let request = Request::builder().method(method).uri(format!("{}/{path}", self.url)).body(body);
        let request = request.map_err(|_| CosignError::Unreachable)?;
        let answer = self.http.send(request, limit).await.map_err(|error| match error {
            HttpError::TooLarge(_) => CosignError::TooLarge,
            _ => CosignError::Unreachable,
        })?;
        let (head, body) = answer.into_parts();
        Ok((head.status, head.headers, body))
    }
}

async fn patiently<T>(
    patience: Duration,
    answer: impl Future<Output = Result<T, CosignError>>,
) -> Result<T, CosignError> {
    timeout(patience, answer).await.unwrap_or(Err(CosignError::Slow))
}

/// Whether the body is the size cosigned last: by its type, whatever its parameters.
fn is_size(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(is_size_content_type)
}

fn size(body: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(body).ok()?.trim_end_matches('\n');
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}
