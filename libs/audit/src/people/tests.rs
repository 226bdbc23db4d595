//! What a dishonest operator could record, since no rule sees it, and the audit must.

#![allow(clippy::unwrap_used)]

use super::*;
use seal::{
    id::Uuid,
    key::{PublicKey, SecretKey},
    sha256,
};
use vocabulary::{
    allocation::{Arm, commitment},
    command::{ItemDef, ItemType},
    eligibility::{Criterion, CriterionKind, CriterionOutcome, Outcome},
    fact, subject,
};

/// The auditor's clock.
const NOW_MS: u64 = 1_795_219_200_000;
const PARTICIPANT: &str = "P-ABCDEFGHIJKLMNOP";

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn key() -> PublicKey {
    SecretKey::from_seed(&[1; 32]).public()
}

fn entry(number: u64) -> Entry {
    Entry {
        stream: Service::Enrollment.stream(Uuid([9; 16])),
        number,
        previous: seal::Hash::ZERO,
        time: 0,
        nonce: [0; 16],
        kind: String::new(),
        envelope: seal::Hash::ZERO,
        state_root: None,
        basis: Vec::new(),
    }
}

fn scheme() -> Scheme {
    let arms = ["A", "B"].map(|arm| Arm { arm: name(arm), weight: 1 }).to_vec();
    Scheme { arms, factors: Vec::new(), method: Method::PermutedBlocks { slots: 4 } }
}

/// A study with these facts.
fn study<'a>(key: &'a PublicKey, facts: Vec<(Subject, Fact)>) -> Study<'a> {
    let mut study = Study::new(Uuid([9; 16]), key, NOW_MS);
    study.enrollment.apply(study.id, &entry(0), seal::Hash::ZERO, facts);
    study
}

#[test]
fn a_revealed_list_is_the_one_whose_root_was_committed_to() {
    let secret = || Secret { seed: [5; 32], block_sizes: vec![2] };
    let root = List::generate(&scheme(), &secret()).unwrap().root();
    let recomputed = |root: seal::Hash, index: u64| {
        let allocation = Fact::Allocation {
            scheme: scheme(),
            commitment: commitment(&scheme(), &secret()).into(),
            root: Some(root.into()),
            committed: 0,
            revealed: None,
        };
        let (stratum, allocated) = (String::new(), name("main"));
        let randomised = Fact::Randomised { allocation: allocated, stratum, index, randomised: 0 };
        let facts = vec![
            (subject::allocation(&name("main")), allocation),
            (subject::randomised(&name(PARTICIPANT)), randomised),
        ];
        let key = key();
        let mut study = study(&key, facts);
        study.people.randomised.insert(name("main"), vec![(name(PARTICIPANT), Vec::new())]);
        let (by, allocation, seed) = (Name::root(), name("main"), seal::Hash(secret().seed).into());
        let (study_id, request, block_sizes) = (study.id, Uuid([0; 16]), vec![2]);
        let reveal = RevealAllocation { study: study_id, request, by, time: 0, allocation, seed, block_sizes };
        let mut report = Report::default();
        study.recompute(&reveal, &mut report).map(|()| report.allocations)
    };
    assert_eq!(recomputed(root, 3), Ok(1));
    assert!(recomputed(sha256(&[b"another list"]), 3).unwrap_err().contains("root"));
    recomputed(root, 4).unwrap_err();
}

fn criteria() -> Vec<(Subject, Fact)> {
    let (kind, max_length, min, max, codes) = (ItemType::Integer, None, None, None, Vec::new());
    let item = ItemDef { item: name("AGE"), kind, max_length, min, max, codes, mandatory: true };
    let (kind, text, expression) = (CriterionKind::Inclusion, "Adults".to_owned(), "AGE >= 18".to_owned());
    let criteria = vec![Criterion { criterion: name("INCL01"), kind, text, expression }];
    let defined = Fact::Criteria { protocol: name("1.0"), items: vec![item], criteria, defined: 0 };
    vec![
        (subject::criteria(&name("1")), defined),
        (subject::criteria_in_force(), Fact::CriteriaInForce { version: name("1") }),
    ]
}

