//! The words of the trial: which commands each journal records, which facts it keeps, which tasks are delegated, and who
//! holds them. Services, audit, clients and tests share it.
//!
//! What this crate is *not*: it reads no file, no clock and no network and draws no randomness; and proofs do not rest on
//! it. Those commands and facts a proof leads through are in [`seal`] and are named here again.

pub mod allocation;
pub mod authority;
pub mod capture;
pub mod command;
pub mod consent;
pub mod eligibility;
pub mod enrollment;
pub mod fact;
pub mod subject;
pub mod task;
