//! The file of identity providers.

use super::{
    Login, OidcError,
    provider::{self, Provider},
    written::Written,
};
use crate::CredentialsError;
use std::{fs, path::Path};

/// The largest file of providers, in bytes.
const MAX_FILE: usize = 1 << 20;

/// The identity providers accepted.
pub struct Oidc(Vec<Provider>);

impl Oidc {
    /// Reads the file of providers, and begins to follow their keys. Needs a tokio runtime.
    pub fn open(file: &Path) -> Result<Self, OidcError> {
        let failed = |source| OidcError::File { path: file.to_owned(), source };
        let malformed = |source| OidcError::Malformed { path: file.to_owned(), source };
        let size = fs::metadata(file).map_err(failed)?.len();
        if size > MAX_FILE as u64 {
            return Err(malformed(None));
        }
        let text = fs::read_to_string(file).map_err(failed)?;
        let written: Written = toml::from_str(&text).map_err(|error| malformed(Some(error.into())))?;
        let folder = file.parent().unwrap_or(Path::new("."));
        let mut providers: Vec<Provider> = Vec::with_capacity(written.provider.len());
        for provider in written.provider {
            if providers.iter().any(|known| known.issuer() == provider.issuer) {
                return Err(OidcError::Provider { issuer: provider.issuer, what: "is there twice" });
            }
            providers.push(Provider::open(provider, folder)?);
        }
        if providers.is_empty() { Err(malformed(None)) } else { Ok(Self(providers)) }
    }

    /// Checks a token; nothing if it names no issuer, and so is not a provider's at all.
    pub(crate) fn verify(&self, token: &str, now_ms: u64) -> Option<Result<Login, CredentialsError>> {
        let issuer = provider::issuer(token)?;
        let known = self.0.iter().find(|provider| provider.issuer() == issuer);
        Some(known.ok_or(CredentialsError::Provider).and_then(|provider| provider.verify(token, now_ms)))
    }
}
