//! A study under the present rules: its start-up, and what studies of the first rules do not have.

use crate::*;
use vocabulary::{
    command::{AddArm, Approval, PauseSite, RecordSiteApproval, SetCap, SetStudyState, Stage, State, Training},
    fact,
    subject::{self, List},
};

pub(crate) fn approval(date: &str) -> Approval {
    Approval { reference: name("IRB-1"), date: name(date), body: Some(name("Central IRB")) }
}

pub(crate) fn count(study: &Study, list: &List) -> u64 {
    study.facts.count(&subject::list(list))
}

/// The approval day of these tests; the clock stands at 1970-01-01T00:16:40Z.
pub(crate) const DAY: &str = "1970-01-01";

impl Study {
    /// A study under the present rules, planned, with the actors `ann` and `bob`.
    pub(crate) fn planned() -> Self {
        let mut study = Self::empty();
        study.run(&CreateStudy { rules: Some(2), ..create() }, &[&key(1)]).unwrap();
        study.register("ann").unwrap();
        study.register("bob").unwrap();
        study
    }

    /// That study open, with a protocol and the open sites `701` and `702`.
    pub(crate) fn open() -> Self {
        let mut study = Self::planned();
        study.run(&protocol("root"), &[&key(1)]).unwrap();
        study.set_state(State::Open).unwrap();
        for site in ["701", "702"] {
            study.add_site(site).unwrap();
            study.approve("root", site, "1.0", approval(DAY)).unwrap();
            study.activate("root", site).unwrap();
        }
        study
    }

    pub(crate) fn set_state(&mut self, state: State) -> Result<Changes, Refusal> {
        self.run(&command!("root", SetStudyState { state, reason: name("as planned"), seen: None }), &[&key(1)])
    }

    pub(crate) fn approve(
        &mut self,
        by: &str,
        site: &str,
        protocol: &str,
        approval: Approval,
    ) -> Result<Changes, Refusal> {
        let (site, protocol) = (name(site), name(protocol));
        self.run(&command!(by, RecordSiteApproval { site, protocol, approval, seen: None }), &[&key_of(by)])
    }

    pub(crate) fn pause(&mut self, site: &str) -> Result<Changes, Refusal> {
        self.run(&command!("root", PauseSite { site: name(site), reason: name("monitoring") }), &[&key(1)])
    }

    pub(crate) fn close_because(&mut self, site: &str) -> Result<Changes, Refusal> {
        self.run(&command!("root", CloseSite { site: name(site), reason: Some(name("done")) }), &[&key(1)])
    }

    pub(crate) fn reopen(&mut self, site: &str) -> Result<Changes, Refusal> {
        self.run(
            &command!("root", ActivateSite { site: name(site), reason: Some(name("resolved")), seen: None }),
            &[&key(1)],
        )
    }

    pub(crate) fn cap(&mut self, by: &str, site: &str, participants: u32) -> Result<Changes, Refusal> {
        self.run(
            &command!(by, SetCap { site: name(site), participants, withdrawal_frees: false, seen: None }),
            &[&key_of(by)],
        )
    }

    pub(crate) fn add_arm(&mut self, arm: &str) -> Result<Changes, Refusal> {
        self.run(&command!("root", AddArm { arm: name(arm), title: name("An arm") }), &[&key(1)])
    }

