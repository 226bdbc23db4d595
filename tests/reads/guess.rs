//! Guessing values by request ids: what an importer's server, its answers and its proofs tell of the rows.

use super::{World, name, now_ms, person};
use client::{Reader, entry_number, new_uuid, sign_form};
use import::{Import, Mapping, Report, Subjects};
use proto::capture::{ListEntriesRequest, LookupReceiptsRequest};
use seal::{bundle::Bundle, dsse::Envelope, id::Uuid, sha256};
use std::fs;
use synthetic::{Actor, text_item, value};
use vocabulary::command::{EraseParticipant, FormDef, Submission, Task, WithdrawalScope};

const MAPPING: &str = "forms_version = \"2\"\nsubject = \"SUBJ\"\nform = { constant = \"VS\" }\n\
                       event = { column = \"VISIT\" }\nitems = [\"TEMP\", \"SEX\"]\n";
const TABLE: &str = "SUBJ,VISIT,TEMP,SEX\n001,VISIT 1,38.7,M\n001,VISIT 2,37.1,M\n";

/// The id that earlier programs gave a row of these tables: anybody can compute it.
fn earlier_id(world: &World, visit: &str, temp: &str) -> Uuid {
    let mut row = world.study.id.0.to_vec();
    let participant = world.participants[0].name.as_str();
    for part in [world.site.as_str(), participant, visit, "0", "VS", "0", "", "TEMP", temp, "", "SEX", "M", ""] {
        row.extend_from_slice(&(part.len() as u64).to_be_bytes());
        row.extend_from_slice(part.as_bytes());
    }
    Uuid::from_content(&sha256(&[b"trialseal/import-row@v1 sha256\n", &row]))
}

/// 30.0 to 45.0 for both visits.
fn guesses(world: &World) -> Vec<String> {
    let temps = (300..=450).map(|tenths| format!("{}.{}", tenths / 10, tenths % 10));
    let of_both = |temp: String| ["VISIT 1", "VISIT 2"].map(|visit| earlier_id(world, visit, &temp).to_string());
    temps.flat_map(of_both).collect()
}

async fn world() -> World {
    let world = World::new().await;
    let items = ["TEMP", "SEX"].map(|item| text_item(item).unwrap()).to_vec();
    let form = FormDef { provision: None, form: "VS".parse().unwrap(), items };
    world.study.define(&world.client, "2", vec![form]).await.unwrap();
    let folder = world.folder.path();
    fs::write(folder.join("mapping.toml"), MAPPING).unwrap();
    fs::write(folder.join("table.csv"), TABLE).unwrap();
    let subjects = format!("subject,participant,site\n001,{},{}\n", world.participants[0].name, world.site);
    fs::write(folder.join("subjects.csv"), subjects).unwrap();
    world
}

async fn import(world: &World, by: &Actor) -> Report {
    let folder = world.folder.path();
    let mapping = Mapping::read(&folder.join("mapping.toml")).unwrap();
    let subjects = Subjects::read(&folder.join("subjects.csv")).unwrap();
    let signer = world.study.reads(by);
    let (mapping, subjects) = (&mapping, &subjects);
    let import = Import { client: &world.client, signer: &signer, mapping, subjects, progress: false };
    import.run(&folder.join("table.csv")).await.unwrap()
}

/// Records visit 2 as earlier programs imported it, and gives its entry.
async fn import_as_earlier(world: &World) -> u64 {
    let header = Submission {
        request: earlier_id(world, "VISIT 2", "37.1"),
        forms_version: name("2").unwrap(),
        ..world.study.header(&world.participants[0], "VISIT 2", "VS", 0).unwrap()
    };
    let values = vec![value("TEMP", "37.1"), value("SEX", "M")];
    let form = sign_form(header, values, &world.study.coordinator.key).unwrap();
    entry_number(&world.client.submit(form).await.unwrap()).unwrap()
}

