//! Eligibility: the protocol's inclusion and exclusion criteria (ICH E6(R3), B.5) as people sign them, and their outcomes.
//!
//! What an expression may say and how it is evaluated is the `eligibility` crate's; see `docs/ELIGIBILITY.md`.

use seal::id::Name;
use serde::{Deserialize, Serialize};

/// The most criteria of one set.
pub const MAX_CRITERIA: usize = 200;
/// The longest text of a criterion, in bytes.
pub const MAX_TEXT_BYTES: usize = 1_024;
/// The longest expression, in bytes.
pub const MAX_EXPRESSION_BYTES: usize = 2_048;

/// Which way a criterion counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CriterionKind {
    /// It must be met.
    Inclusion,
    /// It must not be met.
    Exclusion,
}

/// One criterion of the protocol. The sizes of its texts are checked where it is compiled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Criterion {
    /// Its identifier, unique in the set, such as `INCL01` (SDTM `IETESTCD`).
    pub criterion: Name,
    /// Which way it counts.
    pub kind: CriterionKind,
    /// What people read: the protocol's words, at most [`MAX_TEXT_BYTES`].
    pub text: String,
    /// What is evaluated: a CEL expression over items, at most [`MAX_EXPRESSION_BYTES`]. True means met.
    pub expression: String,
}

/// What the answers say about one criterion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The expression is true: an exclusion criterion that is met excludes the participant.
    Met,
    /// The expression is false.
    NotMet,
    /// The answers do not suffice to say.
    Undetermined,
}

/// The outcome of one criterion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CriterionOutcome {
    /// The criterion.
    pub criterion: Name,
    /// Its outcome.
    pub outcome: Outcome,
}

/// Whether every inclusion criterion is met and every exclusion criterion is not. A criterion whose outcome is missing,
/// undetermined or stated in two ways makes nobody eligible; outcomes of other criteria do not count.
pub fn eligible(criteria: &[Criterion], outcomes: &[CriterionOutcome]) -> bool {
    criteria.iter().all(|criterion| {
        let needed = match criterion.kind {
            CriterionKind::Inclusion => Outcome::Met,
            CriterionKind::Exclusion => Outcome::NotMet,
        };
        let mut stated = outcomes.iter().filter(|outcome| outcome.criterion == criterion.criterion).peekable();
        stated.peek().is_some() && stated.all(|stated| stated.outcome == needed)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Outcome::*, *};

    fn criterion(name: &str, kind: CriterionKind) -> Criterion {
        Criterion { criterion: name.parse().unwrap(), kind, text: String::new(), expression: "true".to_owned() }
    }

    fn outcomes(stated: &[(&str, Outcome)]) -> Vec<CriterionOutcome> {
        let one = |(name, outcome): &(&str, Outcome)| CriterionOutcome {
            criterion: name.parse().unwrap(),
            outcome: *outcome,
        };
        stated.iter().map(one).collect()
    }

    #[test]
    fn only_inclusions_met_and_exclusions_not_met_make_eligible() {
        let criteria = [criterion("INCL01", CriterionKind::Inclusion), criterion("EXCL01", CriterionKind::Exclusion)];
        for inclusion in [Met, NotMet, Undetermined] {
            for exclusion in [Met, NotMet, Undetermined] {
                let stated = outcomes(&[("EXCL01", exclusion), ("INCL01", inclusion), ("OTHER", Undetermined)]);
                assert_eq!(eligible(&criteria, &stated), (inclusion, exclusion) == (Met, NotMet));
            }
        }
    }

    #[test]
    fn a_missing_or_contradictory_outcome_makes_nobody_eligible() {
        let criteria = [criterion("INCL01", CriterionKind::Inclusion)];
        assert!(eligible(&criteria, &outcomes(&[("INCL01", Met)])));
        assert!(!eligible(&criteria, &[]));
        assert!(!eligible(&criteria, &outcomes(&[("INCL01", Met), ("INCL01", NotMet)])));
    }

    #[test]
    fn the_signed_form_is_snake_case_and_closed() {
        let json = r#"{"criterion":"EXCL01","kind":"exclusion","text":"Pregnant","expression":"PREG"}"#;
        let parsed: Criterion = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&parsed).unwrap(), json);
        assert!(serde_json::from_str::<Criterion>(&json.replace("\"text\"", "\"note\":1,\"text\"")).is_err());
        let outcome = r#"{"criterion":"EXCL01","outcome":"not_met"}"#;
        assert_eq!(serde_json::to_string(&outcomes(&[("EXCL01", NotMet)])[0]).unwrap(), outcome);
    }
}
