//! The rules of this journal, which are in a crate of their own, and what a running service refuses beside them.

pub use rules::capture::*;

/// Why a command is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The rules refuse it.
    #[error(transparent)]
    ByRule(#[from] Refusal),
    /// The decision could not be made in time.
    #[error("the decision to accept this became too old before it could be recorded: try again")]
    DecisionTooOld,
    /// Another value of the submission was taken out in between.
    #[error("another value of the same form was redacted at the same time: try again")]
    RedactionRaced,
}
