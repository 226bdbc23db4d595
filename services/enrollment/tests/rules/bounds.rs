//! Rules 3: what the models found. What is accepted stays within the bounds of a proof, and gives a right still to come.

use crate::*;
use vocabulary::{
    authority::{MAX_BYTES_OF_RIGHT, steps_of},
    subject,
};

#[test]
fn a_delegation_that_is_over_is_not_taken_in() {
    let mut study = Study::third();
    study.next.time = NOW + 100;
    malformed("until", study.entrust("root", "ann", Task::Capture, (NOW, NOW + 100)));
    study.entrust("root", "ann", Task::Capture, (NOW, NOW + 101)).unwrap();
}

#[test]
fn a_fact_of_delegations_fits_while_they_are_ended_one_by_one() {
    let mut study = Study::third();
    study.next.number = u64::MAX - 1_000; // an entry's number takes more bytes than no number
    let first = study.next.number;
    let count = (0..100).take_while(|_| study.entrust("root", "ann", Task::Capture, (NOW, NOW + 10)).is_ok()).count();
    assert!(count > 10);
    let subject = subject::delegation(&name("ann"), Task::Capture.name(), &name("701"));
    for which in first..first + count as u64 {
        let (actor, task, site, delegation) = (name("ann"), Task::Capture, name("701"), Some(which));
        let end = command!("root", EndDelegation { actor, task, site, reason: name("over"), delegation });
        study.run(&end, &[&key(1)]).unwrap();
        let size = study.facts.find(&subject).unwrap().to_bytes().len();
        assert!(size <= MAX_BYTES_OF_RIGHT, "{size} bytes");
    }
}

#[test]
fn the_right_to_record_late_counts_among_the_steps_of_a_proof() {
    let steps = |late: Option<&str>| {
        let mut study = Study::third();
        for task in [Task::Enrol, Task::RecordLate] {
            study.entrust("root", "bob", task, (NOW, NOW + 100)).unwrap();
            study.entrust("bob", "ann", task, (NOW, NOW + 100)).unwrap();
        }
        let (participant, site, key) = (name(PSEUDONYM), name("701"), key_of(PSEUDONYM).public());
        let enrol = command!("ann", EnrolParticipant { participant, site, key, late: late.map(name) });
        study.run(&enrol, &[&key_of("ann"), &key_of(PSEUDONYM)]).unwrap();
        steps_of(&study.facts, &key)
    };
    // One more key, and a delegation by bob, who has a key and a delegation by the root.
    assert_eq!(steps(Some("no network")), steps(None) + 4);
}
