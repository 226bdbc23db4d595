//! How identity providers are written down.

use jsonwebtoken::Algorithm;
use seal::id::{Name, Uuid};
use serde::Deserialize;
use std::collections::HashMap;

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
    pub(super) audience: String,
    /// Where its keys are: a URL, or a file beside this one.
    pub(super) jwks: String,
    /// The authority of an `https` URL in PEM; the system's unless given.
    pub(super) ca: Option<String>,
    /// The algorithms accepted.
    #[serde(default = "algorithms")]
    pub(super) algorithms: Vec<Algorithm>,
    /// The claim that names the account.
    #[serde(default = "subject")]
    pub(super) claim: String,
    #[serde(default = "leeway")]
    pub(super) leeway_seconds: u64,
    /// Accounts and the actors they are, in every study.
    pub(super) actors: Option<HashMap<String, Name>>,
    /// The same, by study; in no other study is anybody known.
    pub(super) studies: Option<HashMap<Uuid, HashMap<String, Name>>>,
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

impl Entry {
    /// What is wrong with it, if anything is.
    pub(super) fn fault(&self) -> Option<&'static str> {
        let unsafe_algorithm = self.algorithms.iter().any(|known| !ACCEPTABLE.contains(known));
        let faults = [
            (
                self.issuer.is_empty() || self.audience.is_empty() || self.claim.is_empty(),
                "issuer, audience and claim must not be empty",
            ),
            (
                self.algorithms.is_empty() || unsafe_algorithm,
                "algorithms must be some of EdDSA, ES256, ES384, PS256, PS384, PS512, RS256, RS384, RS512",
            ),
            (self.leeway_seconds > MAX_LEEWAY, "leeway_seconds is at most 300"),
            (self.actors.is_some() && self.studies.is_some(), "actors and studies exclude each other"),
        ];
        faults.into_iter().find(|(is_so, _)| *is_so).map(|(_, what)| what)
    }
}
