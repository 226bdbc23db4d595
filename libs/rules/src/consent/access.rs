//! Who may read what a participant gave: grants, and every read from outside the site.

use super::{
    Changes, Next, Refusal, Rule, Standing, belongs, consents, each_once, malformed, on_newest, present_rules,
    signed_by_or_for,
};
use seal::{MAX_ACCESS_AGE_MS, MAX_ACCESS_AHEAD_MS, dsse::Envelope, id::Name};
use vocabulary::{
    authority::{Unauthorised, delegations, holds, signing_key},
    command::{AccessData, ActorKind, GrantAccess, RevokeAccess, Task},
    consent::decides_for,
    fact::{self, Fact, Facts},
    subject::{self, List, Subject},
};

impl Rule for GrantAccess {
    fn needs_enrollment(&self, envelope: &Envelope) -> Vec<Subject> {
        let mut needs = as_participant(&self.participant, &self.by, envelope);
        needs.push(subject::actor(&self.grantee));
        needs
    }

    fn needs(&self, _: &Facts) -> Vec<Subject> {
        grant_and_list(&self.participant, &self.grant)
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        present_rules(facts)?;
        signed_by_or_for(facts, envelope, (&self.by, &self.participant), next)?;
        belongs(facts, &self.participant, &self.site)?;
        on_newest(self, facts, &self.participant)?;
        let standing = Standing::find(facts, &self.participant);
        if facts.rules() >= Some(3) && !standing.provisions.values().any(|state| state.stands(next.time)) {
            return Err(Refusal::NothingInForce);
        }
        let readers = [ActorKind::Person, ActorKind::Organisation];
        match facts.find(&subject::actor(&self.grantee)) {
            Some(Fact::Actor(fact::Actor { kind, .. })) if readers.contains(kind) => {}
            _ => return Err(Refusal::GranteeUnknown),
        }
        each_once("categories", &self.categories)?;
        if self.from >= self.until || self.until <= next.time {
            return malformed("until", "must be later than `from`, and later than now");
        }
        if self.uses == Some(0) {
            return malformed("uses", "must be more than 0, or absent");
        }
        let subject = subject::grant(&self.participant, &self.grant);
        if facts.find(&subject).is_some() {
            return Err(Refusal::GrantExists);
        }
        let fact = Fact::Grant {
            grantee: self.grantee.clone(),
            categories: self.categories.clone(),
            purpose: self.purpose.clone(),
            from: self.from,
            until: self.until,
            uses: self.uses,
            used: 0,
            granted: next.number,
            revoked: None,
        };
        Ok(vec![(subject, fact), facts.one_more_by(consents(&self.participant), envelope)])
    }
}

impl Rule for RevokeAccess {
    fn needs_enrollment(&self, envelope: &Envelope) -> Vec<Subject> {
        as_participant(&self.participant, &self.by, envelope)
    }

    fn needs(&self, _: &Facts) -> Vec<Subject> {
        grant_and_list(&self.participant, &self.grant)
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        present_rules(facts)?;
        signed_by_or_for(facts, envelope, (&self.by, &self.participant), next)?;
        belongs(facts, &self.participant, &self.site)?;
        let subject = subject::grant(&self.participant, &self.grant);
        match facts.find(&subject).cloned() {
            Some(Fact::Grant { revoked: Some(_), .. }) => Err(Refusal::GrantEnded),
            Some(Fact::Grant { grantee, categories, purpose, from, until, uses, used, granted, revoked: None }) => {
                let revoked = Some(next.number);
                let fact = Fact::Grant { grantee, categories, purpose, from, until, uses, used, granted, revoked };
                Ok(vec![(subject, fact), facts.one_more_by(consents(&self.participant), envelope)])
            }
            _ => Err(Refusal::GrantUnknown),
        }
    }
}

impl Rule for AccessData {
    fn needs_enrollment(&self, envelope: &Envelope) -> Vec<Subject> {
        let mut needs: Vec<Subject> = envelope.key_ids().map(subject::key).collect();
        needs.extend(reader_needs(self));
        needs
    }

