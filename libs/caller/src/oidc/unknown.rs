//! No identity providers: the feature `oidc` is not built in.

use super::{Login, OidcError};
use crate::CredentialsError;
use std::{convert::Infallible, path::Path};

/// Identity providers, of which this program knows none.
pub struct Oidc(Infallible);

impl Oidc {
    /// Reads no file of providers.
    ///
    /// # Errors
    ///
    /// [`OidcError::NotBuiltIn`], always.
    pub fn open(_: &Path) -> Result<Self, OidcError> {
        Err(OidcError::NotBuiltIn)
    }

    pub(crate) fn verify(&self, _: &str, _: u64) -> Option<Result<Login, CredentialsError>> {
        match self.0 {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_without_identity_providers_says_which_feature_it_needs() {
        let error = Oidc::open(Path::new("oidc.toml")).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("`oidc`"), "{error}");
    }
}
