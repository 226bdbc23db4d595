//! Who consents, and how they sign.

use crate::*;
use vocabulary::{
    command::{Assent, Relation},
    fact::{End, Fact, Until},
    subject,
};

fn device(device: &str) -> GiveConsent {
    let evidence = sha256(&[b"strokes"]).into();
    giving(&["data_collection"], Capacity::SiteDevice { device: name(device), evidence })
}

fn represented(actor: &str) -> GiveConsent {
    giving(&["data_collection"], Capacity::Representative { actor: name(actor) })
}

fn minor(parents: &[&str], assent: Assent, majority: u64) -> GiveConsent {
    let parents = parents.iter().map(|parent| name(parent)).collect();
    giving(&["data_collection", "genetics"], Capacity::Minor { parents, assent, majority })
}

fn unable() -> Assent {
    Assent::NotAble(name("newborn"))
}

fn deferred(texts: &[&str], deadline: u64) -> GiveConsent {
    giving(texts, Capacity::Deferred { reason: name("coma"), deadline })
}

fn witnessed(witness: &str, capacity: Capacity) -> GiveConsent {
    let manner = Manner { witness: Some(name(witness)), ..manner(capacity.clone()) };
    GiveConsent { manner: Some(manner), ..giving(&["data_collection"], capacity) }
}

fn until(study: &Study, text: &str) -> Option<Until> {
    study.provisions()[&provision(text)].until
}

#[test]
fn participants_sign_with_their_own_key() {
    let mut study = Study::new();
    let own = giving(&["data_collection"], Capacity::Participant);
    refuses(study.run(&own, &["ann"]), unknown_key(PARTICIPANT));
    refuses(study.run(&own, &["ann", OTHER]), unknown_key(PARTICIPANT));
    refuses(study.run(&own, &["ann", MOTHER]), unknown_key(PARTICIPANT));
    study.run(&own, &[PARTICIPANT, "ann"]).unwrap();
    assert_eq!(until(&study, "data_collection"), None);
    let mut ended = Study::new();
    ended.end_key(PARTICIPANT);
    refuses(ended.run(&own, &["ann", PARTICIPANT]), Unauthorised::KeyEnded(name(PARTICIPANT)));
}

#[test]
fn a_device_of_the_site_signs_for_what_it_recorded() {
    let mut study = Study::new();
    for other in ["edc", "lab", "bob", PARTICIPANT, "nobody"] {
        refuses(study.run(&device(other), &["ann", other]), Refusal::DeviceUnknown);
    }
    refuses(study.run(&device("tablet"), &["ann"]), unknown_key("tablet"));
    refuses(study.run(&device("tablet"), &["ann", "meter"]), unknown_key("tablet"));
    refuses(study.run(&device("tablet"), &["ann", PARTICIPANT]), unknown_key("tablet"));
    study.run(&device("tablet"), &["ann", "tablet"]).unwrap();
    study.end_key("tablet");
    refuses(study.run(&device("tablet"), &["ann", "tablet"]), Unauthorised::KeyEnded(name("tablet")));
}

#[test]
fn a_registered_representative_consents_where_the_document_admits_it() {
    let mut strict = Study::with(Terms { representative: false, ..terms() });
    let refusal = Refusal::NotAdmitted("consent by a legally authorised representative");
    refuses(strict.run(&represented(LEGAL), &["ann", LEGAL]), refusal);
    let mut study = Study::new();
    let unknown = Refusal::RepresentativeUnknown("legally authorised representative");
    for other in [MOTHER, WITNESS, "bob", PARTICIPANT, "R-NOBODYNOBODYNOB"] {
        refuses(study.run(&represented(other), &["ann", other]), unknown.clone());
    }
    // Representing one participant says nothing about another.
    let of_other = GiveConsent { participant: name(OTHER), ..represented(LEGAL) };
    refuses(study.run(&of_other, &["ann", LEGAL]), unknown);
    refuses(study.run(&represented(LEGAL), &["ann", PARTICIPANT]), unknown_key(LEGAL));
    study.run(&represented(LEGAL), &["ann", LEGAL]).unwrap();
    assert_eq!(until(&study, "data_collection"), None);
}

#[test]
fn who_represented_a_participant_consents_for_them_no_more() {
    let mut study = Study::new();
    let ended = Fact::FormerRepresentative { relation: Relation::LegalRepresentative, registered: 4, ended: 9 };
    study.enroll(subject::representative(&name(PARTICIPANT), &name(LEGAL)), ended);
    let unknown = Refusal::RepresentativeUnknown("legally authorised representative");
    refuses(study.run(&represented(LEGAL), &["ann", LEGAL]), unknown);
}

