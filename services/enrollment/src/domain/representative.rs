//! Those who act or attest for a participant.

use super::{
    Changes, Next, Refusal, Rule, enrolment::Participation, enrolment::participation, grown, must_be_new, needing,
    present_rules,
};
use seal::{
    authority::authorise,
    command::{ActorKind, RegisterRepresentative, Task},
    dsse::Envelope,
    fact::{Fact, Facts, List, Subject},
    id::is_representative,
};

impl Rule for RegisterRepresentative {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let more = [Subject::Actor(self.actor.clone()), Subject::Key(self.key.id())];
        let more = participation(&self.participant).into_iter().chain(more);
        needing(self, envelope, (Task::Enrol, &self.site), more)
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        present_rules(facts)?;
        authorise(facts, envelope, &self.by, Task::Enrol, &self.site, next.time)?;
        Participation::find(facts, &self.participant, &self.site)?;
        if !is_representative(&self.actor) {
            let what = "not `R-` and 16 random characters of A-Z and 2-7";
            return Err(Refusal::Malformed { field: "actor", what });
        }
        let (actor, key) = (Subject::Actor(self.actor.clone()), Subject::Key(self.key.id()));
        must_be_new(facts, &actor, "actor")?;
        must_be_new(facts, &key, "key")?;
        envelope.verify(&self.key)?;
        let registered = next.number;
        Ok(vec![
            (actor, Fact::Actor { kind: ActorKind::Representative, registered }),
            (key, Fact::Key { actor: self.actor.clone(), key: self.key, registered, ended: None }),
            (
                Subject::Representative(self.participant.clone(), self.actor.clone()),
                Fact::Representative { relation: self.relation, registered },
            ),
            grown(facts, List::Participant(self.participant.clone())),
        ])
    }
}
