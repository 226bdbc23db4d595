//! Those who act or attest for a participant.

use super::{
    Changes, Next, Refusal, Rule, enrolment::Participation, enrolment::participation, from_rules_3, grown, must_be_new,
    needing, present_rules, provable, third_rules,
};
use seal::{dsse::Envelope, id::is_representative, key::PublicKey, text::is_in_words};
use vocabulary::{
    authority::{Held, authorise, delegations, holds, kinds, signing_key, two_persons},
    command::{ActorKind, EndRepresentation, RegisterRepresentative, Task},
    fact::{self, Fact, Facts},
    subject::{self, List, Subject},
};

/// The longest somebody is registered for, in milliseconds: a childhood.
const MAX_TERM_MS: u64 = 22 * 366 * 86_400_000;

impl Rule for RegisterRepresentative {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let more = [subject::actor(&self.actor), subject::key(self.key.id())];
        let mut more: Vec<Subject> = participation(&self.participant).into_iter().chain(more).collect();
        if let Some(second) = &self.second {
            more.extend(delegations(second, Task::ObtainConsent, &self.site));
            more.extend(kinds([&self.by, second]));
        }
        needing(self, envelope, (Task::Enrol, &self.site), more)
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        present_rules(facts)?;
        let (signed, held) = authorise(facts, envelope, &self.by, Task::Enrol, &self.site, next.time)?;
        Participation::find(facts, &self.participant, &self.site)?;
        if !is_representative(&self.actor) {
            let what = "not `R-` and 16 random characters of A-Z and 2-7";
            return Err(Refusal::Malformed { field: "actor", what });
        }
        let second = second(self, (envelope, facts), &held, next)?;
        let (actor, key) = (subject::actor(&self.actor), subject::key(self.key.id()));
        envelope.verify(&self.key)?; // first: whether a key is registered is said to who holds it
        must_be_new(facts, &actor, "actor")?;
        must_be_new(facts, &key, "key")?;
        let rights = [(&signed, &held)].into_iter().chain(second.iter().map(|(key, held)| (key, held)));
        let steps = provable(facts, envelope, rights)?;
        let registered = next.number;
        Ok(vec![
            (actor, Fact::Actor(fact::Actor { kind: ActorKind::Representative, registered, site: None })),
            (key, Fact::Key(fact::Key { actor: self.actor.clone(), key: self.key, registered, ended: None, steps })),
            (
                subject::representative(&self.participant, &self.actor),
                Fact::Representative(fact::Representative { relation: self.relation, registered, until: self.until }),
            ),
            grown(facts, &List::Participant(self.participant.clone())),
        ])
    }
}

impl Rule for EndRepresentation {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let own = subject::representative(&self.participant, &self.actor);
        let more = participation(&self.participant).into_iter().chain([own]);
        needing(self, envelope, (Task::Enrol, &self.site), more)
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        present_rules(facts)?;
        signing_key(facts, envelope, &self.by)?;
        if self.by != self.actor && self.by != self.participant {
            holds(facts, &self.by, Task::Enrol, &self.site, next.time)?;
        }
        if !is_in_words(self.reason.as_str()) {
            return Err(Refusal::Malformed { field: "reason", what: "a reason in words" });
        }
        // One answer, whatever there is not: who acts for nobody here learns nothing of participants.
        let nobody = Refusal::NotFound("representative");
        Participation::find(facts, &self.participant, &self.site).map_err(|_| nobody.clone())?;
        let subject = subject::representative(&self.participant, &self.actor);
        match facts.find(&subject) {
            Some(Fact::Representative(fact::Representative { relation, registered, .. })) => {
                let (relation, registered, ended) = (*relation, *registered, next.number);
                let fact = Fact::FormerRepresentative { relation, registered, ended };
                Ok(vec![(subject, fact), grown(facts, &List::Participant(self.participant.clone()))])
            }
            Some(Fact::FormerRepresentative { .. }) => Err(Refusal::AlreadyEnded("representation")),
            _ => Err(nobody),
        }
    }
}

/// From rules 3 on: checks that a second person signed, on what grounds and until when; gives by which right.
fn second(
    register: &RegisterRepresentative,
    (envelope, facts): (&Envelope, &Facts),
    held: &Held,
    next: Next,
) -> Result<Option<(PublicKey, Held)>, Refusal> {
    let RegisterRepresentative { by, site, second, grounds, until, .. } = register;
    if !third_rules(facts) {
        from_rules_3(facts, second.is_some() || grounds.is_some() || until.is_some())?;
        return Ok(None);
    }
    let missing = |field, what| Refusal::Malformed { field, what };
    let second = second.as_ref().ok_or(missing("second", "a second person of the site signs"))?;
    grounds.as_ref().ok_or(missing("grounds", "on what grounds they act, such as a court's order"))?;
    let until = until.ok_or(missing("until", "until when they act"))?;
    if until <= next.time || until > next.time.saturating_add(MAX_TERM_MS) {
        return Err(missing("until", "later than now, and at most 22 years"));
    }
    let (key, theirs) = authorise(facts, envelope, second, Task::ObtainConsent, site, next.time)?;
    two_persons(facts, (by, held), (second, &theirs))?;
    Ok(Some((key, theirs)))
}
