//! The rules of studies, sites, actors, delegations and participation. No clock, no I/O, no transport types.
//!
//! A command names the facts it [`Rule::needs`]; given them, it [`Rule::decide`]s which facts change, or refuses.

mod actor;
mod participant;
mod study;

use seal::{
    authority::Unauthorised,
    command::Payload,
    dsse::{Envelope, EnvelopeError},
    fact::{Fact, Facts, Subject},
};

/// The facts a command changes.
pub type Changes = Vec<(Subject, Fact)>;

/// The entry a command will become.
#[derive(Debug, Clone, Copy)]
pub struct Next {
    /// Its number in the enrollment journal.
    pub number: u64,
    /// When it is recorded, Unix milliseconds.
    pub time: u64,
}

/// Why a command is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The signer may not do this.
    #[error(transparent)]
    Unauthorised(#[from] Unauthorised),
    /// A second signature that is needed is missing or wrong.
    #[error(transparent)]
    Signature(#[from] EnvelopeError),
    /// The study does not exist.
    #[error("the study does not exist: create it first")]
    StudyUnknown,
    /// The study exists already.
    #[error("the study exists already")]
    StudyExists,
    /// A name is taken.
    #[error("this {0} exists already")]
    NameTaken(&'static str),
    /// Something named does not exist.
    #[error("this {0} does not exist")]
    NotFound(&'static str),
    /// The site is closed.
    #[error("the site is not open: activate it first")]
    SiteNotOpen,
    /// The site is in that state already.
    #[error("the site is in that state already")]
    SiteStateUnchanged,
    /// It has ended already.
    #[error("this {0} has ended already")]
    AlreadyEnded(&'static str),
    /// More is delegated than is held.
    #[error("a task can only be delegated within the period the delegator holds it")]
    DelegationExceedsOwn,
    /// A field has a value it may not have.
    #[error("{field}: {what}")]
    Malformed {
        /// The field.
        field: &'static str,
        /// What is wrong.
        what: &'static str,
    },
}

/// What a kind of command does.
pub trait Rule: Payload {
    /// The facts its decision needs.
    fn needs(&self, envelope: &Envelope) -> Vec<Subject>;

    /// Decides which facts change.
    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal>;
}

/// Checks that the study exists.
fn study_exists(facts: &Facts) -> Result<(), Refusal> {
    facts.find(&Subject::Study).map(|_| ()).ok_or(Refusal::StudyUnknown)
}

fn must_be_new(facts: &Facts, subject: &Subject, what: &'static str) -> Result<(), Refusal> {
    if facts.find(subject).is_some() { Err(Refusal::NameTaken(what)) } else { Ok(()) }
}