    fn needs(&self, _: &Facts) -> Vec<Subject> {
        let mut needs =
            vec![subject::consent(&self.participant), subject::list(&List::Accesses(self.participant.clone()))];
        needs.extend(self.grant.iter().map(|grant| subject::grant(&self.participant, grant)));
        needs
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        present_rules(facts)?;
        signing_key(facts, envelope, &self.by)?;
        if next.time > self.time.saturating_add(MAX_ACCESS_AGE_MS) {
            return Err(Refusal::AccessStale);
        }
        if facts.rules() >= Some(3) && self.time > next.time.saturating_add(MAX_ACCESS_AHEAD_MS) {
            return Err(Refusal::AccessAhead);
        }
        may_read(self, facts, next.time)?;
        let mut changes = vec![facts.one_more(subject::list(&List::Accesses(self.participant.clone())))];
        if let Some(grant) = &self.grant {
            let subject = subject::grant(&self.participant, grant);
            if let Some(mut fact) = facts.find(&subject).cloned() {
                if let Fact::Grant { used, .. } = &mut fact {
                    *used = used.saturating_add(1);
                }
                changes.push((subject, fact));
            }
        }
        Ok(changes)
    }
}

/// The longest repeat key of an item group, in bytes.
const MAX_REPEAT_BYTES: usize = 128;

/// The facts of the enrollment journal that decide whether somebody may read, besides the keys that signed.
pub fn reader_needs(access: &AccessData) -> Vec<Subject> {
    let mut needs = vec![
        subject::study(),
        subject::participant(&access.participant),
        subject::representative(&access.participant, &access.by),
    ];
    for task in [Task::Read, Task::Audit] {
        needs.extend(delegations(&access.by, task, &access.site));
    }
    needs
}

/// Whether the reader may read what they ask for at `time`: on a grant that covers it, with a task, or for the participant.
/// Whether there is such a participant is said to those only who might read of them.
pub fn may_read(access: &AccessData, facts: &Facts, time: u64) -> Result<(), Refusal> {
    let everybody = access.participant.as_str() == Name::ALL_SITES;
    if everybody && (access.site.as_str() != Name::ALL_SITES || access.grant.is_some()) {
        return malformed("site", "must be `*`, without a grant, if the participant is `*`");
    }
    if access.only.as_ref().is_some_and(|only| only.repeat.len() > MAX_REPEAT_BYTES) {
        return malformed("only.repeat", "at most 128 bytes");
    }
    match &access.grant {
        Some(grant) => granted(access, grant, facts, time)?,
        None if !everybody && decides_for(facts, &access.participant, &access.by, time) => {}
        None => {
            let tasks: &[Task] = if everybody { &[Task::Audit] } else { &[Task::Read, Task::Audit] };
            with_task(access, tasks, facts, time)?;
        }
    }
    if everybody { Ok(()) } else { belongs(facts, &access.participant, &access.site) }
}

fn with_task(access: &AccessData, tasks: &[Task], facts: &Facts, time: u64) -> Result<(), Refusal> {
    let mut refusal: Option<Unauthorised> = None;
    for task in tasks {
        match holds(facts, &access.by, *task, &access.site, time) {
            Ok(_) => return Ok(()),
            Err(error) => refusal = refusal.or(Some(error)),
        }
    }
    Err(refusal.map_or(Refusal::GrantUnknown, Refusal::from))
}

fn granted(access: &AccessData, grant: &Name, facts: &Facts, time: u64) -> Result<(), Refusal> {
    let Some(Fact::Grant { grantee, categories, purpose, from, until, uses, used, granted, revoked }) =
        facts.find(&subject::grant(&access.participant, grant))
    else {
        return Err(Refusal::GrantUnknown);
    };
    if *grantee != access.by {
        return Err(Refusal::GrantUnknown);
    }
    let Standing { provisions, emptied, .. } = Standing::find(facts, &access.participant);
    let withdrew_everything = provisions.values().all(|state| state.withdrawn.is_some())
        && provisions.values().any(|state| state.withdrawn > Some(*granted));
    if revoked.is_some() || withdrew_everything || emptied > Some(*granted) {
        return Err(Refusal::GrantEnded);
    }
    if !(*from..*until).contains(&time) {
        return Err(Refusal::GrantOutsidePeriod);
    }
    if uses.is_some_and(|uses| *used >= uses) {
        return Err(Refusal::GrantUsedUp);
    }
    each_once("categories", &access.categories)?;
    let covered = access.categories.iter().all(|category| categories.contains(category));
    if covered && access.purpose == *purpose { Ok(()) } else { Err(Refusal::GrantDoesNotCover) }
}

fn as_participant(participant: &Name, by: &Name, envelope: &Envelope) -> Vec<Subject> {
    let mut needs: Vec<Subject> = envelope.key_ids().map(subject::key).collect();
    needs.extend([subject::study(), subject::participant(participant), subject::representative(participant, by)]);
    needs
}

fn grant_and_list(participant: &Name, grant: &Name) -> Vec<Subject> {
    vec![subject::grant(participant, grant), consents(participant), subject::consent(participant)]
}
