//! Who may call what: one layer before every RPC.
//!
//! The [`Gatekeeper`] finds out who is calling, and asks the policies whether such a caller may call that RPC at all.
//!
//! What this crate is *not*: it does not know what an actor may do in a study. That is decided after it, by the facts of the
//! study's journals.

mod denial;
mod gatekeeper;
pub mod policy;

pub use gatekeeper::{Gate, GateLayer, Gatekeeper, speaks_grpc};
