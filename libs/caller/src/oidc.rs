//! Actors known by an identity provider (OpenID Connect Core 1.0, JWT RFC 7519, JWK RFC 7517).
//!
//! A provider's token says that its bearer has an account there; the file of providers says which actor that is. It opens
//! reads, as that actor, in studies where the actor has a valid key. It signs nothing: commands stay signed by the key.

mod fetch;
mod keys;
mod provider;
mod written;

use crate::CredentialsError;
use provider::Provider;
use seal::id::{Name, Uuid};
use std::{
    fs,
    path::{Path, PathBuf},
};
use written::Written;

/// The largest file of providers, in bytes.
const MAX_FILE: usize = 1 << 20;

/// Why identity providers cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// A file cannot be read.
    #[error("{}: cannot be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file of providers is not TOML of the form documented, or too large.
    #[error("{}: not a file of identity providers", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: Option<toml::de::Error>,
    },
    /// A provider cannot be used as it is written.
    #[error("identity provider {issuer}: {what}")]
    Provider {
        /// The issuer.
        issuer: String,
        /// What is wrong.
        what: &'static str,
    },
    /// A key set is not one, or holds no key that can be used.
    #[error("not a JSON Web Key Set with a key that can be used")]
    Keys,
    /// A key set cannot be fetched.
    #[error("the key set cannot be fetched")]
    Fetch(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The authority of a provider's server cannot be used.
    #[error("the authority of the identity provider's server cannot be used")]
    Authority(#[from] tls::TlsError),
}

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
        let written: Written = toml::from_str(&text).map_err(|error| malformed(Some(error)))?;
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

/// Somebody whom a provider vouches for.
pub(crate) struct Login {
    actors: Actors,
    until_ms: u64,
}

/// Which actor an account is.
pub(crate) enum Actors {
    /// The same in every study.
    Everywhere(Name),
    /// By study.
    In(Vec<(Uuid, Name)>),
}

impl Login {
    /// The actor it is in `study`, while the token is valid.
    pub(crate) fn actor(&self, study: Uuid, now_ms: u64) -> Option<Name> {
        if now_ms >= self.until_ms {
            return None;
        }
        match &self.actors {
            Actors::Everywhere(name) => Some(name.clone()),
            Actors::In(studies) => studies.iter().find(|(known, _)| *known == study).map(|(_, name)| name.clone()),
        }
    }
}
