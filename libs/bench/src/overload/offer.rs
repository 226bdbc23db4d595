//! Calls at their times, and what became of them.

use client::{Client, SignedForm};
use futures_util::{StreamExt, stream};
use std::time::Duration;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tonic::{Code, Request, Status};

/// After this time the caller has given up.
const PATIENCE: Duration = Duration::from_secs(2);
/// Callers that wait for their answers: enough that the service never waits for them, and few enough to be let in.
const AT_ONCE: usize = 128;

/// What became of calls.
#[derive(Default)]
pub(super) struct Counted {
    pub(super) offered: usize,
    /// How long each accepted call took, from when it was due.
    pub(super) accepted: Vec<Duration>,
    pub(super) shed: usize,
    pub(super) late: usize,
    pub(super) failed: usize,
    /// How long it took to begin them all, and until the last had ended.
    pub(super) offering: Duration,
    pub(super) lasting: Duration,
}

/// How many forms a second are captured when there is always another.
pub(super) async fn flat_out(clients: &[Client], forms: Vec<SignedForm>) -> f64 {
    let began = Instant::now();
    let calls = clients.iter().cycle().zip(forms).map(|(client, form)| send(client.clone(), form));
    let accepted = stream::iter(calls).buffer_unordered(AT_ONCE).filter(|answer| std::future::ready(answer.is_ok()));
    accepted.count().await as f64 / began.elapsed().as_secs_f64()
}

/// Offers `forms` at `rate` a second, whatever becomes of them.
pub(super) async fn offer(clients: &[Client], forms: Vec<SignedForm>, rate: f64) -> Counted {
    let (began, mut calls) = (Instant::now(), JoinSet::new());
    let mut counted = Counted { offered: forms.len(), ..Counted::default() };
    for (n, (client, form)) in clients.iter().cycle().zip(forms).enumerate() {
        let due = began + Duration::from_secs_f64(n as f64 / rate);
        sleep_until(due).await;
        let client = client.clone();
        calls.spawn(async move { send(client, form).await.map(|()| due.elapsed()) });
    }
    counted.offering = began.elapsed();
    while let Some(ended) = calls.join_next().await {
        match ended {
            Ok(Ok(took)) => counted.accepted.push(took),
            Ok(Err(status)) if status.code() == Code::ResourceExhausted => counted.shed += 1,
            Ok(Err(status)) if matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled) => counted.late += 1,
            _ => counted.failed += 1,
        }
    }
    counted.lasting = began.elapsed();
    counted
}

async fn send(client: Client, form: SignedForm) -> Result<(), Status> {
    let mut request = Request::new(form.into_request());
    request.set_timeout(PATIENCE);
    request.extensions_mut().insert(channel::Once);
    client.capture.clone().submit_form(request).await.map(drop)
}
