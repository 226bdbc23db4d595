//! Lists and minimised allocations: fair, repeatable, and impossible to change unseen.

#![allow(clippy::unwrap_used)]

mod balance;
mod disclosures;
mod frequencies;
mod minimisation;
mod reveal;
mod schemes;
mod totality;
mod vectors;
