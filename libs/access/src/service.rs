//! How the services of a deployment that is one process know each other.

use subtle::ConstantTimeEq;
use tonic::{Request, codegen::http::HeaderMap, metadata::MetadataValue};
use zeroize::Zeroizing;

const HEADER: &str = "x-trialseal-service";

/// The secret shared by the services of a deployment. It counts only where a connection came without TLS from this machine.
#[derive(Clone)]
pub struct ServiceToken(Zeroizing<String>);

impl ServiceToken {
    /// The token from 32 bytes of secret.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(Zeroizing::new(hex::encode(secret)))
    }

    /// Whether a call carries the token; nothing if it carries none at all.
    pub(crate) fn admits(&self, headers: &HeaderMap) -> Option<bool> {
        headers.get(HEADER).map(|found| found.as_bytes().ct_eq(self.0.as_bytes()).into())
    }

    /// Adds the token to a call.
    pub fn attach<T>(&self, mut request: Request<T>) -> Request<T> {
        if let Ok(mut value) = MetadataValue::try_from(self.0.as_str()) {
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
