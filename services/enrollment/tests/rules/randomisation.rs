//! Randomisation, unblinding and the reveal.

use crate::*;
use vocabulary::{
    allocation::{Arm, Factor, Measure, Method, Scheme, Secret, commitment},
    command::{CommitAllocation, EnrolParticipant, Randomise, RevealAllocation, Stage, State, Unblind},
    subject::{self, List},
};

fn scheme(method: Method, factors: &[&str]) -> Scheme {
    let arm = |arm: &str| Arm { arm: name(arm), weight: 1 };
    let factor = |factor: &&str| Factor { factor: name(factor), levels: vec![name("low"), name("high")] };
    Scheme { arms: vec![arm("A"), arm("B")], factors: factors.iter().map(factor).collect(), method }
}

pub(crate) fn blocks(slots: u32) -> Scheme {
    scheme(Method::PermutedBlocks { slots }, &["risk"])
}

fn minimisation() -> Scheme {
    let method = Method::Minimisation { weights: vec![1], probability_permille: 800, measure: Measure::Range };
    scheme(method, &["risk"])
}

pub(crate) fn secret() -> Secret {
    Secret { seed: [5; 32], block_sizes: vec![2, 4] }
}

fn commit(scheme: &Scheme, secret: &Secret) -> CommitAllocation {
    let root = (!matches!(scheme.method, Method::Minimisation { .. })).then(|| sha256(&[b"root"]).into());
    let (allocation, scheme, commitment) = (name("main"), scheme.clone(), commitment(scheme, secret).into());
    command!("root", CommitAllocation { allocation, scheme, commitment, root })
}

fn pseudonym(number: usize) -> String {
    format!("P-AAAAAAAAAAAAAAA{}", char::from(b'A' + number as u8))
}

impl Study {
    pub(crate) fn commit(&mut self, scheme: &Scheme) -> Result<Changes, Refusal> {
        self.run(&commit(scheme, &secret()), &[&key(1)])
    }

    pub(crate) fn randomise(&mut self, participant: &str, levels: &[&str]) -> Result<Changes, Refusal> {
        let levels = levels.iter().map(|level| name(level)).collect();
        let (participant, site, allocation) = (name(participant), name("701"), name("main"));
        self.run(&command!("root", Randomise { participant, site, allocation, levels }), &[&key(1)])
    }

    pub(crate) fn unblind(&mut self, by: &str, participant: &str) -> Result<Changes, Refusal> {
        self.run(&unblinding(by, participant), &[&key_of(by)])
    }

    pub(crate) fn reveal(&mut self, secret: &Secret) -> Result<Changes, Refusal> {
        let (allocation, seed) = (name("main"), seal::Hash(secret.seed).into());
        let block_sizes = secret.block_sizes.clone();
        self.run(&command!("root", RevealAllocation { allocation, seed, block_sizes }), &[&key(1)])
    }

    /// An open study with two arms, an allocation and `participants` enrolled.
    fn committed(scheme: &Scheme, participants: usize) -> Self {
        let mut study = Self::open();
        study.add_arm("A").unwrap();
        study.add_arm("B").unwrap();
        study.commit(scheme).unwrap();
        (0..participants).for_each(|number| drop(study.enrol("root", &pseudonym(number), "701").unwrap()));
        study
    }

    fn place(&self, participant: &str) -> (String, u64) {
        match self.facts.find(&subject::randomised(&name(participant))) {
            Some(Fact::Randomised { stratum, index, .. }) => (stratum.clone(), *index),
            other => panic!("{other:?}"),
        }
    }
}

fn unblinding(by: &str, participant: &str) -> Unblind {
    let (participant, site, notified) = (name(participant), name("701"), vec![name("sponsor medical monitor")]);
    command!(by, Unblind { participant, site, reason: "overdose".to_owned(), notified })
}

