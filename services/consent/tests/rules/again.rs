//! Whoever takes part again is held to what they refused before, and comes of age when it was said then.

use crate::{
    third::{OF_MINOR, guardian, minor, on_tablet, present},
    *,
};
use vocabulary::subject;

const GUARDED: &[&str] = &["data_collection"];
const LATER: &str = "P-ABCDEFGHIJKLMNO3";

/// A study in which the participant's registration continues `before`, the newest first, whose consents stand as there.
fn again(before: &[(&str, Option<&Study>)]) -> Study {
    let mut study = present();
    let mut names = before.iter().map(|(participant, _)| name(participant));
    let same = Fact::Same { earlier: names.next().unwrap(), linked: 5, before: names.collect() };
    study.enroll(subject::same(&name(PARTICIPANT)), same);
    for (participant, stood) in before {
        let consent = stood.and_then(|study| study.facts.find(&subject::consent(&name(PARTICIPANT))));
        if let Some(consent) = consent {
            study.facts.set(subject::consent(&name(participant)), consent.clone());
        }
    }
    study
}

fn given(study: &mut Study, texts: &[&str], capacity: Capacity) -> Result<Changes, Refusal> {
    let signers = match &capacity {
        Capacity::SiteDevice { .. } => vec!["ann", "tablet"],
        Capacity::Representative { .. } => vec!["ann", LEGAL],
        Capacity::Minor { .. } => OF_MINOR.to_vec(),
        _ => vec!["ann", PARTICIPANT],
    };
    study.fresh(&giving(texts, capacity), &signers)
}

fn deferred() -> Capacity {
    Capacity::Deferred { reason: name("unconscious"), deadline: NOW + DEFERRAL }
}

#[test]
fn nobody_consents_while_it_is_open_who_somebody_is() {
    let mut study = present();
    let held = |cleared| Fact::Match { sites: vec![name("702")], cleared, earlier: vec![name(OTHER)] };
    study.enroll(subject::matched(&name(PARTICIPANT)), held(None));
    for capacity in [Capacity::Participant, on_tablet(), guardian(), minor(NOW + DAY), deferred()] {
        refuses(given(&mut study, GUARDED, capacity), Refusal::Held);
    }
    study.enroll(subject::matched(&name(PARTICIPANT)), held(Some(9)));
    given(&mut study, GUARDED, on_tablet()).unwrap();
}

#[test]
fn what_was_refused_before_nobody_else_gives_again() {
    let mut before = present();
    given(&mut before, &["data_collection", "genetics"], Capacity::Participant).unwrap();
    before.fresh(&withdrawing(PARTICIPANT, &[], Some(WithdrawalScope::Everything)), &[PARTICIPANT]).unwrap();
    for chain in [vec![(OTHER, Some(&before))], vec![(LATER, None), (OTHER, Some(&before))]] {
        let mut study = again(&chain);
        for capacity in [on_tablet(), guardian(), deferred()] {
            refuses(given(&mut study, GUARDED, capacity), NotInForce::Withdrawn);
        }
        assert!(study.holds("data_collection").is_err());
        given(&mut study, GUARDED, Capacity::Participant).unwrap();
        assert!(study.holds("data_collection").is_ok(), "with their own key they decide anew");
        assert_eq!(study.holds("genetics"), Err(NotInForce::Withdrawn));
        refuses(given(&mut study, &["data_collection", "genetics"], on_tablet()), NotInForce::Withdrawn);
    }
}

#[test]
fn what_was_declined_before_nobody_else_gives_again() {
    let mut before = present();
    given(&mut before, GUARDED, Capacity::Participant).unwrap();
    let mut study = again(&[(OTHER, Some(&before))]);
    refuses(given(&mut study, &["data_collection", "genetics"], on_tablet()), NotInForce::Withdrawn);
    given(&mut study, GUARDED, on_tablet()).unwrap();
}

#[test]
fn what_was_given_before_does_not_stand_for_who_takes_part_again() {
    let mut before = present();
    given(&mut before, &["data_collection", "genetics"], on_tablet()).unwrap();
    let mut study = again(&[(OTHER, Some(&before))]);
    assert_eq!(study.holds("data_collection"), Err(NotInForce::Missing));
    given(&mut study, GUARDED, on_tablet()).unwrap();
    assert_eq!(study.holds("genetics"), Err(NotInForce::Missing));
}

#[test]
fn what_the_person_decided_last_counts() {
    let mut first = present();
    given(&mut first, GUARDED, Capacity::Participant).unwrap(); // declines genetics
    let mut second = again(&[(OTHER, Some(&first))]);
    given(&mut second, &["data_collection", "genetics"], Capacity::Participant).unwrap();
    let mut third = again(&[(LATER, Some(&second)), (OTHER, Some(&first))]);
    given(&mut third, &["data_collection", "genetics"], on_tablet()).unwrap();
}

#[test]
fn a_majority_is_of_the_person() {
    let of_age = NOW + 50 * DAY;
    let mut before = present();
    given(&mut before, GUARDED, minor(of_age)).unwrap();
    let mut study = again(&[(OTHER, Some(&before))]);
    for capacity in [Capacity::Participant, on_tablet(), guardian()] {
        refuses(given(&mut study, GUARDED, capacity), Refusal::NotOfAge);
    }
    malformed("manner.capacity.minor.majority", given(&mut study, GUARDED, minor(of_age + 1)));
    given(&mut study, GUARDED, minor(of_age)).unwrap();
    assert!(study.holds("data_collection").is_ok());
}
