//! One identity provider, and its tokens.

use super::{Actors, Login, OidcError, keys::Keys, written::Entry};
use crate::CredentialsError;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header, errors::ErrorKind};
use serde::Deserialize;
use std::path::Path;

/// A provider whose keys are followed.
pub(super) struct Provider {
    entry: Entry,
    keys: Keys,
}

impl Provider {
    pub(super) fn open(entry: Entry, folder: &Path) -> Result<Self, OidcError> {
        if let Some(what) = entry.fault() {
            return Err(OidcError::Provider { issuer: entry.issuer, what });
        }
        let keys = Keys::follow(&entry, folder)?;
        Ok(Self { entry, keys })
    }

    pub(super) fn issuer(&self) -> &str {
        &self.entry.issuer
    }

    pub(super) fn verify(&self, token: &str, now_ms: u64) -> Result<Login, CredentialsError> {
        let Header { alg, kid: Some(kid), crit: None, .. } =
            decode_header(token).map_err(|_| CredentialsError::Malformed)?
        else {
            return Err(CredentialsError::Malformed);
        };
        if !self.entry.algorithms.contains(&alg) {
            return Err(CredentialsError::Provider);
        }
        let key = self.keys.find(&kid, alg, now_ms).ok_or(CredentialsError::Provider)?;
        let claims =
            decode::<serde_json::Value>(token, &key, &self.validation(alg)).map_err(|error| refused(&error))?;
        // A list of issuers, of which one is this, is not an issuer (RFC 7519 section 4.1.1).
        if claims.claims.get("iss").and_then(|issuer| issuer.as_str()) != Some(self.issuer()) {
            return Err(CredentialsError::Provider);
        }
        let expires = claims.claims.get("exp").and_then(serde_json::Value::as_f64).unwrap_or_default();
        let account = claims.claims.get(&self.entry.claim).and_then(|account| account.as_str());
        let actors = self.actors(account.ok_or(CredentialsError::Elsewhere)?)?;
        let until = (expires as u64).saturating_add(self.entry.leeway_seconds);
        Ok(Login { actors, until_ms: until.saturating_mul(1_000) })
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[&self.entry.issuer]);
        validation.set_audience(&[&self.entry.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.leeway = self.entry.leeway_seconds;
        validation.validate_nbf = true;
        validation
    }

    /// Who an account is here. Where nothing is written down the account's name is the actor's.
    fn actors(&self, account: &str) -> Result<Actors, CredentialsError> {
        if let Some(studies) = &self.entry.studies {
            let known = studies.iter().filter_map(|(study, actors)| Some((*study, actors.get(account)?.clone())));
            return Ok(Actors::In(known.collect()));
        }
        let name = match &self.entry.actors {
            Some(actors) => actors.get(account).cloned(),
            None => account.parse().ok(),
        };
        name.map(Actors::Everywhere).ok_or(CredentialsError::Elsewhere)
    }
}

fn refused(error: &jsonwebtoken::errors::Error) -> CredentialsError {
    match error.kind() {
        ErrorKind::ExpiredSignature | ErrorKind::ImmatureSignature => CredentialsError::Time,
        ErrorKind::InvalidAudience => CredentialsError::Audience,
        ErrorKind::InvalidIssuer | ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm => {
            CredentialsError::Provider
        }
        _ => CredentialsError::Malformed,
    }
}

/// Who says to have issued a token: not verified, to know whose keys to verify it with.
pub(super) fn issuer(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Said {
        iss: String,
    }
    let claims = token.split('.').nth(1)?;
    let claims: Said = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    Some(claims.iss)
}
