//! The delegation log.

use super::{
    Changes, Next, Refusal, Rule, approval::check_day, first_rules, from_rules_3, grown, on_newest, provable,
    study_exists, third_rules,
};
use seal::{dsse::Envelope, id::Name, key::PublicKey};
use vocabulary::{
    authority::{Held, MAX_BYTES_OF_RIGHT, delegations, holds, holds_throughout, signing_key, subjects},
    command::{ActorKind, Delegate, EndDelegation, Task},
    fact::{self, Fact, Facts, Period},
    subject::{self, List, Subject},
};

impl Rule for Delegate {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let more = [subject::study(), subject::actor(&self.actor), subject::site(&self.site)];
        let Some(task) = Task::named(&self.task) else { return more.into() };
        let mut needs = subjects(&self.by, envelope.key_ids(), task, &self.site);
        needs.extend(more);
        needs.push(subject::delegation(&self.actor, task.name(), &self.site));
        needs.push(subject::list(&List::Delegations));
        needs
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        study_exists(facts)?;
        let task = Task::named(&self.task).ok_or(Refusal::Malformed { field: "task", what: "the name of a task" })?;
        let key = signing_key(facts, envelope, &self.by)?;
        let held = holds(facts, &self.by, task, &self.site, next.time)?;
        if self.by == self.actor {
            return Err(Refusal::Malformed {
                field: "actor",
                what: "a delegation to oneself would survive being ended",
            });
        }
        if self.from >= self.until {
            return Err(Refusal::Malformed { field: "until", what: "must be later than `from`" });
        }
        if third_rules(facts) && self.until <= next.time {
            return Err(Refusal::Malformed { field: "until", what: "must be later than now" });
        }
        let throughout = held_throughout(self, task, facts, &held).ok_or(Refusal::DelegationExceedsOwn)?;
        match facts.find(&subject::actor(&self.actor)) {
            Some(Fact::Actor(fact::Actor { kind: ActorKind::Participant | ActorKind::Representative, .. })) | None => {
                return Err(Refusal::NotFound("actor"));
            }
            _ => {}
        }
        let everywhere = self.site.as_str() == Name::ALL_SITES;
        if !everywhere && facts.find(&subject::site(&self.site)).is_none() {
            return Err(Refusal::NotFound("site"));
        }
        let subject = subject::delegation(&self.actor, task.name(), &self.site);
        on_newest(self, facts, &subject)?;
        let fact = if third_rules(facts) {
            add(self, (envelope, facts), &[(&key, &held), (&key, &throughout)], next)?
        } else {
            Fact::Delegation(fact::Delegation { granted: next.number, from: self.from, until: self.until, ended: None })
        };
        let change = (subject, fact);
        if first_rules(facts) {
            return Ok(vec![change]);
        }
        if let Some(training) = &self.training {
            check_day("training.completed", &training.completed, next)?;
        }
        Ok(vec![change, grown(facts, &List::Delegations)])
    }
}

/// How many bytes a fact of delegations grows when one of them is ended: a number in place of `null`.
const BYTES_TO_END: usize = 16;

/// What a delegator holds for the whole period they delegate: what they hold now, or from rules 3 on another period of
/// theirs.
fn held_throughout(delegate: &Delegate, task: Task, facts: &Facts, now: &Held) -> Option<Held> {
    let Delegate { by, site, from, until, .. } = delegate;
    if now.from <= *from && *until <= now.until {
        return Some(now.clone());
    }
    third_rules(facts).then(|| holds_throughout(facts, by, task, site, (*from, *until))).flatten()
}

/// The periods with one more. Those that ended or are over are left out: the log keeps them, and nothing rests on them any
/// more.
fn add(
    delegate: &Delegate,
    (envelope, facts): (&Envelope, &Facts),
    rights: &[(&PublicKey, &Held); 2],
    next: Next,
) -> Result<Fact, Refusal> {
    let [now, (_, throughout)] = rights;
    let beyond = (throughout != &now.1).then_some(rights[1]);
    let steps = provable(facts, envelope, [*now].into_iter().chain(beyond))?.unwrap_or(0);
    let mut line = throughout.line.clone();
    line.push(delegate.by.clone());
    let subject = subject::delegation(&delegate.actor, delegate.task.as_str(), &delegate.site);
    let mut periods = periods(facts, &subject);
    periods.retain(|period| period.ended.is_none() && period.until > next.time);
    periods.push(Period {
        granted: next.number,
        from: delegate.from,
        until: delegate.until,
        ended: None,
        line,
        steps,
        after: facts.newest(&subject).map(Into::into),
    });
    let fact = Fact::Delegations(fact::Delegations { periods, newest: envelope.hash().into() });
    if fact.to_bytes().len().saturating_add(BYTES_TO_END) > MAX_BYTES_OF_RIGHT {
        Err(Refusal::TooManyDelegations)
    } else {
        Ok(fact)
    }
}

fn periods(facts: &Facts, subject: &Subject) -> Vec<Period> {
    facts.find(subject).map(|fact| fact.periods().into_owned()).unwrap_or_default()
}

impl Rule for EndDelegation {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let mut needs = subjects(&self.by, envelope.key_ids(), self.task, &self.site);
        needs.extend([subject::study(), subject::list(&List::Delegations)]);
        needs.extend(delegations(&self.actor, self.task, &self.site));
        needs
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        study_exists(facts)?;
        signing_key(facts, envelope, &self.by)?;
        if self.by != self.actor {
            holds(facts, &self.by, self.task, &self.site, next.time)?;
        }
        from_rules_3(facts, self.delegation.is_some())?;
        let subject = subject::delegation(&self.actor, self.task.name(), &self.site);
        if third_rules(facts) {
            let fact = end(periods(facts, &subject), self.delegation, (envelope, next))?;
            return Ok(vec![(subject, fact), grown(facts, &List::Delegations)]);
        }
        match facts.find(&subject) {
            Some(Fact::Delegation(fact::Delegation { ended: Some(_), .. })) => Err(Refusal::AlreadyEnded("delegation")),
            Some(Fact::Delegation(fact::Delegation { granted, from, until, ended: None })) => {
                let ended = Some(next.number);
                let fact = Fact::Delegation(fact::Delegation { granted: *granted, from: *from, until: *until, ended });
                let list = (!first_rules(facts)).then(|| grown(facts, &List::Delegations));
                Ok([Some((subject, fact)), list].into_iter().flatten().collect())
            }
            _ => Err(Refusal::NotFound("delegation")),
        }
    }
}

/// The periods of which one, granted in entry `which`, has ended; the others stay, but for those that had ended before.
fn end(mut periods: Vec<Period>, which: Option<u64>, (envelope, next): (&Envelope, Next)) -> Result<Fact, Refusal> {
    let which = which.ok_or(Refusal::Malformed { field: "delegation", what: "the entry that granted it" })?;
    match periods.iter_mut().find(|period| period.granted == which) {
        Some(Period { ended: Some(_), .. }) => return Err(Refusal::AlreadyEnded("delegation")),
        Some(period) => period.ended = Some(next.number),
        None => return Err(Refusal::NotFound("delegation")),
    }
    periods.retain(|period| period.ended.is_none() || period.granted == which);
    Ok(Fact::Delegations(fact::Delegations { periods, newest: envelope.hash().into() }))
}
