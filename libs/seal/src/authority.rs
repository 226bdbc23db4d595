//! Who may do what: one rule, used by the services when they accept, by auditors when they replay and by the verifier.

use crate::{
    command::Task,
    dsse::Envelope,
    fact::{Fact, Facts, Subject},
    id::Name,
    key::{KeyId, PublicKey},
};

/// Why a signer may not do what they signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unauthorised {
    /// No signature by a key that is registered for the actor who claims to sign.
    #[error("no signature by a key registered for {0}")]
    UnknownKey(Name),
    /// The key was revoked or replaced.
    #[error("the key of {0} was revoked or replaced")]
    KeyEnded(Name),
    /// The signature does not verify.
    #[error("the signature of {0} does not verify")]
    BadSignature(Name),
    /// The actor was never given the task at that site.
    #[error("{actor} holds no delegation of {task} at site {site}")]
    NoDelegation {
        /// The actor.
        actor: Name,
        /// The task.
        task: Task,
        /// The site.
        site: Name,
    },
    /// The delegation was ended early.
    #[error("the delegation of {task} to {actor} was ended")]
    DelegationEnded {
        /// The actor.
        actor: Name,
        /// The task.
        task: Task,
    },
    /// The delegation is not yet, or no longer, in its period.
    #[error("the delegation of {task} to {actor} does not cover this time")]
    OutsidePeriod {
        /// The actor.
        actor: Name,
        /// The task.
        task: Task,
    },
}

/// The facts that decide whether `actor`, with one of `keys`, may do `task` at `site`.
pub fn subjects(actor: &Name, keys: impl Iterator<Item = KeyId>, task: Task, site: &Name) -> Vec<Subject> {
    let mut subjects: Vec<Subject> = keys.map(Subject::Key).collect();
    subjects.extend(delegations(actor, task, site));
    subjects
}

/// The delegations that would cover `task` at `site`, the narrower first.
pub fn delegations(actor: &Name, task: Task, site: &Name) -> Vec<Subject> {
    let mut sites = vec![site.clone()];
    if site.as_str() != Name::ALL_SITES {
        sites.push(Name::all_sites());
    }
    sites.into_iter().map(|site| Subject::Delegation(actor.clone(), task, site)).collect()
}

/// The valid key of `actor` that signed `envelope`.
pub fn signing_key(facts: &Facts, envelope: &Envelope, actor: &Name) -> Result<PublicKey, Unauthorised> {
    let mut refusal = Unauthorised::UnknownKey(actor.clone());
    for id in envelope.key_ids() {
        match facts.find(&Subject::Key(id)) {
            Some(Fact::Key { actor: owner, ended: Some(_), .. }) if owner == actor => {
                refusal = Unauthorised::KeyEnded(actor.clone());
            }
            Some(Fact::Key { actor: owner, key, ended: None, .. }) if owner == actor => {
                return envelope.verify(key).map(|()| *key).map_err(|_| Unauthorised::BadSignature(actor.clone()));
            }
            _ => {}
        }
    }
    Err(refusal)
}

/// Whether `actor` holds `task` at `site` at `time` (Unix milliseconds). The root actor holds everything. Returns the
/// period that is covered.
pub fn holds(facts: &Facts, actor: &Name, task: Task, site: &Name, time: u64) -> Result<(u64, u64), Unauthorised> {
    if actor.as_str() == Name::ROOT {
        return Ok((0, u64::MAX));
    }
    let mut refusal = Unauthorised::NoDelegation { actor: actor.clone(), task, site: site.clone() };
    for subject in delegations(actor, task, site) {
        match facts.find(&subject) {
            Some(Fact::Delegation { ended: Some(_), .. }) => {
                refusal = Unauthorised::DelegationEnded { actor: actor.clone(), task };
            }
            Some(Fact::Delegation { from, until, .. }) if (*from..*until).contains(&time) => {
                return Ok((*from, *until));
            }
            Some(Fact::Delegation { .. }) => refusal = Unauthorised::OutsidePeriod { actor: actor.clone(), task },
            _ => {}
        }
    }
    Err(refusal)
}

/// Tasks of a site's own staff. Who merely reads there, such as a monitor, is not of the site.
pub const SITE_STAFF: [Task; 3] = [Task::Capture, Task::Enrol, Task::ObtainConsent];

/// Whether `actor` holds `task` at exactly `site`, not merely at every site, at `time` (Unix milliseconds): whether they
/// are of the site.
pub fn is_of_site(facts: &Facts, actor: &Name, task: Task, site: &Name, time: u64) -> bool {
    let subject = Subject::Delegation(actor.clone(), task, site.clone());
    match facts.find(&subject) {
        Some(Fact::Delegation { from, until, ended: None, .. }) => (*from..*until).contains(&time),
        _ => false,
    }
}

/// Whether `actor` signed `envelope` with a valid key and holds `task` at `site` at `time`.
pub fn authorise(
    facts: &Facts,
    envelope: &Envelope,
    actor: &Name,
    task: Task,
    site: &Name,
    time: u64,
) -> Result<PublicKey, Unauthorised> {
    let key = signing_key(facts, envelope, actor)?;
    holds(facts, actor, task, site, time)?;
    Ok(key)
}
