//! Transparency-log formats and proofs, as specified by C2SP and RFC 6962 / RFC 9162.
//!
//! | module | what it holds | standard |
//! |---|---|---|
//! | [`merkle`] | tree hashes, paths, strict proof verification | RFC 6962 §2.1, RFC 9162 §2.1 |
//! | [`key`] | verifier and signer keys as text | C2SP signed-note |
//! | [`note`] | signed notes | C2SP signed-note |
//! | [`checkpoint`] | the signed head of a log | C2SP tlog-checkpoint |
//! | [`cosignature`] | timestamped signatures of witnesses | C2SP tlog-cosignature |
//! | [`policy`] | which logs and witnesses somebody trusts | C2SP tlog-policy |
//! | [`tile`] | the tree as static files | C2SP tlog-tiles |
//! | [`proof`] | offline inclusion proofs | C2SP tlog-proof |
//! | [`witness`] | what a witness accepts and refuses | C2SP tlog-witness |
//!
//! The crate is pure: no I/O, no clock, no randomness, no async. A caller passes the time in and
//! carries bytes in and out. It knows nothing of what an entry means.
//!
//! Every parser is total and bounded: any input gives a value or a typed error, and a parsed value
//! prints the bytes it was parsed from.

pub mod checkpoint;
pub mod cosignature;
mod hash;
pub mod key;
pub mod merkle;
pub mod note;
pub mod policy;
pub mod proof;
mod text;
pub mod tile;
pub mod witness;

pub use hash::{Hash, sha256};
