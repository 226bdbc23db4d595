//! Randomisation that can be checked: what a study commits to before its first participant, and what it discloses of it
//! afterwards. The rules of the lists themselves are in the crate `allocation`; `docs/RANDOMISATION.md` is the page.
//!
//! A [`Scheme`] says how participants are allocated and may be published. A [`Secret`] decides the outcome and stays with
//! whoever makes the list. [`commitment`] binds both. A list's slots are leaves of one RFC 6962 tree, strata in order of
//! their index and slots in order within a stratum; a [`Disclosure`] opens one [`Slot`] and tells nothing of the others.

mod scheme;
mod secret;
mod slot;
mod stratum;

pub use scheme::{
    Arm, Factor, MAX_ARMS, MAX_BLOCK, MAX_BLOCK_SIZES, MAX_COMMON_MULTIPLE, MAX_FACTORS, MAX_LEVELS, MAX_SLOTS,
    MAX_STRATA, MAX_WEIGHT, Measure, Method, Scheme, SchemeError,
};
pub use secret::{Secret, SecretError, commitment};
pub use slot::{Disclosure, DisclosureError, Slot};
pub use stratum::{LevelError, SEPARATOR, Stratum};
