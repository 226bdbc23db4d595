//! How any service starts, and how it says no.

mod command;
mod problem;
mod serve;

pub use command::{MAX_AHEAD, Received, now_ms, receive, study};
pub use problem::{Problem, Reason};
pub use serve::{Parts, ServeError, bind, serve};