#[test]
fn outcomes_are_those_of_the_answers() {
    let key = key();
    let study = study(&key, criteria());
    let answer = |value: &str| Datapoint {
        nonce: [0; 16],
        item: "AGE".to_owned(),
        repeat: String::new(),
        value: value.to_owned(),
        unit: String::new(),
    };
    let judged = |said: Outcome, signed: &str, stored: &str| {
        let signed = vec![answer(signed).to_bytes()];
        let screening = RecordScreening {
            study: study.id,
            request: Uuid([0; 16]),
            by: Name::root(),
            time: 0,
            participant: name(PARTICIPANT),
            site: name("701"),
            criteria: name("1"),
            root: datapoint::root(&signed).into(),
            count: 1,
            outcomes: vec![CriterionOutcome { criterion: name("INCL01"), outcome: said }],
            overridden: None,
        };
        study.evaluate(&screening, &[answer(stored).to_bytes()])
    };
    assert_eq!(judged(Outcome::Met, "18", "18"), Ok(()));
    assert_eq!(judged(Outcome::NotMet, "17", "17"), Ok(()));
    judged(Outcome::Met, "17", "17").unwrap_err();
    judged(Outcome::Met, "18", "19").unwrap_err();
}

/// The facts a screening set, as the server gives them for an entry that was erased.
fn set(stage: Stage, eligible: bool, overridden: bool, count: u64, decided: u64) -> Vec<(Subject, Fact)> {
    let participant = name(PARTICIPANT);
    let (site, answers, version) = (name("701"), sha256(&[]).into(), name("1"));
    vec![
        (
            subject::participant(&participant),
            Fact::Participant(fact::Participant { site, enrolled: 0, withdrawn: None, stage: Some(stage) }),
        ),
        (subject::list(&FactList::Participant(participant.clone())), Fact::Count { count, newest: None }),
        (
            subject::screening(&participant),
            Fact::Screening { criteria: version, answers, eligible, overridden, decided },
        ),
    ]
}

#[test]
fn an_erased_screening_set_what_a_screening_sets_and_nothing_else() {
    let key = key();
    let before = |stage| {
        let (subject, count) =
            (subject::list(&FactList::Participant(name(PARTICIPANT))), Fact::Count { count: 1, newest: None });
        let participant = set(stage, true, false, 0, 0).swap_remove(0);
        criteria().into_iter().chain([participant, (subject, count)]).collect()
    };
    let replayed = |from: Stage, facts: Vec<(Subject, Fact)>| {
        let mut study = study(&key, before(from));
        let stored = |(subject, fact): (Subject, Fact)| (subject.map_key(study.id).0.to_vec(), fact.to_bytes());
        let set = facts.into_iter().map(stored).collect();
        study.erased_screening(&entry(7), &StoredEntry { unreadable: true, set, ..StoredEntry::default() })
    };
    for (stage, eligible, overridden) in
        [(Stage::Eligible, true, false), (Stage::Eligible, false, true), (Stage::ScreenFailed, false, false)]
    {
        let facts = set(stage, eligible, overridden, 2, 7);
        assert_eq!(replayed(Stage::Screened, facts.clone()), Ok(facts));
    }
    let good = || set(Stage::Eligible, true, false, 2, 7);
    replayed(Stage::ScreenFailed, good()).unwrap_err();
    for wrong in [
        set(Stage::Enrolled, true, false, 2, 7),
        set(Stage::Eligible, false, false, 2, 7),
        set(Stage::ScreenFailed, true, false, 2, 7),
        set(Stage::Eligible, true, true, 2, 7),
        set(Stage::Eligible, true, false, 3, 7),
        set(Stage::Eligible, true, false, 2, 6),
        good()[..2].to_vec(),
        good().into_iter().chain(criteria()).collect(),
    ] {
        replayed(Stage::Screened, wrong).unwrap_err();
    }
}

#[test]
fn exactly_the_screenings_of_the_erased_cannot_be_read() {
    let key = key();
    for (gone, readable, found) in [(true, false, 0), (false, true, 0), (true, true, 1), (false, false, 1)] {
        let mut study = study(&key, Vec::new());
        study.people.screenings.push((7, name(PARTICIPANT), readable));
        if gone {
            study.captured.gone.insert(name(PARTICIPANT));
        }
        let mut report = Report::default();
        study.screenings(&mut report);
        assert_eq!(report.found, found, "{gone} {readable}");
    }
}
