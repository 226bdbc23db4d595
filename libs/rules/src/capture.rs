//! The rules of capture. No clock, no I/O, no transport types.

mod alike;
mod form;
mod fresh;
mod history;
mod when;
mod withheld;

pub use alike::{alike, reduced, seen};
pub use form::{check_forms, check_values};
pub use fresh::{check_new, check_new_erasure, check_new_forms, check_new_redaction, is_future};
pub use history::{Change, Current, FormFold, FormState, History, Recorded, sets};
pub use when::When;
pub use withheld::{admit_erasure, admit_redaction, erasure_needs, redaction_needs};

use seal::{
    datapoint::{self, Datapoint, MAX_DATAPOINTS},
    dsse::Envelope,
    moment::{self, Untimely},
};
use vocabulary::{
    authority::{self, Unauthorised},
    command::{Payload, State, Submission, Task},
    consent::NotInForce,
    fact::{Fact, Facts},
    subject::{self, Subject},
};

/// The largest envelope of a submission, in bytes, from rules 3 on.
const MAX_ENVELOPE_BYTES: usize = 64 << 10;

/// Why a submission is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The signer may not do this.
    #[error(transparent)]
    Unauthorised(#[from] Unauthorised),
    /// The study does not exist.
    #[error("the study does not exist")]
    StudyUnknown,
    /// It was not signed for this moment.
    #[error(transparent)]
    Untimely(#[from] Untimely),
    /// The study runs under earlier rules, which do not know this.
    #[error("this study's rules are older and do not have this command")]
    RulesOutdated,
    /// The envelope is larger than proofs carry.
    #[error("the envelope of a submission is larger than 64 KiB, the most that proofs can carry")]
    EnvelopeTooLarge,
    /// The version of the form definitions exists already.
    #[error("this version of the form definitions exists already")]
    FormsVersionExists,
    /// The version of the form definitions does not exist.
    #[error("this version of the form definitions does not exist: define it first")]
    FormsVersionUnknown,
    /// The study is closed.
    #[error("the study is closed")]
    StudyClosed,
    /// The site is closed.
    #[error("the site is not open")]
    SiteNotOpen,
    /// The participant is not enrolled there, or has left.
    #[error("the participant is not enrolled at that site, or has left the trial")]
    NotEnrolled,
    /// No consent to it is in force.
    #[error(transparent)]
    NotInForce(#[from] NotInForce),
    /// The participant was erased.
    #[error("the participant was erased")]
    Erased,
    /// The participant still consents.
    #[error("some of the participant's consents have not been withdrawn: withdraw it first")]
    ConsentInForce,
    /// The entries listed are not all of the participant's, or not only theirs.
    #[error("the listed entries are not exactly the participant's: fetch the list again")]
    ErasureIncomplete,
    /// The value is not where the redaction says, or was taken out already.
    #[error("this participant has no such value, or it has already been redacted")]
    ValueNotThere,
    /// The form instance was captured before.
    #[error("this form instance was already captured, in entry {0}: correct it instead")]
    FormExists(u64),
    /// An event was captured before whose name looks the same and is spelt otherwise.
    #[error(
        "an event that looks the same was captured with a different spelling: use that spelling, or list the study's events in its forms"
    )]
    EventAlike,
    /// The correction is of an entry that is not the latest.
    #[error("the entry to correct is not the latest of this form instance")]
    CorrectionStale(Option<u64>),
    /// A field has a value it may not have.
    #[error("{field}: {fault}")]
    Field {
        /// The path of the field.
        field: String,
        /// What is wrong.
        fault: Fault,
    },
}

/// What is wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It cannot be read.
    #[error("not of format trialseal/datapoint@v1")]
    Malformed,
    /// Not what was signed.
    #[error("differs from the signed header")]
    RootMismatch,
    /// Another provision of consent than the form's.
    #[error("not the provision of consent that the form is captured under")]
    Provision,
    /// No such form or item.
    #[error("not defined in this version of the forms")]
    ItemUnknown,
    /// Twice.
    #[error("given twice")]
    ItemRepeated,
    /// Not of the item's type.
    #[error("not of the item's type")]
    WrongType,
    /// Out of range.
    #[error("outside the item's range")]
    OutOfRange,
    /// Too long.
    #[error("longer than the item allows")]
    TooLong,
    /// No such event.
    #[error("not an event of this version of the forms")]
    EventUnknown,
    /// The form is not captured at the event.
    #[error("not a form of this event")]
    FormElsewhere,
    /// Two names look the same.
    #[error("looks the same as another")]
    Alike,
    /// Nothing in it is visible.
    #[error("blank: leave it out; in a correction an empty value takes one away")]
    Blank,
    /// Later than now.
    #[error("in the future")]
    Future,
    /// No letter or number in it.
    #[error("must contain words")]
    Words,
    /// Not in the code list.
    #[error("not in the item's code list")]
    NotInCodeList,
    /// Mandatory and missing.
    #[error("is mandatory and missing")]
    Missing,
    /// No reason for a correction, or one for a first submission.
    #[error("a correction must state a reason in words, of 1 to 4,096 bytes; a first submission must not")]
    Reason,
    /// The definitions contradict themselves.
    #[error("defined twice, or out of bounds")]
    Definition,
}

