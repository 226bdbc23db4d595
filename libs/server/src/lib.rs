//! How any service starts, what every call passes, and how it says no.
//!
//! A service makes [`Parts`] of what it serves; [`serve`] puts every request through the same layers: a request id and a
//! span, containment of panics, a deadline, a limit per caller, and a bound on calls at once. Reasons of these layers
//! (`OVERLOADED`, `RATE_LIMITED`, `DEADLINE_EXCEEDED`, `INTERNAL`, `STOPPING`) are documented in
//! `proto/trialseal/types/v1`.

mod admit;
mod allow;
mod answer;
mod body;
mod call;
mod command;
mod contain;
mod deadline;
mod door;
mod health;
mod limits;
mod methods;
mod observe;
mod overloaded;
mod parts;
mod problem;
mod room;
mod serve;
mod spoken;
mod stack;
mod stopping;
mod weighed;

pub use admit::{admit_auditor, admit_service};
pub use call::{Allowance, carry, charge_more};
pub use command::{MAX_COMMAND_BYTES, Received, now_ms, receive, study};
pub use health::{Checked, LIVE};
pub use limits::Limits;
pub use observe::REQUEST_ID;
pub use parts::Parts;
pub use problem::{Problem, Reason, consent_reason};
pub use serve::{ServeError, bind, serve, serve_tls};
