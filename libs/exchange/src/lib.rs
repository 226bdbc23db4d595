//! A participant's consent in the forms others read.
//!
//! | form | function | standard |
//! |---|---|---|
//! | consent record, consent receipt | [`iso27560::record`], [`iso27560::receipt`] | ISO/IEC TS 27560:2023 |
//! | FHIR Consent, written | [`fhir::r4`], [`fhir::r5`] | HL7 FHIR 4.0.1, 5.0.0 |
//! | FHIR Consent, read as an unconfirmed request | [`fhir::import_r4`] | HL7 FHIR 4.0.1 |
//! | a copy for the participant | [`text::copy`] | ICH E6(R3) section 2.8.7 |
//!
//! `docs/EXCHANGE.md` maps the forms to each other and says what each leaves out.
//!
//! What this crate is *not*: it decides nothing, signs nothing and proves nothing. What is in force is what the journals
//! say; these forms only report it, and an import only reports what somebody asks for. No I/O, no clock, no randomness.

pub mod fhir;
pub mod iso27560;
mod plain;
pub mod record;
pub mod text;
mod time;
mod wording;

pub use record::Consent;
