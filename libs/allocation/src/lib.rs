//! Allocation lists that anyone can recompute once their seed is revealed.
//!
//! What is committed to and disclosed is defined in [`vocabulary::allocation`]; here is how a seed becomes arms. The crate is
//! pure: the seed is an argument, nothing is drawn from the machine. It records no participant and grants nobody access.
//! The page below is `docs/RANDOMISATION.md` and specifies every byte; `tests/judges/allocation.py` was written from it.
//!
#![doc = include_str!("../../../docs/RANDOMISATION.md")]

mod keystream;
mod list;
mod minimisation;
mod reveal;

pub use list::{List, ListError};
pub use minimisation::{AssignError, assign, replay};
pub use reveal::{CheckError, check};
