//! Criteria and screening.

use crate::*;
use vocabulary::{
    command::{DefineCriteria, ItemDef, ItemType, RecordScreening, Stage},
    eligibility::{Criterion, CriterionKind, CriterionOutcome, Outcome},
    subject::{self, List},
};

/// The outcomes of an inclusion and an exclusion criterion that let a participant in, and some that do not.
pub(crate) const MET: [Outcome; 2] = [Outcome::Met, Outcome::NotMet];
const FAILED: [Outcome; 2] = [Outcome::Met, Outcome::Met];
const UNKNOWN: [Outcome; 2] = [Outcome::Undetermined, Outcome::NotMet];

pub(crate) fn criteria() -> Vec<Criterion> {
    let criterion = |id: &str, kind| Criterion {
        criterion: name(id),
        kind,
        text: "A criterion".to_owned(),
        expression: "AGE >= 18".to_owned(),
    };
    vec![criterion("INCL01", CriterionKind::Inclusion), criterion("EXCL01", CriterionKind::Exclusion)]
}

fn item(id: &str) -> ItemDef {
    let kind = ItemType::Integer;
    ItemDef { item: name(id), kind, max_length: None, min: None, max: None, codes: Vec::new(), mandatory: false }
}

fn definition(version: &str, criteria: Vec<Criterion>) -> DefineCriteria {
    let (version, protocol, items) = (name(version), name("1.0"), vec![item("AGE")]);
    command!("root", DefineCriteria { version, protocol, items, criteria })
}

fn outcomes(found: &[Outcome]) -> Vec<CriterionOutcome> {
    let pair = |(criterion, outcome): (Criterion, &Outcome)| CriterionOutcome {
        criterion: criterion.criterion,
        outcome: *outcome,
    };
    criteria().into_iter().zip(found).map(pair).collect()
}

impl Study {
    pub(crate) fn define(&mut self, version: &str, criteria: Vec<Criterion>) -> Result<Changes, Refusal> {
        self.run(&definition(version, criteria), &[&key(1)])
    }

    pub(crate) fn decide(
        &mut self,
        by: &str,
        participant: &str,
        version: &str,
        found: [Outcome; 2],
        overridden: Option<&str>,
    ) -> Result<Changes, Refusal> {
        self.run(&decision(by, participant, version, found, overridden), &[&key_of(by)])
    }
}

fn decision(by: &str, participant: &str, version: &str, found: [Outcome; 2], over: Option<&str>) -> RecordScreening {
    let (participant, site, criteria) = (name(participant), name("701"), name(version));
    let (root, outcomes, overridden) = (sha256(&[b"answers"]).into(), outcomes(&found), over.map(str::to_owned));
    command!(by, RecordScreening { participant, site, criteria, root, count: 1, outcomes, overridden })
}

/// A study with criteria in force and participants to be screened.
fn screening() -> Study {
    let mut study = Study::open();
    study.define("1", criteria()).unwrap();
    for participant in [PSEUDONYM, OTHER_PSEUDONYM] {
        study.screen("root", participant, "701", None).unwrap();
    }
    study.delegate("root", "ann", Task::Enrol, "701", (0, NOW * 2)).unwrap();
    study
}

#[test]
fn criteria_belong_to_a_protocol_and_are_bounded() {
    let mut study = Study::open();
    let unknown = DefineCriteria { protocol: name("9.0"), ..definition("1", criteria()) };
    refuses(study.run(&unknown, &[&key(1)]), Refusal::NotFound("protocol version"));
    malformed("criteria", study.define("1", Vec::new()));
    malformed("criteria", study.define("1", vec![criteria()[0].clone(); 2]));
    let many = |number: usize| Criterion { criterion: name(&format!("C{number}")), ..criteria()[0].clone() };
    malformed("criteria", study.define("1", (0..201).map(many).collect()));
    let items = |items| DefineCriteria { items, ..definition("1", criteria()) };
    malformed("items", study.run(&items(vec![item("AGE"), item("AGE")]), &[&key(1)]));
    let many = (0..501).map(|number| item(&format!("I{number}"))).collect();
    malformed("items", study.run(&items(many), &[&key(1)]));
    study
        .define(
            "1",
            (0..200)
                .map(|number| Criterion { criterion: name(&format!("C{number}")), ..criteria()[0].clone() })
                .collect(),
        )
        .unwrap();
    refuses(study.define("1", criteria()), Refusal::NameTaken("criteria version"));
    let by_ann = DefineCriteria { by: name("ann"), ..definition("2", criteria()) };
    refuses(study.run(&by_ann, &[&key_of("ann")]), no_delegation("ann", Task::ManageStudy, "*"));
}

