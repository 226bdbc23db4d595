//! How the services of a deployment that is one process know each other.

use subtle::ConstantTimeEq;
use tonic::{Request, codegen::http::HeaderMap, metadata::MetadataValue};
use zeroize::Zeroizing;

const HEADER: &str = "x-trialseal-service";

/// The secret shared by the services of a deployment. It counts only where a connection came without TLS from this machine.
#[derive(Clone, Default)]
pub struct ServiceToken(Option<Zeroizing<String>>);

impl ServiceToken {
    /// The token from 32 bytes of secret.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(Some(Zeroizing::new(hex::encode(secret))))
    }

    /// No token: where services have certificates. It adds nothing to calls, and lets nobody in.
    pub fn absent() -> Self {
        Self(None)
    }

    /// Whether a call carries the token; nothing if there is none, here or there.
    pub(crate) fn admits(&self, headers: &HeaderMap) -> Option<bool> {
        let token = self.0.as_ref()?;
        headers.get(HEADER).map(|found| found.as_bytes().ct_eq(token.as_bytes()).into())
    }

    /// Adds the token to a call.
    pub fn attach<T>(&self, mut request: Request<T>) -> Request<T> {
        let value = self.0.as_ref().map(|token| MetadataValue::try_from(token.as_str()));
        if let Some(Ok(mut value)) = value {
            value.set_sensitive(true);
            request.metadata_mut().insert(HEADER, value);
        }
        request
    }
}

impl std::fmt::Debug for ServiceToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServiceToken")
    }
}
