//! Why a call failed.

use crate::refusal::{Reason, Refusal};
use channel::AddressError;
use seal::{Hash, report::Failure};
use tls::TlsError;
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// An address is not the URL of a service, or lacks an authority to trust.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The certificates cannot be read.
    #[error("the certificates cannot be used")]
    Certificates(#[from] TlsError),
    /// The service refused, or cannot be reached.
    #[error("{}", describe(.0))]
    Refused(Box<Status>),
    /// The service answered with something that makes no sense.
    #[error("the service gave an invalid answer: {0}")]
    Nonsense(&'static str),
    /// The service answered with a journal whose entries do not follow each other.
    #[error("entry {0} does not follow the entry before: the journal was changed")]
    Broken(u64),
    /// A bundle does not prove what it should.
    #[error("not proven")]
    NotProven(#[from] Failure),
}

impl From<Status> for ClientError {
    fn from(status: Status) -> Self {
        ClientError::Refused(Box::new(status))
    }
}

impl ClientError {
    /// The machine-readable reason of a refusal, as the service's `ErrorReason` documents it.
    pub fn reason(&self) -> Option<String> {
        match self {
            ClientError::Refused(status) => status.get_details_error_info().map(|info| info.reason),
            _ => None,
        }
    }

    /// The reason of a refusal as a service's own, such as [`proto::capture::ErrorReason`].
    pub fn reason_of<R: Reason>(&self) -> Option<R> {
        R::named(&self.reason()?)
    }

    /// All that a refusal says to machines.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            ClientError::Refused(status) => Refusal::of(status),
            _ => None,
        }
    }

    /// Whether the same call may succeed later: the service is away or busy. Calls were sent again before this was returned, as
    /// often as their deadline allowed.
    pub fn is_transient(&self) -> bool {
        matches!(self, ClientError::Refused(status)
            if matches!(status.code(), Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded))
    }

    /// If a command was signed on another state than the present one: SHA-256 of the envelope to be seen.
    pub fn newest(&self) -> Option<Hash> {
        let ClientError::Refused(status) = self else { return None };
        let info = status.get_details_error_info().filter(|info| info.reason == "STATE_CHANGED")?;
        info.metadata.get("newest").and_then(|text| Hash::from_hex(text))
    }
}

fn describe(status: &Status) -> String {
    let found = status.metadata().get(channel::FOUND).and_then(|found| found.to_str().ok());
    match (status.get_details_error_info(), found) {
        (Some(info), _) => format!("{}: {}", info.reason, status.message()),
        (None, Some(found)) => format!("{:?}: {found}: see --endpoints", status.code()),
        (None, None) => format!("{:?}: {}", status.code(), status.message()),
    }
}
