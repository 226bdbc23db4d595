//! Who is calling, and where the facts come from that decide what they may do.
//!
//! An actor proves a registered key with a short-lived JWT (RFC 7519) signed with EdDSA (RFC 8037), the only algorithm
//! accepted. The deployment's own services present a secret they share.

mod consents;
mod facts;
mod log;
mod service;
mod token;

pub use consents::{Consents, Decided};
pub use facts::{FactError, FactSource, RemoteFacts};
pub use log::{ACCESS_HEADER, AccessDenied, AccessLog};
pub use service::ServiceToken;
pub use token::{MAX_TOKEN_SECONDS, Token, TokenError, issue};

use seal::{
    authority,
    command::Task,
    fact::{Fact, Subject},
    id::{Name, Uuid},
};
use tonic::metadata::MetadataMap;

/// Why a caller is not let in.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// No token, or a bad one.
    #[error("the caller's token is missing or not valid: {0}")]
    Credentials(#[from] TokenError),
    /// The actor holds no delegation that covers it.
    #[error("the caller holds no delegation that covers this")]
    Authority(#[from] authority::Unauthorised),
    /// The facts cannot be had now.
    #[error("the facts needed to decide cannot be read")]
    Facts(#[from] FactError),
}

/// The actor behind the token in `metadata`, with a valid key in `study`.
pub async fn actor(metadata: &MetadataMap, study: Uuid, facts: &dyn FactSource, now_ms: u64) -> Result<Name, Denied> {
    let token = Token::parse(metadata, study, now_ms)?;
    let key = Subject::Key(token.key);
    let (_, found) = facts.facts(study, std::slice::from_ref(&key)).await?;
    match found.find(&key) {
        Some(Fact::Key { actor, key, ended: None, .. }) if *actor == token.actor => {
            token.verify(key)?;
            Ok(token.actor)
        }
        _ => Err(Denied::Credentials(TokenError::Key)),
    }
}

/// Checks that `actor` holds one of `tasks` at `site` now.
pub async fn holds_any(
    actor: &Name,
    study: Uuid,
    tasks: &[Task],
    site: &Name,
    facts: &dyn FactSource,
    now_ms: u64,
) -> Result<(), Denied> {
    let subjects: Vec<Subject> = tasks.iter().flat_map(|task| authority::delegations(actor, *task, site)).collect();
    let (_, found) = facts.facts(study, &subjects).await?;
    let mut denied = None;
    for task in tasks {
        match authority::holds(&found, actor, *task, site, now_ms) {
            Ok(_) => return Ok(()),
            Err(error) => denied = denied.or(Some(error)),
        }
    }
    Err(denied.map_or(Denied::Credentials(TokenError::Key), Denied::Authority))
}
