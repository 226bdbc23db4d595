//! Who may do what: one rule, used by the services when they accept, by auditors when they replay and by the verifier.

use crate::{
    command::{ActorKind, Task},
    fact::{self, Fact, Facts, Period},
    subject::{self, Subject},
};
use seal::{
    dsse::Envelope,
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
    /// Something that a person must do was signed by no person.
    #[error("{0} is not registered as a person")]
    NotAPerson(Name),
    /// Two who must act independently of each other do not.
    #[error("{0} and {1} must be two persons, neither of whom holds the task from the other")]
    NotIndependent(Name, Name),
}

/// The facts that decide whether `actor`, with one of `keys`, may do `task` at `site`.
pub fn subjects(actor: &Name, keys: impl Iterator<Item = KeyId>, task: Task, site: &Name) -> Vec<Subject> {
    let mut subjects: Vec<Subject> = keys.map(subject::key).collect();
    subjects.extend(delegations(actor, task, site));
    subjects
}

/// The delegations that would cover `task` at `site`, the narrower first.
pub fn delegations(actor: &Name, task: Task, site: &Name) -> Vec<Subject> {
    let mut sites = vec![site.clone()];
    if site.as_str() != Name::ALL_SITES {
        sites.push(Name::all_sites());
    }
    sites.into_iter().map(|site| subject::delegation(actor, task.name(), &site)).collect()
}

/// The valid key of `actor` that signed `envelope`. That a key has ended is said only to who signed with it.
pub fn signing_key(facts: &Facts, envelope: &Envelope, actor: &Name) -> Result<PublicKey, Unauthorised> {
    let mut refusal = Unauthorised::UnknownKey(actor.clone());
    for id in envelope.key_ids() {
        match facts.find(&subject::key(id)) {
            Some(Fact::Key(fact::Key { actor: owner, key, ended: Some(_), .. }))
                if owner == actor && envelope.verify(key).is_ok() =>
            {
                refusal = Unauthorised::KeyEnded(actor.clone());
            }
            Some(Fact::Key(fact::Key { actor: owner, key, ended: None, .. })) if owner == actor => {
                return envelope.verify(key).map(|()| *key).map_err(|_| Unauthorised::BadSignature(actor.clone()));
            }
            _ => {}
        }
    }
    Err(refusal)
}

/// A delegation that counts at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Held {
    /// From when, Unix milliseconds, inclusive.
    pub from: u64,
    /// Until when, Unix milliseconds, exclusive.
    pub until: u64,
    /// From whom it is held, the root first. Empty before rules 3, and for the root.
    pub line: Vec<Name>,
    /// How many registrations, rotations and delegations a proof of it takes at most. 0 before rules 3.
    pub steps: u32,
}

impl Held {
    /// What the root holds: everything, for ever, from nobody.
    fn root() -> Self {
        Self { from: 0, until: u64::MAX, line: Vec::new(), steps: 0 }
    }
}

impl From<&Period> for Held {
    fn from(period: &Period) -> Self {
        let Period { from, until, line, steps, .. } = period;
        Self { from: *from, until: *until, line: line.clone(), steps: *steps }
    }
}

/// Whether `actor` holds `task` at `site` at `time` (Unix milliseconds). The root actor holds everything. Returns the
/// delegation that counts.
pub fn holds(facts: &Facts, actor: &Name, task: Task, site: &Name, time: u64) -> Result<Held, Unauthorised> {
    if actor.as_str() == Name::ROOT {
        return Ok(Held::root());
    }
    let mut refusal = Unauthorised::NoDelegation { actor: actor.clone(), task, site: site.clone() };
    for subject in delegations(actor, task, site) {
        let Some(fact) = facts.find(&subject) else { continue };
        let periods = fact.periods();
        if let Some(period) = periods.iter().find(|period| period.covers(time)) {
            return Ok(period.into());
        }
        let would_cover = |period: &Period| (period.from..period.until).contains(&time);
        let outside = periods.iter().any(|period| period.ended.is_none()) && !periods.iter().any(would_cover);
        if outside {
            refusal = Unauthorised::OutsidePeriod { actor: actor.clone(), task };
        } else if !periods.is_empty() {
            refusal = Unauthorised::DelegationEnded { actor: actor.clone(), task };
        }
    }
    Err(refusal)
}

