//! No more calls at once than the process handles well; the others wait a moment or are told to come back.

use crate::{Problem, answer::Protocol, methods, stack::Stack};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};
use tonic::Code;

/// Room for calls being handled, and for some that wait.
pub(crate) struct Room {
    calls: Semaphore,
    waiting: AtomicUsize,
}

impl Room {
    pub(crate) fn new(calls: usize) -> Self {
        Self { calls: Semaphore::new(calls), waiting: AtomicUsize::new(0) }
    }
}

struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn one(waiting: &'a AtomicUsize, most: usize) -> Option<Self> {
        let one = Self(waiting);
        (waiting.fetch_add(1, Relaxed) < most).then_some(one)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

pub(crate) async fn shed(State(stack): State<Arc<Stack>>, request: Request, next: Next) -> Response {
    let method = methods::method(request.uri().path());
    if methods::is_health(method) {
        return next.run(request).await;
    }
    match enter(&stack).await {
        Some(_until_answered) => next.run(request).await,
        None => {
            telemetry::meters().shed.add(1);
            let what = "the service is busy: nothing was done; try again as RetryInfo says";
            let problem = Problem::new(Code::ResourceExhausted, "OVERLOADED", what);
            Protocol::of(&request).refuse(problem.retry_after(stack.limits.patience * 2))
        }
    }
}

async fn enter(stack: &Stack) -> Option<SemaphorePermit<'_>> {
    if let Ok(free) = stack.room.calls.try_acquire() {
        return Some(free);
    }
    let _in_line = Waiting::one(&stack.room.waiting, stack.limits.waiting)?;
    timeout(stack.limits.patience, stack.room.calls.acquire()).await.ok()?.ok()
}
