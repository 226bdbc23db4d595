//! The rules of studies, sites, actors, delegations and participation. No clock, no I/O, no transport types.
//!
//! A command names the facts it [`Rule::needs`]; given them, it [`Rule::decide`]s which facts change, or refuses. A study
//! keeps the rules it was created under: what was recorded under the first is replayed by the first.

mod actor;
mod allocation;
mod approval;
mod delegation;
mod enrolment;
mod participant;
mod refusal;
mod representative;
mod screening;
mod site;
mod stage;
mod study;

pub use refusal::{Refusal, stage_name, state_name};
pub use stage::may_follow;

use seal::{dsse::Envelope, id::Name, key::PublicKey, moment, text::Hex};
use vocabulary::{
    authority::{Held, MAX_BYTES_OF_RIGHT, MAX_STEPS_OF_RIGHT, holds, steps_of, subjects},
    command::{Payload, Task},
    fact::{Fact, Facts},
    subject::{self, List, Subject},
};

/// The facts a command changes.
pub type Changes = Vec<(Subject, Fact)>;

/// The longest text in words, in bytes.
const MAX_WORDS: usize = 4_096;

/// The entry a command will become.
#[derive(Debug, Clone, Copy)]
pub struct Next {
    /// Its number in the enrollment journal.
    pub number: u64,
    /// When it is recorded, Unix milliseconds.
    pub time: u64,
}

/// Decides which facts change: whether the command is for this moment, then what its kind demands.
pub fn decide<P: Rule>(command: &P, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
    if facts.rules() >= Some(3) {
        moment::on_time(command, next.time)?;
    }
    command.decide(envelope, facts, next)
}

/// What a kind of command does.
pub trait Rule: Payload {
    /// The facts its decision needs; the study among them.
    fn needs(&self, envelope: &Envelope) -> Vec<Subject>;

    /// What its kind demands and changes; [`decide`] asks for it.
    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal>;
}

/// Checks that the study exists.
fn study_exists(facts: &Facts) -> Result<(), Refusal> {
    facts.rules().map(|_| ()).ok_or(Refusal::StudyUnknown)
}

/// Whether the study runs under its first rules.
fn first_rules(facts: &Facts) -> bool {
    facts.rules() == Some(1)
}

/// Checks that the study exists, under rules that have more than its first commands.
fn present_rules(facts: &Facts) -> Result<(), Refusal> {
    match facts.rules() {
        Some(1) => Err(Refusal::RulesOutdated),
        Some(_) => Ok(()),
        None => Err(Refusal::StudyUnknown),
    }
}

/// Whether the study runs under rules 3 or later.
fn third_rules(facts: &Facts) -> bool {
    facts.rules() >= Some(3)
}

/// Checks that a field which came with rules 3 is there under them, and only under them.
fn from_rules_3(facts: &Facts, given: bool) -> Result<(), Refusal> {
    if given && !third_rules(facts) { Err(Refusal::RulesOutdated) } else { Ok(()) }
}

/// SHA-256 of the envelope, as facts name the newest command about them from rules 3 on.
fn newest(facts: &Facts, envelope: &Envelope) -> Option<Hex> {
    third_rules(facts).then(|| envelope.hash().into())
}

/// Checks, from rules 3 on, that the signer of a command that gives a right saw the newest one about `subject`.
fn on_newest<P: Payload>(command: &P, facts: &Facts, subject: &Subject) -> Result<(), Refusal> {
    from_rules_3(facts, command.seen().is_some())?;
    if third_rules(facts) { Ok(moment::seen(command, facts.newest(subject))?) } else { Ok(()) }
}

/// Checks that who records a command late may; gives by which right, for a proof leads through it as well.
fn late<P: Payload>(command: &P, facts: &Facts, site: &Name, next: Next) -> Result<Option<Held>, Refusal> {
    from_rules_3(facts, command.late().is_some())?;
    let held = command.late().map(|_| holds(facts, command.by(), Task::RecordLate, site, next.time));
    Ok(held.transpose()?)
}

/// From rules 3 on: how many steps a proof of what these give takes at most, itself included. Refused beyond what a
/// bundle may hold: what is accepted can be proven.
fn provable<'a>(
    facts: &Facts,
    envelope: &Envelope,
    rights: impl IntoIterator<Item = (&'a PublicKey, &'a Held)>,
) -> Result<Option<u32>, Refusal> {
    if !third_rules(facts) {
        return Ok(None);
    }
    if envelope.size() > MAX_BYTES_OF_RIGHT {
        return Err(Refusal::EnvelopeTooLarge);
    }
    let steps = rights
        .into_iter()
        .fold(1_u32, |sum, (key, held)| sum.saturating_add(steps_of(facts, key)).saturating_add(held.steps));
    if steps > MAX_STEPS_OF_RIGHT { Err(Refusal::ProofTooLong) } else { Ok(Some(steps)) }
}

/// The facts a command needs whose signer holds `task` at `site`, and more.
fn needing<P: Payload>(
    command: &P,
    envelope: &Envelope,
    (task, site): (Task, &Name),
    more: impl IntoIterator<Item = Subject>,
) -> Vec<Subject> {
    let mut needs = subjects(command.by(), envelope.key_ids(), task, site);
    needs.push(subject::study());
    needs.extend(more);
    needs
}

/// A list that is one longer.
fn grown(facts: &Facts, list: &List) -> (Subject, Fact) {
    facts.one_more(subject::list(list))
}

fn must_be_new(facts: &Facts, subject: &Subject, what: &'static str) -> Result<(), Refusal> {
    if facts.find(subject).is_some() { Err(Refusal::NameTaken(what)) } else { Ok(()) }
}

fn must_exist(facts: &Facts, subject: &Subject, what: &'static str) -> Result<(), Refusal> {
    facts.find(subject).map(|_| ()).ok_or(Refusal::NotFound(what))
}

fn in_words(field: &'static str, text: &str) -> Result<(), Refusal> {
    if text.trim().is_empty() || text.len() > MAX_WORDS {
        return Err(Refusal::Malformed { field, what: "1 to 4,096 bytes of text" });
    }
    Ok(())
}
