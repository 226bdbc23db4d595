//! Eligibility criteria as they are signed, and their outcomes.

use crate::id::Name;
use serde::{Deserialize, Serialize};

/// Whether a criterion lets participants in or keeps them out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CriterionKind {
    /// Must hold.
    Inclusion,
    /// Must not hold.
    Exclusion,
}

/// One criterion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Criterion {
    /// Its identifier, unique in the version.
    pub criterion: Name,
    /// Its kind.
    pub kind: CriterionKind,
    /// What people read.
    pub text: String,
    /// The expression (CEL).
    pub expression: String,
}

/// What became of a criterion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The expression is true.
    Met,
    /// The expression is false.
    NotMet,
    /// An answer it needs is missing.
    Undetermined,
}

/// The outcome of one criterion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CriterionOutcome {
    /// The criterion.
    pub criterion: Name,
    /// What became of it.
    pub outcome: Outcome,
}

/// Whether every inclusion criterion is met and every exclusion criterion is not.
pub fn eligible(criteria: &[Criterion], outcomes: &[CriterionOutcome]) -> bool {
    criteria.iter().all(|criterion| {
        let found = outcomes.iter().find(|outcome| outcome.criterion == criterion.criterion);
        let wanted = match criterion.kind {
            CriterionKind::Inclusion => Outcome::Met,
            CriterionKind::Exclusion => Outcome::NotMet,
        };
        found.is_some_and(|found| found.outcome == wanted)
    })
}
