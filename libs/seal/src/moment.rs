//! A signature is for its moment: how old a command may be when it is recorded, and on what state it was signed.
//!
//! From rules 3 on: no command is recorded long after it was signed, and one that gives a right names the newest command
//! about its subject that its signer saw, so that a copy kept back says nothing once anything else was recorded. One
//! rule, used by the services when they accept, by auditors when they replay and by the verifier.

use crate::{MAX_CLOCK_AHEAD_MS, command::Payload};
use tlog::Hash;

/// How long after it was signed a command may be recorded, in milliseconds: a day.
pub const MAX_AGE_MS: u64 = 24 * 3_600_000;
/// How long after it was signed a command may be recorded that ends something, or that is recorded late by who may
/// ([`crate::task::RECORD_LATE`]), in milliseconds: 30 days.
pub const MAX_LATE_AGE_MS: u64 = 30 * MAX_AGE_MS;

/// Why a command is not for this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Untimely {
    /// Its signer's clock was ahead.
    #[error(
        "it was signed more than five minutes after it is recorded, by its signer's clock: correct the clock and sign again"
    )]
    Ahead,
    /// It was signed too long ago.
    #[error("it was signed too long ago: sign again, or record it late with the task record_late")]
    Stale,
    /// It was signed on another state than the present one.
    #[error("it was signed on another state: look at what is newest, and sign again")]
    StateChanged {
        /// SHA-256 of the envelope of the newest command about the subject; nothing if there is none.
        newest: Option<Hash>,
    },
}

/// Checks when a command was signed against when it is recorded (Unix milliseconds).
pub fn on_time(command: &impl Payload, recorded: u64) -> Result<(), Untimely> {
    within(command.time(), recorded, command.longest_age())
}

/// Checks that something signed at `signed` was recorded at `recorded` (Unix milliseconds) at most `longest` milliseconds later.
pub fn within(signed: u64, recorded: u64, longest: u64) -> Result<(), Untimely> {
    if signed > recorded.saturating_add(MAX_CLOCK_AHEAD_MS) {
        return Err(Untimely::Ahead);
    }
    if recorded > signed.saturating_add(longest) { Err(Untimely::Stale) } else { Ok(()) }
}

/// Checks that the signer saw the newest command about the subject.
pub fn seen(command: &impl Payload, newest: Option<Hash>) -> Result<(), Untimely> {
    if command.seen() == newest { Ok(()) } else { Err(Untimely::StateChanged { newest }) }
}
