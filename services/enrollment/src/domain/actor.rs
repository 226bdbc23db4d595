//! Actors and their keys.

use super::{Changes, Next, Refusal, Rule, first_rules, must_be_new, study_exists};
use seal::{
    authority::{authorise, holds, signing_key, subjects},
    command::{ActorKind, RegisterActor, RevokeKey, RotateKey, Task},
    dsse::Envelope,
    fact::{Fact, Facts, Subject},
    id::{Name, is_pseudonym, is_representative},
    key::KeyId,
};

impl Rule for RegisterActor {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let mut needs = subjects(&self.by, envelope.key_ids(), Task::RegisterActors, &Name::all_sites());
        needs.extend([Subject::Study, Subject::Actor(self.actor.clone()), Subject::Key(self.key.id())]);
        needs
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        study_exists(facts)?;
        authorise(facts, envelope, &self.by, Task::RegisterActors, &Name::all_sites(), next.time)?;
        if matches!(self.kind, ActorKind::Participant | ActorKind::Representative) {
            let what = "participants and representatives are registered by commands of their own";
            return Err(Refusal::Malformed { field: "kind", what });
        }
        let representative = is_representative(&self.actor) && !first_rules(facts);
        if is_pseudonym(&self.actor) || representative || self.actor.as_str() == Name::ALL_SITES {
            return Err(Refusal::Malformed { field: "actor", what: "has the form of a pseudonym, or is `*`" });
        }
        let actor = Subject::Actor(self.actor.clone());
        let key = Subject::Key(self.key.id());
        must_be_new(facts, &actor, "actor")?;
        must_be_new(facts, &key, "key")?;
        envelope.verify(&self.key)?;
        let registered = next.number;
        Ok(vec![
            (actor, Fact::Actor { kind: self.kind, registered }),
            (key, Fact::Key { actor: self.actor.clone(), key: self.key, registered, ended: None }),
        ])
    }
}

impl Rule for RotateKey {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let mut needs: Vec<Subject> = envelope.key_ids().map(Subject::Key).collect();
        needs.extend([Subject::Study, Subject::Key(self.key.id())]);
        needs
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        study_exists(facts)?;
        let old = signing_key(facts, envelope, &self.by)?.id();
        let new = Subject::Key(self.key.id());
        must_be_new(facts, &new, "key")?;
        envelope.verify(&self.key)?;
        let ended = end_key(facts, old, next)?;
        Ok(vec![
            ended,
            (new, Fact::Key { actor: self.by.clone(), key: self.key, registered: next.number, ended: None }),
        ])
    }
}

impl Rule for RevokeKey {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let mut needs = subjects(&self.by, envelope.key_ids(), Task::RegisterActors, &Name::all_sites());
        needs.extend([Subject::Study, Subject::Key(self.key)]);
        needs
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        study_exists(facts)?;
        signing_key(facts, envelope, &self.by)?;
        let owner = match facts.find(&Subject::Key(self.key)) {
            Some(Fact::Key { actor, .. }) => actor,
            _ => return Err(Refusal::NotFound("key")),
        };
        if *owner != self.by {
            holds(facts, &self.by, Task::RegisterActors, &Name::all_sites(), next.time)?;
        }
        Ok(vec![end_key(facts, self.key, next)?])
    }
}

/// The key as ended. The root key stays: verifiers pin it, and nobody could vouch for another.
fn end_key(facts: &Facts, id: KeyId, next: Next) -> Result<(Subject, Fact), Refusal> {
    let subject = Subject::Key(id);
    match facts.find(&subject) {
        Some(Fact::Key { actor, .. }) if actor.as_str() == Name::ROOT => {
            Err(Refusal::Malformed { field: "key", what: "the study's root key cannot be replaced or revoked" })
        }
        Some(Fact::Key { ended: Some(_), .. }) => Err(Refusal::AlreadyEnded("key")),
        Some(Fact::Key { actor, key, registered, ended: None }) => {
            let fact = Fact::Key { actor: actor.clone(), key: *key, registered: *registered, ended: Some(next.number) };
            Ok((subject, fact))
        }
        _ => Err(Refusal::NotFound("key")),
    }
}
