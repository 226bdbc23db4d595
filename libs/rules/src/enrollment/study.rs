//! The study itself: its creation, its protocol, its states, arms and limits.

use super::{
    Changes, Next, Refusal, Rule, approval, first_rules, from_rules_3, grown, must_be_new, must_exist, needing, newest,
    on_newest, present_rules, study_exists,
};
use seal::{dsse::Envelope, id::Name, moment};
use vocabulary::{
    authority::authorise,
    command::{ActorKind, AddArm, AddProtocolVersion, CreateStudy, RULES, SetCap, SetStudyState, State, Task},
    fact::{self, Fact, Facts},
    subject::{self, List, Subject},
};

impl Rule for CreateStudy {
    fn needs(&self, _: &Envelope) -> Vec<Subject> {
        vec![subject::study()]
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        if self.by.as_str() != Name::ROOT {
            return Err(Refusal::Malformed { field: "by", what: "must be `root`, who creates a study" });
        }
        if self.rules.is_some_and(|rules| !(2..=RULES).contains(&rules)) {
            return Err(Refusal::Malformed {
                field: "rules",
                what: "not a version of the rules that this service supports",
            });
        }
        envelope.verify(&self.root_key)?;
        let third = self.rules >= Some(3);
        if third && self.study.rules(&self.root_key) != self.rules {
            return Err(Refusal::StudyIdUnbound);
        }
        // Only now: that there is such a study is said to who holds its root key.
        if facts.find(&subject::study()).is_some() || next.number != 0 {
            return Err(Refusal::StudyExists);
        }
        if third {
            moment::on_time(self, next.time)?;
        } else if self.tokens {
            return Err(Refusal::RulesOutdated);
        }
        let registered = next.number;
        let mut changes = vec![
            (
                subject::study(),
                Fact::Study {
                    name: self.name.clone(),
                    root_key: self.root_key,
                    rules: self.rules,
                    tokens: self.tokens,
                },
            ),
            (
                subject::actor(&Name::root()),
                Fact::Actor(fact::Actor { kind: ActorKind::Person, registered, site: None }),
            ),
            (
                subject::key(self.root_key.id()),
                Fact::Key(fact::Key {
                    actor: Name::root(),
                    key: self.root_key,
                    registered,
                    ended: None,
                    steps: third.then_some(0),
                }),
            ),
        ];
        if self.rules.is_some() {
            let newest = third.then(|| envelope.hash().into());
            let state = Fact::StudyState { state: State::Planned, changed: registered, newest };
            changes.push((subject::study_state(), state));
        }
        Ok(changes)
    }
}

impl Rule for AddProtocolVersion {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let versions = [Some(&self.version), self.amends.as_ref()].into_iter().flatten();
        let more = versions.map(subject::protocol).chain([subject::list(&List::Protocols)]);
        needing(self, envelope, (Task::ManageStudy, &Name::all_sites()), more)
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        study_exists(facts)?;
        authorise(facts, envelope, &self.by, Task::ManageStudy, &Name::all_sites(), next.time)?;
        let subject = subject::protocol(&self.version);
        must_be_new(facts, &subject, "protocol version")?;
        let mut changes = vec![(subject, Fact::Protocol { document: self.document, effective: self.effective })];
        if first_rules(facts) {
            return Ok(changes);
        }
        check_amendment(self.amends.as_ref(), facts)?;
        self.approval.as_ref().map_or(Ok(()), |found| approval::check(found, next))?;
        changes.push(grown(facts, &List::Protocols));
        Ok(changes)
    }
}

/// Checks that every version but the first names the one it amends.
fn check_amendment(amends: Option<&Name>, facts: &Facts) -> Result<(), Refusal> {
    match (amends, facts.count(&subject::list(&List::Protocols))) {
        (None, 0) => Ok(()),
        (None, _) => Err(Refusal::Malformed { field: "amends", what: "required: the version that this amends" }),
        (Some(amends), _) => must_exist(facts, &subject::protocol(amends), "protocol version"),
    }
}

impl Rule for SetStudyState {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let more = [subject::study_state(), subject::list(&List::Protocols), subject::list(&List::Study)];
        needing(self, envelope, (Task::ManageStudy, &Name::all_sites()), more)
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        present_rules(facts)?;
        authorise(facts, envelope, &self.by, Task::ManageStudy, &Name::all_sites(), next.time)?;
        let (from, to) = (state(facts), self.state);
        let permitted = matches!(
            (from, to),
            (State::Planned | State::Paused, State::Open)
                | (State::Open, State::Paused)
                | (State::Open | State::Paused, State::Closed)
        );
        if !permitted {
            return Err(Refusal::StudyStateNotPermitted { from, to });
        }
        from_rules_3(facts, self.seen.is_some())?;
        if (from, to) == (State::Paused, State::Open) {
            on_newest(self, facts, &subject::study_state())?;
        }
        if to == State::Open && facts.count(&subject::list(&List::Protocols)) == 0 {
            return Err(Refusal::ProtocolMissing);
        }
        let fact = Fact::StudyState { state: to, changed: next.number, newest: newest(facts, envelope) };
        Ok(vec![(subject::study_state(), fact), grown(facts, &List::Study)])
    }
}

/// Where the study stands.
pub(super) fn state(facts: &Facts) -> State {
    match facts.find(&subject::study_state()) {
        Some(Fact::StudyState { state, .. }) => *state,
        _ => State::Planned,
    }
}

/// Checks that the study enrols.
pub(super) fn must_be_open(facts: &Facts) -> Result<(), Refusal> {
    if state(facts) == State::Open { Ok(()) } else { Err(Refusal::StudyNotOpen) }
}

impl Rule for AddArm {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let more = [subject::arm(&self.arm), subject::list(&List::Study)];
        needing(self, envelope, (Task::ManageStudy, &Name::all_sites()), more)
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        present_rules(facts)?;
        authorise(facts, envelope, &self.by, Task::ManageStudy, &Name::all_sites(), next.time)?;
        let subject = subject::arm(&self.arm);
        must_be_new(facts, &subject, "arm")?;
        Ok(vec![(subject, Fact::Arm { added: next.number }), grown(facts, &List::Study)])
    }
}

impl Rule for SetCap {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let more = [subject::site(&self.site), subject::cap(&self.site)];
        needing(self, envelope, (Task::ManageStudy, &self.site), more)
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        present_rules(facts)?;
        authorise(facts, envelope, &self.by, Task::ManageStudy, &self.site, next.time)?;
        if self.site.as_str() != Name::ALL_SITES {
            must_exist(facts, &subject::site(&self.site), "site")?;
        }
        from_rules_3(facts, self.withdrawal_frees)?;
        let subject = subject::cap(&self.site);
        on_newest(self, facts, &subject)?;
        let (participants, withdrawal_frees) = (self.participants, self.withdrawal_frees);
        Ok(vec![(subject, Fact::Cap { participants, withdrawal_frees, newest: newest(facts, envelope) })])
    }
}
