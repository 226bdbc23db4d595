//! Asking other services for facts: the present state of their journals, and what the consent service decides.
//!
//! What this crate is *not*: it does not judge what is found. That is for who asks.

mod consents;
mod facts;

pub use consents::{Consents, Decided};
pub use facts::{FactError, FactSource, RemoteFacts};
