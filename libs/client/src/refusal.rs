//! What a refusal says to machines.

use proto::{anchoring, capture, consent, enrollment, journal};
use std::{collections::HashMap, time::Duration};
use tonic::Status;
use tonic_types::StatusExt;

/// What every reason's name begins with in the services' enums.
const PREFIX: &str = "ERROR_REASON_";

/// A refusal: nothing was recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct Refusal {
    /// The reason, as in the service's `ErrorReason`, without its prefix.
    pub reason: String,
    /// What is wrong, in words, without values.
    pub message: String,
    /// The fields that are wrong: the path of each, and what is wrong with it.
    pub fields: Vec<(String, String)>,
    /// More for machines, as the reason documents it.
    pub metadata: HashMap<String, String>,
    /// After this time the same call may succeed; not as it is unless given.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// The reason as a service's own.
    pub fn reason_of<R: Reason>(&self) -> Option<R> {
        R::named(&self.reason)
    }

    pub(crate) fn of(status: &Status) -> Option<Self> {
        let details = status.get_error_details();
        let info = details.error_info()?;
        let fields = details.bad_request().into_iter().flat_map(|bad| &bad.field_violations);
        Some(Self {
            reason: info.reason.clone(),
            message: status.message().to_owned(),
            fields: fields.map(|wrong| (wrong.field.clone(), wrong.description.clone())).collect(),
            metadata: info.metadata.clone(),
            retry_after: details.retry_info().and_then(|info| info.retry_delay),
        })
    }
}

impl From<capture::Refusal> for Refusal {
    fn from(refusal: capture::Refusal) -> Self {
        Self {
            reason: refusal.reason().as_str_name().trim_start_matches(PREFIX).to_owned(),
            fields: refusal.fields.into_iter().map(|wrong| (wrong.field, wrong.description)).collect(),
            metadata: refusal.metadata,
            retry_after: Some(refusal.retry_after_ms).filter(|ms| *ms > 0).map(Duration::from_millis),
            message: refusal.message,
        }
    }
}

/// The reasons of one service.
pub trait Reason: Sized {
    /// The reason of this name, without its prefix.
    fn named(name: &str) -> Option<Self>;
}

macro_rules! reasons {
    ($($service:ident),*) => {$(
        impl Reason for $service::ErrorReason {
            fn named(name: &str) -> Option<Self> {
                Self::from_str_name(&format!("{PREFIX}{name}"))
            }
        }
    )*};
}

reasons!(enrollment, consent, capture, anchoring, journal);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ClientError;
    use tonic::Code;
    use tonic_types::ErrorDetails;

    #[test]
    fn a_refusal_says_all_that_the_status_says() {
        let metadata = HashMap::from([("entry".to_owned(), "7".to_owned())]);
        let mut details = ErrorDetails::with_error_info("FORM_EXISTS", "trialseal", metadata.clone());
        details.add_bad_request_violation("envelope", "known").set_retry_info(Some(Duration::from_secs(2)));
        let error = ClientError::from(Status::with_error_details(Code::AlreadyExists, "said", details));
        let refusal = error.refusal().unwrap();
        let fields = vec![("envelope".to_owned(), "known".to_owned())];
        assert_eq!((refusal.reason.as_str(), refusal.message.as_str()), ("FORM_EXISTS", "said"));
        assert_eq!((&refusal.metadata, &refusal.fields), (&metadata, &fields));
        assert_eq!(refusal.retry_after, Some(Duration::from_secs(2)));
        assert_eq!(error.reason_of(), Some(capture::ErrorReason::FormExists));
        assert_eq!(error.reason_of::<consent::ErrorReason>(), None);
        assert!(!error.is_transient() && ClientError::from(Status::unavailable("away")).is_transient());
    }

    #[test]
    fn a_refusal_in_a_stream_reads_like_one_of_a_call() {
        let reason = capture::ErrorReason::ConsentWithdrawn.into();
        let refusal = Refusal::from(capture::Refusal { reason, message: "said".to_owned(), ..Default::default() });
        assert_eq!((refusal.to_string().as_str(), refusal.retry_after), ("CONSENT_WITHDRAWN: said", None));
        assert_eq!(refusal.reason_of(), Some(capture::ErrorReason::ConsentWithdrawn));
    }
}
