//! The HTTP edge: `add-checkpoint` and the last checkpoint of each chain.

use crate::{
    Config,
    store::{Cosigned, Store},
};
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use server::now_ms;
use std::sync::Arc;
use tlog::{
    checkpoint::Checkpoint,
    cosignature::cosign,
    note::Note,
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
    let note = Note::parse(request.checkpoint.as_bytes()).map_err(|_| Refusal::Malformed)?;
    let origin = note.text.lines().next().unwrap_or_default().to_owned();
    let last = witness.store.last(&origin).await?;
    let known = last.as_ref().map(|last| (last.size, last.root));
    let checkpoint = match decide(&request, known.as_ref(), &witness.config.chains) {
        Ok(checkpoint) => checkpoint,
        Err(refusal) => return Err(witness.refuse(refusal, &request, &origin, last.as_ref()).await),
    };
    // Stored before it is answered: a cosignature given out is never forgotten.
    if !witness.store.advance(last.as_ref(), &checkpoint, &request.checkpoint).await? {
        return Err(Failure::Busy);
    }
    witness.cosigned(&checkpoint)
}

impl Witness {
    fn cosigned(&self, checkpoint: &Checkpoint) -> Result<String, Failure> {
        let signature = cosign(checkpoint, &self.config.key, now_ms() / 1_000).map_err(|_| Refusal::Malformed)?;
        Ok(signature.to_string())
    }

    /// A signed checkpoint that contradicts the last one is evidence, whoever sent it.
    async fn refuse(
        &self,
        refusal: Refusal,
        request: &AddCheckpoint,
        origin: &str,
        last: Option<&Cosigned>,
    ) -> Failure {
        if let (Refusal::Root | Refusal::Proof, Some(last)) = (refusal, last) {
            tracing::error!(origin, "a checkpoint contradicts the last one cosigned: both are kept");
            if let Err(error) = self.store.keep_evidence(origin, &last.note, &request.checkpoint).await {
                return Failure::Storage(error);
            }
        }
        Failure::Refused(refusal)
    }
}

async fn last_checkpoint(State(witness): State<Arc<Witness>>, Path(origin_hash): Path<String>) -> Response {
    let chains = witness.config.chains.iter();
    let origin = chains.map(|key| key.name()).find(|name| sha256(&[name.as_bytes()]).to_hex() == origin_hash);
    let Some(origin) = origin else { return (StatusCode::NOT_FOUND, "unknown origin\n").into_response() };
    match witness.store.last(origin).await {
        Ok(Some(last)) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], last.note).into_response(),
        Ok(None) => (StatusCode::NOT_FOUND, "nothing cosigned yet\n").into_response(),
        Err(error) => Failure::Storage(error).into_response(),
    }
}
