//! The client's own example, against a real deployment.

#![allow(clippy::unwrap_used)]

#[allow(dead_code, missing_docs, unreachable_pub)]
#[path = "../libs/client/examples/sponsor.rs"]
mod sponsor;
mod support;

use client::{ClientError, Refusal, sign_form, verify};
use proto::capture::ErrorReason;
use seal::{id::Service, policy::Policy};
use std::fs;
use support::World;
use synthetic::value;

#[tokio::test(flavor = "multi_thread")]
async fn a_sponsors_program_captures_proves_and_follows() {
    let world = World::new().await;
    let file = |name: &str, content: &str| {
        let path = world.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let (study, participant) = (&world.study, &world.participants[0]);
    let header = serde_json::to_string(&study.header(participant, "BASELINE", "VS", 0).unwrap()).unwrap();
    let arguments = [
        world.folder.path().join("endpoints.json").display().to_string(),
        file("regulator.txt", &world.policy_text()),
        file("header.json", &header),
        file("coordinator.key", &study.coordinator.key.to_secret_text()),
        study.auditor.name.to_string(),
        file("auditor.key", &study.auditor.key.to_secret_text()),
    ];
    assert_eq!(sponsor::run(&arguments).await.unwrap(), "120");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_answers_each_form_and_a_follower_sees_what_was_recorded() {
    let world = World::new().await;
    let (study, participant) = (&world.study, &world.participants[0]);
    let form = |repeat| {
        let header = study.header(participant, "BASELINE", "VS", repeat).unwrap();
        sign_form(header, vec![value("SYSBP", "120")], &study.coordinator.key).unwrap()
    };
    let auditor = study.reader();
    let mut journal = world.client.follow(&auditor, Service::Capture, 0);
    assert_eq!(journal.next().await.unwrap().kind, "define-forms");
    let mut answers = world.client.stream(tokio_stream::iter([form(0), form(1), form(0)])).await.unwrap();
    let mut refused = Vec::<Refusal>::new();
    while let Some(answer) = answers.next().await.unwrap() {
        refused.extend(answer.err());
    }
    let [exists] = refused.try_into().unwrap();
    assert_eq!(exists.reason_of(), Some(ErrorReason::FormExists));
    assert!(exists.metadata.contains_key("entry"), "{exists:?}");
    for number in 1..=2 {
        let entry = journal.next().await.unwrap();
        assert_eq!((entry.number, entry.kind.as_str()), (number, "submit-form"));
    }

    let stranger = study.reads(&study.coordinator);
    let denied = world.client.follow(&stranger, Service::Capture, 0).next().await.unwrap_err();
    assert_eq!(denied.reason_of(), Some(proto::journal::ErrorReason::DelegationMissing));
    let bundle = world.bundle(1, "SYSBP").await;
    assert_eq!(verify(&bundle, &world.policy()).unwrap().value, "120");
    let without_the_study = Policy::parse(&world.deployment.policy).unwrap();
    assert!(matches!(verify(&bundle, &without_the_study), Err(ClientError::NotProven(_))));
}
