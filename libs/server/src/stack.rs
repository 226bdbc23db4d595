//! The layers every request passes, from the outside in: number, span and log; panics; deadline; who is calling and
//! whether they may; how often they may; a place. Assembled here and nowhere else.

use crate::{
    deadline::deadline, observe::observe, panics::catch_panics, rate_limit::limit_rate, shared::Shared, turn::take_turn,
};
use axum::{Router, middleware::from_fn, middleware::from_fn_with_state};
use permission::GateLayer;
use std::sync::Arc;

/// Puts the layers around `router`.
pub(crate) fn around(router: Router, shared: &Arc<Shared>, gate: GateLayer) -> Router {
    let router = router.layer(from_fn_with_state(shared.clone(), take_turn));
    let router = router.layer(from_fn_with_state(shared.clone(), limit_rate));
    let router = router.layer(gate).layer(from_fn_with_state(shared.clone(), deadline));
    router.layer(from_fn(catch_panics)).layer(from_fn_with_state(shared.clone(), observe))
}
