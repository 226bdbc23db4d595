//! Rules 3: what the models found. When what stands has ended, a grant has; a majority ends what was given before it.

use crate::*;
use grant::granting;
use third::present;
use vocabulary::command::{AccessData, Assent, GrantAccess};

const EVERYTHING: Option<WithdrawalScope> = Some(WithdrawalScope::Everything);
const YEAR: u64 = 366 * DAY;

fn minor(majority: u64) -> Capacity {
    Capacity::Minor { parents: vec![name(MOTHER)], assent: Assent::Signed, majority }
}

/// The laboratory reads on the first grant.
fn reads(study: &mut Study) -> Result<Changes, Refusal> {
    let time = study.next.time;
    let (categories, grant) = (provisions(&["genetics"]), Some(name("G1")));
    study.run(&AccessData { time, categories, grant, ..read::reading("lab") }, &["lab"])
}

fn granted_by_participant() -> Study {
    let mut study = present();
    let both = giving(&["data_collection", "genetics"], Capacity::Participant);
    study.fresh(&both, &["ann", PARTICIPANT]).unwrap();
    study.fresh(&GrantAccess { until: NOW + 100 * DAY, ..granting() }, &[PARTICIPANT]).unwrap();
    study
}

#[test]
fn a_majority_ends_what_was_given_under_another_document_as_well() {
    let signers = ["ann", MOTHER, PARTICIPANT];
    let mut study = present();
    let terms = Terms { provisions: vec![offer("recontact", false, None)], ..terms() };
    let other = PublishDocument { document: name("SUB"), ..publishing("1.0", terms) };
    study.run(&other, &["root"]).unwrap();
    study.fresh(&giving(&["data_collection"], minor(NOW + 60 * DAY)), &signers).unwrap();
    let earlier = GiveConsent { document: name("SUB"), ..giving(&["recontact"], minor(NOW + 40 * DAY)) };
    study.fresh(&earlier, &signers).unwrap();
    assert_eq!(study.holds("data_collection").unwrap().until, Some(NOW + 40 * DAY));
    study.next.time = NOW + 40 * DAY;
    assert_eq!(study.holds("data_collection"), Err(NotInForce::MajorityReached));
}

#[test]
fn a_majority_is_stated_for_a_childhood_at_most() {
    let mut study = present();
    let beyond = giving(&["data_collection"], minor(NOW + 22 * YEAR + 1));
    malformed("manner.capacity.minor.majority", study.fresh(&beyond, &["ann", MOTHER, PARTICIPANT]));
    let childhood = giving(&["data_collection"], minor(NOW + 22 * YEAR));
    study.fresh(&childhood, &["ann", MOTHER, PARTICIPANT]).unwrap();
}

#[test]
fn a_grant_ends_when_nothing_stands_whether_withdrawn_or_over() {
    let mut study = granted_by_participant();
    study.next.time = NOW + 11 * DAY; // genetics is over
    reads(&mut study.clone()).unwrap();
    let rest = WithdrawConsent { time: study.next.time, ..withdrawing(PARTICIPANT, &["data_collection"], None) };
    study.fresh(&rest, &[PARTICIPANT]).unwrap();
    refuses(reads(&mut study), Refusal::GrantEnded);
}

#[test]
fn what_a_minor_granted_alone_ends_with_what_they_gave_alone() {
    let mut study = granted_by_participant();
    study.fresh(&giving(&["data_collection"], minor(NOW + 50 * DAY)), &["ann", MOTHER, PARTICIPANT]).unwrap();
    refuses(reads(&mut study), Refusal::GrantEnded);
}

#[test]
fn consent_is_deferred_from_when_it_was_signed() {
    let mut study = present();
    let deferred = |deadline| giving(&["data_collection"], Capacity::Deferred { reason: name("coma"), deadline });
    study.next.time = NOW + 10;
    malformed("manner.capacity.deferred.deadline", study.fresh(&deferred(NOW + DEFERRAL + 1), &["ann"]));
    study.fresh(&deferred(NOW + DEFERRAL), &["ann"]).unwrap();
}

#[test]
fn a_participant_refuses_also_what_others_withdrew_before() {
    let mut study = present();
    let guardian = || giving(&["data_collection"], Capacity::Representative { actor: name(LEGAL) });
    study.fresh(&guardian(), &["ann", LEGAL]).unwrap();
    study.fresh(&withdrawing("ann", &[], EVERYTHING), &["ann"]).unwrap();
    study.clone().fresh(&guardian(), &["ann", LEGAL]).unwrap();
    study.fresh(&withdrawing(PARTICIPANT, &[], EVERYTHING), &[PARTICIPANT]).unwrap();
    refuses(study.fresh(&guardian(), &["ann", LEGAL]), NotInForce::Withdrawn);
    refuses(study.fresh(&withdrawing(PARTICIPANT, &[], EVERYTHING), &[PARTICIPANT]), NotInForce::Missing);
}

#[test]
fn nobody_gives_what_the_participant_declined_with_their_own_key() {
    let mut study = present();
    study.fresh(&giving(&["data_collection"], Capacity::Participant), &["ann", PARTICIPANT]).unwrap();
    let on_tablet = Capacity::SiteDevice { device: name("tablet"), evidence: sha256(&[b"drawn"]).into() };
    let both = giving(&["data_collection", "genetics"], on_tablet);
    refuses(study.fresh(&both, &["ann", "tablet"]), NotInForce::Withdrawn);
}
