//! No caller makes more calls than they are allowed.

use crate::{answer::Protocol, call::Call, methods, stack::Stack};
use axum::{
    extract::{Request, State},
    http::HeaderMap,
    middleware::Next,
    response::Response,
};
use std::sync::Arc;

pub(crate) async fn allow(State(stack): State<Arc<Stack>>, request: Request, next: Next) -> Response {
    if stack.allowance.is_none() || methods::is_health(methods::method(request.uri().path())) {
        return next.run(request).await;
    }
    let call = Call::current();
    match call.charge(said(request.headers())).await {
        Ok(()) => next.run(request).await,
        Err(problem) => Protocol::of(&request).refuse(problem),
    }
}

/// What a caller says who they are: the header of their token, which names its key. Their next token has the same.
fn said(headers: &HeaderMap) -> Option<&[u8]> {
    let token = headers.get("authorization")?.as_bytes().strip_prefix(b"Bearer ")?;
    token.split(|byte| *byte == b'.').next()
}
