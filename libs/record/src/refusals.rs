//! Errors of the journal as clients see them.

use journal::AppendError;
use problem::Problem;
use std::borrow::Cow;
use tonic::Code;

/// Why a command was not recorded.
pub fn not_recorded<E: Into<Problem>>(error: AppendError<E>) -> Problem {
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
            let what = format!("{said}; send the same envelope again, which is safe whether it was recorded or not");
            Problem::unavailable("STORAGE_UNAVAILABLE", what)
        }
    }
}
