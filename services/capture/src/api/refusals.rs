//! Refusals of the domain and the store as clients see them.

use crate::{
    domain::{Fault, Refusal, Refused},
    store::StoreError,
};
use journal_service::not_read;
use problem::{Problem, consent_reason};
use proto::capture::{self as pb, ErrorReason};
use tonic::Code;
use vault::VaultError;

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Read(error) => not_read(error),
            StoreError::Vault(error) => vault_failed(&error),
            StoreError::Damaged => Problem::new(Code::DataLoss, "DATA_DAMAGED", error.to_string()),
            StoreError::Erased => refused(Refusal::Erased),
            StoreError::Stopping => Problem::unavailable("STORAGE_UNAVAILABLE", error.to_string()),
        }
    }
}

/// A failure of the participants' keys.
pub(super) fn vault_failed(error: &VaultError) -> Problem {
    if matches!(error, VaultError::NoKey) {
        return refused(Refusal::Erased);
    }
    tracing::error!(%error, "the vault failed");
    Problem::unavailable(
        "STORAGE_UNAVAILABLE",
        "the participants' keys cannot be read; nothing was recorded, try again",
    )
}

impl From<Refused> for Problem {
    fn from(why: Refused) -> Self {
        match why {
            Refused::ByRule(refusal) => refused(refusal),
            Refused::DecisionTooOld | Refused::RedactionRaced => {
                Problem::unavailable("DEPENDENCY_UNAVAILABLE", why.to_string())
            }
        }
    }
}

/// A refusal by the rules.
pub(crate) fn refused(refusal: Refusal) -> Problem {
    let said = refusal.to_string();
    let state = |reason| Problem::new(Code::FailedPrecondition, reason, said.clone());
    match refusal {
        Refusal::Unauthorised(error) => error.into(),
        Refusal::StudyUnknown => Problem::new(Code::NotFound, "STUDY_UNKNOWN", said),
        Refusal::Untimely(error) => error.into(),
        Refusal::RulesOutdated => state("RULES_OUTDATED"),
        Refusal::EnvelopeTooLarge => Problem::field("ENVELOPE_TOO_LARGE", "envelope", said),
        Refusal::FormsVersionExists => Problem::new(Code::AlreadyExists, "FORMS_VERSION_EXISTS", said),
        Refusal::FormsVersionUnknown => Problem::new(Code::NotFound, "FORMS_VERSION_UNKNOWN", said),
        Refusal::StudyClosed => state("STUDY_CLOSED"),
        Refusal::SiteNotOpen => state("SITE_NOT_OPEN"),
        Refusal::NotEnrolled => state("PARTICIPANT_NOT_ENROLLED"),
        Refusal::NotInForce(why) => state(consent_reason(why)),
        Refusal::Erased => state("ERASED"),
        Refusal::ConsentInForce => state("CONSENT_IN_FORCE"),
        Refusal::ErasureIncomplete => state("ERASURE_INCOMPLETE"),
        Refusal::ValueNotThere => Problem::new(Code::NotFound, "NOT_FOUND", said),
        Refusal::FormExists(entry) => {
            Problem::new(Code::AlreadyExists, "FORM_EXISTS", said).with("entry", entry.to_string())
        }
        Refusal::EventAlike => Problem::field("LOOKS_ALIKE", "envelope.payload.instance.event", said),
        Refusal::CorrectionStale(latest) => {
            let problem = Problem::new(Code::Aborted, "CORRECTION_STALE", said);
            latest.map_or(problem.clone(), |entry| problem.with("entry", entry.to_string()))
        }
        Refusal::Field { field, fault } => Problem::field(reason(fault), field, fault.to_string()),
    }
}

fn reason(fault: Fault) -> &'static str {
    match fault {
        Fault::Malformed | Fault::Definition | Fault::Words => "MALFORMED",
        Fault::EventUnknown | Fault::FormElsewhere => "EVENT_UNKNOWN",
        Fault::Alike => "LOOKS_ALIKE",
        Fault::Blank => "VALUE_BLANK",
        Fault::Future => "COLLECTED_IN_FUTURE",
        Fault::Provision => "PROVISION_MISMATCH",
        Fault::RootMismatch => "ROOT_MISMATCH",
        Fault::ItemUnknown => "ITEM_UNKNOWN",
        Fault::ItemRepeated => "ITEM_REPEATED",
        Fault::WrongType => "VALUE_WRONG_TYPE",
        Fault::OutOfRange => "VALUE_OUT_OF_RANGE",
        Fault::TooLong => "VALUE_TOO_LONG",
        Fault::NotInCodeList => "VALUE_NOT_IN_CODE_LIST",
        Fault::Missing => "ITEM_MISSING",
        Fault::Reason => "REASON_MISSING",
    }
}

/// A form instance that is too large to be answered at once.
pub(super) fn too_large() -> Problem {
    let what = "this form instance is larger than 4 MiB: read its items one by one";
    Problem::new(Code::FailedPrecondition, "FORM_TOO_LARGE", what)
}

/// A refusal inside a stream.
pub(super) fn refusal_message(problem: Problem) -> pb::Refusal {
    telemetry::meters().refusals.of(problem.reason);
    let reason = ErrorReason::from_str_name(&format!("ERROR_REASON_{}", problem.reason));
    let fields = problem.fields.into_iter().map(|(field, description)| pb::FieldViolation { field, description });
    pb::Refusal {
        code: problem.code.into(),
        reason: reason.unwrap_or(ErrorReason::Unspecified).into(),
        message: problem.message,
        fields: fields.collect(),
        metadata: problem.metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        retry_after_ms: problem.retry.map_or(0, |wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_in_a_stream_says_as_much_as_one_of_a_call() {
        let exists = refusal_message(refused(Refusal::FormExists(7)));
        assert_eq!(exists.metadata.get("entry").map(String::as_str), Some("7"));
        assert_eq!(exists.retry_after_ms, 0);
        assert_eq!(refusal_message(Refused::DecisionTooOld.into()).retry_after_ms, 1_000);
    }
}
