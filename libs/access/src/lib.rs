//! What an actor may do and read in a study, by the facts of its journals.
//!
//! What this crate is *not*: it does not find out who is calling (`caller`), nor whether such callers may call an RPC at all
//! (`permission`).

mod auditor;
mod log;
mod refusals;

pub use auditor::{Journal, admit_auditor, admit_service};
pub use log::{AccessDenied, AccessLog, Reading, signed_read};

use caller::{Caller, Claim, CredentialsError};
use facts::{FactError, FactSource};
use seal::id::{Name, Uuid};
use token::Token;
use vocabulary::{
    authority,
    command::Task,
    fact::{self, Fact},
    subject::{self, Subject},
};

/// Why a caller is not let in.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// No credentials, or bad ones.
    #[error("the caller's credentials are missing or not valid: {0}")]
    Credentials(#[from] CredentialsError),
    /// The actor holds no delegation that covers it.
    #[error("the caller has no delegation that covers this")]
    Authority(#[from] authority::Unauthorised),
    /// The actor may not know of the participant. Said alike of one there is not, and whatever they once held at the site.
    #[error("the caller has no delegation that covers this participant, or there is no such participant")]
    OfParticipant,
    /// The facts cannot be had now.
    #[error("the facts needed to decide cannot be read")]
    Facts(#[from] FactError),
}

impl Denied {
    /// As it is said where the caller named a participant and not the site: it names no site, and does not tell whether there
    /// is such a participant.
    #[must_use]
    pub fn of_participant(self) -> Self {
        if matches!(self, Self::Authority(_)) { Self::OfParticipant } else { self }
    }
}

/// The actor that `from` is in `study`: one with a valid key there, however they showed who they are.
pub async fn actor(from: &Caller, study: Uuid, facts: &dyn FactSource, now_ms: u64) -> Result<Name, Denied> {
    match from.claim(study, now_ms)? {
        Claim::Signed(token) => keyholder(token, study, facts).await,
        Claim::Vouched(name) => registered(name, study, facts).await,
    }
}

async fn keyholder(token: &Token, study: Uuid, facts: &dyn FactSource) -> Result<Name, Denied> {
    let key = subject::key(token.key);
    let (_, found) = facts.facts(study, std::slice::from_ref(&key)).await?;
    match found.find(&key) {
        Some(Fact::Key(fact::Key { actor, key, ended: None, .. })) if *actor == token.actor => {
            token.verify(key).map_err(CredentialsError::from)?;
            Ok(token.actor.clone())
        }
        _ => Err(CredentialsError::Key.into()),
    }
}

/// Who is known by other means than their key still needs one: revoking it shuts them out however they come. The study's
/// root is known by its key only: whoever is called so elsewhere is somebody else.
async fn registered(name: Name, study: Uuid, facts: &dyn FactSource) -> Result<Name, Denied> {
    if name.as_str() == Name::ROOT {
        return Err(CredentialsError::Key.into());
    }
    match facts.key_of(study, &name).await? {
        Some(_) => Ok(name),
        None => Err(CredentialsError::Key.into()),
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
    Err(denied.map_or(Denied::Credentials(CredentialsError::Key), Denied::Authority))
}
