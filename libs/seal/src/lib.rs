//! From a byte to a proof: what a regulator's engineer reads.
//!
//! Everything Trialseal stores or signs is defined here, together with the code that checks it. The byte formats are
//! specified for other languages in `docs/PROOF.md`.
//!
//! What this crate is *not*: it reads no file, no clock and no network, draws no randomness and holds no database. Who
//! needs those brings their results as arguments. The transparency-log formats underneath live in [`tlog`].

#[cfg(test)]
extern crate self as seal; // as tests outside of this crate name it, whose world a test in it uses

pub mod block;
pub mod bundle;
pub mod codec;
pub mod command;
pub mod consent;
pub mod datapoint;
pub mod dsse;
pub mod entry;
pub mod fact;
pub mod fault;
pub mod id;
mod json;
pub mod key;
pub mod map;
pub mod moment;
pub mod policy;
pub mod receipt;
pub mod report;
pub mod subject;
pub mod task;
pub mod text;
pub mod verify;

pub use tlog::{Hash, sha256};

/// The longest a cached consent or authority decision may be relied on, in milliseconds: an entry that rests on a head
/// is recorded at most this long after the first entry that superseded that head.
pub const MAX_DECISION_AGE_MS: u64 = 5_000;

/// How long a service itself relies on facts it asked for, in milliseconds: less than auditors allow, so that clocks may
/// differ a little.
pub const MAX_DECISION_USE_MS: u64 = MAX_DECISION_AGE_MS - 1_000;

/// How far ahead of the recording service a signer's clock may run, in milliseconds.
pub const MAX_CLOCK_AHEAD_MS: u64 = 300_000;

/// How far ahead of a service's clock a command `access-data` may be signed, in milliseconds. Less than for other commands:
/// until it is too old, nobody but its signer's time says when the read took place.
pub const MAX_ACCESS_AHEAD_MS: u64 = 30_000;

/// How long after its `time` a command `access-data` may be recorded, in milliseconds.
pub const MAX_ACCESS_AGE_MS: u64 = 300_000;