#[test]
fn as_many_different_parents_as_the_document_demands_sign_for_a_minor() {
    let parents = "manner.capacity.minor.parents";
    let majority = NOW + 20 * DAY;
    let signers = ["ann", MOTHER, FATHER];
    let mut adults = Study::with(Terms { parents: 0, ..terms() });
    refuses(adults.run(&minor(&[MOTHER], unable(), majority), &signers), Refusal::NotAdmitted("minors"));
    let mut study = Study::with(Terms { parents: 2, ..terms() });
    for some in [&[][..], &[MOTHER], &[MOTHER, MOTHER], &[MOTHER, FATHER, LEGAL]] {
        malformed(parents, study.run(&minor(some, unable(), majority), &signers));
    }
    for stranger in [LEGAL, WITNESS, "bob"] {
        let one = minor(&[MOTHER, stranger], unable(), majority);
        refuses(study.run(&one, &["ann", MOTHER, stranger]), Refusal::RepresentativeUnknown("parent"));
    }
    let both = minor(&[MOTHER, FATHER], unable(), majority);
    refuses(study.run(&both, &["ann", MOTHER]), unknown_key(FATHER));
    refuses(study.run(&both, &["ann", FATHER]), unknown_key(MOTHER));
    study.run(&both, &signers).unwrap();
    // Where one is enough, both may sign.
    for some in [&[MOTHER][..], &[FATHER, MOTHER]] {
        Study::new().run(&minor(some, unable(), majority), &signers).unwrap();
    }
}

#[test]
fn a_minor_who_assents_signs_and_comes_of_age() {
    let mut study = Study::new();
    let parent = |assent, majority| minor(&[MOTHER], assent, majority);
    refuses(study.run(&parent(Assent::Signed, NOW + 1), &["ann", MOTHER]), unknown_key(PARTICIPANT));
    for majority in [0, NOW - 1, NOW] {
        let late = study.run(&parent(Assent::Signed, majority), &["ann", MOTHER, PARTICIPANT]);
        malformed("manner.capacity.minor.majority", late);
    }
    study.run(&parent(Assent::Signed, NOW + 1), &["ann", MOTHER, PARTICIPANT]).unwrap();
    assert_eq!(study.holds("data_collection"), Ok(InForce { until: Some(NOW + 1), reconsent_by: None }));
    study.next.time += 1;
    assert_eq!(study.holds("data_collection"), Err(NotInForce::MajorityReached));
    study.give(&["data_collection"]).unwrap();
    assert_eq!(study.holds("data_collection"), Ok(InForce::default()));
}

#[test]
fn a_provision_ends_at_the_first_of_its_ends() {
    // Genetics ends after ten days, data collection only with the minority.
    let end = |time, why| Some(Until { time, why });
    for (majority, genetics) in [
        (NOW + 10 * DAY - 1, end(NOW + 10 * DAY - 1, End::Majority)),
        (NOW + 10 * DAY + 1, end(NOW + 10 * DAY, End::Period)),
    ] {
        let mut study = Study::new();
        study.run(&minor(&[FATHER], unable(), majority), &["ann", FATHER]).unwrap();
        assert_eq!(until(&study, "genetics"), genetics);
        assert_eq!(until(&study, "data_collection"), end(majority, End::Majority));
    }
    let provisions = vec![offer("data_collection", true, Some(1))];
    for (deadline, expected) in
        [(NOW + DAY - 1, end(NOW + DAY - 1, End::Deferral)), (NOW + DAY + 1, end(NOW + DAY, End::Period))]
    {
        let mut study = Study::with(Terms { provisions: provisions.clone(), deferral_ms: Some(2 * DAY), ..terms() });
        study.run(&deferred(&["data_collection"], deadline), &["ann"]).unwrap();
        assert_eq!(until(&study, "data_collection"), expected);
    }
}

#[test]
fn in_an_emergency_what_is_mandatory_holds_until_a_deadline() {
    let none = Terms { deferral_ms: None, ..terms() };
    let refusal = Refusal::NotAdmitted("deferred consent");
    refuses(Study::with(none).run(&deferred(&["data_collection"], NOW + 1), &["ann"]), refusal);
    let mut study = Study::new();
    for deadline in [0, NOW, NOW + DEFERRAL + 1, u64::MAX] {
        let field = "manner.capacity.deferred.deadline";
        malformed(field, study.run(&deferred(&["data_collection"], deadline), &["ann"]));
    }
    let optional = deferred(&["data_collection", "recontact"], NOW + 1);
    refuses(study.run(&optional, &["ann"]), Refusal::NotAdmitted("a deferred consent to an optional provision"));
    for deadline in [NOW + 1, NOW + DEFERRAL] {
        study.clone().run(&deferred(&["data_collection"], deadline), &["ann"]).unwrap();
    }
    study.run(&deferred(&["data_collection"], NOW + DEFERRAL), &["ann"]).unwrap();
    study.next.time = NOW + DEFERRAL - 1;
    assert_eq!(study.holds("data_collection"), Ok(InForce { until: Some(NOW + DEFERRAL), reconsent_by: None }));
    study.next.time = NOW + DEFERRAL;
    assert_eq!(study.holds("data_collection"), Err(NotInForce::DeferralEnded));
    study.give(&["data_collection"]).unwrap();
    assert_eq!(study.holds("data_collection"), Ok(InForce::default()));
}

