//! How any service starts, and how it says no.

mod admit;
mod command;
mod fetch;
mod problem;
mod serve;

pub use admit::{admit_auditor, admit_service};
pub use command::{MAX_AHEAD, MAX_COMMAND_BYTES, Received, now_ms, receive, study};
pub use fetch::{FetchError, fetch};
pub use problem::{Problem, Reason, consent_reason};
pub use serve::{Parts, ServeError, bind, serve, serve_tls};
