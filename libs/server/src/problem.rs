//! Refusals as clients see them: a gRPC status with google.rpc details.

use access::{AccessDenied, Denied, FactError};
use journal::{AppendError, ReadError};
use proto::consent::ErrorReason as ConsentReason;
use seal::{dsse::EnvelopeError, moment::Untimely};
use std::{borrow::Cow, collections::HashMap, time::Duration};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};
use vocabulary::{authority::Unauthorised, consent::NotInForce};

const DOMAIN: &str = "trialseal";
const RETRY: Duration = Duration::from_secs(1);

/// The name of a reason in a service's documented enum, without its prefix.
pub type Reason = &'static str;

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The gRPC code.
    pub code: Code,
    /// The reason, as in the service's `ErrorReason`.
    pub reason: Reason,
    /// What is wrong and what to do, without any value.
    pub message: String,
    /// The fields that are wrong, with what is wrong about each.
    pub fields: Vec<(String, String)>,
    /// More for machines.
    pub metadata: Vec<(&'static str, String)>,
    /// When the same call may succeed, if it may.
    pub retry: Option<Duration>,
}

impl Problem {
    /// A refusal.
    pub fn new(code: Code, reason: Reason, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), fields: Vec::new(), metadata: Vec::new(), retry: None }
    }

    /// A refusal because one field is wrong.
    pub fn field(reason: Reason, field: impl Into<String>, what: impl Into<String>) -> Self {
        let (field, what) = (field.into(), what.into());
        let mut problem = Self::new(Code::InvalidArgument, reason, format!("{field}: {what}"));
        problem.fields.push((field, what));
        problem
    }

    /// Adds metadata.
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.metadata.push((key, value.into()));
        self
    }

    /// A refusal that may be over soon.
    pub fn unavailable(reason: Reason, message: impl Into<String>) -> Self {
        Self::new(Code::Unavailable, reason, message).retry_after(RETRY)
    }

    /// Says when the same call may succeed.
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry = Some(wait);
        self
    }
}

impl From<Problem> for Status {
    fn from(problem: Problem) -> Self {
        let metadata: HashMap<String, String> =
            problem.metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let mut details = ErrorDetails::with_error_info(problem.reason, DOMAIN, metadata);
        for (field, what) in problem.fields {
            details.add_bad_request_violation(field, what);
        }
        if problem.retry.is_some() {
            details.set_retry_info(problem.retry);
        }
        Status::with_error_details(problem.code, problem.message, details)
    }
}

impl From<Unauthorised> for Problem {
    fn from(error: Unauthorised) -> Self {
        let reason = match &error {
            // Alike: who does not hold a key does not learn whether it is registered.
            Unauthorised::UnknownKey(actor) | Unauthorised::BadSignature(actor) => {
                let said =
                    format!("the signature matches no key of {actor} in this study: unknown actor, or wrong key file");
                return Problem::new(Code::PermissionDenied, "KEY_UNKNOWN", said);
            }
            Unauthorised::KeyEnded(_) => "KEY_ENDED",
            Unauthorised::NoDelegation { .. } => "DELEGATION_MISSING",
            Unauthorised::DelegationEnded { .. } => "DELEGATION_ENDED",
            Unauthorised::OutsidePeriod { .. } => "DELEGATION_OUTSIDE_PERIOD",
            Unauthorised::NotAPerson(_) => "SIGNER_NOT_A_PERSON",
            Unauthorised::NotIndependent(..) => "SIGNERS_NOT_INDEPENDENT",
        };
        Problem::new(Code::PermissionDenied, reason, error.to_string())
    }
}

impl From<Untimely> for Problem {
    fn from(error: Untimely) -> Self {
        let said = error.to_string();
        match error {
            Untimely::Ahead => Problem::field("CLOCK_AHEAD", "envelope.payload.time", said),
            Untimely::Stale => Problem::new(Code::FailedPrecondition, "SIGNED_TOO_LONG_AGO", said),
            Untimely::StateChanged { newest } => {
                let newest = newest.map(|hash| hash.to_hex()).unwrap_or_default();
                Problem::new(Code::FailedPrecondition, "STATE_CHANGED", said).with("newest", newest)
            }
        }
    }
}

impl From<EnvelopeError> for Problem {
    fn from(error: EnvelopeError) -> Self {
        match error {
            EnvelopeError::Signature(_) => Problem::new(Code::PermissionDenied, "SIGNATURE_INVALID", error.to_string()),
            EnvelopeError::Payload(_) => Problem::field("MALFORMED", "envelope.payload", error.to_string()),
            EnvelopeError::PayloadType { .. } => Problem::field("MALFORMED", "envelope.payloadType", error.to_string()),
            EnvelopeError::TooLarge | EnvelopeError::Malformed(_) => {
                Problem::field("MALFORMED", "envelope", error.to_string())
            }
        }
    }
}

impl From<FactError> for Problem {
    fn from(error: FactError) -> Self {
        Problem::unavailable("DEPENDENCY_UNAVAILABLE", format!("{error}; nothing was recorded, try again"))
    }
}

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

/// The reason of a consent that is not in force: the same in every service.
pub fn consent_reason(why: NotInForce) -> Reason {
    match why {
        NotInForce::Missing => "CONSENT_MISSING",
        NotInForce::Withdrawn => "CONSENT_WITHDRAWN",
        NotInForce::PeriodEnded => "CONSENT_PERIOD_ENDED",
        NotInForce::MajorityReached => "CONSENT_MAJORITY_REACHED",
        NotInForce::DeferralEnded => "CONSENT_DEFERRAL_ENDED",
        NotInForce::ReconsentRequired => "RECONSENT_REQUIRED",
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

impl<E: Into<Problem>> From<AppendError<E>> for Problem {
    fn from(error: AppendError<E>) -> Self {
        let said: Cow<'static, str> = error.to_string().into();
        match error {
            AppendError::Refused(refusal) => refusal.into(),
            AppendError::RequestReused => Problem::new(Code::AlreadyExists, "REQUEST_REUSED", said),
            AppendError::Quota(what) => {
                let said = format!("{said}; nothing was recorded: ask the operator to raise the study's quota");
                Problem::new(Code::ResourceExhausted, "STUDY_QUOTA", said).with("what", what)
            }
            AppendError::Broken => {
                Problem::new(Code::DataLoss, "STREAM_BROKEN", format!("{said}: an operator must restore it"))
            }
            AppendError::Storage => {
                let what =
                    format!("{said}; send the same envelope again, which is safe whether it was recorded or not");
                Problem::unavailable("STORAGE_UNAVAILABLE", what)
            }
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NotFound => Problem::new(Code::NotFound, "NOT_FOUND", error.to_string()),
            ReadError::Broken => Problem::new(Code::DataLoss, "STREAM_BROKEN", error.to_string()),
            ReadError::Database(_) => Problem::unavailable("STORAGE_UNAVAILABLE", error.to_string()),
        }
    }
}
