//! The facts a decision rests on.

use super::Fact;
use crate::{
    fact,
    subject::{self, Subject},
};
use seal::{command::Relation, dsse::Envelope, id::Name};
use std::collections::HashMap;
use tlog::Hash;

/// Facts that were looked up for a decision. What was not looked up, or is not there, is absent: rules fail closed.
#[derive(Debug, Clone, Default)]
pub struct Facts(HashMap<Subject, Fact>);

impl Facts {
    /// The fact about `subject`.
    pub fn find(&self, subject: &Subject) -> Option<&Fact> {
        self.0.get(subject)
    }

    /// Adds or replaces a fact.
    pub fn set(&mut self, subject: Subject, fact: Fact) {
        self.0.insert(subject, fact);
    }

    /// Adds the facts of `other`.
    pub fn extend(&mut self, other: Facts) {
        self.0.extend(other.0);
    }

    /// The site of a participant who is enrolled and has not left.
    pub fn site_of_active(&self, participant: &Name) -> Option<&Name> {
        match self.find(&subject::participant(participant)) {
            Some(Fact::Participant(fact::Participant { site, withdrawn: None, .. })) => Some(site),
            _ => None,
        }
    }

    /// The site of a participant, whether or not they have left.
    pub fn site_of(&self, participant: &Name) -> Option<&Name> {
        match self.find(&subject::participant(participant)) {
            Some(Fact::Participant(fact::Participant { site, .. })) => Some(site),
            _ => None,
        }
    }

    /// Whether data are captured at a site.
    pub fn site_is_open(&self, site: &Name) -> bool {
        matches!(self.find(&subject::site(site)), Some(Fact::Site(fact::Site { open: true, .. })))
    }

    /// The rules the study runs under; nothing if there is no study.
    pub fn rules(&self) -> Option<u32> {
        match self.find(&subject::study()) {
            Some(Fact::Study { rules, .. }) => Some(rules.unwrap_or(1)),
            _ => None,
        }
    }

    /// Whether `actor` decides for a participant: as their representative or parent, and not merely as a witness.
    pub fn decides_for(&self, participant: &Name, actor: &Name) -> bool {
        let found = self.find(&subject::representative(participant, actor));
        let decides = [Relation::LegalRepresentative, Relation::Parent];
        matches!(found, Some(Fact::Representative(fact::Representative { relation, .. })) if decides.contains(relation))
    }

    /// The number under `subject`; 0 if there is none.
    pub fn count(&self, subject: &Subject) -> u64 {
        match self.find(subject) {
            Some(Fact::Count { count, .. }) => *count,
            _ => 0,
        }
    }

    /// One more under `subject`.
    pub fn one_more(&self, subject: Subject) -> (Subject, Fact) {
        let count = self.count(&subject).saturating_add(1);
        (subject, Fact::Count { count, newest: None })
    }

    /// One more under `subject`, and from rules 3 on by which command: what later ones are signed on.
    pub fn one_more_by(&self, subject: Subject, envelope: &Envelope) -> (Subject, Fact) {
        let count = self.count(&subject).saturating_add(1);
        let newest = (self.rules() >= Some(3)).then(|| envelope.hash().into());
        (subject, Fact::Count { count, newest })
    }

    /// SHA-256 of the envelope of the newest command about `subject`, if there is one.
    pub fn newest(&self, subject: &Subject) -> Option<Hash> {
        self.find(subject)?.newest()
    }
}

impl FromIterator<(Subject, Fact)> for Facts {
    fn from_iter<I: IntoIterator<Item = (Subject, Fact)>>(facts: I) -> Self {
        Self(facts.into_iter().collect())
    }
}
