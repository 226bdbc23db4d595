//! Denials as clients see them.

use crate::{AccessDenied, Denied};
use problem::Problem;
use proto::consent::ErrorReason as ConsentReason;
use tonic::{Code, Status};
use tonic_types::StatusExt;

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Credentials(error) => Problem::new(Code::Unauthenticated, "CREDENTIALS_INVALID", error.to_string()),
            Denied::Authority(error) => error.into(),
            Denied::OfParticipant => Problem::new(Code::PermissionDenied, "DELEGATION_MISSING", denied.to_string()),
            Denied::Facts(error) => error.into(),
        }
    }
}

impl From<AccessDenied> for Problem {
    fn from(denied: AccessDenied) -> Self {
        let said = denied.to_string();
        match denied {
            AccessDenied::Unsigned => Problem::new(Code::FailedPrecondition, "ACCESS_UNSIGNED", said),
            AccessDenied::Mismatch => Problem::field("MALFORMED", token::ACCESS_HEADER, said),
            AccessDenied::Stale => Problem::new(Code::FailedPrecondition, "ACCESS_STALE", said),
            AccessDenied::Ahead => Problem::field("CLOCK_AHEAD", token::ACCESS_HEADER, said),
            AccessDenied::Used => Problem::new(Code::FailedPrecondition, "ACCESS_USED", said),
            AccessDenied::Refused(status) => relayed(&status),
        }
    }
}

/// A refusal of the consent service, passed on: its reasons about reads are reasons of the services that ask.
fn relayed(status: &Status) -> Problem {
    let info = status.get_details_error_info();
    let reason = info.and_then(|info| ConsentReason::from_str_name(&format!("ERROR_REASON_{}", info.reason)));
    match reason {
        Some(reason) => {
            Problem::new(status.code(), reason.as_str_name().trim_start_matches("ERROR_REASON_"), status.message())
        }
        None => Problem::unavailable(
            "DEPENDENCY_UNAVAILABLE",
            "the read cannot be recorded now, so nothing is shown: try again",
        ),
    }
}
