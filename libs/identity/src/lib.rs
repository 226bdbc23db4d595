//! Finds one person taking part twice without anybody sharing who they are.
//!
//! A site that holds the study's matching key turns a participant's identifying attributes into a token: HMAC-SHA256
//! (RFC 2104) over their normalised form. Equal tokens mean, nearly always, one person; a token without the key tells
//! nothing. The rules of normalisation, and what tokens do not protect against, are in `docs/ELIGIBILITY.md`; vectors are
//! in `docs/vectors/identity.json`.
//!
//! What this crate is *not*: it keeps no key, draws none, and compares nothing fuzzily. A typing error hides a person.

mod name;
mod token;

pub use token::{Attributes, Fault, MAX_ATTRIBUTE_BYTES, MatchingKey, national_id_token, token};
