//! What becomes of participants.

use seal::{command::Stage, id::Name, payload};
use serde::{Deserialize, Serialize};

/// Why a participant leaves the trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WithdrawalReason {
    /// The participant wants to.
    ParticipantDecision,
    /// The investigator decides so.
    InvestigatorDecision,
    /// An adverse event.
    AdverseEvent,
    /// The participant cannot be reached.
    LostToFollowUp,
    /// The participant has died.
    Death,
    /// The study or the site ends.
    StudyEnded,
}

payload! {
    /// Records that a participant leaves the trial. By the participant, or task `enrol` at their site.
    "withdraw-participant" WithdrawParticipant: ends {
        /// The participant.
        participant: Name,
        /// The participant's site.
        site: Name,
        /// Why.
        reason: WithdrawalReason,
    }
}

payload! {
    /// Moves a participant on: to `enrolled`, `active`, `completed`, `lost_to_follow_up` or `died`, where that may follow.
    /// Task: `enrol`, at their site. Eligibility, randomisation and withdrawal have commands of their own.
    "record-stage" RecordStage {
        /// The participant.
        participant: Name,
        /// The participant's site.
        site: Name,
        /// The stage to enter.
        stage: Stage,
        /// Why, in words.
        reason: Name,
    }
}

payload! {
    /// Declares that two registrations with the same token are one person, who takes part again: after a failed screening, or
    /// at another site after leaving. Task: `manage_study`, at every site.
    "link-participants" LinkParticipants {
        /// The later registration, which is held.
        participant: Name,
        /// The earlier one, which has ended.
        earlier: Name,
        /// Why, in words.
        reason: Name,
    }
}

payload! {
    /// Declares that two registrations with the same token are different persons. Task: `manage_study`, at every site.
    "clear-match" ClearMatch {
        /// The participant.
        participant: Name,
        /// Why, in words.
        reason: Name,
    }
}
