//! Refusals of the domain and the store as clients see them.

use crate::{
    creators::NotNow,
    domain::{Refusal, Refused, stage_name, state_name},
    store::StoreError,
};
use journal_service::not_read;
use problem::{Problem, consent_reason};
use std::time::Duration;
use tonic::Code;
use vault::VaultError;

/// When it is worth asking again for leave that was used up.
const LATER: Duration = Duration::from_secs(3_600);

impl From<NotNow> for Problem {
    fn from(why: NotNow) -> Self {
        match why {
            NotNow::NotPermitted => {
                let what =
                    "this root key may not create studies here: ask the operator to list it (`trialseal allow-study`)";
                Problem::new(Code::PermissionDenied, "STUDY_NOT_PERMITTED", what)
            }
            NotNow::TooMany => {
                let what = "this root key or address created as many studies within the hour as it may";
                Problem::new(Code::ResourceExhausted, "RATE_LIMITED", what).retry_after(LATER)
            }
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Read(error) => not_read(error),
            StoreError::Vault(VaultError::NoKey) => {
                Problem::new(Code::FailedPrecondition, "ERASED", "the participant was erased")
            }
            StoreError::Vault(error) => {
                tracing::error!(%error, "the vault failed");
                Problem::unavailable("STORAGE_UNAVAILABLE", "the keys cannot be read; nothing was recorded, try again")
            }
            StoreError::Damaged => Problem::new(Code::DataLoss, "DATA_DAMAGED", error.to_string()),
            StoreError::NoRandomness => Problem::unavailable("STORAGE_UNAVAILABLE", error.to_string()),
        }
    }
}

impl From<Refused> for Problem {
    fn from(why: Refused) -> Self {
        match why {
            Refused::ByRule(refusal) => refused(refusal),
            Refused::DecisionTooOld => Problem::unavailable("DEPENDENCY_UNAVAILABLE", why.to_string()),
        }
    }
}

/// A refusal by the rules.
pub(crate) fn refused(refusal: Refusal) -> Problem {
    let said = refusal.to_string();
    let state = |reason| Problem::new(Code::FailedPrecondition, reason, said.clone());
    match refusal {
        Refusal::Unauthorised(error) => error.into(),
        Refusal::Signature(error) => error.into(),
        Refusal::StudyUnknown => Problem::new(Code::NotFound, "STUDY_UNKNOWN", said),
        Refusal::Untimely(error) => error.into(),
        Refusal::ProofTooLong => state("PROOF_TOO_LONG"),
        Refusal::EnvelopeTooLarge => Problem::field("MALFORMED", "envelope", said),
        Refusal::TooManyDelegations => state("TOO_MANY_DELEGATIONS"),
        Refusal::StudyIdUnbound => Problem::field("STUDY_ID_UNBOUND", "envelope.payload.study", said),
        Refusal::TokenRequired => state("TOKEN_REQUIRED"),
        Refusal::TooManyHeld => Problem::new(Code::ResourceExhausted, "TOO_MANY_HELD", said),
        Refusal::NotTheSame => state("NOT_THE_SAME"),
        Refusal::LevelMismatch(_) => Problem::field("LEVEL_MISMATCH", "envelope.payload.levels", said),
        Refusal::StudyExists => Problem::new(Code::AlreadyExists, "STUDY_EXISTS", said),
        Refusal::RulesOutdated => state("RULES_OUTDATED"),
        Refusal::NotInForce(why) => state(consent_reason(why)),
        Refusal::NameTaken(what) => Problem::new(Code::AlreadyExists, "NAME_TAKEN", said).with("what", what),
        Refusal::NotFound(what) => Problem::new(Code::NotFound, "NOT_FOUND", said).with("what", what),
        Refusal::StudyNotOpen => state("STUDY_NOT_OPEN"),
        Refusal::ProtocolMissing => state("PROTOCOL_MISSING"),
        Refusal::StudyStateNotPermitted { from, to } => {
            state("STUDY_STATE_NOT_PERMITTED").with("from", state_name(from)).with("to", state_name(to))
        }
        Refusal::SiteNotOpen => state("SITE_NOT_OPEN"),
        Refusal::SiteStateUnchanged => state("SITE_STATE_UNCHANGED"),
        Refusal::SiteStateNotPermitted { from, to } => {
            state("SITE_STATE_NOT_PERMITTED").with("from", state_name(from)).with("to", state_name(to))
        }
        Refusal::SiteNotApproved => state("SITE_NOT_APPROVED"),
        Refusal::AlreadyEnded(what) => state("ALREADY_ENDED").with("what", what),
        Refusal::DelegationExceedsOwn => Problem::new(Code::PermissionDenied, "DELEGATION_EXCEEDS_OWN", said),
        Refusal::CapReached(site) => state("CAP_REACHED").with("site", site.as_str()),
        Refusal::ScreeningRequired => state("SCREENING_REQUIRED"),
        Refusal::CriteriaOutdated(in_force) => {
            let problem = state("CRITERIA_OUTDATED");
            in_force.map_or(problem.clone(), |version| problem.with("in_force", version.as_str()))
        }
        Refusal::EligibilityNotOverridable => state("ELIGIBILITY_NOT_OVERRIDABLE"),
        Refusal::DuplicateParticipation => state("DUPLICATE_PARTICIPATION"),
        Refusal::StageNotPermitted { from, to } => {
            state("STAGE_NOT_PERMITTED").with("from", stage_name(from)).with("to", stage_name(to))
        }
        Refusal::StratumExhausted => state("STRATUM_EXHAUSTED"),
        Refusal::AllocationRevealed => state("ALLOCATION_REVEALED"),
        Refusal::NotRandomised => state("NOT_RANDOMISED"),
        Refusal::CommitmentMismatch => Problem::field("COMMITMENT_MISMATCH", "envelope.payload.seed", said),
        Refusal::RevealTooEarly => state("REVEAL_TOO_EARLY"),
        Refusal::Malformed { field, what } => Problem::field("MALFORMED", format!("envelope.payload.{field}"), what),
    }
}
