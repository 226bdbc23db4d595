//! Eligibility: criteria, and the decision about one participant.

use super::{
    Changes, Next, Refusal, Rule,
    enrolment::{Participation, participation},
    grown, in_words, must_be_new, must_exist, needing, present_rules,
};
use seal::{dsse::Envelope, id::Name};
use std::collections::BTreeSet;
use vocabulary::{
    authority::{authorise, delegations, holds},
    command::{DefineCriteria, RecordScreening, Stage, Task},
    eligibility::{Criterion, CriterionOutcome, MAX_CRITERIA, eligible},
    fact::{Fact, Facts},
    subject::{self, List, Subject},
};

/// The most items that screening asks for.
const MAX_ITEMS: usize = 500;

impl Rule for DefineCriteria {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let more = [subject::protocol(&self.protocol), subject::criteria(&self.version), subject::list(&List::Study)];
        needing(self, envelope, (Task::ManageStudy, &Name::all_sites()), more)
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        present_rules(facts)?;
        authorise(facts, envelope, &self.by, Task::ManageStudy, &Name::all_sites(), next.time)?;
        must_exist(facts, &subject::protocol(&self.protocol), "protocol version")?;
        let subject = subject::criteria(&self.version);
        must_be_new(facts, &subject, "criteria version")?;
        check_lists(self)?;
        let fact = Fact::Criteria {
            protocol: self.protocol.clone(),
            items: self.items.clone(),
            criteria: self.criteria.clone(),
            defined: next.number,
        };
        let in_force = Fact::CriteriaInForce { version: self.version.clone() };
        Ok(vec![(subject, fact), (subject::criteria_in_force(), in_force), grown(facts, &List::Study)])
    }
}

/// What can be checked of criteria without reading their expressions.
fn check_lists(DefineCriteria { items, criteria, .. }: &DefineCriteria) -> Result<(), Refusal> {
    let malformed = |field, what| Err(Refusal::Malformed { field, what });
    if criteria.is_empty() || criteria.len() > MAX_CRITERIA {
        return malformed("criteria", "1 to 200 criteria");
    }
    if items.len() > MAX_ITEMS {
        return malformed("items", "at most 500 items");
    }
    if !unique(criteria.iter().map(|criterion| &criterion.criterion)) {
        return malformed("criteria", "a criterion is named twice");
    }
    if !unique(items.iter().map(|item| &item.item)) {
        return malformed("items", "an item is named twice");
    }
    Ok(())
}

fn unique<'a>(mut names: impl Iterator<Item = &'a Name>) -> bool {
    let mut seen = BTreeSet::new();
    names.all(|name| seen.insert(name))
}

impl Rule for RecordScreening {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let mut more = vec![subject::criteria_in_force(), subject::criteria(&self.criteria)];
        more.extend(participation(&self.participant));
        more.extend(delegations(&self.by, Task::OverrideEligibility, &self.site));
        needing(self, envelope, (Task::Enrol, &self.site), more)
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        present_rules(facts)?;
        authorise(facts, envelope, &self.by, Task::Enrol, &self.site, next.time)?;
        let found = Participation::find(facts, &self.participant, &self.site)?;
        if found.stage != Stage::Screened {
            return found.cannot(Stage::Eligible);
        }
        let fulfilled = fulfilled(criteria_in_force(facts, &self.criteria)?, &self.outcomes)?;
        if let Some(reason) = &self.overridden {
            if fulfilled {
                return Err(Refusal::EligibilityNotOverridable);
            }
            in_words("overridden", reason)?;
            holds(facts, &self.by, Task::OverrideEligibility, &self.site, next.time)?;
        }
        let overridden = self.overridden.is_some();
        let stage = if fulfilled || overridden { Stage::Eligible } else { Stage::ScreenFailed };
        let fact = Fact::Screening {
            criteria: self.criteria.clone(),
            answers: self.root,
            eligible: fulfilled,
            overridden,
            decided: next.number,
        };
        let mut changes = found.enter(facts, stage, next);
        changes.push((subject::screening(&self.participant), fact));
        Ok(changes)
    }
}

/// The criteria in force, if they are of this version.
fn criteria_in_force<'a>(facts: &'a Facts, version: &Name) -> Result<&'a [Criterion], Refusal> {
    let in_force = match facts.find(&subject::criteria_in_force()) {
        Some(Fact::CriteriaInForce { version }) => Some(version),
        _ => None,
    };
    match facts.find(&subject::criteria(version)) {
        Some(Fact::Criteria { criteria, .. }) if in_force == Some(version) => Ok(criteria),
        _ => Err(Refusal::CriteriaOutdated(in_force.cloned())),
    }
}

/// Whether the signed outcomes fulfil the criteria.
fn fulfilled(criteria: &[Criterion], outcomes: &[CriterionOutcome]) -> Result<bool, Refusal> {
    let stated = outcomes.iter().map(|outcome| &outcome.criterion);
    if !stated.eq(criteria.iter().map(|criterion| &criterion.criterion)) {
        let what = "the criteria of the version, each once and in its order";
        return Err(Refusal::Malformed { field: "outcomes", what });
    }
    Ok(eligible(criteria, outcomes))
}
