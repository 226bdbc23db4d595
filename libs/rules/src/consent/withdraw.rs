//! Withdrawing consent, in part or whole.

use super::{Changes, Next, Refusal, Rule, Standing, belongs, consents, each_once, malformed, rules};
use seal::dsse::Envelope;
use std::collections::BTreeMap;
use vocabulary::{
    authority::{authorise, signing_key, subjects},
    command::{Provision, Task, WithdrawConsent, WithdrawalScope},
    consent::{NotInForce, decides_for},
    fact::{Facts, Given},
    subject::{self, Subject},
};

impl Rule for WithdrawConsent {
    fn needs_enrollment(&self, envelope: &Envelope) -> Vec<Subject> {
        let mut needs = subjects(&self.by, envelope.key_ids(), Task::ObtainConsent, &self.site);
        needs.extend([
            subject::study(),
            subject::participant(&self.participant),
            subject::representative(&self.participant, &self.by),
        ]);
        needs
    }

    fn needs(&self, _: &Facts) -> Vec<Subject> {
        vec![subject::consent(&self.participant), consents(&self.participant)]
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        let rules = rules(facts)?;
        if self.by == self.participant || decides_for(facts, &self.participant, &self.by, next.time) {
            signing_key(facts, envelope, &self.by)?;
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
                return malformed("collected", "required: what happens to data already collected");
            }
            changes.push(facts.one_more_by(consents(&self.participant), envelope));
        }
        if rules < 3 && self.late.is_some() {
            return Err(Refusal::RulesOutdated);
        }
        let mut standing = Standing::find(facts, &self.participant);
        let own = self.by == self.participant;
        for provision in withdrawn(self, &standing.provisions, own && rules >= 3)? {
            if let Some(state) = standing.provisions.get_mut(&provision) {
                in_order(self, state)?;
                state.withdrawn = state.withdrawn.or(Some(next.number));
                state.refused = rules > 1 && own;
            }
        }
        if rules >= 3 && !standing.provisions.values().any(|state| state.stands(next.time)) {
            standing.emptied = Some(next.number);
        }
        changes.push(standing.fact(&self.participant));
        Ok(changes)
    }
}

/// Checks that a consent was not signed after its withdrawal; who says why has it recorded all the same, for a withdrawal is
/// never lost for a clock.
fn in_order(command: &WithdrawConsent, state: &Given) -> Result<(), Refusal> {
    let before = state.signed.is_some_and(|signed| command.time < signed);
    if before && command.late.is_none() { Err(Refusal::OutOfOrder("the consent it withdraws")) } else { Ok(()) }
}

/// The provisions that are withdrawn; at least one. Where `refusing`, a participant may refuse with their own key what
/// somebody else withdrew before: nobody then gives it for them.
fn withdrawn(
    command: &WithdrawConsent,
    given: &BTreeMap<Provision, Given>,
    refusing: bool,
) -> Result<Vec<Provision>, Refusal> {
    let may = |state: &Given| state.withdrawn.is_none() || (refusing && !state.refused);
    let scope = command.scope.unwrap_or(WithdrawalScope::Listed);
    if scope == WithdrawalScope::Listed {
        each_once("provisions", &command.provisions)?;
        for provision in &command.provisions {
            match given.get(provision) {
                None => return Err(NotInForce::Missing.into()),
                Some(state) if !may(state) => return Err(NotInForce::Withdrawn.into()),
                Some(_) => {}
            }
        }
        return Ok(command.provisions.clone());
    }
    if !command.provisions.is_empty() {
        return malformed("provisions", "must be empty, because the scope says what is withdrawn");
    }
    let within = |(provision, state): &(&Provision, &Given)| match scope {
        WithdrawalScope::FurtherCollection => provision.collects(),
        WithdrawalScope::Optional => !state.mandatory,
        WithdrawalScope::Everything | WithdrawalScope::Listed => true,
    };
    let standing = given.iter().filter(|(_, state)| may(state));
    let found: Vec<Provision> = standing.filter(within).map(|(provision, _)| provision.clone()).collect();
    if found.is_empty() { Err(NotInForce::Missing.into()) } else { Ok(found) }
}