#[test]
fn who_once_said_no_is_not_included_behind_their_back() {
    let mut study = Study::new();
    study.give(&["data_collection", "recontact"]).unwrap();
    study.run(&withdrawing(PARTICIPANT, &["recontact"], None), &[PARTICIPANT]).unwrap();
    refuses(study.run(&deferred(&["data_collection"], NOW + 1), &["ann"]), NotInForce::Withdrawn);
    study.withdraw(PARTICIPANT, WithdrawalScope::Everything).unwrap();
    refuses(study.run(&deferred(&["data_collection"], NOW + 1), &["ann"]), NotInForce::Withdrawn);
}

#[test]
fn a_deferral_is_not_prolonged_by_another() {
    let refusal = Refusal::NotAdmitted("a deferred consent where consent was given or deferred before");
    let mut study = Study::new();
    study.run(&deferred(&["data_collection"], NOW + DEFERRAL), &["ann"]).unwrap();
    for time in [NOW + DEFERRAL - 1, NOW + DEFERRAL] {
        study.next.time = time;
        refuses(study.run(&deferred(&["data_collection"], time + DEFERRAL), &["ann"]), refusal.clone());
    }
    // Nor does one put an end to what the participant gave for good.
    let mut given = Study::new();
    given.give(&["data_collection"]).unwrap();
    refuses(given.run(&deferred(&["data_collection"], NOW + 1), &["ann"]), refusal);
    assert_eq!(given.holds("data_collection"), Ok(InForce::default()));
}

#[test]
fn an_impartial_witness_is_registered_and_signs() {
    let mut study = Study::new();
    let unknown = Refusal::RepresentativeUnknown("impartial witness");
    for other in [LEGAL, MOTHER, "bob"] {
        let by = witnessed(other, Capacity::Participant);
        refuses(study.run(&by, &["ann", PARTICIPANT, other]), unknown.clone());
    }
    for (capacity, signer) in [
        (Capacity::Participant, PARTICIPANT),
        (Capacity::Representative { actor: name(LEGAL) }, LEGAL),
        (Capacity::Minor { parents: vec![name(MOTHER)], assent: unable(), majority: NOW + 1 }, MOTHER),
    ] {
        let by = witnessed(WITNESS, capacity);
        refuses(study.run(&by, &["ann", signer]), unknown_key(WITNESS));
        study.run(&by, &["ann", signer, WITNESS]).unwrap();
    }
    // A witness does not consent.
    refuses(study.run(&witnessed(WITNESS, Capacity::Participant), &["ann", WITNESS]), unknown_key(PARTICIPANT));
}

#[test]
fn what_a_participant_refused_nobody_else_gives_for_them() {
    let mut study = Study::new();
    study.give(&["data_collection"]).unwrap();
    let everything = withdrawing(PARTICIPANT, &[], Some(WithdrawalScope::Everything));
    study.run(&everything, &[PARTICIPANT]).unwrap();
    let unable = minor(&[MOTHER], unable(), NOW + 5);
    refuses(study.run(&unable, &["ann", MOTHER]), Refusal::NotInForce(NotInForce::Withdrawn));
    refuses(study.run(&represented(LEGAL), &["ann", LEGAL]), Refusal::NotInForce(NotInForce::Withdrawn));
    study.run(&minor(&[MOTHER], Assent::Signed, NOW + 5), &["ann", MOTHER, PARTICIPANT]).unwrap();
    // On the word of the participant, but not with their key: it may be given for them again.
    let mut study = Study::new();
    study.give(&["data_collection"]).unwrap();
    study.run(&withdrawing("ann", &[], Some(WithdrawalScope::Everything)), &["ann"]).unwrap();
    study.run(&represented(LEGAL), &["ann", LEGAL]).unwrap();
}

#[test]
fn coming_of_age_is_not_put_off() {
    let mut study = Study::new();
    study.run(&minor(&[MOTHER], unable(), NOW + 5), &["ann", MOTHER]).unwrap();
    let later = study.run(&minor(&[MOTHER], unable(), NOW + 6), &["ann", MOTHER]);
    malformed("manner.capacity.minor.majority", later);
    study.run(&minor(&[MOTHER], unable(), NOW + 5), &["ann", MOTHER]).unwrap();
    study.next.time = NOW + 5;
    let again = study.run(&minor(&[MOTHER], unable(), NOW + 500), &["ann", MOTHER]);
    refuses(again, Refusal::NotInForce(NotInForce::MajorityReached));
    refuses(study.run(&represented(LEGAL), &["ann", LEGAL]), Refusal::NotInForce(NotInForce::MajorityReached));
    study.give(&["data_collection"]).unwrap();
}
