//! Eligibility: criteria, and the decision about one participant.

use crate::{
    capture::ItemDef,
    eligibility::{Criterion, CriterionOutcome},
};
use seal::{id::Name, payload, text::Hex};

payload! {
    /// Defines a version of the eligibility criteria; it is in force from then on. Task: `manage_study`.
    "define-criteria" DefineCriteria {
        /// The version's name, unique in the study.
        version: Name,
        /// The version of the protocol they belong to.
        protocol: Name,
        /// The items that screening asks for.
        items: Vec<ItemDef>,
        /// The criteria.
        criteria: Vec<Criterion>,
    }
}

payload! {
    /// Records the screening of a participant: the root over the answers, and what each criterion makes of them. Task:
    /// `enrol`, at their site; to override a criterion also `override_eligibility`.
    "record-screening" RecordScreening {
        /// The participant.
        participant: Name,
        /// The participant's site.
        site: Name,
        /// The version of the criteria, the one in force.
        criteria: Name,
        /// RFC 6962 root over the answers' bytes, each a datapoint.
        root: Hex,
        /// How many answers.
        count: u32,
        /// The outcome of every criterion, in the order of the version.
        outcomes: Vec<CriterionOutcome>,
        /// Why the participant is enrolled although a criterion says otherwise, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        overridden: Option<String>,
    }
}
