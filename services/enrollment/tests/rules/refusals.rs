//! Every refusal, by what was there before and what was asked.

use crate::*;
use seal::dsse::EnvelopeError;

#[test]
fn without_a_study_nothing_is_accepted() {
    let unknown = Refusal::StudyUnknown;
    let mut study = Study::empty();
    refuses(study.run(&protocol("root"), &[&key(1)]), unknown.clone());
    refuses(study.register("ann"), unknown.clone());
    refuses(study.add_site("701"), unknown.clone());
    refuses(study.activate("root", "701"), unknown.clone());
    refuses(study.close("root", "701"), unknown.clone());
    refuses(
        study.run(&command!("root", RotateKey { key: key(2).public(), confirmed: None }), &[&key(1), &key(2)]),
        unknown.clone(),
    );
    refuses(study.revoke("root", &key(1)), unknown.clone());
    refuses(study.delegate("root", "ann", Task::Enrol, "*", (0, 1)), unknown.clone());
    refuses(study.end("root", "ann", Task::Enrol, "*"), unknown.clone());
    refuses(study.enrol("root", PSEUDONYM, "701"), unknown.clone());
    refuses(study.withdraw("root", PSEUDONYM, "701"), unknown);
}

#[test]
fn a_study_is_created_once_by_its_root_key() {
    let mut study = Study::empty();
    let unsigned = Refusal::Signature(EnvelopeError::Signature(key(1).public().id()));
    refuses(study.run(&create(), &[&key(2)]), unsigned);
    malformed("by", study.run(&CreateStudy { by: name("ann"), ..create() }, &[&key(1)]));
    study.run(&create(), &[&key(1)]).unwrap();
    refuses(study.run(&create(), &[&key(1)]), Refusal::StudyExists);
    // It is entry 0 or nothing: who loses the fact must not get a second root.
    let mut forgotten = Study { facts: Facts::default(), ..study };
    refuses(forgotten.run(&create(), &[&key(1)]), Refusal::StudyExists);
}

