//! Which answers invite to call again.

use std::time::Duration;
use tonic::{
    Code, Status,
    body::Body,
    codegen::http::{Response, StatusCode},
};
use tonic_types::StatusExt;

/// What the head of an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the answer.
    Final,
    /// The same call may succeed after this time. Whether the address is to blame.
    Again(Duration, Blame),
}

/// Whether other calls should avoid the address for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blame {
    /// It cannot serve now.
    Address,
    /// It can, but not this call, or not more calls.
    Nobody,
}

/// The code an answer ends with, if it ends with its head: a refusal before any message.
pub(crate) fn ended(answer: &Response<Body>) -> Option<Status> {
    let by_http = || match answer.status() {
        StatusCode::OK => None,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::BAD_GATEWAY => Some(Status::unavailable("HTTP")),
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => Some(Status::unavailable("HTTP")),
        _ => Some(Status::unknown("HTTP")),
    };
    Status::from_header_map(answer.headers()).or_else(by_http)
}

/// What an answer that ended so means for the caller.
pub(crate) fn verdict(status: &Status) -> Verdict {
    let told = || status.get_details_retry_info().and_then(|info| info.retry_delay);
    match status.code() {
        Code::Unavailable => Verdict::Again(told().unwrap_or_default(), Blame::Address),
        Code::Aborted => Verdict::Again(told().unwrap_or_default(), Blame::Nobody),
        Code::ResourceExhausted => told().map_or(Verdict::Final, |delay| Verdict::Again(delay, Blame::Nobody)),
        _ => Verdict::Final,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::ErrorDetails;

    const SOON: Duration = Duration::from_millis(700);

    #[test]
    fn only_what_did_not_happen_is_tried_again() {
        let again = Verdict::Again(Duration::ZERO, Blame::Address);
        assert_eq!(verdict(&Status::unavailable("")), again);
        assert_eq!(verdict(&Status::aborted("")), Verdict::Again(Duration::ZERO, Blame::Nobody));
        for code in (0..17).map(Code::from_i32).filter(|code| !matches!(code, Code::Unavailable | Code::Aborted)) {
            assert_eq!(verdict(&Status::new(code, "")), Verdict::Final, "{code:?}");
        }
    }

    #[test]
    fn the_time_a_server_asks_for_is_taken_from_its_answer() {
        let details = || ErrorDetails::with_retry_info(Some(SOON));
        let told = |code| verdict(&Status::with_error_details(code, "", details()));
        assert_eq!(told(Code::Unavailable), Verdict::Again(SOON, Blame::Address));
        assert_eq!(told(Code::ResourceExhausted), Verdict::Again(SOON, Blame::Nobody));
        assert_eq!(told(Code::FailedPrecondition), Verdict::Final);
    }
}