#[test]
fn with_criteria_in_force_nobody_is_enrolled_unscreened() {
    let mut study = Study::open();
    study.screen("root", PSEUDONYM, "701", None).unwrap();
    study.define("1", criteria()).unwrap();
    refuses(study.enrol("root", OTHER_PSEUDONYM, "701"), Refusal::ScreeningRequired);
    refuses(study.record_stage(PSEUDONYM, Stage::Enrolled), Refusal::ScreeningRequired);
    study.decide("root", PSEUDONYM, "1", MET, None).unwrap();
    study.record_stage(PSEUDONYM, Stage::Enrolled).unwrap();
}

#[test]
fn outcomes_decide() {
    let mut study = screening();
    let in_force = |version: &str| Refusal::CriteriaOutdated(Some(name(version)));
    refuses(study.decide("bob", PSEUDONYM, "1", MET, None), no_delegation("bob", Task::Enrol, "701"));
    refuses(study.decide("ann", "P-AAAAAAAAAAAAAAAA", "1", MET, None), Refusal::NotFound("participant"));
    refuses(study.decide("ann", PSEUDONYM, "2", MET, None), in_force("1"));
    study.define("2", criteria()).unwrap();
    refuses(study.decide("ann", PSEUDONYM, "1", MET, None), in_force("2"));
    let full = decision("ann", PSEUDONYM, "2", MET, None);
    let mut reversed = full.clone();
    reversed.outcomes.reverse();
    let mut short = full.clone();
    short.outcomes.pop();
    let mut twice = full.clone();
    twice.outcomes.push(full.outcomes[0].clone());
    for wrong in [reversed, short, twice] {
        malformed("outcomes", study.run(&wrong, &[&key_of("ann")]));
    }
    study.decide("ann", PSEUDONYM, "2", MET, None).unwrap();
    assert_eq!(study.stage(PSEUDONYM), Stage::Eligible);
    study.decide("ann", OTHER_PSEUDONYM, "2", UNKNOWN, None).unwrap();
    assert_eq!(study.stage(OTHER_PSEUDONYM), Stage::ScreenFailed);
    let again = |from| Refusal::StageNotPermitted { from, to: Stage::Eligible };
    refuses(study.decide("ann", PSEUDONYM, "2", MET, None), again(Stage::Eligible));
    refuses(study.decide("ann", OTHER_PSEUDONYM, "2", MET, None), again(Stage::ScreenFailed));
    let screening = study.facts.find(&subject::screening(&name(PSEUDONYM)));
    assert!(matches!(screening, Some(Fact::Screening { eligible: true, overridden: false, .. })));
    assert_eq!(study.facts.count(&subject::list(&List::Participant(name(PSEUDONYM)))), 2);
}

#[test]
fn without_criteria_nobody_is_screened() {
    let mut study = Study::open();
    study.screen("root", PSEUDONYM, "701", None).unwrap();
    refuses(study.decide("root", PSEUDONYM, "1", MET, None), Refusal::CriteriaOutdated(None));
}

#[test]
fn only_who_answers_for_it_overrides_and_says_why() {
    let mut study = screening();
    let over = Some("the value was taken fasting");
    let missing = no_delegation("ann", Task::OverrideEligibility, "701");
    refuses(study.decide("ann", PSEUDONYM, "1", FAILED, over), missing);
    study.delegate("root", "ann", Task::OverrideEligibility, "701", (0, NOW * 2)).unwrap();
    refuses(study.decide("ann", PSEUDONYM, "1", MET, over), Refusal::EligibilityNotOverridable);
    malformed("overridden", study.decide("ann", PSEUDONYM, "1", FAILED, Some("  ")));
    malformed("overridden", study.decide("ann", PSEUDONYM, "1", FAILED, Some(&"x".repeat(4_097))));
    study.decide("ann", PSEUDONYM, "1", FAILED, Some(&"x".repeat(4_096))).unwrap();
    assert_eq!(study.stage(PSEUDONYM), Stage::Eligible);
    let screening = study.facts.find(&subject::screening(&name(PSEUDONYM)));
    assert!(matches!(screening, Some(Fact::Screening { eligible: false, overridden: true, .. })));
}
