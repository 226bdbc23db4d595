//! The HTTP and gRPC stack: how any service starts, and what every call passes.
//!
//! A service makes [`Parts`] of what it serves; [`serve`] puts every request through the same layers: a request id and a
//! span, containment of panics, a deadline, a limit per caller, and a bound on calls at once. Reasons of these layers
//! (`OVERLOADED`, `RATE_LIMITED`, `DEADLINE_EXCEEDED`, `INTERNAL`, `STOPPING`) are documented in
//! `proto/trialseal/types/v1`.
//!
//! What this crate is *not*: it knows no journal and no signed command.

mod allow;
mod answer;
mod body;
mod call;
mod contain;
mod deadline;
mod door;
mod health;
mod limits;
mod methods;
mod observe;
mod overloaded;
mod parts;
mod room;
mod serve;
mod spoken;
mod stack;
mod stopping;
mod weighed;

pub use call::{Allowance, caller_address, carry, charge_claimed, charge_more};
pub use health::{Checked, LIVE};
pub use limits::Limits;
pub use observe::REQUEST_ID;
pub use parts::Parts;
pub use serve::{ServeError, bind, serve, serve_tls};
