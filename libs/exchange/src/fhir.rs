//! HL7 FHIR Consent: written for R4 (4.0.1) and R5 (5.0.0), read for R4.
//!
//! Exports name persons by identifiers only: logical references without `display`, in the study's name space
//! `urn:uuid:<study>`. A document is named by its SHA-256 as an `ni` URI (RFC 6920) in `Attachment.url`, because
//! `Attachment.hash` is defined as SHA-1.

mod check;
mod concept;
mod element;
mod import;
mod json;
mod part;
mod path;
mod period;
mod primitive;
mod r4;
mod r5;
mod request;
mod rule;
mod shape;
mod standing;

pub use check::{ImportError, MAX_DEPTH};
pub use concept::PROVISION_SYSTEM;
pub use import::{MAX_BYTES, import_r4};
pub(crate) use part::ni;
pub use r4::r4;
pub use r5::r5;
pub use request::{Decision, Period, Request, RequestStatus, Requested, Scope};
pub use standing::{Standing, State};