fn field<T>(field: impl Into<String>, fault: Fault) -> Result<T, Refusal> {
    Err(Refusal::Field { field: field.into(), fault })
}

/// Checks the datapoints against the signed header, and reads them.
pub fn check_header(submission: &Submission, datapoints: &[Vec<u8>]) -> Result<Vec<Datapoint>, Refusal> {
    if datapoints.is_empty() || datapoints.len() > MAX_DATAPOINTS || submission.count as usize != datapoints.len() {
        return field("datapoints", Fault::RootMismatch);
    }
    if datapoint::root(datapoints) != submission.root.0 {
        return field("envelope.payload.root", Fault::RootMismatch);
    }
    let reason = submission.reason.as_ref().map(|reason| (1..=4_096).contains(&reason.trim().len()));
    if reason != submission.corrects.map(|_| true) {
        return field("envelope.payload.reason", Fault::Reason);
    }
    if submission.collected.as_ref().is_some_and(|date| When::parse(date).is_none()) {
        return field("envelope.payload.collected", Fault::WrongType);
    }
    let parse = |(index, bytes): (usize, &Vec<u8>)| {
        Datapoint::parse(bytes)
            .map_err(|_| Refusal::Field { field: format!("datapoints[{index}]"), fault: Fault::Malformed })
    };
    datapoints.iter().enumerate().map(parse).collect()
}

/// The facts of the enrollment journal a submission needs.
pub fn needs(submission: &Submission, envelope: &Envelope) -> Vec<Subject> {
    let mut needs = authority::subjects(&submission.by, envelope.key_ids(), Task::Capture, &submission.site);
    if submission.late.is_some() {
        needs.extend(authority::delegations(&submission.by, Task::RecordLate, &submission.site));
    }
    needs.extend([
        subject::study(),
        subject::study_state(),
        subject::site(&submission.site),
        subject::participant(&submission.instance.participant),
    ]);
    needs
}

/// Whether a submission may be recorded at `time`, given the enrollment facts. Consent is decided by its own service.
pub fn admit(submission: &Submission, envelope: &Envelope, facts: &Facts, time: u64) -> Result<(), Refusal> {
    if facts.find(&subject::study()).is_none() {
        return Err(Refusal::StudyUnknown);
    }
    authority::authorise(facts, envelope, &submission.by, Task::Capture, &submission.site, time)?;
    on_time(submission, facts, time)?;
    if submission.late.is_some() {
        authority::holds(facts, &submission.by, Task::RecordLate, &submission.site, time)?;
    }
    if facts.rules() >= Some(3) && envelope.size() > MAX_ENVELOPE_BYTES {
        return Err(Refusal::EnvelopeTooLarge);
    }
    if matches!(facts.find(&subject::study_state()), Some(Fact::StudyState { state: State::Closed, .. })) {
        return Err(Refusal::StudyClosed);
    }
    if !facts.site_is_open(&submission.site) {
        return Err(Refusal::SiteNotOpen);
    }
    if facts.site_of_active(&submission.instance.participant) != Some(&submission.site) {
        return Err(Refusal::NotEnrolled);
    }
    Ok(())
}

/// From rules 3 on: checks that a command is recorded soon enough after it was signed.
pub fn on_time<P: Payload>(command: &P, facts: &Facts, time: u64) -> Result<(), Refusal> {
    match facts.rules() {
        Some(3..) => Ok(moment::on_time(command, time)?),
        _ if command.late().is_some() => Err(Refusal::RulesOutdated),
        _ => Ok(()),
    }
}

/// Whether a submission fits what was recorded of its form instance: `latest` is the number of its last entry.
pub fn fits(submission: &Submission, latest: Option<u64>) -> Result<(), Refusal> {
    match (submission.corrects, latest) {
        (None, None) => Ok(()),
        (None, Some(entry)) => Err(Refusal::FormExists(entry)),
        (Some(corrects), Some(entry)) if corrects == entry => Ok(()),
        (Some(_), latest) => Err(Refusal::CorrectionStale(latest)),
    }
}
