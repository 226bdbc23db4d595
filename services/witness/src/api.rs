//! The HTTP edge: `add-checkpoint` and the last checkpoint of each chain.

use crate::{
    Config,
    fork::{is_fork, pair},
    store::{Cosigned, Fork, Store},
};
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use clock::now_ms;
use std::sync::Arc;
use telemetry::meters;
use tlog::{
    Hash,
    checkpoint::Checkpoint,
    cosignature::cosign,
    key::VerifierKey,
    note::{Note, NoteSignature, parse_each_signature},
    sha256,
    witness::{AddCheckpoint, MAX_REQUEST_BYTES, Refusal, SIZE_CONTENT_TYPE, decide},
};

struct Witness {
    store: Store,
    config: Config,
}

/// The routes of a witness.
pub(crate) fn router(store: Store, config: Config) -> Router {
    Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/{origin}/checkpoint", get(last_checkpoint))
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .with_state(Arc::new(Witness { store, config }))
}

/// Why a request is not answered with a cosignature.
enum Failure {
    Refused(Refusal),
    Storage(sqlx::Error),
    Busy,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Failure::Refused(refusal)
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Failure::Storage(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Failure::Refused(Refusal::Conflict { size }) => {
                (StatusCode::CONFLICT, [(header::CONTENT_TYPE, SIZE_CONTENT_TYPE)], format!("{size}\n")).into_response()
            }
            Failure::Refused(refusal) => {
                let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
                (status, format!("{refusal}\n")).into_response()
            }
            Failure::Storage(error) => {
                tracing::error!(%error, "the witness's database failed");
                (StatusCode::INTERNAL_SERVER_ERROR, "the witness cannot store; try again\n").into_response()
            }
            Failure::Busy => {
                (StatusCode::SERVICE_UNAVAILABLE, "another request came first; try again\n").into_response()
            }
        }
    }
}

async fn add_checkpoint(State(witness): State<Arc<Witness>>, body: Bytes) -> Result<String, Failure> {
    let request = AddCheckpoint::parse(&body)?;
    let mut note = Note::parse(request.checkpoint.as_bytes()).map_err(|_| Refusal::Malformed)?;
    let origin = note.text.lines().next().unwrap_or_default().to_owned();
    let last = witness.store.last(&origin).await?;
    let known = last.as_ref().map(|last| (last.size, last.root));
    let decided = decide(&request, known.as_ref(), &witness.config.chains);
    // What anybody may have written beside the log's signature is neither kept nor shown.
    note.signatures = witness.by_the_log(&note);
    let checkpoint = match decided {
        Ok(checkpoint) => checkpoint,
        Err(refusal) => {
            if matches!(refusal, Refusal::Conflict { .. } | Refusal::OldTooLarge | Refusal::Root | Refusal::Proof) {
                witness.compare(&note, &request.proof, last.as_ref()).await?;
            }
            return Err(refusal.into());
        }
    };
    let cosignatures = witness.cosign(&checkpoint)?;
    // Stored before it is answered: a cosignature given out is never forgotten.
    if !witness.store.advance(last.as_ref(), &checkpoint, &note.to_string(), &cosignatures).await? {
        return Err(Failure::Busy);
    }
    witness.reached(&checkpoint, &note.to_string()).await?;
    Ok(cosignatures)
}

impl Witness {
    fn by_the_log(&self, note: &Note) -> Vec<NoteSignature> {
        let origin = note.text.lines().next().unwrap_or_default();
        let keys: Vec<VerifierKey> = self.config.chains.iter().filter(|key| key.name() == origin).cloned().collect();
        note.judge(&keys).valid.into_iter().map(|(line, _)| line).collect()
    }

    fn cosign(&self, checkpoint: &Checkpoint) -> Result<String, Failure> {
        let signature = cosign(checkpoint, &self.config.key, now_ms() / 1_000).map_err(|_| Refusal::Malformed)?;
        Ok(signature.to_string())
    }

