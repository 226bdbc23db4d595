//! One identity provider: how it is written down, and its tokens.

use super::{Actors, Login, OidcError, keys::Keys};
use crate::CredentialsError;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header, errors::ErrorKind};
use seal::id::{Name, Uuid};
use serde::Deserialize;
use std::{collections::HashMap, path::Path};

/// How far a provider's clock may differ, in seconds, unless its entry says otherwise.
const LEEWAY: u64 = 30;
const MAX_LEEWAY: u64 = 300;
/// Signatures by a private key only: with a shared secret, who checks could also sign.
const ACCEPTABLE: [Algorithm; 9] = [
    Algorithm::EdDSA,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
];

/// The file of providers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    pub(super) provider: Vec<Entry>,
}

/// A provider as it is written down.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// The tokens' `iss`, exactly.
    pub(super) issuer: String,
    /// What `aud` must hold.
    audience: String,
    /// Where its keys are: a URL, or a file beside this one.
    pub(super) jwks: String,
    /// The authority of an `https` URL in PEM; the system's unless given.
    pub(super) ca: Option<String>,
    /// The algorithms accepted.
    #[serde(default = "algorithms")]
    algorithms: Vec<Algorithm>,
    /// The claim that names the account.
    #[serde(default = "subject")]
    claim: String,
    #[serde(default = "leeway")]
    leeway_seconds: u64,
    /// Accounts and the actors they are, in every study.
    actors: Option<HashMap<String, Name>>,
    /// The same, by study; in no other study is anybody known.
    studies: Option<HashMap<Uuid, HashMap<String, Name>>>,
}

fn algorithms() -> Vec<Algorithm> {
    vec![Algorithm::EdDSA, Algorithm::ES256, Algorithm::PS256, Algorithm::RS256]
}

fn subject() -> String {
    "sub".to_owned()
}

fn leeway() -> u64 {
    LEEWAY
}

/// A provider whose keys are followed.
pub(super) struct Provider {
    entry: Entry,
    keys: Keys,
}

impl Provider {
    pub(super) fn open(entry: Entry, folder: &Path) -> Result<Self, OidcError> {
        if let Some(what) = wrong(&entry) {
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

fn wrong(entry: &Entry) -> Option<&'static str> {
    match entry {
        _ if entry.issuer.is_empty() || entry.audience.is_empty() || entry.claim.is_empty() => {
            Some("issuer, audience and claim must not be empty")
        }
        _ if entry.algorithms.is_empty() || !entry.algorithms.iter().all(|known| ACCEPTABLE.contains(known)) => {
            Some("algorithms must be some of EdDSA, ES256, ES384, PS256, PS384, PS512, RS256, RS384, RS512")
        }
        _ if entry.leeway_seconds > MAX_LEEWAY => Some("leeway_seconds is at most 300"),
        _ if entry.actors.is_some() && entry.studies.is_some() => Some("actors and studies exclude each other"),
        _ => None,
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
