//! Withdrawing: who may, and how much.

use crate::*;
use WithdrawalScope::{Everything, FurtherCollection, Listed, Optional};

const ALL: [&str; 4] = ["biosamples:blood", "data_collection", "genetics", "recontact"];

/// Everything the document offers was agreed to.
fn agreed() -> Study {
    let mut study = Study::new();
    study.give(&ALL).unwrap();
    study
}

/// What still stands.
fn standing(study: &Study) -> Vec<String> {
    let standing = study.provisions().into_iter().filter(|(_, state)| state.withdrawn.is_none());
    standing.map(|(provision, _)| provision.to_string()).collect()
}

#[test]
fn a_withdrawal_says_what_happens_to_what_was_collected() {
    let mut study = agreed();
    let silent = WithdrawConsent { collected: None, ..withdrawing(PARTICIPANT, &["recontact"], None) };
    malformed("collected", study.run(&silent, &[PARTICIPANT]));
    let erased = Some(Collected::Erase(name("GDPR Art. 17(1)(b)")));
    study.run(&WithdrawConsent { collected: erased, ..silent }, &[PARTICIPANT]).unwrap();
    study.withdraw(PARTICIPANT, Everything).unwrap();
    assert_eq!(study.consents(), 3);
}

#[test]
fn each_scope_takes_what_it_says() {
    for (scope, left) in
        [(FurtherCollection, vec!["recontact"]), (Optional, vec!["data_collection"]), (Everything, vec![])]
    {
        let mut study = agreed();
        study.next.number = 9;
        study.withdraw(PARTICIPANT, scope).unwrap();
        assert_eq!(standing(&study), left, "{scope:?}");
        for text in ALL {
            let gone = !left.contains(&text);
            assert_eq!(study.provisions()[&provision(text)].withdrawn, gone.then_some(9), "{text}");
            assert_eq!(study.holds(text).err(), gone.then_some(NotInForce::Withdrawn));
        }
        // There is nothing left of it, and the entries of what was withdrawn stay.
        refuses(study.withdraw(PARTICIPANT, scope), NotInForce::Missing);
    }
    for scope in [None, Some(Listed)] {
        let mut study = agreed();
        study.run(&withdrawing(PARTICIPANT, &["genetics", "data_collection"], scope), &[PARTICIPANT]).unwrap();
        assert_eq!(standing(&study), ["biosamples:blood", "recontact"]);
    }
}

#[test]
fn what_is_listed_was_given_and_stands() {
    let mut study = agreed();
    for scope in [None, Some(Listed)] {
        malformed("provisions", study.run(&withdrawing(PARTICIPANT, &[], scope), &[PARTICIPANT]));
        let twice = withdrawing(PARTICIPANT, &["genetics", "genetics"], scope);
        malformed("provisions", study.run(&twice, &[PARTICIPANT]));
        let never = withdrawing(PARTICIPANT, &["genetics", "biosamples"], scope);
        refuses(study.run(&never, &[PARTICIPANT]), NotInForce::Missing);
    }
    study.run(&withdrawing(PARTICIPANT, &["genetics"], None), &[PARTICIPANT]).unwrap();
    let again = withdrawing(PARTICIPANT, &["recontact", "genetics"], None);
    refuses(study.run(&again, &[PARTICIPANT]), NotInForce::Withdrawn);
    for scope in [FurtherCollection, Optional, Everything] {
        let both = withdrawing(PARTICIPANT, &["recontact"], Some(scope));
        malformed("provisions", study.run(&both, &[PARTICIPANT]));
        refuses(Study::new().withdraw(PARTICIPANT, scope), NotInForce::Missing);
    }
    assert_eq!(standing(&study), ["biosamples:blood", "data_collection", "recontact"]);
}

#[test]
fn the_participant_or_who_speaks_for_them_withdraws() {
    for by in [PARTICIPANT, MOTHER, FATHER, LEGAL, "ann", "bob", "root"] {
        let mut study = agreed();
        refuses(study.run(&withdrawing(by, &[], Some(Everything)), &["eve"]), unknown_key(by));
        study.withdraw(by, Everything).unwrap();
        assert_eq!(standing(&study), Vec::<String>::new(), "{by}");
    }
    for by in [WITNESS, OTHER, "eve", "lab", "tablet"] {
        refuses(agreed().withdraw(by, Everything), no_delegation(by, Task::ObtainConsent, "701"));
    }
    // A parent of one participant is nobody to another.
    let mut study = agreed();
    let of_other = WithdrawConsent { participant: name(OTHER), ..withdrawing(MOTHER, &[], Some(Everything)) };
    refuses(study.run(&of_other, &[MOTHER]), no_delegation(MOTHER, Task::ObtainConsent, "701"));
    for by in [PARTICIPANT, MOTHER] {
        study.end_key(by);
        refuses(study.withdraw(by, Everything), Unauthorised::KeyEnded(name(by)));
    }
}

#[test]
fn neither_a_closed_site_nor_having_left_nor_a_new_version_keeps_anybody_from_it() {
    let mut study = agreed();
    let elsewhere = WithdrawConsent { site: name("702"), ..withdrawing(PARTICIPANT, &[], Some(Everything)) };
    refuses(study.run(&elsewhere, &[PARTICIPANT]), Refusal::NotEnrolled);
    study.open("701", false);
    study.participate(PARTICIPANT, Some(8));
    study.next.time = NOW + 11 * DAY; // genetics is over
    study.withdraw(PARTICIPANT, Everything).unwrap();
    assert_eq!(standing(&study), Vec::<String>::new());
    assert_eq!(study.holds("genetics"), Err(NotInForce::Withdrawn));
}

#[test]
fn what_was_withdrawn_can_be_given_again() {
    let mut study = agreed();
    study.withdraw(PARTICIPANT, Everything).unwrap();
    study.give(&["data_collection"]).unwrap();
    assert_eq!(standing(&study), ["data_collection"]);
    assert_eq!(study.holds("recontact"), Err(NotInForce::Withdrawn));
}
