//! What an audit remarks on although no rule refuses it.

#![allow(clippy::unwrap_used)]

use super::{Report, study::Study};
use seal::{
    dsse::{self, Envelope},
    entry::Entry,
    id::{Name, Service, Uuid},
    key::{PublicKey, SecretKey},
};
use vocabulary::{
    command::{ActorKind, RegisterRepresentative, Relation, RotateKey, WithdrawConsent},
    fact::{self, Fact},
    subject::{self, Subject},
};

const HOUR_MS: u64 = 3_600_000;
const STUDY: Uuid = Uuid([9; 16]);

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn secret(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

fn entry(service: Service, number: u64, time: u64) -> Entry {
    Entry {
        stream: service.stream(STUDY),
        number,
        previous: seal::Hash::ZERO,
        time,
        nonce: [0; 16],
        kind: String::new(),
        envelope: seal::Hash::ZERO,
        state_root: None,
        basis: Vec::new(),
    }
}

fn consent() -> (Subject, Fact) {
    let fact =
        Fact::Consent(fact::Consent { provisions: [].into(), majority: None, emptied: None, declined: [].into() });
    (subject::consent(&name("P-ABCDEFGHIJKLMNOP")), fact)
}

/// What is remarked on a withdrawal signed at `signed` and recorded at `recorded`, after a consent recorded at hour 30.
fn remarked(signed: u64, recorded: u64, late: Option<&str>) -> Vec<String> {
    let key = secret(1).public();
    let mut study = Study::new(STUDY, &key, 100 * HOUR_MS);
    let consented = entry(Service::Consent, 0, 30 * HOUR_MS);
    study.consent.apply(STUDY, &consented, seal::Hash::ZERO, vec![consent()]);
    let withdraw = WithdrawConsent {
        study: STUDY,
        request: Uuid([1; 16]),
        by: name("P-ABCDEFGHIJKLMNOP"),
        time: signed,
        participant: name("P-ABCDEFGHIJKLMNOP"),
        site: name("701"),
        provisions: Vec::new(),
        scope: None,
        collected: None,
        late: late.map(name),
    };
    let envelope = Envelope::parse(&dsse::sign(&withdraw, &[&secret(1)])).unwrap();
    let mut report = Report::default();
    let now = entry(Service::Consent, 1, recorded);
    study.order(Service::Consent, &now, (&envelope, &[consent()]), &mut report).unwrap();
    assert_eq!((report.found, report.remarked), (0, report.remarks.len() as u64));
    report.remarks.into_iter().map(|remark| remark.what).collect()
}

#[test]
fn old_late_and_disordered_signatures_are_remarked_on() {
    assert_eq!(remarked(31 * HOUR_MS, 31 * HOUR_MS, None), [""; 0]);
    assert_eq!(remarked(31 * HOUR_MS, 55 * HOUR_MS, None), [""; 0]);
    let [old] = remarked(31 * HOUR_MS, 56 * HOUR_MS, None).try_into().unwrap();
    assert!(old.contains("25 hours after"), "{old}");
    let [late] = remarked(31 * HOUR_MS, 32 * HOUR_MS, Some("no connection")).try_into().unwrap();
    assert!(late.contains("late") && !late.contains("connection"), "{late}");
    let [before] = remarked(29 * HOUR_MS, 31 * HOUR_MS, None).try_into().unwrap();
    assert!(before.contains("before entry 0"), "{before}");
}

/// A key of an actor, as its registration or rotation sets it.
fn key_of(actor: &str, key: &SecretKey, ended: Option<u64>) -> (Subject, Fact) {
    let key = key.public();
    (subject::key(key.id()), Fact::Key(fact::Key { actor: name(actor), key, registered: 0, ended, steps: None }))
}

/// A study in which a key was rotated `times` times, and what was remarked on.
fn rotated(root: &PublicKey, times: u8) -> (Study<'_>, Report) {
    let (mut study, mut report) = (Study::new(STUDY, root, 100 * HOUR_MS), Report::default());
    let actor = Fact::Actor(fact::Actor { kind: ActorKind::Person, registered: 0, site: None });
    for number in 0..times {
        let (before, key) = (secret(number), secret(number + 1));
        let rotate = RotateKey {
            study: STUDY,
            request: Uuid([number; 16]),
            by: name("ann"),
            time: 0,
            key: key.public(),
            confirmed: None,
        };
        let envelope = Envelope::parse(&dsse::sign(&rotate, &[&before, &key])).unwrap();
        let now = entry(Service::Enrollment, u64::from(number), 0);
        let changes = vec![
            key_of("ann", &before, Some(u64::from(number))),
            key_of("ann", &key, None),
            (subject::actor(&name("ann")), actor.clone()),
        ];
        study.provable(&now, (&envelope, &changes), &mut report).unwrap();
        study.enrollment.apply(STUDY, &now, seal::Hash::ZERO, changes);
    }
    (study, report)
}

/// The numbers of the entries at which a chain of `times` rotations is remarked on, and what the last remark says.
fn rotations(times: u8) -> (Vec<u64>, String) {
    let root = secret(0).public();
    let (_, mut report) = rotated(&root, times);
    let at = report.remarks.iter().filter_map(|remark| remark.entry).collect();
    (at, report.remarks.pop().map(|remark| remark.what).unwrap_or_default())
}

#[test]
fn the_proof_of_a_representatives_key_leads_through_both_who_registered_them() {
    let root = secret(0).public();
    let remarked = |by: &str, second: &str| {
        let (mut study, mut report) = rotated(&root, 63);
        let bob = secret(200);
        study.enrollment.apply(
            STUDY,
            &entry(Service::Enrollment, 63, 0),
            seal::Hash::ZERO,
            vec![key_of("bob", &bob, None)],
        );
        let (representative, ann) = (secret(201), secret(63));
        let register = RegisterRepresentative {
            study: STUDY,
            request: Uuid([99; 16]),
            by: name(by),
            time: 0,
            participant: name("P-ABCDEFGHIJKLMNOP"),
            site: name("701"),
            actor: name("R-ABCDEFGHIJKLMNOP"),
            relation: Relation::Parent,
            key: representative.public(),
            second: Some(name(second)),
            grounds: Some(name("mother")),
            until: Some(1),
        };
        let envelope = Envelope::parse(&dsse::sign(&register, &[&ann, &bob, &representative])).unwrap();
        let changes = [key_of("R-ABCDEFGHIJKLMNOP", &representative, None)];
        study.provable(&entry(Service::Enrollment, 64, 0), (&envelope, &changes), &mut report).unwrap();
        report.remarks.len()
    };
    assert_eq!([remarked("ann", "bob"), remarked("bob", "ann")], [1, 1]);
}

#[test]
fn a_right_is_remarked_on_long_before_it_cannot_be_proven() {
    assert_eq!(rotations(63).0, [0; 0]);
    let (at, said) = rotations(64);
    assert!(at == [63] && said.contains("at least half"), "{at:?} {said}");
    let (at, said) = rotations(129);
    assert!(at.len() == 66 && said.contains("cannot be proven"), "{at:?} {said}");
}
