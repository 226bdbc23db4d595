//! The delegation log.

use super::{Changes, Next, Refusal, Rule, approval::check_day, first_rules, grown, study_exists};
use seal::{
    authority::{delegations, holds, signing_key, subjects},
    command::{ActorKind, Delegate, EndDelegation},
    dsse::Envelope,
    fact::{Fact, Facts, List, Subject},
    id::Name,
};

impl Rule for Delegate {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let mut needs = subjects(&self.by, envelope.key_ids(), self.task, &self.site);
        needs.extend([Subject::Study, Subject::Actor(self.actor.clone()), Subject::Site(self.site.clone())]);
        needs.push(Subject::List(List::Delegations));
        needs
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        study_exists(facts)?;
        signing_key(facts, envelope, &self.by)?;
        let (starts, ends) = holds(facts, &self.by, self.task, &self.site, next.time)?;
        if self.by == self.actor {
            return Err(Refusal::Malformed {
                field: "actor",
                what: "a delegation to oneself would survive being ended",
            });
        }
        if self.from >= self.until {
            return Err(Refusal::Malformed { field: "until", what: "a delegation ends after it begins" });
        }
        if self.from < starts || self.until > ends {
            return Err(Refusal::DelegationExceedsOwn);
        }
        match facts.find(&Subject::Actor(self.actor.clone())) {
            Some(Fact::Actor { kind: ActorKind::Participant | ActorKind::Representative, .. }) | None => {
                return Err(Refusal::NotFound("actor"));
            }
            _ => {}
        }
        let everywhere = self.site.as_str() == Name::ALL_SITES;
        if !everywhere && facts.find(&Subject::Site(self.site.clone())).is_none() {
            return Err(Refusal::NotFound("site"));
        }
        let fact = Fact::Delegation { granted: next.number, from: self.from, until: self.until, ended: None };
        let change = (Subject::Delegation(self.actor.clone(), self.task, self.site.clone()), fact);
        if first_rules(facts) {
            return Ok(vec![change]);
        }
        if let Some(training) = &self.training {
            check_day("training.completed", &training.completed, next)?;
        }
        Ok(vec![change, grown(facts, List::Delegations)])
    }
}

impl Rule for EndDelegation {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let mut needs = subjects(&self.by, envelope.key_ids(), self.task, &self.site);
        needs.extend([Subject::Study, Subject::List(List::Delegations)]);
        needs.extend(delegations(&self.actor, self.task, &self.site));
        needs
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        study_exists(facts)?;
        signing_key(facts, envelope, &self.by)?;
        if self.by != self.actor {
            holds(facts, &self.by, self.task, &self.site, next.time)?;
        }
        let subject = Subject::Delegation(self.actor.clone(), self.task, self.site.clone());
        match facts.find(&subject) {
            Some(Fact::Delegation { ended: Some(_), .. }) => Err(Refusal::AlreadyEnded("delegation")),
            Some(Fact::Delegation { granted, from, until, ended: None }) => {
                let ended = Some(next.number);
                let fact = Fact::Delegation { granted: *granted, from: *from, until: *until, ended };
                let list = (!first_rules(facts)).then(|| grown(facts, List::Delegations));
                Ok([Some((subject, fact)), list].into_iter().flatten().collect())
            }
            _ => Err(Refusal::NotFound("delegation")),
        }
    }
}
