//! Replaying the enrollment and consent journals through the services' own rules.

use seal::{dsse::Envelope, entry::Entry, id::Uuid, map::Memory};
use std::collections::HashMap;
use vocabulary::{
    command::{self as cmd, Payload},
    fact::{Fact, Facts, salt, value_hash},
    subject::Subject,
};

/// A journal's state after every entry replayed so far.
#[derive(Default)]
pub(super) struct State {
    map: Memory,
    versions: HashMap<Subject, Vec<(u64, Fact)>>,
    /// When each entry was recorded, by number.
    times: Vec<u64>,
    hashes: Vec<seal::Hash>,
    /// The first entry after which the state is not known: it could not be read, or replayed.
    unknown_from: Option<u64>,
}

impl State {
    /// The fact about `subject` after entry `number`.
    pub(super) fn at(&self, subject: &Subject, number: u64) -> Option<&Fact> {
        let versions = self.versions.get(subject)?;
        let later = versions.partition_point(|(set, _)| *set <= number);
        versions[..later].last().map(|(_, fact)| fact)
    }

    /// The subjects there ever was a fact about.
    pub(super) fn subjects(&self) -> impl Iterator<Item = &Subject> {
        self.versions.keys()
    }

    /// The facts about `subjects` after entry `number`.
    pub(super) fn facts(&self, subjects: &[Subject], number: u64) -> Facts {
        subjects.iter().filter_map(|subject| Some((subject.clone(), self.at(subject, number)?.clone()))).collect()
    }

    /// The hash of entry `number`.
    pub(super) fn hash(&self, number: u64) -> Option<seal::Hash> {
        self.hashes.get(usize::try_from(number).ok()?).copied()
    }

    /// When entry `number` was recorded.
    pub(super) fn time(&self, number: u64) -> Option<u64> {
        self.times.get(usize::try_from(number).ok()?).copied()
    }

    /// The newest entry that set a fact about `subject`.
    pub(super) fn newest(&self, subject: &Subject) -> Option<u64> {
        self.versions.get(subject)?.last().map(|(number, _)| *number)
    }

    /// How many milliseconds before `time` the state after entry `number` was superseded; 0 if it was not.
    pub(super) fn age(&self, number: u64, time: u64) -> u64 {
        let next = usize::try_from(number).ok().and_then(|number| self.times.get(number + 1));
        next.map_or(0, |superseded| time.saturating_sub(*superseded))
    }

    /// Whether the state after entry `number` is known.
    pub(super) fn is_known(&self, number: u64) -> bool {
        self.unknown_from.is_none_or(|from| number < from)
    }

    /// Takes in that the state is not known from entry `number` on.
    pub(super) fn lose(&mut self, number: u64) {
        self.unknown_from.get_or_insert(number);
    }

    /// Takes an entry in whose changes are not known; those missing before it have no time and no hash.
    pub(super) fn pass_over(&mut self, entry: &Entry, hash: seal::Hash) {
        let place = usize::try_from(entry.number)
            .unwrap_or(usize::MAX)
            .min(self.times.len().saturating_add(super::study::MOST_MISSING));
        self.times.resize(place.max(self.times.len()), entry.time);
        self.hashes.resize(self.times.len(), seal::Hash::ZERO);
        self.times.push(entry.time);
        self.hashes.push(hash);
    }

    /// Takes an entry in, and says whether its state root is what the changes make it.
    pub(super) fn apply(
        &mut self,
        study: Uuid,
        entry: &Entry,
        hash: seal::Hash,
        changes: Vec<(Subject, Fact)>,
    ) -> bool {
        for (subject, fact) in changes {
            let key = subject.map_key(study);
            self.map.set(&key, &value_hash(&salt(&entry.nonce, &key), &fact.to_bytes()));
            self.versions.entry(subject).or_default().push((entry.number, fact));
        }
        self.times.push(entry.time);
        self.hashes.push(hash);
        entry.state_root == Some(self.map.root())
    }

    /// The present facts about `subjects`.
    pub(super) fn now(&self, subjects: &[Subject]) -> Facts {
        self.facts(subjects, u64::MAX)
    }
}

/// Decides an entry's command by the rule of its kind.
macro_rules! replay {
    (
        plain { $($plain:ident $_p:ident($_pq:ident) -> $_pr:ident: [$($_pt:ident),*] $_ps:literal;)* }
        checked { $($checked:ident $_c:ident($_cq:ident) -> $_cr:ident: [$($_ct:ident),*] $_cs:literal;)* }
        attached { $($attached:ident $_a:ident($_aq:ident) -> $_ar:ident: [$($_at:ident),*] $_as:literal;)* }
        $entry:ident $arguments:tt
    ) => {
        match $entry.kind.as_str() {
            $(cmd::$plain::KIND => decide::<cmd::$plain> $arguments,)*
            $(cmd::$checked::KIND => decide::<cmd::$checked> $arguments,)*
            $(cmd::$attached::KIND => decide::<cmd::$attached> $arguments,)*
            _ => Err("an unknown kind of command".to_owned()),
        }
    };
}

/// What an enrollment command changes, by the enrollment service's rules; or why it should have been refused.
pub(super) fn enrollment(state: &State, entry: &Entry, envelope: &Envelope) -> Result<Vec<(Subject, Fact)>, String> {
    use rules::enrollment::{Next, Rule};
    fn decide<P: Rule>(state: &State, entry: &Entry, envelope: &Envelope) -> Result<Vec<(Subject, Fact)>, String> {
        let command: P = envelope.payload().map_err(|error| error.to_string())?;
        let facts = state.now(&command.needs(envelope));
        let next = Next { number: entry.number, time: entry.time };
        rules::enrollment::decide(&command, envelope, &facts, next).map_err(|refusal| refusal.to_string())
    }
    vocabulary::enrollment_commands!(replay entry (state, entry, envelope))
}

/// What a consent command changes, by the consent service's rules, given the enrollment state after entry `basis`.
pub(super) fn consent(
    state: &State,
    enrollment: &State,
    basis: u64,
    entry: &Entry,
    envelope: &Envelope,
) -> Result<Vec<(Subject, Fact)>, String> {
    use rules::consent::{Next, Rule};
    fn decide<P: Rule>(
        (state, enrollment): (&State, &State),
        basis: u64,
        entry: &Entry,
        envelope: &Envelope,
    ) -> Result<Vec<(Subject, Fact)>, String> {
        let command: P = envelope.payload().map_err(|error| error.to_string())?;
        let mut facts = enrollment.facts(&command.needs_enrollment(envelope), basis);
        facts.extend(state.now(&command.needs(&facts)));
        let next = Next { number: entry.number, time: entry.time };
        rules::consent::decide(&command, envelope, &facts, next).map_err(|refusal| refusal.to_string())
    }
    let states = (state, enrollment);
    vocabulary::consent_commands!(replay entry (states, basis, entry, envelope))
}
