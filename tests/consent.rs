//! Consent, access and erasure end to end: real services, real signatures, verified offline and audited.

#![allow(clippy::unwrap_used)]

mod support;

use client::{Access, ClientError, Reader, entry_number, new_key, new_representative, new_uuid, now_ms, sign_form};
use futures_util::{StreamExt, stream};
use proto::{
    capture::{FormInstance, GetFormRequest, GetItemHistoryRequest, ListEntriesRequest},
    consent::{self as pb, CopyFormat},
};
use reports::participant;
use seal::{MAX_DECISION_AGE_MS, entry::Entry, id::Name, key::SecretKey, report::LinkName, sha256, verify};
use std::sync::atomic::{AtomicU32, Ordering};
use support::World;
use synthetic::{Actor, Participant, name, offer, terms, value};
use tokio::sync::Notify;
use vocabulary::command::{
    ActorKind, Answer, Assent, Capacity, DocumentVersion, EraseParticipant, GiveConsent, GrantAccess, Manner,
    Provision, Question, Quiz, Reconsent, ReconsentMode, RedactValue, RegisterActor, RegisterRepresentative, Relation,
    RequestConsent, RevokeAccess, Submission, Task, WithdrawalScope,
};

/// Captures that race a withdrawal.
const RACING: u32 = 1_000;
/// How many of them are under way at once.
const AT_ONCE: usize = 64;

fn reason<T: std::fmt::Debug>(outcome: Result<T, ClientError>) -> String {
    outcome.unwrap_err().reason().unwrap_or_default()
}

/// A command with its common fields filled in.
macro_rules! signed {
    ($world:expr, $by:expr, $type:ident { $($field:ident $(: $value:expr)?),* $(,)? }) => {
        $type { study: $world.study.id, request: new_uuid().unwrap(), by: $by.clone(), time: now_ms(), $($field $(: $value)?),* }
    };
}

fn manner(capacity: Capacity) -> Option<Manner> {
    Some(Manner { capacity, witness: None, remote: None, answers: Vec::new() })
}

async fn submit(world: &World, participant: &Participant, event: &str, repeat: u32) -> Result<u64, ClientError> {
    let header = world.study.header(participant, event, "VS", repeat).unwrap();
    let form = sign_form(header, vec![value("SYSBP", "120"), value("COMMENT", "fine")], &world.study.coordinator.key);
    world.client.submit(form.unwrap()).await.map(|receipt| entry_number(&receipt).unwrap())
}

/// A newcomer without consent.
async fn newcomer(world: &World) -> Participant {
    world.study.enrol(&world.client, &world.site).await.unwrap()
}

fn instance(participant: &Participant, event: &str) -> Option<FormInstance> {
    Some(FormInstance {
        participant: participant.name.to_string(),
        event: event.to_owned(),
        event_repeat: 0,
        form: "VS".to_owned(),
        form_repeat: 0,
    })
}

async fn read(world: &World, reader: &Reader, of: &Participant, event: &str) -> Result<usize, ClientError> {
    let request = GetFormRequest { study: world.study.id.to_string(), instance: instance(of, event) };
    let form = world.client.capture.clone().get_form(reader.request(request)).await?.into_inner().form.unwrap();
    Ok(form.values.len())
}

fn as_participant(world: &World, participant: &Participant) -> Reader {
    world.study.reads(&Actor { name: participant.name.clone(), key: participant.key.clone() })
}

