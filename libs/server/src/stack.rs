//! The layers every request passes, from the outside in: number, span and log; panics; deadline; who is calling and
//! whether they may; how often they may; a place. Assembled here and nowhere else.

use crate::{
    Limits,
    allow::allow,
    call::Allowance,
    contain::contain,
    deadline::deadline,
    observe::observe,
    overloaded::{Refusal, place},
    room::Room,
    stopping::Stopping,
};
use axum::{Router, middleware::from_fn, middleware::from_fn_with_state};
use permission::GateLayer;
use std::sync::Arc;

/// What the layers share.
pub(crate) struct Stack {
    pub(crate) limits: Limits,
    pub(crate) allowance: Option<Arc<dyn Allowance>>,
    pub(crate) room: Arc<Room>,
    /// The services of the deployment have as much room of their own: what they ask for is part of calls that were let in.
    pub(crate) room_of_services: Arc<Room>,
    pub(crate) refusal: Refusal,
    pub(crate) stopping: Stopping,
}

impl Stack {
    pub(crate) fn new(limits: Limits, allowance: Option<Arc<dyn Allowance>>, stopping: Stopping) -> Arc<Self> {
        let room = || Arc::new(Room::new(&limits));
        let (room, room_of_services, refusal) = (room(), room(), Refusal::new(&limits));
        Arc::new(Self { limits, allowance, room, room_of_services, refusal, stopping })
    }

    /// Puts the layers around `router`.
    pub(crate) fn around(self: &Arc<Self>, router: Router, gate: GateLayer) -> Router {
        let router = router.layer(from_fn_with_state(self.clone(), place));
        let router = router.layer(from_fn_with_state(self.clone(), allow));
        let router = router.layer(gate).layer(from_fn_with_state(self.clone(), deadline));
        router.layer(from_fn(contain)).layer(from_fn_with_state(self.clone(), observe))
    }
}
