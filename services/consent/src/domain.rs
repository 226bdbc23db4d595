//! The rules of this journal, which are in a crate of their own, and what a running service refuses beside them.

pub use rules::consent::*;

/// Why a command is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The rules refuse it.
    #[error(transparent)]
    ByRule(#[from] Refusal),
    /// The facts it was decided on grew too old before it could be recorded.
    #[error("the facts behind this decision became too old before it could be recorded: try again")]
    DecisionTooOld,
}