    /// Keeps a checkpoint that was refused if it proves a fork, and remembers it if it may turn out to.
    async fn compare(&self, note: &Note, proof: &[Hash], last: Option<&Cosigned>) -> Result<(), Failure> {
        let (Some(last), Ok(offered)) = (last, Checkpoint::parse(&note.text)) else { return Ok(()) };
        let (origin, note) = (&offered.origin, note.to_string());
        let held = Checkpoint { size: last.size, root: last.root, ..offered.clone() };
        let others: Vec<Hash> = self.other_roots(origin, last.size).await?;
        if is_fork((last.size, last.root), (offered.size, offered.root), proof, &others) {
            let proof = if last.size == offered.size { &[] } else { proof };
            return self.keep(&held, &last.note, &offered, &note, proof).await;
        }
        if offered.size > last.size && last.size > 0 {
            self.compare_unreached(&offered, &note).await?;
            self.store.remember(last.size, &offered, &note).await?;
        }
        Ok(())
    }

    /// The roots of a size that the log signed beside what was cosigned.
    async fn other_roots(&self, origin: &str, size: u64) -> Result<Vec<Hash>, Failure> {
        let kept = self.store.offered(origin).await?;
        let parsed = kept.iter().filter_map(|note| Checkpoint::parse(&Note::parse(note.as_bytes()).ok()?.text).ok());
        Ok(parsed.filter(|checkpoint| checkpoint.size == size).map(|checkpoint| checkpoint.root).collect())
    }

    /// Two checkpoints of one size need no proof to contradict each other.
    async fn compare_unreached(&self, with: &Checkpoint, note: &str) -> Result<bool, Failure> {
        let remembered = self.store.unreached(&with.origin, with.size).await?;
        for (root, other) in remembered.iter().filter(|(root, _)| *root != with.root) {
            let other_checkpoint = Checkpoint { root: *root, ..with.clone() };
            self.keep(with, note, &other_checkpoint, other, &[]).await?;
        }
        Ok(!remembered.is_empty())
    }

    /// What was refused before at a size that is cosigned now was the same checkpoint, or a fork.
    async fn reached(&self, checkpoint: &Checkpoint, note: &str) -> Result<(), Failure> {
        if self.compare_unreached(checkpoint, note).await? {
            self.store.forget(&checkpoint.origin, checkpoint.size).await?;
        }
        Ok(())
    }

    async fn keep(
        &self,
        held: &Checkpoint,
        held_note: &str,
        offered: &Checkpoint,
        offered_note: &str,
        proof: &[Hash],
    ) -> Result<(), Failure> {
        let pair = pair(held, offered);
        let fork = Fork { held: held_note, offered: offered_note, proof, pair, now_ms: now_ms() };
        if self.store.keep_fork(&held.origin, &fork).await? {
            meters().evidence.change(1);
            let (held, offered) = (held.size, offered.size);
            tracing::error!(held, offered, "a log signed two checkpoints that contradict each other: both are kept");
        }
        Ok(())
    }

    /// The checkpoint cosigned last, with the signature of the log and the cosignature that was answered.
    fn shown(&self, last: &Cosigned) -> Option<String> {
        let mut note = Note::parse(last.note.as_bytes()).ok()?;
        note.signatures = self.by_the_log(&note);
        let own = self.config.key.verifier();
        let cosigned =
            Note { signatures: parse_each_signature(last.cosignatures.as_bytes()).0, text: note.text.clone() };
        let mut lines: String = cosigned.judge(&[own]).valid.into_iter().map(|(line, _)| line.to_string()).collect();
        if lines.is_empty() {
            // Of what an older program stored it answered a cosignature as well, and kept none.
            lines = self.cosign(&Checkpoint::parse(&note.text).ok()?).ok()?;
        }
        Some(note.to_string() + &lines)
    }
}

async fn last_checkpoint(State(witness): State<Arc<Witness>>, Path(origin_hash): Path<String>) -> Response {
    let chains = witness.config.chains.iter();
    let origin = chains.map(|key| key.name()).find(|name| sha256(&[name.as_bytes()]).to_hex() == origin_hash);
    let Some(origin) = origin else { return (StatusCode::NOT_FOUND, "unknown origin\n").into_response() };
    match witness.store.last(origin).await {
        Ok(last) => match last.and_then(|last| witness.shown(&last)) {
            Some(note) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], note).into_response(),
            None => (StatusCode::NOT_FOUND, "nothing cosigned yet\n").into_response(),
        },
        Err(error) => Failure::Storage(error).into_response(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
