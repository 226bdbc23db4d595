//! Withdrawing consent, in part or whole.

use super::{Changes, Next, Refusal, Rule, belongs, each_once, given, malformed, represents, rules, signed_by_or_for};
use seal::{
    authority::{authorise, subjects},
    command::{Provision, Relation, Task, WithdrawConsent, WithdrawalScope},
    consent::NotInForce,
    dsse::Envelope,
    fact::{Fact, Facts, Given, List, Subject},
};
use std::collections::BTreeMap;

impl Rule for WithdrawConsent {
    fn needs_enrollment(&self, envelope: &Envelope) -> Vec<Subject> {
        let mut needs = subjects(&self.by, envelope.key_ids(), Task::ObtainConsent, &self.site);
        needs.extend([
            Subject::Study,
            Subject::Participant(self.participant.clone()),
            Subject::Representative(self.participant.clone(), self.by.clone()),
        ]);
        needs
    }

    fn needs(&self) -> Vec<Subject> {
        vec![Subject::Consent(self.participant.clone()), Subject::List(List::Consents(self.participant.clone()))]
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        let rules = rules(facts)?;
        let decides = [Relation::LegalRepresentative, Relation::Parent];
        if self.by == self.participant || represents(facts, &self.participant, &self.by, &decides) {
            signed_by_or_for(facts, envelope, &self.by, &self.participant)?;
        } else {
            authorise(facts, envelope, &self.by, Task::ObtainConsent, &self.site, next.time)?;
        }
        belongs(facts, &self.participant, &self.site)?;
        let mut changes = Vec::new();
        if rules == 1 {
            if self.scope.is_some() || self.collected.is_some() {
                return Err(Refusal::RulesOutdated);
            }
        } else {
            if self.collected.is_none() {
                return malformed("collected", "required: what happens to what was collected");
            }
            changes.push(facts.one_more(Subject::List(List::Consents(self.participant.clone()))));
        }
        let mut provisions = given(facts, &self.participant);
        for provision in withdrawn(self, &provisions)? {
            if let Some(state) = provisions.get_mut(&provision) {
                state.withdrawn = Some(next.number);
                state.refused = rules > 1 && self.by == self.participant;
            }
        }
        changes.push((Subject::Consent(self.participant.clone()), Fact::Consent { provisions }));
        Ok(changes)
    }
}

/// The provisions that are withdrawn; at least one.
fn withdrawn(command: &WithdrawConsent, given: &BTreeMap<Provision, Given>) -> Result<Vec<Provision>, Refusal> {
    let scope = command.scope.unwrap_or(WithdrawalScope::Listed);
    if scope == WithdrawalScope::Listed {
        each_once("provisions", &command.provisions)?;
        for provision in &command.provisions {
            match given.get(provision) {
                None => return Err(NotInForce::Missing.into()),
                Some(Given { withdrawn: Some(_), .. }) => return Err(NotInForce::Withdrawn.into()),
                Some(_) => {}
            }
        }
        return Ok(command.provisions.clone());
    }
    if !command.provisions.is_empty() {
        return malformed("provisions", "empty where the scope says what is withdrawn");
    }
    let within = |(provision, state): &(&Provision, &Given)| match scope {
        WithdrawalScope::FurtherCollection => provision.collects(),
        WithdrawalScope::Optional => !state.mandatory,
        WithdrawalScope::Everything | WithdrawalScope::Listed => true,
    };
    let standing = given.iter().filter(|(_, state)| state.withdrawn.is_none());
    let found: Vec<Provision> = standing.filter(within).map(|(provision, _)| provision.clone()).collect();
    if found.is_empty() { Err(NotInForce::Missing.into()) } else { Ok(found) }
}
