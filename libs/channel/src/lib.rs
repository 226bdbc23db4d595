//! How one service calls another: over several endpoints, with deadlines, and again only where that is safe.
//!
//! A [`Channel`] takes the place of tonic's. It spreads calls over all addresses of a service, leaves those alone that do
//! not answer, and tries elsewhere. A call is sent again only when its request is complete in memory, nothing of an answer
//! has arrived, the answer invites it, the deadline allows it and the budget is not spent: every write carries a request
//! identifier and reads change nothing, so a call that was executed after all does no harm. Calls that carry a signed
//! request to read, which opens one read, are marked with [`Once`] by who makes them.

mod again;
mod attempt;
mod balance;
mod body;
mod budget;
mod call;
mod deadline;
pub mod http;
mod peer;
mod settings;
mod shared;
mod target;
mod trace;

pub use attempt::FOUND;
pub use call::{Channel, Counts, Once};
pub use deadline::{remaining, timeout, with_deadline};
pub use settings::Settings;
pub use target::AddressError;
pub use trace::{on_retry, propagate};
