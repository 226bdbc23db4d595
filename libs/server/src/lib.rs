//! The HTTP and gRPC stack: how any service starts, and what every call passes.
//!
//! A service makes [`Parts`] of what it serves; [`serve`] puts every request through the same layers: a request id and a
//! span, containment of panics, a deadline, a limit per caller, and a bound on calls at once. Reasons of these layers
//! (`OVERLOADED`, `RATE_LIMITED`, `DEADLINE_EXCEEDED`, `INTERNAL`, `STOPPING`) are documented in
//! `proto/trialseal/types/v1`.
//!
//! What this crate is *not*: it knows no journal and no signed command.

mod answer;
mod body;
mod call;
mod capacity;
mod deadline;
mod ended;
mod error;
mod health;
mod limits;
mod load_shedding;
mod memory_budget;
mod methods;
mod observe;
mod overloaded;
mod panics;
mod parts;
mod preface;
mod rate_limit;
mod serve;
mod shared;
mod stack;
mod stopping;
mod turn;

pub use call::{Allowance, caller_address, carry, charge_claimed, charge_more};
pub use error::ServeError;
pub use health::{Checked, LIVE};
pub use limits::Limits;
pub use observe::REQUEST_ID;
pub use parts::Parts;
pub use serve::{bind, serve, serve_tls};
