//! Refusals as clients see them: a gRPC status with google.rpc details.
//!
//! What this crate is *not*: it knows no journal and no service. Each says in its own place how its errors are refusals.

use seal::{
    dsse::EnvelopeError,
    id::{IdError, Uuid},
    moment::Untimely,
};
use std::{collections::HashMap, time::Duration};
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

/// Reads a study's UUID from the field `study` of a request.
pub fn study(text: &str) -> Result<Uuid, Problem> {
    text.parse().map_err(|error: IdError| Problem::field("MALFORMED", "study", error.to_string()))
}
