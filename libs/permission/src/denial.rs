//! How the gatekeeper says no.

use caller::{CredentialsError, Kind};
use std::collections::HashMap;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// Why a call is not passed on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Denial {
    /// The credentials are bad.
    Credentials(CredentialsError),
    /// Callers of this kind may not call it.
    NotPermitted(Kind),
    /// There is no such RPC.
    Unknown,
}

impl From<Denial> for Status {
    fn from(denial: Denial) -> Self {
        match denial {
            Denial::Unknown => Status::unimplemented("there is no such method"),
            Denial::Credentials(error) => {
                let said = format!("the caller's credentials are not valid: {error}");
                status(Code::Unauthenticated, said, "CREDENTIALS_INVALID", HashMap::new())
            }
            Denial::NotPermitted(Kind::Anonymous) => {
                let said = "this is not for everybody: the caller must show who they are";
                status(Code::Unauthenticated, said.to_owned(), "CREDENTIALS_INVALID", HashMap::new())
            }
            Denial::NotPermitted(kind) => {
                let said = format!("a caller of the kind {} may not call this", kind.name());
                let caller = HashMap::from([("caller".to_owned(), kind.name().to_owned())]);
                status(Code::PermissionDenied, said, "CALLER_NOT_PERMITTED", caller)
            }
        }
    }
}

fn status(code: Code, said: String, reason: &str, metadata: HashMap<String, String>) -> Status {
    Status::with_error_details(code, said, ErrorDetails::with_error_info(reason, "trialseal", metadata))
}