/// The delegation of `task` at `site` that `actor` holds for the whole of `from..until` (Unix milliseconds), if one alone
/// covers it.
pub fn holds_throughout(
    facts: &Facts,
    actor: &Name,
    task: Task,
    site: &Name,
    (from, until): (u64, u64),
) -> Option<Held> {
    if actor.as_str() == Name::ROOT {
        return Some(Held::root());
    }
    let covers = |period: &&Period| period.ended.is_none() && period.from <= from && until <= period.until;
    delegations(actor, task, site).iter().find_map(|subject| {
        let periods = facts.find(subject)?.periods();
        periods.iter().find(covers).map(Held::from)
    })
}

/// The facts that say what `persons` are.
pub fn kinds<'a>(persons: impl IntoIterator<Item = &'a Name>) -> Vec<Subject> {
    persons.into_iter().map(subject::actor).collect()
}

/// Checks that `actor` is a person, and no device or system that anybody may have at hand.
pub fn is_person(facts: &Facts, actor: &Name) -> Result<(), Unauthorised> {
    match facts.find(&subject::actor(actor)) {
        Some(Fact::Actor(fact::Actor { kind: ActorKind::Person, .. })) => Ok(()),
        _ => Err(Unauthorised::NotAPerson(actor.clone())),
    }
}

/// Checks that two who each signed and hold a task are two persons, neither of whom holds it from the other. That no key
/// counts for both follows from keys being registered for one actor.
pub fn two_persons(
    facts: &Facts,
    (one, held): (&Name, &Held),
    (other, theirs): (&Name, &Held),
) -> Result<(), Unauthorised> {
    is_person(facts, one)?;
    is_person(facts, other)?;
    if one == other || held.line.contains(other) || theirs.line.contains(one) {
        return Err(Unauthorised::NotIndependent(one.clone(), other.clone()));
    }
    Ok(())
}

/// How many registrations, rotations and delegations a proof of `key` takes at most; 0 before rules 3.
pub fn steps_of(facts: &Facts, key: &PublicKey) -> u32 {
    match facts.find(&subject::key(key.id())) {
        Some(Fact::Key(fact::Key { steps, .. })) => steps.unwrap_or(0),
        _ => 0,
    }
}

/// Tasks of a site's own staff. Who merely reads there, such as a monitor, is not of the site.
pub const SITE_STAFF: [Task; 3] = [Task::Capture, Task::Enrol, Task::ObtainConsent];

/// Whether `actor` holds `task` at exactly `site`, not merely at every site, at `time` (Unix milliseconds): whether they
/// are of the site.
pub fn is_of_site(facts: &Facts, actor: &Name, task: Task, site: &Name, time: u64) -> bool {
    let subject = subject::delegation(actor, task.name(), site);
    facts.find(&subject).is_some_and(|fact| fact.periods().iter().any(|period| period.covers(time)))
}

/// Whether `actor` signed `envelope` with a valid key and holds `task` at `site` at `time`: the key, and the delegation that
/// counts.
pub fn authorise(
    facts: &Facts,
    envelope: &Envelope,
    actor: &Name,
    task: Task,
    site: &Name,
    time: u64,
) -> Result<(PublicKey, Held), Unauthorised> {
    let key = signing_key(facts, envelope, actor)?;
    Ok((key, holds(facts, actor, task, site, time)?))
}

/// The most registrations, rotations and delegations that a proof of one right may take, from rules 3 on: so every bundle
/// stays within what a verifier accepts.
pub const MAX_STEPS_OF_RIGHT: u32 = 30;
/// The largest envelope of a command that proofs of rights lead through, and the largest fact of a delegation, in bytes.
pub const MAX_BYTES_OF_RIGHT: usize = 3_072;
