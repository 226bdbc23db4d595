//! A call that was admitted waits for its turn.

use crate::{answer::Protocol, capacity::Capacity, methods, shared::Shared};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use std::sync::Arc;

/// Handles a call that was admitted, once it is its turn.
pub(crate) async fn take_turn(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    if methods::asks_for_health(request.uri().path()) {
        return next.run(request).await;
    }
    let protocol = Protocol::of(&request);
    let capacity = request.extensions().get::<Arc<Capacity>>().unwrap_or(&shared.capacity).clone();
    match capacity.handle(next.run(request)).await {
        Some(answer) => answer,
        None => shared.overloaded.to(protocol),
    }
}
