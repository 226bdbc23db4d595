//! Actors and their keys.

use super::{
    Changes, Next, Refusal, Rule, first_rules, from_rules_3, must_be_new, must_exist, provable, study_exists,
    third_rules,
};
use seal::{
    dsse::Envelope,
    id::{Name, is_pseudonym, is_representative},
    key::KeyId,
};
use vocabulary::{
    authority::{Held, authorise, delegations, holds, is_person, kinds, signing_key, subjects},
    command::{ActorKind, Confirmation, RegisterActor, RevokeKey, RotateKey, Task},
    fact::{self, Fact, Facts},
    subject::{self, Subject},
};

impl Rule for RegisterActor {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let mut needs = subjects(&self.by, envelope.key_ids(), Task::RegisterActors, &Name::all_sites());
        needs.extend([subject::study(), subject::actor(&self.actor), subject::key(self.key.id())]);
        needs.extend(self.site.as_ref().map(subject::site));
        needs
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        study_exists(facts)?;
        let (signed, held) = authorise(facts, envelope, &self.by, Task::RegisterActors, &Name::all_sites(), next.time)?;
        if matches!(self.kind, ActorKind::Participant | ActorKind::Representative) {
            let what = "participants and representatives are registered by commands of their own";
            return Err(Refusal::Malformed { field: "kind", what });
        }
        let representative = is_representative(&self.actor) && !first_rules(facts);
        if is_pseudonym(&self.actor) || representative || self.actor.as_str() == Name::ALL_SITES {
            return Err(Refusal::Malformed { field: "actor", what: "has the form of a pseudonym, or is `*`" });
        }
        self.check_site(facts)?;
        let actor = subject::actor(&self.actor);
        let key = subject::key(self.key.id());
        must_be_new(facts, &actor, "actor")?;
        must_be_new(facts, &key, "key")?;
        envelope.verify(&self.key)?;
        let steps = provable(facts, envelope, [(&signed, &held)])?;
        let registered = next.number;
        Ok(vec![
            (actor, Fact::Actor(fact::Actor { kind: self.kind, registered, site: self.site.clone() })),
            (key, Fact::Key(fact::Key { actor: self.actor.clone(), key: self.key, registered, ended: None, steps })),
        ])
    }
}

/// The site of devices.
trait OfSite {
    /// Checks, from rules 3 on, that a device belongs to a site, and nobody else does.
    fn check_site(&self, facts: &Facts) -> Result<(), Refusal>;
}

impl OfSite for RegisterActor {
    fn check_site(&self, facts: &Facts) -> Result<(), Refusal> {
        from_rules_3(facts, self.site.is_some())?;
        match (&self.site, self.kind == ActorKind::Device && third_rules(facts)) {
            (None, true) => Err(Refusal::Malformed { field: "site", what: "the site the device belongs to" }),
            (Some(_), false) => Err(Refusal::Malformed { field: "site", what: "for devices only" }),
            (Some(site), true) => must_exist(facts, &subject::site(site), "site"),
            (None, false) => Ok(()),
        }
    }
}

impl Rule for RotateKey {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let mut needs: Vec<Subject> = envelope.key_ids().map(subject::key).collect();
        needs.extend([subject::study(), subject::key(self.key.id())]);
        if let Some(Confirmation { by, .. }) = &self.confirmed {
            needs.extend(delegations(by, Task::RegisterActors, &Name::all_sites()));
            needs.extend(kinds([&self.by, by]));
        }
        needs
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        study_exists(facts)?;
        let old = signing_key(facts, envelope, &self.by)?;
        let new = subject::key(self.key.id());
        envelope.verify(&self.key)?; // first: whether a key is registered is said to who holds it
        must_be_new(facts, &new, "key")?;
        let steps = match &self.confirmed {
            None => provable(facts, envelope, [(&old, &Held::default())])?,
            Some(confirmation) => confirmed(self, confirmation, (envelope, facts), next)?,
        };
        let ended = end_key(facts, old.id(), next)?;
        let (actor, registered) = (self.by.clone(), next.number);
        Ok(vec![ended, (new, Fact::Key(fact::Key { actor, key: self.key, registered, ended: None, steps }))])
    }
}

/// Checks a registrar's word for a new key, from which a proof goes on.
fn confirmed(
    rotate: &RotateKey,
    Confirmation { by, kind }: &Confirmation,
    (envelope, facts): (&Envelope, &Facts),
    next: Next,
) -> Result<Option<u32>, Refusal> {
    from_rules_3(facts, true)?;
    if *by == rotate.by {
        return Err(Refusal::Malformed { field: "confirmed.by", what: "someone else must confirm" });
    }
    if [ActorKind::Participant, ActorKind::Representative].contains(kind) {
        return Err(Refusal::Malformed {
            field: "confirmed.kind",
            what: "for keys of actors who are registered as such",
        });
    }
    let (key, held) = authorise(facts, envelope, by, Task::RegisterActors, &Name::all_sites(), next.time)?;
    is_person(facts, by)?;
    match facts.find(&subject::actor(&rotate.by)) {
        Some(Fact::Actor(fact::Actor { kind: registered, .. })) if registered == kind => {}
        _ => return Err(Refusal::Malformed { field: "confirmed.kind", what: "not what the actor is registered as" }),
    }
    provable(facts, envelope, [(&key, &held)])
}

impl Rule for RevokeKey {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let mut needs = subjects(&self.by, envelope.key_ids(), Task::RegisterActors, &Name::all_sites());
        needs.extend([subject::study(), subject::key(self.key)]);
        needs
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        study_exists(facts)?;
        signing_key(facts, envelope, &self.by)?;
        let own = matches!(facts.find(&subject::key(self.key)), Some(Fact::Key(fact::Key { actor, .. })) if *actor == self.by);
        if !own {
            holds(facts, &self.by, Task::RegisterActors, &Name::all_sites(), next.time)?;
        }
        Ok(vec![end_key(facts, self.key, next)?])
    }
}

/// The key as ended. The root key stays: verifiers pin it, and nobody could vouch for another.
fn end_key(facts: &Facts, id: KeyId, next: Next) -> Result<(Subject, Fact), Refusal> {
    let subject = subject::key(id);
    match facts.find(&subject) {
        Some(Fact::Key(fact::Key { actor, .. })) if actor.as_str() == Name::ROOT => {
            Err(Refusal::Malformed { field: "key", what: "the study's root key cannot be replaced or revoked" })
        }
        Some(Fact::Key(fact::Key { ended: Some(_), .. })) => Err(Refusal::AlreadyEnded("key")),
        Some(Fact::Key(fact::Key { actor, key, registered, ended: None, steps })) => {
            let (actor, ended) = (actor.clone(), Some(next.number));
            let fact = Fact::Key(fact::Key { actor, key: *key, registered: *registered, ended, steps: *steps });
            Ok((subject, fact))
        }
        _ => Err(Refusal::NotFound("key")),
    }
}
