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

use seal::{
    authority::subjects,
    command::{Payload, RULES, Task},
    dsse::Envelope,
    fact::{Fact, Facts, List, Subject},
    id::Name,
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

/// What a kind of command does.
pub trait Rule: Payload {
    /// The facts its decision needs.
    fn needs(&self, envelope: &Envelope) -> Vec<Subject>;

    /// Decides which facts change.
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

/// Checks that the study exists and has the commands of the present rules.
fn present_rules(facts: &Facts) -> Result<(), Refusal> {
    match facts.rules() {
        Some(RULES) => Ok(()),
        Some(_) => Err(Refusal::RulesOutdated),
        None => Err(Refusal::StudyUnknown),
    }
}

/// The facts a command needs whose signer holds `task` at `site`, and more.
fn needing<P: Payload>(
    command: &P,
    envelope: &Envelope,
    (task, site): (Task, &Name),
    more: impl IntoIterator<Item = Subject>,
) -> Vec<Subject> {
    let mut needs = subjects(command.by(), envelope.key_ids(), task, site);
    needs.push(Subject::Study);
    needs.extend(more);
    needs
}

/// A list that is one longer.
fn grown(facts: &Facts, list: List) -> (Subject, Fact) {
    facts.one_more(Subject::List(list))
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