    pub(crate) fn stage(&self, participant: &str) -> Stage {
        match self.facts.find(&subject::participant(&name(participant))) {
            Some(Fact::Participant(fact::Participant { stage: Some(stage), .. })) => *stage,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_study_is_created_under_the_present_rules_or_the_first_and_no_others() {
    for rules in [0, 1, 4] {
        malformed("rules", Study::empty().run(&CreateStudy { rules: Some(rules), ..create() }, &[&key(1)]));
    }
    let first = Study::empty().run(&create(), &[&key(1)]).unwrap();
    let present = Study::empty().run(&CreateStudy { rules: Some(2), ..create() }, &[&key(1)]).unwrap();
    assert_eq!((first.len(), present.len()), (3, 4));
    assert_eq!(
        present[3],
        (subject::study_state(), Fact::StudyState { state: State::Planned, changed: 0, newest: None })
    );
}

#[test]
fn studies_of_the_first_rules_change_the_facts_they_always_did() {
    let mut study = Study::new();
    let bytes = |changes: Changes| {
        let line = |(_, fact): &(_, Fact)| String::from_utf8(fact.to_bytes()).unwrap();
        changes.iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(bytes(study.add_site("702").unwrap()), [r#"{"site":{"open":false,"changed":5}}"#]);
    assert_eq!(bytes(study.activate("root", "702").unwrap()), [r#"{"site":{"open":true,"changed":6}}"#]);
    let enrolled = bytes(study.enrol("root", PSEUDONYM, "702").unwrap());
    assert_eq!(enrolled[2], r#"{"participant":{"site":"702","enrolled":7,"withdrawn":null}}"#);
    assert_eq!(enrolled.len(), 3);
    let left = bytes(study.withdraw("root", PSEUDONYM, "702").unwrap());
    assert_eq!(left, [r#"{"participant":{"site":"702","enrolled":7,"withdrawn":8}}"#]);
    assert_eq!(bytes(study.close("root", "702").unwrap()), [r#"{"site":{"open":false,"changed":9}}"#]);
    let granted = bytes(study.delegate("root", "ann", Task::Enrol, "*", (1, 2)).unwrap());
    assert_eq!(granted, [r#"{"delegation":{"granted":10,"from":1,"until":2,"ended":null}}"#]);
    let ended = bytes(study.end("root", "ann", Task::Enrol, "*").unwrap());
    assert_eq!(ended, [r#"{"delegation":{"granted":10,"from":1,"until":2,"ended":11}}"#]);
    assert_eq!(study.run(&protocol("root"), &[&key(1)]).unwrap().len(), 1);
}

#[test]
fn studies_of_the_first_rules_have_no_newer_command() {
    let mut study = Study::new();
    let outdated = Refusal::RulesOutdated;
    refuses(study.set_state(State::Open), outdated.clone());
    refuses(study.approve("root", "701", "1.0", approval(DAY)), outdated.clone());
    refuses(study.pause("701"), outdated.clone());
    refuses(study.cap("root", "701", 1), outdated.clone());
    refuses(study.add_arm("A"), outdated.clone());
    refuses(study.screen("root", PSEUDONYM, "701", None), outdated.clone());
    refuses(study.clear(PSEUDONYM), outdated.clone());
    refuses(study.represent(PSEUDONYM, people::REPRESENTATIVE), outdated.clone());
    refuses(study.record_stage(PSEUDONYM, Stage::Active), outdated.clone());
    refuses(study.define("1", screening::criteria()), outdated.clone());
    refuses(study.decide("root", PSEUDONYM, "1", screening::MET, None), outdated.clone());
    refuses(study.commit(&randomisation::blocks(4)), outdated.clone());
    refuses(study.randomise(PSEUDONYM, &[]), outdated.clone());
    refuses(study.unblind("root", PSEUDONYM), outdated.clone());
    refuses(study.reveal(&randomisation::secret()), outdated);
    let mut none = Study::empty();
    refuses(none.set_state(State::Open), Refusal::StudyUnknown);
    refuses(none.screen("root", PSEUDONYM, "701", None), Refusal::StudyUnknown);
}

#[test]
fn a_study_opens_pauses_and_closes_for_good() {
    use State::{Closed, Open, Paused, Planned};
    for from in [Planned, Open, Paused, Closed] {
        for to in [Planned, Open, Paused, Closed] {
            let mut study = Study::planned();
            study.run(&protocol("root"), &[&key(1)]).unwrap();
            let way: &[State] = match from {
                Planned => &[],
                Open => &[Open],
                Paused => &[Open, Paused],
                Closed => &[Open, Closed],
            };
            way.iter().for_each(|state| drop(study.set_state(*state).unwrap()));
            let permitted = [(Planned, Open), (Open, Paused), (Paused, Open), (Open, Closed), (Paused, Closed)];
            match study.set_state(to) {
                Ok(changes) => {
                    assert!(permitted.contains(&(from, to)), "{from:?} {to:?}");
                    let changed = study.next.number - 1;
                    assert_eq!(changes[0].1, Fact::StudyState { state: to, changed, newest: None });
                }
                Err(refusal) => {
                    assert!(!permitted.contains(&(from, to)), "{from:?} {to:?}");
                    assert_eq!(refusal, Refusal::StudyStateNotPermitted { from, to });
                }
            }
        }
    }
    refuses(Study::planned().set_state(Open), Refusal::ProtocolMissing);
    let mut study = Study::planned();
    let by_ann = command!("ann", SetStudyState { state: Open, reason: name("now"), seen: None });
    refuses(study.run(&by_ann, &[&key_of("ann")]), no_delegation("ann", Task::ManageStudy, "*"));
}

#[test]
fn later_versions_of_the_protocol_amend_an_earlier_one() {
    let mut study = Study::planned();
    let second = AddProtocolVersion { version: name("2.0"), ..protocol("root") };
    let amending = |amends: &str| AddProtocolVersion { amends: Some(name(amends)), ..second.clone() };
    refuses(study.run(&amending("1.0"), &[&key(1)]), Refusal::NotFound("protocol version"));
    study.run(&protocol("root"), &[&key(1)]).unwrap();
    malformed("amends", study.run(&second, &[&key(1)]));
    refuses(study.run(&amending("1.5"), &[&key(1)]), Refusal::NotFound("protocol version"));
    refuses(study.run(&amending("2.0"), &[&key(1)]), Refusal::NotFound("protocol version"));
    for date in ["1970-02-30", "1970-01-02", "soon"] {
        let dated = AddProtocolVersion { approval: Some(approval(date)), ..amending("1.0") };
        malformed("approval.date", study.run(&dated, &[&key(1)]));
    }
    study.run(&AddProtocolVersion { approval: Some(approval(DAY)), ..amending("1.0") }, &[&key(1)]).unwrap();
    assert_eq!(count(&study, &List::Protocols), 2);
}

#[test]
fn a_site_opens_with_its_own_approval_and_closes_for_good() {
    let mut study = Study::planned();
    study.run(&protocol("root"), &[&key(1)]).unwrap();
    refuses(study.approve("root", "701", "1.0", approval(DAY)), Refusal::NotFound("site"));
    refuses(study.activate("root", "701"), Refusal::NotFound("site"));
    refuses(study.pause("701"), Refusal::NotFound("site"));
    study.add_site("701").unwrap();
    refuses(study.activate("root", "701"), Refusal::SiteNotApproved);
    refuses(study.approve("root", "701", "9.0", approval(DAY)), Refusal::NotFound("protocol version"));
    malformed("approval.body", study.approve("root", "701", "1.0", Approval { body: None, ..approval(DAY) }));
    malformed("approval.date", study.approve("root", "701", "1.0", approval("1970-01-02")));
    refuses(study.approve("ann", "701", "1.0", approval(DAY)), no_delegation("ann", Task::ManageStudy, "701"));
    study.approve("root", "701", "1.0", approval(DAY)).unwrap();
    refuses(study.activate("root", "701"), Refusal::StudyNotOpen);
    study.set_state(State::Open).unwrap();
    let not_permitted = |from, to| Refusal::SiteStateNotPermitted { from, to };
    refuses(study.pause("701"), not_permitted(State::Planned, State::Paused));
    study.activate("root", "701").unwrap();
    refuses(study.activate("root", "701"), not_permitted(State::Open, State::Open));
    study.pause("701").unwrap();
    assert!(study.facts.site_is_open(&name("701")), "a paused site still captures");
    malformed("reason", study.activate("root", "701"));
    study.reopen("701").unwrap();
    malformed("reason", study.close("root", "701"));
    study.close_because("701").unwrap();
    assert!(!study.facts.site_is_open(&name("701")));
    refuses(study.reopen("701"), not_permitted(State::Closed, State::Open));
    refuses(study.pause("701"), not_permitted(State::Closed, State::Paused));
    refuses(study.close_because("701"), not_permitted(State::Closed, State::Closed));
    assert_eq!(count(&study, &List::Sites), 6); // added, approved, opened, paused, opened, closed
}

#[test]
fn limits_count_who_becomes_enrolled() {
    let mut study = Study::open();
    refuses(study.cap("root", "703", 1), Refusal::NotFound("site"));
    refuses(study.cap("ann", "701", 1), no_delegation("ann", Task::ManageStudy, "701"));
    study.cap("root", "701", 1).unwrap();
    study.cap("root", "*", 2).unwrap();
    study.enrol("root", "P-AAAAAAAAAAAAAAAA", "701").unwrap();
    refuses(study.enrol("root", "P-AAAAAAAAAAAAAAAB", "701"), Refusal::CapReached(name("701")));
    study.screen("root", "P-AAAAAAAAAAAAAAAB", "701", None).unwrap(); // to be screened, nobody needs a place
    refuses(study.record_stage("P-AAAAAAAAAAAAAAAB", Stage::Enrolled), Refusal::CapReached(name("701")));
    study.enrol("root", "P-AAAAAAAAAAAAAAAC", "702").unwrap();
    refuses(study.enrol("root", "P-AAAAAAAAAAAAAAAD", "702"), Refusal::CapReached(name("*")));
    study.cap("root", "*", 3).unwrap();
    study.enrol("root", "P-AAAAAAAAAAAAAAAD", "702").unwrap();
    // Who leaves keeps their place: what is counted is who was enrolled.
    study.cap("root", "*", 4).unwrap();
    study.withdraw("root", "P-AAAAAAAAAAAAAAAA", "701").unwrap();
    refuses(study.record_stage("P-AAAAAAAAAAAAAAAB", Stage::Enrolled), Refusal::CapReached(name("701")));
    let enrolled = |site: &str| study.facts.count(&subject::enrolled(&name(site)));
    assert_eq!((enrolled("701"), enrolled("702"), enrolled("*")), (1, 2, 3));
}

#[test]
fn the_delegation_log_grows_and_training_is_in_the_past() {
    let mut study = Study::open();
    let before = count(&study, &List::Delegations);
    study.delegate("root", "ann", Task::Enrol, "701", (0, NOW * 2)).unwrap();
    study.end("root", "ann", Task::Enrol, "701").unwrap();
    assert_eq!(count(&study, &List::Delegations), before + 2);
    let trained = |completed: &str| {
        let training = Training { reference: name("GCP"), completed: name(completed), certificate: None };
        let (actor, task, site, until) = (name("ann"), Task::Enrol, name("701"), NOW * 2);
        command!(
            "root",
            Delegate { actor, task: task.into(), site, from: 0, until, training: Some(training), seen: None }
        )
    };
    malformed("training.completed", study.run(&trained("1970-01-02"), &[&key(1)]));
    malformed("training.completed", study.run(&trained("1970-1-1"), &[&key(1)]));
    study.run(&trained(DAY), &[&key(1)]).unwrap();
}

#[test]
fn arms_are_named_once() {
    let mut study = Study::planned();
    study.add_arm("A").unwrap();
    refuses(study.add_arm("A"), Refusal::NameTaken("arm"));
    let by_ann = command!("ann", AddArm { arm: name("B"), title: name("B") });
    refuses(study.run(&by_ann, &[&key_of("ann")]), no_delegation("ann", Task::ManageStudy, "*"));
}