async fn lookup(world: &World, reader: &Reader, requests: &[String]) -> Vec<(String, u64)> {
    let request = LookupReceiptsRequest { study: world.study.id.to_string(), requests: requests.to_vec() };
    let answer = world.client.capture.clone().lookup_receipts(reader.request(request)).await;
    let recorded = answer.unwrap().into_inner().recorded;
    recorded.into_iter().map(|recorded| (recorded.request, recorded.number)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_finds_an_imported_value_by_its_request_id() {
    let world = world().await;
    assert_eq!(import(&world, &world.study.coordinator).await.recorded, 2);
    let elsewhere = world.study.open_site(&world.client, "702", "Elsewhere").await.unwrap();
    let stranger = person(&world, "stranger", &[], &elsewhere).await;
    let nurse = person(&world, "nurse-702", &[Task::Capture, Task::Read], &elsewhere).await;
    let guesses = guesses(&world);
    for who in [&stranger, &nurse, &world.study.auditor, &world.study.coordinator, &world.study.investigator] {
        assert_eq!(lookup(&world, &world.study.reads(who), &guesses).await, []);
    }
    // Offline, from the proof of another item of the same row.
    let first = first_entry(&world).await;
    let proof = Bundle::parse(&world.bundle(first, "SEX").await).unwrap();
    let envelope = proof.entries.iter().find(|part| part.number == first).unwrap().envelope.clone().unwrap();
    let header: Submission = Envelope::parse(&envelope.0).unwrap().payload().unwrap();
    assert!(!guesses.contains(&header.request.to_string()));
    // The real id is random to others, and still told to nobody who may not know of the row.
    let real = [header.request.to_string()];
    for who in [&stranger, &nurse, &world.study.auditor] {
        assert_eq!(lookup(&world, &world.study.reads(who), &real).await, []);
    }
    for who in [&world.study.coordinator, &world.study.investigator] {
        assert_eq!(lookup(&world, &world.study.reads(who), &real).await, [(real[0].clone(), first)]);
    }
}

/// The entry of the first form that was captured.
async fn first_entry(world: &World) -> u64 {
    entries(world).await[0]
}

async fn entries(world: &World) -> Vec<u64> {
    let participant = world.participants[0].name.to_string();
    let request = ListEntriesRequest { study: world.study.id.to_string(), participant, ..Default::default() };
    let reader = world.study.reads(&world.study.auditor);
    world.client.capture.clone().list_entries(reader.request(request)).await.unwrap().into_inner().entries
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ids_of_earlier_imports_are_told_to_who_may_know_until_the_participant_is_erased() {
    let world = world().await;
    let entry = import_as_earlier(&world).await;
    let id = earlier_id(&world, "VISIT 2", "37.1").to_string();
    let elsewhere = world.study.open_site(&world.client, "702", "Elsewhere").await.unwrap();
    let stranger = person(&world, "stranger", &[], &elsewhere).await;
    let nurse = person(&world, "nurse-702", &[Task::Capture, Task::Read], &elsewhere).await;
    let guesses = guesses(&world);
    for who in [&stranger, &nurse, &world.study.auditor] {
        assert_eq!(lookup(&world, &world.study.reads(who), &guesses).await, []);
    }
    for who in [&world.study.coordinator, &world.study.investigator] {
        assert_eq!(lookup(&world, &world.study.reads(who), &guesses).await, [(id.clone(), entry)]);
    }

    let participant = &world.participants[0];
    let officer = person(&world, "officer", &[Task::Erase], &world.site).await;
    let withdrawal = world.study.withdrawal(participant, WithdrawalScope::Everything).unwrap();
    world.client.record(&withdrawal, &[&participant.key]).await.unwrap();
    let erase = EraseParticipant {
        study: world.study.id,
        request: new_uuid().unwrap(),
        by: officer.name.clone(),
        time: now_ms(),
        participant: participant.name.clone(),
        site: participant.site.clone(),
        entries: entries(&world).await,
        order: name("the participant's request").unwrap(),
        law: name("GDPR Art. 17").unwrap(),
    };
    world.client.record(&erase, &[&officer.key]).await.unwrap();
    for who in [&stranger, &nurse, &world.study.coordinator, &world.study.investigator] {
        assert_eq!(lookup(&world, &world.study.reads(who), &guesses).await, []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_run_again_records_nothing_new_and_knows_the_rows_of_earlier_programs() {
    let world = world().await;
    import_as_earlier(&world).await;
    let report = import(&world, &world.study.coordinator).await;
    assert_eq!((report.recorded, report.recorded_before, report.refused), (1, 1, vec![]));
    let report = import(&world, &world.study.coordinator).await;
    assert_eq!((report.recorded, report.recorded_before, report.refused), (0, 2, vec![]));
    assert_eq!(entries(&world).await.len(), 2);
    // The row of another importer is another request, for a form that is there.
    let nurse = person(&world, "nurse-701", &[Task::Capture], &world.site).await;
    let report = import(&world, &nurse).await;
    let refused: Vec<_> = report.refused.iter().map(|row| (row.row, row.reason.as_str())).collect();
    assert_eq!((report.recorded, report.recorded_before, refused), (0, 1, vec![(1, "FORM_EXISTS")]));
    let report = world.audit().await;
    assert!(report.clean, "{:?}", report.findings);
}
