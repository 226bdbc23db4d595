//! Refusals, with the reasons clients see.

use crate::domain::{Refusal, Refused};
use problem::{Problem, Reason, consent_reason};
use proto::consent::ErrorReason;
use tonic::Code;
use vocabulary::consent::NotInForce;

/// The reason of a consent that is not in force.
pub(super) fn not_in_force(why: NotInForce) -> ErrorReason {
    match why {
        NotInForce::Missing => ErrorReason::ConsentMissing,
        NotInForce::Withdrawn => ErrorReason::ConsentWithdrawn,
        NotInForce::PeriodEnded => ErrorReason::ConsentPeriodEnded,
        NotInForce::MajorityReached => ErrorReason::ConsentMajorityReached,
        NotInForce::DeferralEnded => ErrorReason::ConsentDeferralEnded,
        NotInForce::ReconsentRequired => ErrorReason::ReconsentRequired,
    }
}

/// The consent of another system has ended: nothing is left to ask for.
pub(super) fn resource_ended() -> Problem {
    let what = "the period of the consent, or of all that it permitted, is over: ReadConsent says since when";
    let mut problem = failed("CONSENT_PERIOD_ENDED", format!("resource: {what}"));
    problem.fields.push(("resource".to_owned(), what.to_owned()));
    problem
}

fn failed(reason: Reason, said: String) -> Problem {
    Problem::new(Code::FailedPrecondition, reason, said)
}

fn denied(reason: Reason, said: String) -> Problem {
    Problem::new(Code::PermissionDenied, reason, said)
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
    match refusal {
        Refusal::Unauthorised(error) => error.into(),
        Refusal::StudyUnknown => Problem::new(Code::NotFound, "STUDY_UNKNOWN", said),
        Refusal::Untimely(error) => error.into(),
        Refusal::OutOfOrder(what) => failed("OUT_OF_ORDER", said).with("what", what),
        Refusal::NotOfAge => failed("NOT_OF_AGE", said),
        Refusal::Held => failed("DUPLICATE_PARTICIPATION", said),
        Refusal::NothingInForce => failed("NOTHING_IN_FORCE", said),
        Refusal::DocumentExists => Problem::new(Code::AlreadyExists, "DOCUMENT_EXISTS", said),
        Refusal::DocumentUnknown => Problem::new(Code::NotFound, "DOCUMENT_UNKNOWN", said),
        Refusal::NotEnrolled => Problem::new(Code::FailedPrecondition, "PARTICIPANT_NOT_ENROLLED", said),
        Refusal::SiteNotOpen => Problem::new(Code::FailedPrecondition, "SITE_NOT_OPEN", said),
        Refusal::NotInForce(why) => failed(consent_reason(why), said),
        Refusal::RulesOutdated => failed("RULES_OUTDATED", said),
        Refusal::DocumentNotEffective => failed("DOCUMENT_NOT_EFFECTIVE", said),
        Refusal::DocumentSuperseded => failed("DOCUMENT_SUPERSEDED", said),
        Refusal::DocumentNotForSite => failed("DOCUMENT_NOT_FOR_SITE", said),
        Refusal::ProvisionNotOffered => failed("PROVISION_NOT_OFFERED", said),
        Refusal::MandatoryDeclined => failed("MANDATORY_DECLINED", said),
        Refusal::QuizNotPassed { right, needed } => {
            failed("QUIZ_NOT_PASSED", said).with("right", right.to_string()).with("needed", needed.to_string())
        }
        Refusal::NotAdmitted(what) => failed("NOT_ADMITTED", said).with("what", what),
        Refusal::RepresentativeUnknown(what) => denied("REPRESENTATIVE_UNKNOWN", said).with("what", what),
        Refusal::DeviceUnknown => denied("DEVICE_UNKNOWN", said),
        Refusal::GranteeUnknown => Problem::new(Code::NotFound, "GRANTEE_UNKNOWN", said),
        Refusal::GrantExists => Problem::new(Code::AlreadyExists, "GRANT_EXISTS", said),
        Refusal::GrantUnknown => denied("GRANT_UNKNOWN", said),
        Refusal::GrantEnded => denied("GRANT_ENDED", said),
        Refusal::GrantOutsidePeriod => denied("GRANT_OUTSIDE_PERIOD", said),
        Refusal::GrantUsedUp => denied("GRANT_USED_UP", said),
        Refusal::GrantDoesNotCover => denied("GRANT_DOES_NOT_COVER", said),
        Refusal::AccessStale => failed("ACCESS_STALE", said),
        Refusal::AccessAhead => Problem::field("CLOCK_AHEAD", "envelope.payload.time", said),
        Refusal::Malformed { field, what } => Problem::field("MALFORMED", format!("envelope.payload.{field}"), what),
    }
}
