//! Actors known by an identity provider (OpenID Connect Core 1.0, JWT RFC 7519, JWK RFC 7517).
//!
//! A provider's token says that its bearer has an account there; the file of providers says which actor that is. It opens
//! reads, as that actor, in studies where the actor has a valid key. It signs nothing: commands stay signed by the key.

#[cfg(feature = "oidc")]
mod fetch;
#[cfg(feature = "oidc")]
mod keys;
#[cfg(feature = "oidc")]
mod provider;
#[cfg(feature = "oidc")]
mod providers;
#[cfg(not(feature = "oidc"))]
mod unknown;
#[cfg(feature = "oidc")]
mod written;

#[cfg(feature = "oidc")]
pub use providers::Oidc;
use seal::id::{Name, Uuid};
use std::path::PathBuf;
#[cfg(not(feature = "oidc"))]
pub use unknown::Oidc;

/// Why identity providers cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// This program knows no identity providers.
    #[error("identity providers need a program built with the feature `oidc`: `cargo build --features oidc`")]
    NotBuiltIn,
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
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
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

/// Somebody whom a provider vouches for.
pub(crate) struct Login {
    actors: Actors,
    until_ms: u64,
}

/// Which actor an account is.
#[cfg_attr(not(feature = "oidc"), expect(dead_code, reason = "nobody is vouched for without providers"))]
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