#[test]
fn only_a_valid_key_of_the_actor_signs() {
    let mut study = Study::new();
    let command = command!("ann", AddSite { site: name("702"), title: name("A site") });
    refuses(study.run(&command, &[&key(77)]), Unauthorised::UnknownKey(name("ann")));
    refuses(study.run(&command, &[&key_of("bob")]), Unauthorised::UnknownKey(name("ann")));
    // A key that is named but did not sign this payload.
    let mut json = String::from_utf8(sign(&command, &[&key_of("ann")])).unwrap();
    let other = String::from_utf8(sign(&protocol("ann"), &[&key_of("ann")])).unwrap();
    let signature = |json: &str| json.split("\"sig\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    json = json.replace(&signature(&json), &signature(&other));
    refuses(study.submit::<AddSite>(json.as_bytes()), Unauthorised::BadSignature(name("ann")));
    // The delegation is looked at only after the signature.
    refuses(study.run(&command, &[&key_of("ann")]), no_delegation("ann", Task::ManageStudy, "*"));
    study.revoke("ann", &key_of("ann")).unwrap();
    refuses(study.run(&command, &[&key_of("ann")]), Unauthorised::KeyEnded(name("ann")));
}

#[test]
fn a_task_is_held_at_its_site_and_in_its_period() {
    let mut study = Study::new();
    let (task, period) = (Task::Enrol, (NOW, NOW + 10));
    refuses(study.enrol("ann", PSEUDONYM, "701"), no_delegation("ann", task, "701"));
    study.delegate("root", "ann", task, "701", period).unwrap();
    refuses(study.enrol("ann", PSEUDONYM, "702"), no_delegation("ann", task, "702"));
    let outside = Unauthorised::OutsidePeriod { actor: name("ann"), task };
    for time in [NOW - 1, NOW + 10] {
        study.next.time = time;
        refuses(study.enrol("ann", PSEUDONYM, "701"), outside.clone());
    }
    for (time, participant) in [(NOW, PSEUDONYM), (NOW + 9, OTHER_PSEUDONYM)] {
        study.next.time = time;
        study.enrol("ann", participant, "701").unwrap();
    }
    study.end("ann", "ann", task, "701").unwrap();
    refuses(study.withdraw("ann", PSEUDONYM, "701"), Unauthorised::DelegationEnded { actor: name("ann"), task });
    // A delegation for every site still covers this one.
    study.delegate("root", "ann", task, "*", period).unwrap();
    study.withdraw("ann", PSEUDONYM, "701").unwrap();
}

#[test]
fn names_are_given_once() {
    let mut study = Study::new();
    study.run(&protocol("root"), &[&key(1)]).unwrap();
    refuses(study.run(&protocol("root"), &[&key(1)]), Refusal::NameTaken("protocol version"));
    refuses(study.add_site("701"), Refusal::NameTaken("site"));
    refuses(study.register("ann"), Refusal::NameTaken("actor"));
    let root = RegisterActor { key: key(2).public(), ..registration("root", "root") };
    refuses(study.run(&root, &[&key(1), &key(2)]), Refusal::NameTaken("actor"));
    let shared = RegisterActor { key: key_of("bob").public(), ..registration("root", "eve") };
    refuses(study.run(&shared, &[&key(1), &key_of("bob")]), Refusal::NameTaken("key"));
    study.enrol("root", PSEUDONYM, "701").unwrap();
    refuses(study.enrol("root", PSEUDONYM, "701"), Refusal::NameTaken("participant"));
    let (participant, site, key) = (name(OTHER_PSEUDONYM), name("701"), key_of("bob").public());
    let shared = command!("root", EnrolParticipant { participant, site, key, late: None });
    refuses(study.run(&shared, &[&key_of("root")]), Refusal::NameTaken("key"));
    refuses(
        study.run(&command!("ann", RotateKey { key, confirmed: None }), &[&key_of("ann"), &key_of("bob")]),
        Refusal::NameTaken("key"),
    );
}

#[test]
fn a_new_key_proves_its_possession() {
    let mut study = Study::new();
    let unsigned = |key: &SecretKey| Refusal::Signature(EnvelopeError::Signature(key.public().id()));
    refuses(study.run(&registration("root", "eve"), &[&key(1)]), unsigned(&key_of("eve")));
    refuses(
        study.run(&command!("ann", RotateKey { key: key(2).public(), confirmed: None }), &[&key_of("ann")]),
        unsigned(&key(2)),
    );
}

#[test]
fn participants_are_enrolled_and_others_registered() {
    let mut study = Study::new();
    let participant = RegisterActor { kind: ActorKind::Participant, ..registration("root", "eve") };
    malformed("kind", study.run(&participant, &[&key(1), &key_of("eve")]));
    malformed("actor", study.register(PSEUDONYM));
    malformed("actor", study.register("*"));
    malformed("site", study.add_site("*"));
    for bad in ["ann-2", "P-", "P-ABCDEFGHIJKLMNO", "P-ABCDEFGHIJKLMNOPQ", "P-abcdefghijklmnop", "P-ABCDEFGHIJKLMNO1"] {
        malformed("participant", study.enrol("root", bad, "701"));
    }
    study.enrol("root", PSEUDONYM, "701").unwrap();
    refuses(study.delegate("root", PSEUDONYM, Task::Read, "*", (0, 1)), Refusal::NotFound("actor"));
}

#[test]
fn sites_open_and_close() {
    let mut study = Study::new();
    refuses(study.activate("root", "702"), Refusal::NotFound("site"));
    refuses(study.close("root", "702"), Refusal::NotFound("site"));
    study.add_site("702").unwrap();
    refuses(study.close("root", "702"), Refusal::SiteStateUnchanged);
    refuses(study.enrol("root", PSEUDONYM, "702"), Refusal::SiteNotOpen);
    refuses(study.enrol("root", PSEUDONYM, "703"), Refusal::SiteNotOpen);
    // Who manages one site opens that one and no other.
    study.delegate("root", "ann", Task::ManageStudy, "702", (NOW, NOW + 1)).unwrap();
    refuses(study.close("ann", "701"), no_delegation("ann", Task::ManageStudy, "701"));
    study.activate("ann", "702").unwrap();
    refuses(study.activate("ann", "702"), Refusal::SiteStateUnchanged);
    study.enrol("root", PSEUDONYM, "702").unwrap();
    study.close("ann", "702").unwrap();
    refuses(study.enrol("root", OTHER_PSEUDONYM, "702"), Refusal::SiteNotOpen);
}

#[test]
fn participants_leave_once_by_themselves_or_their_site() {
    let mut study = Study::new();
    study.add_site("702").unwrap();
    refuses(study.withdraw("root", PSEUDONYM, "701"), Refusal::NotFound("participant"));
    study.enrol("root", PSEUDONYM, "701").unwrap();
    study.enrol("root", OTHER_PSEUDONYM, "701").unwrap();
    refuses(study.withdraw("root", PSEUDONYM, "702"), Refusal::NotFound("participant"));
    refuses(study.withdraw(OTHER_PSEUDONYM, PSEUDONYM, "701"), no_delegation(OTHER_PSEUDONYM, Task::Enrol, "701"));
    study.withdraw(PSEUDONYM, PSEUDONYM, "701").unwrap();
    refuses(study.withdraw("root", PSEUDONYM, "701"), Refusal::AlreadyEnded("participation"));
    assert_eq!(study.facts.site_of_active(&name(PSEUDONYM)), None);
    study.withdraw("root", OTHER_PSEUDONYM, "701").unwrap();
}

#[test]
fn keys_are_rotated_and_revoked_once_and_the_root_key_never() {
    let mut study = Study::new();
    malformed(
        "key",
        study.run(&command!("root", RotateKey { key: key(2).public(), confirmed: None }), &[&key(1), &key(2)]),
    );
    malformed("key", study.revoke("root", &key(1)));
    refuses(study.revoke("root", &key(77)), Refusal::NotFound("key"));
    refuses(study.revoke("ann", &key_of("bob")), no_delegation("ann", Task::RegisterActors, "*"));

    let fresh = key(2);
    study.run(&command!("ann", RotateKey { key: fresh.public(), confirmed: None }), &[&key_of("ann"), &fresh]).unwrap();
    let again = command!("ann", RotateKey { key: key(3).public(), confirmed: None });
    refuses(study.run(&again, &[&key_of("ann"), &key(3)]), Unauthorised::KeyEnded(name("ann")));
    study.run(&again, &[&fresh, &key(3)]).unwrap();
    refuses(study.revoke("root", &fresh), Refusal::AlreadyEnded("key"));
    study.revoke("root", &key(3)).unwrap();
    refuses(study.revoke("root", &key(3)), Refusal::AlreadyEnded("key"));

    study.delegate("root", "bob", Task::RegisterActors, "*", (NOW, NOW + 1)).unwrap();
    study.register("eve").unwrap();
    study.revoke("bob", &key_of("eve")).unwrap();
    malformed("key", study.revoke("bob", &key(1)));
}

#[test]
fn delegations_stay_within_what_the_delegator_holds() {
    let mut study = Study::new();
    let task = Task::Capture;
    refuses(study.delegate("ann", "bob", task, "*", (0, 1)), no_delegation("ann", task, "*"));
    refuses(study.delegate("root", "eve", task, "*", (0, 1)), Refusal::NotFound("actor"));
    refuses(study.delegate("root", "ann", task, "702", (0, 1)), Refusal::NotFound("site"));
    malformed("until", study.delegate("root", "ann", task, "*", (5, 5)));
    malformed("until", study.delegate("root", "ann", task, "*", (6, 5)));

    study.delegate("root", "ann", task, "701", (NOW - 5, NOW + 5)).unwrap();
    for period in [(NOW - 6, NOW + 5), (NOW - 5, NOW + 6), (0, u64::MAX)] {
        refuses(study.delegate("ann", "bob", task, "701", period), Refusal::DelegationExceedsOwn);
    }
    // Neither another task nor a wider place can be passed on.
    refuses(study.delegate("ann", "bob", task, "*", (NOW, NOW + 1)), no_delegation("ann", task, "*"));
    refuses(study.delegate("ann", "bob", Task::Read, "701", (NOW, NOW + 1)), no_delegation("ann", Task::Read, "701"));
    study.delegate("ann", "bob", task, "701", (NOW - 5, NOW + 5)).unwrap();
}

#[test]
fn delegations_end_once() {
    let mut study = Study::new();
    let (task, period) = (Task::Capture, (NOW, NOW + 1));
    refuses(study.end("root", "ann", task, "*"), Refusal::NotFound("delegation"));
    study.delegate("root", "ann", task, "*", period).unwrap();
    refuses(study.end("root", "ann", task, "701"), Refusal::NotFound("delegation"));
    refuses(study.end("bob", "ann", task, "*"), no_delegation("bob", task, "*"));
    study.end("ann", "ann", task, "*").unwrap();
    refuses(study.end("root", "ann", task, "*"), Refusal::AlreadyEnded("delegation"));
    // It may be granted anew, and ended by another holder of the task.
    study.delegate("root", "ann", task, "*", period).unwrap();
    study.delegate("root", "bob", task, "*", period).unwrap();
    study.end("bob", "ann", task, "*").unwrap();
}