#[test]
fn an_allocation_is_committed_to_once_with_arms_that_exist() {
    let mut study = Study::open();
    refuses(study.commit(&blocks(4)), Refusal::NotFound("arm"));
    study.add_arm("A").unwrap();
    refuses(study.commit(&blocks(4)), Refusal::NotFound("arm"));
    study.add_arm("B").unwrap();
    malformed("scheme", study.commit(&blocks(0)));
    let rootless = CommitAllocation { root: None, ..commit(&blocks(4), &secret()) };
    malformed("root", study.run(&rootless, &[&key(1)]));
    let rooted = CommitAllocation { root: Some(sha256(&[]).into()), ..commit(&minimisation(), &secret()) };
    malformed("root", study.run(&rooted, &[&key(1)]));
    let by_ann = CommitAllocation { by: name("ann"), ..commit(&blocks(4), &secret()) };
    refuses(study.run(&by_ann, &[&key_of("ann")]), no_delegation("ann", Task::ManageAllocation, "*"));
    study.commit(&blocks(4)).unwrap();
    refuses(study.commit(&blocks(4)), Refusal::NameTaken("allocation"));
}

#[test]
fn participants_take_the_next_place_of_their_stratum_until_it_is_full() {
    let mut study = Study::committed(&blocks(2), 5);
    for (number, level, place) in [(0, "low", 0), (1, "high", 0), (2, "low", 1)] {
        let changes = study.randomise(&pseudonym(number), &[level]).unwrap();
        assert_eq!(study.place(&pseudonym(number)), (level.to_owned(), place));
        assert_eq!(study.stage(&pseudonym(number)), Stage::Randomised);
        // No fact says which arm, and no fact has the commitment's secret.
        for (_, fact) in changes {
            let text = String::from_utf8(fact.to_bytes()).unwrap();
            assert!(!text.contains(r#""A""#) && !text.contains(r#""B""#), "{text}");
        }
    }
    refuses(study.randomise(&pseudonym(3), &["low"]), Refusal::StratumExhausted);
    malformed("levels", study.randomise(&pseudonym(3), &["middle"]));
    malformed("levels", study.randomise(&pseudonym(3), &[]));
    malformed("levels", study.randomise(&pseudonym(3), &["low", "high"]));
    study.randomise(&pseudonym(3), &["high"]).unwrap();
    assert_eq!(study.facts.count(&subject::list(&List::Randomised(name("main")))), 4);
    let again = Refusal::StageNotPermitted { from: Stage::Randomised, to: Stage::Randomised };
    refuses(study.randomise(&pseudonym(3), &["high"]), again);
}

#[test]
fn methods_without_strata_have_one_order() {
    for scheme in [scheme(Method::Simple { slots: 3 }, &["risk"]), minimisation()] {
        let mut study = Study::committed(&scheme, 4);
        for (number, level) in ["low", "high", "low"].into_iter().enumerate() {
            study.randomise(&pseudonym(number), &[level]).unwrap();
            assert_eq!(study.place(&pseudonym(number)), (String::new(), number as u64));
        }
        malformed("levels", study.randomise(&pseudonym(3), &["middle"]));
        let last = study.randomise(&pseudonym(3), &["low"]);
        match scheme.method {
            Method::Simple { .. } => refuses(last, Refusal::StratumExhausted),
            _ => drop(last.unwrap()),
        }
    }
}

#[test]
fn only_the_enrolled_are_randomised_where_study_and_site_are_open() {
    let mut study = Study::committed(&blocks(2), 1);
    refuses(study.randomise(&pseudonym(3), &["low"]), Refusal::NotFound("participant"));
    study.screen("root", &pseudonym(1), "701", None).unwrap();
    let screened = Refusal::StageNotPermitted { from: Stage::Screened, to: Stage::Randomised };
    refuses(study.randomise(&pseudonym(1), &["low"]), screened);
    let (participant, site, levels) = (name(&pseudonym(0)), name("701"), vec![name("low")]);
    let other = command!("root", Randomise { participant, site, allocation: name("other"), levels });
    refuses(study.run(&other, &[&key(1)]), Refusal::NotFound("allocation"));
    let by_ann = Randomise { by: name("ann"), allocation: name("main"), ..other };
    refuses(study.run(&by_ann, &[&key_of("ann")]), no_delegation("ann", Task::Enrol, "701"));
    study.pause("701").unwrap();
    refuses(study.randomise(&pseudonym(0), &["low"]), Refusal::SiteNotOpen);
    study.set_state(State::Paused).unwrap();
    refuses(study.randomise(&pseudonym(0), &["low"]), Refusal::StudyNotOpen);
}

#[test]
fn one_participant_is_unblinded_for_a_reason() {
    let mut study = Study::committed(&blocks(2), 2);
    study.randomise(&pseudonym(0), &["low"]).unwrap();
    refuses(study.unblind("ann", &pseudonym(0)), no_delegation("ann", Task::Unblind, "701"));
    study.delegate("root", "ann", Task::Unblind, "701", (0, NOW * 2)).unwrap();
    refuses(study.unblind("ann", &pseudonym(1)), Refusal::NotRandomised);
    refuses(study.unblind("ann", &pseudonym(2)), Refusal::NotFound("participant"));
    for reason in [String::new(), " ".to_owned(), "x".repeat(4_097)] {
        malformed("reason", study.run(&Unblind { reason, ..unblinding("ann", &pseudonym(0)) }, &[&key_of("ann")]));
    }
    for notified in [Vec::new(), vec![name("somebody"); 33]] {
        malformed("notified", study.run(&Unblind { notified, ..unblinding("ann", &pseudonym(0)) }, &[&key_of("ann")]));
    }
    study.unblind("ann", &pseudonym(0)).unwrap();
    let unblinded = study.facts.find(&subject::unblinded(&name(&pseudonym(0))));
    assert!(matches!(unblinded, Some(Fact::Unblinded { by, .. }) if *by == name("ann")));
}

#[test]
fn the_secret_is_revealed_once_nobody_is_enrolled_and_only_the_right_one() {
    let mut study = Study::committed(&blocks(2), 1);
    refuses(study.reveal(&secret()), Refusal::RevealTooEarly);
    study.set_state(State::Paused).unwrap();
    for (seed, sizes) in [(6, vec![2, 4]), (5, vec![2]), (5, vec![3]), (5, Vec::new())] {
        let wrong = Secret { seed: [seed; 32], block_sizes: sizes };
        refuses(study.reveal(&wrong), Refusal::CommitmentMismatch);
    }
    let (allocation, seed, block_sizes) = (name("main"), seal::Hash(secret().seed).into(), vec![2, 4]);
    let by_ann = command!("ann", RevealAllocation { allocation, seed, block_sizes });
    refuses(study.run(&by_ann, &[&key_of("ann")]), no_delegation("ann", Task::ManageAllocation, "*"));
    study.reveal(&secret()).unwrap();
    refuses(study.reveal(&secret()), Refusal::AlreadyEnded("allocation"));
    study.set_state(State::Open).unwrap();
    refuses(study.randomise(&pseudonym(0), &["low"]), Refusal::AllocationRevealed);
    let unknown = RevealAllocation { allocation: name("other"), ..by_ann };
    refuses(study.run(&RevealAllocation { by: name("root"), ..unknown }, &[&key(1)]), Refusal::NotFound("allocation"));
}

#[test]
fn from_rules_3_on_a_participants_site_is_known_and_not_stated() {
    let sites = |factor: &str| {
        let levels = ["701", "702"].map(name).to_vec();
        Scheme { factors: vec![Factor { factor: name(factor), levels }], ..blocks(8) }
    };
    let mut minimising = minimisation();
    minimising.factors = sites("Site").factors;
    for scheme in [sites("site"), sites("SITE"), minimising] {
        let mut study = Study::third();
        study.add_arm("A").unwrap();
        study.add_arm("B").unwrap();
        study.commit(&scheme).unwrap();
        let (participant, site, key) = (name(PSEUDONYM), name("701"), key_of(PSEUDONYM).public());
        let enrol = command!("root", EnrolParticipant { participant, site, key, late: None });
        study.run(&enrol, &[&key_of("root"), &key_of(PSEUDONYM)]).unwrap();
        let factor = scheme.factors[0].factor.clone();
        refuses(study.randomise(PSEUDONYM, &["702"]), Refusal::LevelMismatch(factor));
        study.randomise(PSEUDONYM, &["701"]).unwrap();
    }
    let mut study = Study::committed(&sites("site"), 1);
    study.randomise(&pseudonym(0), &["702"]).unwrap(); // before rules 3 it was taken as typed
}