async fn person(world: &World, who: &str, tasks: &[Task], site: &Name) -> Actor {
    let actor = Actor { name: name(who).unwrap(), key: new_key().unwrap() };
    world.study.register(&world.client, &actor).await.unwrap();
    for task in tasks {
        world.study.delegate(&world.client, &world.study.root, &actor, *task, site).await.unwrap();
    }
    actor
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_for_a_timely_form_does_not_decide_on_a_late_one() {
    let world = World::new().await;
    let (participant, nurse) = (&world.participants[0], &world.study.coordinator);
    world.study.delegate(&world.client, &world.study.root, nurse, Task::RecordLate, &world.site).await.unwrap();
    submit(&world, participant, "TIMELY", 0).await.unwrap();
    let late = Some(name("the line was down").unwrap());
    let header = Submission { late, ..world.study.header(participant, "LATE", "VS", 0).unwrap() };
    let form = sign_form(header, vec![value("SYSBP", "120"), value("COMMENT", "fine")], &nurse.key).unwrap();
    world.client.submit(form).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_captures_racing_a_withdrawal_rest_on_a_consent_in_force() {
    let world = World::new().await;
    let participant = &world.participants[0];
    let (answered, quarter) = (AtomicU32::new(0), Notify::new());
    let capture = async |repeat| {
        let outcome = submit(&world, participant, "RACE", repeat).await;
        if answered.fetch_add(1, Ordering::Relaxed) == RACING / 4 {
            quarter.notify_one();
        }
        outcome
    };
    let captures = stream::iter(0..RACING).map(capture).buffer_unordered(AT_ONCE);
    let withdrawal = async {
        quarter.notified().await;
        let command = world.study.withdrawal(participant, WithdrawalScope::FurtherCollection).unwrap();
        world.client.record(&command, &[&participant.key]).await.unwrap()
    };
    let (outcomes, receipt) = tokio::join!(captures.collect::<Vec<_>>(), withdrawal);
    let withdrawn = Entry::parse(&receipt.entry).unwrap().time;
    let (accepted, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    println!("{} accepted, {} refused", accepted.len(), refused.len());
    assert!(!refused.is_empty() && accepted.len() > RACING as usize / 4, "nothing raced");
    assert!(refused.into_iter().all(|outcome| reason(outcome) == "CONSENT_WITHDRAWN"));
    // The audit checks from sealed data alone that each accepted capture rests on a consent that was in force at the
    // head it names, and that no head was superseded for longer than the bound.
    let report = world.audit().await;
    assert!(report.clean, "{:?}", report.findings);
    assert!(report.oldest_decision_ms <= MAX_DECISION_AGE_MS);
    assert_eq!(reason(submit(&world, participant, "LATER", 0).await), "CONSENT_WITHDRAWN");
    let numbers: Vec<u64> = accepted.into_iter().map(Result::unwrap).collect();
    if let Some(number) = numbers.iter().max() {
        // A bundle of a capture under the consent that was withdrawn since still shows that it was in force then.
        let report = verify::verify(&world.bundle(*number, "SYSBP").await, &world.policy());
        assert!(report.verified, "{:?}", report.failure);
        let recorded = report.claim.unwrap().recorded;
        assert!(
            recorded <= withdrawn + MAX_DECISION_AGE_MS,
            "captured {} ms after the withdrawal",
            recorded - withdrawn
        );
    }
}

/// Registers somebody who signs for a participant.
async fn representative(world: &World, participant: &Participant, relation: Relation) -> (Name, SecretKey) {
    let (actor, key) = (new_representative().unwrap(), new_key().unwrap());
    let second = &world.study.coordinator;
    let command = signed!(
        world,
        world.study.investigator.name,
        RegisterRepresentative {
            participant: participant.name.clone(),
            site: participant.site.clone(),
            actor: actor.clone(),
            relation,
            key: key.public(),
            second: Some(second.name.clone()),
            grounds: name("court order 12/2026 (synthetic)").ok(),
            until: Some(now_ms() + 86_400_000),
        }
    );
    world.client.record(&command, &[&world.study.investigator.key, &second.key, &key]).await.unwrap();
    (actor, key)
}

fn consent(world: &World, participant: &Participant, version: &str, manner: Option<Manner>) -> GiveConsent {
    let provisions = vec![Provision::data_collection()];
    GiveConsent { manner, ..world.study.consent_to(participant, version, provisions).unwrap() }
}

#[tokio::test(flavor = "multi_thread")]
async fn consent_is_given_in_every_capacity_and_each_is_provable() {
    let world = World::new().await;
    let everything = vocabulary::command::Terms {
        parents: 2,
        representative: true,
        remote: true,
        site_device: true,
        deferral_ms: Some(60_000),
        quiz: Some(Quiz {
            questions: vec![Question {
                question: name("MAY-I-STOP").unwrap(),
                text: "May you stop at any time?".to_owned(),
                choices: vec!["no".to_owned(), "yes".to_owned()],
                right: 1,
            }],
            pass: 1,
        }),
        ..terms(vec![offer("data_collection", true).unwrap()]).unwrap()
    };
    world.study.publish(&world.client, "3.0", everything).await.unwrap();
    let World { client, study, site, .. } = &world;
    study.delegate(client, &study.root, &study.coordinator, Task::ObtainConsent, site).await.unwrap();
    let right = vec![Answer { question: name("MAY-I-STOP").unwrap(), choice: 1 }];
    let with = |capacity, answers: &[Answer]| Some(Manner { answers: answers.to_vec(), ..manner(capacity).unwrap() });
    let investigator = &world.study.investigator.key;
    let policy = world.policy();
    let holds = async |participant: &Participant, given: &'static str| {
        let entry = submit(&world, participant, "VISIT", 0).await.unwrap();
        let report = verify::verify(&world.bundle(entry, "SYSBP").await, &policy);
        assert!(report.verified, "{given}: {:?}", report.failure);
        assert_eq!(report.claim.unwrap().consent.given, given);
    };

    // The participant's own key, at a distance; questions answered wrongly first.
    let adult = newcomer(&world).await;
    let wrong = vec![Answer { question: name("MAY-I-STOP").unwrap(), choice: 0 }];
    let command = consent(&world, &adult, "3.0", with(Capacity::Participant, &wrong));
    assert_eq!(reason(world.client.record(&command, &[&adult.key, investigator]).await), "QUIZ_NOT_PASSED");
    let remote = Manner { remote: Some(name("video call").unwrap()), ..with(Capacity::Participant, &right).unwrap() };
    let command = consent(&world, &adult, "3.0", Some(remote));
    world.client.record(&command, &[&adult.key, investigator]).await.unwrap();
    holds(&adult, "signed by").await;

    // The site's tablet, with evidence.
    let tablet = Actor { name: name("tablet-701").unwrap(), key: new_key().unwrap() };
    let register = signed!(
        world,
        Name::root(),
        RegisterActor {
            actor: tablet.name.clone(),
            kind: ActorKind::Device,
            key: tablet.key.public(),
            site: Some(site.clone())
        }
    );
    world.client.record(&register, &[&world.study.root.key, &tablet.key]).await.unwrap();
    let signer = newcomer(&world).await;
    let evidence = sha256(&[b"a drawn signature"]).into();
    let capacity = Capacity::SiteDevice { device: tablet.name.clone(), evidence };
    let command = consent(&world, &signer, "3.0", with(capacity, &right));
    assert_eq!(reason(world.client.record(&command, &[investigator]).await), "KEY_UNKNOWN");
    let command = GiveConsent { request: new_uuid().unwrap(), ..command };
    world.client.record(&command, &[&tablet.key, investigator]).await.unwrap();
    holds(&signer, "signed on a device of the site by").await;

    // A representative, with an impartial witness.
    let ward = newcomer(&world).await;
    let (guardian, guardian_key) = representative(&world, &ward, Relation::LegalRepresentative).await;
    let (witness, witness_key) = representative(&world, &ward, Relation::ImpartialWitness).await;
    let capacity = Capacity::Representative { actor: guardian };
    let read_to = Manner { witness: Some(witness.clone()), ..with(capacity, &right).unwrap() };
    let command = consent(&world, &ward, "3.0", Some(read_to));
    world.client.record(&command, &[&guardian_key, &witness_key, investigator]).await.unwrap();
    holds(&ward, "signed by the legally authorised representative of").await;

    // A minor: both parents, and the minor's assent; what the parents gave ends at majority.
    let minor = newcomer(&world).await;
    let (mother, mother_key) = representative(&world, &minor, Relation::Parent).await;
    let (father, father_key) = representative(&world, &minor, Relation::Parent).await;
    let majority = now_ms() + 4_000;
    let capacity = Capacity::Minor { parents: vec![mother, father], assent: Assent::Signed, majority };
    let command = consent(&world, &minor, "3.0", with(capacity, &right));
    let without_assent = world.client.record(&command, &[&mother_key, &father_key, investigator]).await;
    assert_eq!(reason(without_assent), "KEY_UNKNOWN");
    let command = GiveConsent { request: new_uuid().unwrap(), ..command };
    world.client.record(&command, &[&mother_key, &father_key, &minor.key, investigator]).await.unwrap();
    holds(&minor, "signed by the parents of").await;

    // An emergency: nobody could be asked; it ends at its deadline.
    let unconscious = newcomer(&world).await;
    let deadline = now_ms() + 3_000;
    let capacity = Capacity::Deferred { reason: name("unconscious on arrival").unwrap(), deadline };
    let command = consent(&world, &unconscious, "3.0", manner(capacity));
    world.client.record(&command, &[investigator]).await.unwrap();
    holds(&unconscious, "deferred in an emergency for").await;
    // Captured until it ends, and never when asked for after that.
    let refused = async |participant: &Participant, end: u64| {
        let mut repeat = 0;
        loop {
            let asked = now_ms();
            match submit(&world, participant, "AFTERWARDS", repeat).await.map_err(|error| error.reason()) {
                Ok(_) => assert!(asked < end, "captured {} ms after consent ended", asked - end),
                Err(Some(reason)) if reason == "DEPENDENCY_UNAVAILABLE" => {} // it ended between decision and record
                Err(reason) => return reason.unwrap_or_default(),
            }
            repeat += 1;
        }
    };
    assert_eq!(refused(&unconscious, deadline).await, "CONSENT_DEFERRAL_ENDED");
    assert_eq!(refused(&minor, majority).await, "CONSENT_MAJORITY_REACHED");
    let command = consent(&world, &minor, "3.0", with(Capacity::Participant, &right));
    world.client.record(&command, &[&minor.key, investigator]).await.unwrap();
    submit(&world, &minor, "GROWN UP", 0).await.unwrap();
    let report = world.audit().await;
    assert!(report.clean, "{:?}", report.findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_may_demand_consent_anew() {
    let world = World::new().await;
    let participant = &world.participants[0];
    let publish = async |version: &str, old: &str, meanwhile, then, by| {
        let supersedes = vec![DocumentVersion { version: name(old).unwrap(), language: name("en").unwrap() }];
        let reconsent = Some(Reconsent { by, meanwhile, then });
        let terms = terms(vec![offer("data_collection", true).unwrap()]).unwrap();
        let terms = vocabulary::command::Terms { supersedes, reconsent, ..terms };
        world.study.publish(&world.client, version, terms).await.unwrap();
    };
    let agree = async |version: &str| {
        let command = consent(&world, participant, version, manner(Capacity::Participant));
        world.client.record(&command, &[&participant.key, &world.study.investigator.key]).await
    };
    let soon = now_ms() + 3_600_000;
    publish("2.0", "1.0", ReconsentMode::Warn, ReconsentMode::Stop, soon).await;
    let header = world.study.header(participant, "WARNED", "VS", 0).unwrap();
    let form = sign_form(header, vec![value("SYSBP", "120")], &world.study.coordinator.key).unwrap();
    let answer = world.client.capture.clone().submit_form(form.into_request()).await.unwrap().into_inner();
    assert_eq!(answer.reconsent_by_ms, soon);
    assert_eq!(reason(agree("1.0").await), "DOCUMENT_SUPERSEDED");
    agree("2.0").await.unwrap();
    publish("3.0", "2.0", ReconsentMode::Stop, ReconsentMode::Warn, soon).await;
    let stopped = reason(submit_once_known(&world, participant, "STOPPED").await);
    assert_eq!(stopped, "RECONSENT_REQUIRED");
    agree("3.0").await.unwrap();
    publish("4.0", "3.0", ReconsentMode::Stop, ReconsentMode::Warn, now_ms()).await;
    submit(&world, participant, "OVERDUE, WARNED ONLY", 0).await.unwrap();
    publish("5.0", "4.0", ReconsentMode::Warn, ReconsentMode::Stop, now_ms()).await;
    submit(&world, participant, "ANOTHER VERSION'S DEMAND", 0).await.unwrap();
    let report = world.audit().await;
    assert!(report.clean, "{:?}", report.findings);
}

/// Submits until what the consent service knows has reached capture: a second at most, by design.
async fn submit_once_known(world: &World, participant: &Participant, event: &str) -> Result<u64, ClientError> {
    let until = now_ms() + MAX_DECISION_AGE_MS;
    let mut repeat = 0;
    loop {
        let outcome = submit(world, participant, event, repeat).await;
        if outcome.is_err() || now_ms() > until {
            return outcome;
        }
        repeat += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_looks_from_outside_is_on_record() {
    let world = World::new().await;
    let participant = &world.participants[0];
    world.capture("VISIT", "120").await;
    let own = as_participant(&world, participant);
    let everywhere = Name::all_sites();
    assert_eq!(read(&world, &own, participant, "VISIT").await.unwrap(), 2);
    assert_eq!(read(&world, &world.study.reads(&world.study.coordinator), participant, "VISIT").await.unwrap(), 2);
    assert!(participant::accesses(&world.client, &own, &participant.name).await.unwrap().is_empty());

    // A monitor of every site must sign what they read.
    let monitor = person(&world, "monitor-sato", &[Task::Read], &everywhere).await;
    let unsigned = world.study.reads(&monitor);
    assert_eq!(reason(read(&world, &unsigned, participant, "VISIT").await), "ACCESS_UNSIGNED");
    let access = Access {
        participant: participant.name.clone(),
        site: participant.site.clone(),
        categories: Vec::new(),
        purpose: name("source data verification").unwrap(),
        grant: None,
        only: None,
    };
    let reader = Reader { access: Some(access.clone()), ..world.study.reads(&monitor) };
    assert_eq!(read(&world, &reader, participant, "VISIT").await.unwrap(), 2);
    let other = Access { participant: world.participants[1].name.clone(), ..access.clone() };
    let reader = Reader { access: Some(other), ..world.study.reads(&monitor) };
    assert_eq!(reason(read(&world, &reader, participant, "VISIT").await), "MALFORMED");

    // So must who only reads at this very site.
    let local = person(&world, "monitor-701", &[Task::Read], &world.site).await;
    assert_eq!(reason(read(&world, &world.study.reads(&local), participant, "VISIT").await), "ACCESS_UNSIGNED");

    // A stranger without a grant; then with one that allows two uses.
    let stranger = person(&world, "researcher-okafor", &[], &everywhere).await;
    let by_task = Reader { access: Some(access.clone()), ..world.study.reads(&stranger) };
    assert_eq!(reason(read(&world, &by_task, participant, "VISIT").await), "DELEGATION_MISSING");
    let (grant, purpose) = (name("g1").unwrap(), name("research").unwrap());
    let give = signed!(
        world,
        participant.name,
        GrantAccess {
            participant: participant.name.clone(),
            site: participant.site.clone(),
            grant: grant.clone(),
            grantee: stranger.name.clone(),
            categories: vec![Provision::data_collection()],
            purpose: purpose.clone(),
            from: now_ms() - 1_000,
            until: now_ms() + 3_600_000,
            uses: Some(2),
            seen: None,
        }
    );
    world.client.record(&give, &[&participant.key]).await.unwrap();
    let access =
        Access { categories: vec![Provision::data_collection()], purpose, grant: Some(grant.clone()), ..access };
    let by_grant = Reader { access: Some(access.clone()), ..world.study.reads(&stranger) };
    for _ in 0..2 {
        assert_eq!(read(&world, &by_grant, participant, "VISIT").await.unwrap(), 2);
    }
    assert_eq!(reason(read(&world, &by_grant, participant, "VISIT").await), "GRANT_USED_UP");
    let question = |purpose: &str| pb::DecideRequest {
        study: world.study.id.to_string(),
        participant: participant.name.to_string(),
        provision: String::new(),
        first: false,
        read: Some(pb::ReadQuestion {
            reader: stranger.name.to_string(),
            categories: vec!["data_collection".to_owned()],
            purpose: purpose.to_owned(),
            grant: grant.to_string(),
        }),
    };
    let decided =
        world.client.consent.clone().decide(by_grant.request(question("research"))).await.unwrap().into_inner();
    assert_eq!((decided.permitted, decided.reason()), (false, pb::ErrorReason::GrantUsedUp));
    let revoke = signed!(
        world,
        participant.name,
        RevokeAccess { participant: participant.name.clone(), site: participant.site.clone(), grant }
    );
    world.client.record(&revoke, &[&participant.key]).await.unwrap();
    assert_eq!(reason(read(&world, &by_grant, participant, "VISIT").await), "GRANT_ENDED");

    // An audit reads everybody's data; the participant sees that too, and can prove each read.
    let report = world.audit().await;
    assert!(report.clean, "{:?}", report.findings);
    let accesses = participant::accesses(&world.client, &own, &participant.name).await.unwrap();
    let looks = participant::looks(&accesses).unwrap();
    let by: Vec<&str> = looks.iter().map(|look| look.by.as_str()).collect();
    assert_eq!(by[..3], ["monitor-sato", "researcher-okafor", "researcher-okafor"]);
    assert!(by[3..].iter().all(|by| *by == "auditor-vega") && by.len() > 3, "{by:?}");
    let files =
        participant::prove(&world.client, &own, &accesses[..1], &world.folder.path().join("proofs")).await.unwrap();
    let bytes = std::fs::read(&files[0]).unwrap();
    let report = verify::verify(&bytes, &world.policy());
    assert!(report.verified, "{:?}", report.failure);
    let policy = world.folder.path().join("judge-policy.txt");
    std::fs::write(&policy, world.policy_text()).unwrap();
    let judged =
        testbed::judges::python("verify_bundle.py").arg(&files[0]).arg("--policy").arg(&policy).arg("--json").output();
    let judged: serde_json::Value = serde_json::from_slice(&judged.unwrap().stdout).unwrap();
    assert_eq!(judged["record"], serde_json::to_value(report.record.as_ref().unwrap()).unwrap(), "{judged}");
    let record = report.record.unwrap();
    assert_eq!((record.kind.as_str(), record.by.as_str()), ("access-data", "monitor-sato"));
    let mut forged = seal::bundle::Bundle::parse(&bytes).unwrap();
    forged.submission -= 1;
    let report = verify::verify(&forged.to_bytes(), &world.policy());
    assert_eq!(report.failure.unwrap().link, LinkName::Submission);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_entered_by_mistake_is_taken_out_by_two_persons() {
    let world = World::new().await;
    let participant = &world.participants[0];
    let header = world.study.header(participant, "VISIT", "VS", 0).unwrap();
    let values = vec![value("SYSBP", "120"), value("COMMENT", "Mrs Marker-Surname called")];
    let form = sign_form(header, values, &world.study.coordinator.key).unwrap();
    let entry = entry_number(&world.client.submit(form).await.unwrap()).unwrap();
    let first = person(&world, "steward-1", &[Task::Redact], &world.site).await;
    let second = person(&world, "steward-2", &[Task::Redact], &world.site).await;
    let redact = signed!(
        world,
        first.name,
        RedactValue {
            participant: participant.name.clone(),
            site: participant.site.clone(),
            entry,
            index: 1,
            item: name("COMMENT").unwrap(),
            repeat: String::new(),
            reason: name("a person's name in a comment").unwrap(),
            second: second.name.clone(),
        }
    );
    assert_eq!(reason(world.client.record(&redact, &[&first.key]).await), "KEY_UNKNOWN");
    let elsewhere = RedactValue { request: new_uuid().unwrap(), index: 0, ..redact.clone() };
    assert_eq!(reason(world.client.record(&elsewhere, &[&first.key, &second.key]).await), "NOT_FOUND");
    let receipt = world.client.record(&redact, &[&first.key, &second.key]).await.unwrap();
    assert_eq!(world.client.record(&redact, &[&first.key, &second.key]).await.unwrap(), receipt);
    let again = RedactValue { request: new_uuid().unwrap(), ..redact.clone() };
    assert_eq!(reason(world.client.record(&again, &[&first.key, &second.key]).await), "NOT_FOUND");

    let coordinator = world.study.reads(&world.study.coordinator);
    assert_eq!(read(&world, &coordinator, participant, "VISIT").await.unwrap(), 1);
    let request = GetItemHistoryRequest {
        study: world.study.id.to_string(),
        instance: instance(participant, "VISIT"),
        item: "COMMENT".to_owned(),
        ..GetItemHistoryRequest::default()
    };
    assert!(world.client.capture.clone().get_item_history(coordinator.request(request)).await.is_err());
    let report = verify::verify(&world.bundle(entry, "COMMENT").await, &world.policy());
    assert!(report.verified, "{:?}", report.failure);
    let claim = report.claim.unwrap();
    assert_eq!((claim.value.as_str(), claim.redacted.unwrap().second), ("", second.name));
    let report = verify::verify(&world.bundle(entry, "SYSBP").await, &world.policy());
    assert_eq!(report.claim.unwrap().value, "120");
    let report = world.audit().await;
    assert!(report.clean && report.redacted == 1, "{:?}", report.findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_participants_values_are_gone_and_every_other_proof_stands() {
    let world = World::new().await;
    let [participant, other] = &world.participants[..] else { panic!() };
    let entry = world.capture("VISIT", "120").await;
    let others = submit(&world, other, "VISIT", 0).await.unwrap();
    let officer = person(&world, "privacy-officer", &[Task::Erase], &world.site).await;
    let reader = world.study.reads(&officer);
    let list = ListEntriesRequest {
        study: world.study.id.to_string(),
        participant: participant.name.to_string(),
        ..ListEntriesRequest::default()
    };
    let entries = world.client.capture.clone().list_entries(reader.request(list)).await.unwrap().into_inner().entries;
    assert_eq!(entries, [entry]);
    let erase = signed!(
        world,
        officer.name,
        EraseParticipant {
            participant: participant.name.clone(),
            site: participant.site.clone(),
            entries,
            order: name("the participant's request of 2026-11-20").unwrap(),
            law: name("GDPR Art. 17").unwrap(),
        }
    );
    assert_eq!(reason(world.client.record(&erase, &[&officer.key]).await), "CONSENT_IN_FORCE");
    let command = world.study.withdrawal(participant, WithdrawalScope::Everything).unwrap();
    world.client.record(&command, &[&participant.key]).await.unwrap();
    let incomplete = EraseParticipant { entries: Vec::new(), ..erase.clone() };
    assert_eq!(reason(world.client.record(&incomplete, &[&officer.key]).await), "ERASURE_INCOMPLETE");
    assert_eq!(reason(world.client.record(&erase, &[&world.study.coordinator.key]).await), "KEY_UNKNOWN");
    let receipt = world.client.record(&erase, &[&officer.key]).await.unwrap();
    assert_eq!(world.client.record(&erase, &[&officer.key]).await.unwrap(), receipt);

    let own = as_participant(&world, participant);
    assert_eq!(reason(read(&world, &own, participant, "VISIT").await), "ERASED");
    let report = verify::verify(&world.bundle(entry, "SYSBP").await, &world.policy());
    assert!(report.verified && report.claim.is_none(), "{:?}", report.failure);
    let erasure = report.erasure.unwrap();
    assert_eq!((erasure.entry, erasure.law.as_str()), (entry, "GDPR Art. 17"));
    let report = verify::verify(&world.bundle(others, "SYSBP").await, &world.policy());
    assert!(report.verified, "{:?}", report.failure);
    let report = world.audit().await;
    assert!(report.clean && report.erased == 1, "{:?}", report.findings);

    // Consent anew does not bring the values back, nor lets anything more be captured.
    world.study.consent(&world.client, participant).await.unwrap();
    let outcome = submit(&world, participant, "AGAIN", 0).await;
    assert!(["ERASED", "CONSENT_WITHDRAWN"].contains(&reason(outcome).as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_kept_and_copies_are_given_at_once() {
    let world = World::new().await;
    let own = as_participant(&world, &world.participants[0]);
    let (study, participant) = (world.study.id.to_string(), world.participants[0].name.to_string());
    let request = pb::GetDocumentRequest {
        study: study.clone(),
        document: "ICF".to_owned(),
        version: "1.0".to_owned(),
        language: "en".to_owned(),
    };
    let document = world.client.consent.clone().get_document(own.request(request)).await.unwrap().into_inner();
    assert!(String::from_utf8(document.file).unwrap().starts_with("Synthetic informed consent form"));
    let list = pb::ListDocumentsRequest { study: study.clone(), page_size: 1, page_token: String::new() };
    let listed = world.client.consent.clone().list_documents(own.request(list)).await.unwrap().into_inner();
    assert_eq!(listed.documents.len(), 1);

    let list = pb::ListConsentsRequest {
        study: study.clone(),
        participant: participant.clone(),
        page_size: 0,
        page_token: String::new(),
    };
    let consents = world.client.consent.clone().list_consents(own.request(list)).await.unwrap().into_inner().commands;
    let [given] = &consents[..] else { panic!("{} commands", consents.len()) };
    let of = (&world.participants[0].name, given.number);
    let words = participant::copy(&world.client, &own, of, CopyFormat::Unspecified).await.unwrap();
    assert!(words.contains("WHAT YOU AGREED TO") && words.lines().all(|line| line.chars().count() <= 80), "{words}");
    for format in [CopyFormat::Iso27560Record, CopyFormat::Iso27560Receipt, CopyFormat::FhirR4, CopyFormat::FhirR5] {
        let copy = participant::copy(&world.client, &own, of, format).await.unwrap();
        let json: serde_json::Value = serde_json::from_str(&copy).unwrap();
        assert!(copy.contains(&participant), "{format:?}: {json}");
    }
    let other = as_participant(&world, &world.participants[1]);
    assert_eq!(
        participant::copy(&world.client, &other, of, CopyFormat::FhirR4)
            .await
            .unwrap_err()
            .downcast::<ClientError>()
            .unwrap()
            .reason()
            .unwrap(),
        "DELEGATION_MISSING"
    );

    // What another system states comes in as a request, on which nothing may be captured.
    let resource = participant::copy(&world.client, &own, of, CopyFormat::FhirR4).await.unwrap().into_bytes();
    let request = pb::ReadConsentRequest { study, resource: resource.clone() };
    let asked = world.client.consent.clone().read_consent(own.request(request)).await.unwrap().into_inner();
    assert_eq!(asked.provisions, ["data_collection"]);
    let stranger = newcomer(&world).await;
    let investigator = &world.study.investigator;
    let command = signed!(
        world,
        investigator.name,
        RequestConsent {
            participant: stranger.name.clone(),
            site: stranger.site.clone(),
            source: name("fhir-r4").unwrap(),
            content: sha256(&[&resource]).into(),
            provisions: vec![Provision::data_collection()],
        }
    );
    world.client.request_consent(&command, resource, &[&investigator.key]).await.unwrap();
    assert_eq!(reason(submit(&world, &stranger, "VISIT", 0).await), "CONSENT_MISSING");
    let report = world.audit().await;
    assert!(report.clean, "{:?}", report.findings);
}

/// A consent of another system, whose every period ended on 1 January 2020 though its status is `active`.
const ENDED: &str = include_str!("../libs/exchange/tests/examples/ended_consent_r4.json");

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_of_another_system_is_read_for_its_periods_only() {
    use pb::StatedProvisionState::{Ended, NotPermitted, Permitted};
    let world = World::new().await;
    let investigator = &world.study.investigator;
    let reader = world.study.reads(investigator);
    let ask = async |resource: &str| {
        let request = pb::ReadConsentRequest { study: world.study.id.to_string(), resource: resource.into() };
        world.client.consent.clone().read_consent(reader.request(request)).await.map(tonic::Response::into_inner)
    };
    let stranger = newcomer(&world).await;
    let request = |resource: &str, provisions: Vec<Provision>| {
        signed!(
            world,
            investigator.name,
            RequestConsent {
                participant: stranger.name.clone(),
                site: stranger.site.clone(),
                source: name("fhir-r4").unwrap(),
                content: sha256(&[resource.as_bytes()]).into(),
                provisions,
            }
        )
    };

    let read = ask(ENDED).await.unwrap();
    assert_eq!((read.status.as_str(), read.provisions.len()), ("active", 0));
    assert!(read.decided_at_ms > 0);
    let stated: Vec<_> = read.stated.iter().map(|stated| (stated.provision.as_str(), stated.state())).collect();
    let expected = [("data_collection", Ended), ("future_research", NotPermitted), ("genetics", NotPermitted)];
    assert_eq!(stated, expected);
    assert_eq!(read.stated[0].from_ms, Some(1_546_300_800_000)); // 1 January 2019
    assert_eq!(read.stated[0].until_ms, Some(1_577_923_200_000)); // 2 January 2020: the end includes its day
    assert_eq!(read.stated[0].rules, ["provision.provision[0]"]);
    for provisions in [vec![], vec![Provision::data_collection()]] {
        let outcome =
            world.client.request_consent(&request(ENDED, provisions), ENDED.into(), &[&investigator.key]).await;
        assert_eq!(reason(outcome), "CONSENT_PERIOD_ENDED");
    }

    // Whichever of the nested and the root's period ends first counts.
    let lasting = ENDED.replace("\"end\": \"2020-01-01\"", "\"end\": \"2998\"");
    let wider = lasting.replacen("2998", "2999-06", 1);
    let narrower = lasting.replace("\"end\": \"2998\"\n  }\n }", "\"end\": \"2999-06\"\n  }\n }");
    assert!(narrower != lasting && narrower != wider);
    for resource in [&wider, &narrower, &lasting] {
        let read = ask(resource).await.unwrap();
        assert_eq!(read.provisions, ["data_collection"]);
        assert_eq!((read.stated[0].state(), read.stated[0].until_ms), (Permitted, Some(32_472_144_000_000))); // 2999
    }
    let none = request(&lasting, vec![]);
    assert_eq!(
        reason(world.client.request_consent(&none, lasting.clone().into(), &[&investigator.key]).await),
        "MALFORMED"
    );
    let command = request(&lasting, vec![Provision::data_collection()]);
    let record =
        async |resource: &str| world.client.request_consent(&command, resource.into(), &[&investigator.key]).await;
    let recorded = entry_number(&record(&lasting).await.unwrap()).unwrap();
    // What is recorded is answered again whatever has become of the resource.
    assert_eq!(entry_number(&record(ENDED).await.unwrap()).unwrap(), recorded);

    let reversed = ENDED.replacen("2020-01-01", "2018", 1);
    let refused = ask(&reversed).await.unwrap_err();
    assert!(refused.message().contains("provision.provision[0].period"), "{}", refused.message());
    for status in ["inactive", "rejected", "entered-in-error"] {
        let resource = lasting.replace("\"active\"", &format!("\"{status}\""));
        assert!(ask(&resource).await.unwrap_err().message().contains("resource.status"));
    }
    for status in ["draft", "proposed"] {
        let read = ask(&lasting.replace("\"active\"", &format!("\"{status}\""))).await.unwrap();
        assert!(read.provisions.is_empty() && !read.stated.is_empty());
    }
    assert_eq!(reason(submit(&world, &stranger, "VISIT", 0).await), "CONSENT_MISSING");
}
