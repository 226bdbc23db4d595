//! A handler that panics fails its call, and nothing else.

use crate::answer::{Protocol, broken};
use axum::{extract::Request, middleware::Next, response::Response};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;

pub(crate) async fn catch_panics(request: Request, next: Next) -> Response {
    let protocol = Protocol::of(&request);
    let handled = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    handled.unwrap_or_else(|_| protocol.refuse(broken()))
}
