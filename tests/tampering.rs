//! Somebody edits what is stored, behind the services' backs: the audit names the place.

#![allow(clippy::unwrap_used)]

mod support;

use audit::{Finding, Report, readable};
use proto::capture::{FormInstance, GetFormRequest};
use seal::id::Service;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use support::World;
use synthetic::{Actor, name};
use vocabulary::{command::Task, subject};

async fn sql(world: &World, file: &str, statement: &str) {
    let options = SqliteConnectOptions::new().filename(world.folder.path().join(file));
    let mut database = SqliteConnection::connect_with(&options).await.unwrap();
    let done = sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut database).await.unwrap();
    assert!(done.rows_affected() > 0, "{statement}: changed nothing");
}

fn finds(report: &Report, service: Service, entry: u64) -> bool {
    let there = |finding: &Finding| finding.service == Some(service) && finding.entry == Some(entry);
    !report.clean && report.findings.iter().any(there)
}

/// A world whose entries are all on the chain.
async fn anchored() -> (World, u64) {
    let world = World::new().await;
    world.capture("BASELINE", "120").await;
    world.capture("WEEK 2", "130").await;
    let last = world.capture("WEEK 4", "140").await;
    // Fetched by the site's own staff: an auditor's read would itself be an entry that waits for the chain.
    let own = world.study.reads(&world.study.coordinator);
    world.client.prove(&own, last, "SYSBP", "").await.unwrap();
    let report = world.audit().await;
    assert!(report.clean && report.waiting == 0, "{}", readable(&report));
    (world, last)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_edit_is_found_and_placed() {
    // Whatever the byte is, it becomes another.
    let other = |byte: &str| format!("CASE {byte} WHEN x'00' THEN x'01' ELSE x'00' END");
    let flip = format!("substr(stored, 1, 99) || {} || substr(stored, 101)", other("substr(stored, 100, 1)"));
    let shifted = format!("CAST(substr(bytes, 1, length(bytes) - 1) || {} AS BLOB)", other("substr(bytes, -1)"));
    let edits = [
        (
            "capture.sqlite",
            format!("UPDATE entry SET stored = CAST({flip} AS BLOB) WHERE number = 1"),
            Service::Capture,
            1,
        ),
        ("capture.sqlite", format!("UPDATE entry SET bytes = {shifted} WHERE number = 2"), Service::Capture, 2),
        ("capture.sqlite", "DELETE FROM entry WHERE number = 3".to_owned(), Service::Capture, 3),
        (
            "capture.sqlite",
            "UPDATE entry SET stored = (SELECT stored FROM entry WHERE number = 1) WHERE number = 2".to_owned(),
            Service::Capture,
            2,
        ),
        (
            "consent.sqlite",
            "UPDATE entry SET stored = (SELECT stored FROM entry WHERE number = 1) WHERE number = 2".to_owned(),
            Service::Consent,
            2,
        ),
        ("enrollment.sqlite", format!("UPDATE entry SET bytes = {shifted} WHERE number = 4"), Service::Enrollment, 4),
        ("enrollment.sqlite", "DELETE FROM entry WHERE number = 7".to_owned(), Service::Enrollment, 7),
    ];
    for (file, statement, service, entry) in edits {
        let (world, _) = anchored().await;
        sql(&world, file, &statement).await;
        let report = world.audit().await;
        assert!(finds(&report, service, entry), "{statement}\n{}", readable(&report));
        world.deployment.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_taken_back_from_the_end_is_found_by_the_chain() {
    let (world, last) = anchored().await;
    sql(&world, "capture.sqlite", &format!("DELETE FROM entry WHERE number = {last}")).await;
    let report = world.audit().await;
    assert!(finds(&report, Service::Capture, last), "{}", readable(&report));
    let what = &report.findings.last().unwrap().what;
    assert!(what.contains("the chain holds"), "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_tile_or_checkpoint_is_found() {
    let (world, _) = anchored().await;
    let chain = world.folder.path().join("chain");
    let size = async || {
        let checkpoint = tokio::fs::read_to_string(chain.join("checkpoint")).await.unwrap();
        checkpoint.lines().nth(1).unwrap().parse::<u64>().unwrap()
    };
    // Each audit is on record as a read, so the chain may grow while it is read, into new files.
    let mut attempts = 0..100;
    loop {
        attempts.next().expect("the chain grows during every audit");
        let before = size().await;
        let bundle = chain.join(format!("tile/entries/000.p/{before}"));
        let mut bytes = tokio::fs::read(&bundle).await.unwrap();
        let place = bytes.len() - 40;
        bytes[place] ^= 1;
        tokio::fs::write(&bundle, bytes).await.unwrap();
        let report = world.audit().await;
        if size().await == before || !report.clean {
            assert!(!report.clean && report.findings[0].what.contains("a different root"), "{}", readable(&report));
            break;
        }
    }
    sql(&world, "anchoring.sqlite", "UPDATE checkpoint SET note = replace(note, 'trialseal.example/chain', 'other')")
        .await;
    let report = world.audit().await;
    assert!(!report.clean && report.findings[0].what.contains("checkpoint"), "{}", readable(&report));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fact_planted_in_the_database_gives_no_right() {
    let (world, last) = anchored().await;
    // The nurse's key gets the delegation that only the coordinator has: a copy of that row under another key.
    let nurse = Actor { name: name("nurse").unwrap(), key: client::new_key().unwrap() };
    world.study.register(&world.client, &nurse).await.unwrap();
    let delegation = |actor: &Actor| {
        let subject = subject::delegation(&actor.name, Task::Capture.name(), &world.site);
        subject.map_key(world.study.id).to_hex()
    };
    let (from, to) = (delegation(&world.study.coordinator), delegation(&nurse));
    let plant = format!("INSERT INTO fact SELECT stream, x'{to}', number, value FROM fact WHERE key = x'{from}'");
    let reader = client::Reader { access: None, study: world.study.id, actor: nurse.name, key: nurse.key };
    let denied = world.client.bundle(&reader, last, "SYSBP", "").await.unwrap_err();
    assert_eq!(denied.reason().as_deref(), Some("NOT_FOUND"));
    sql(&world, "enrollment.sqlite", &plant).await;
    let denied = world.client.bundle(&reader, last, "SYSBP", "").await.unwrap_err();
    assert_eq!(denied.reason().as_deref(), Some("DEPENDENCY_UNAVAILABLE"), "{denied}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_row_that_points_at_another_form_is_refused() {
    let (world, last) = anchored().await;
    let swap = format!("UPDATE fact SET number = {last} WHERE number = 1 AND length(value) = 8");
    sql(&world, "capture.sqlite", &swap).await;
    let request = GetFormRequest {
        study: world.study.id.to_string(),
        instance: Some(FormInstance {
            participant: world.participants[0].name.to_string(),
            event: "BASELINE".to_owned(),
            event_repeat: 0,
            form: "VS".to_owned(),
            form_repeat: 0,
        }),
    };
    let status = world.client.capture.clone().get_form(world.study.reader().request(request)).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::DataLoss);
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_refuse_what_was_edited() {
    let (world, last) = anchored().await;
    sql(
        &world,
        "capture.sqlite",
        &format!("UPDATE entry SET stored = (SELECT stored FROM entry WHERE number = 1) WHERE number = {last}"),
    )
    .await;
    let error = world.client.bundle(&world.study.reader(), last, "SYSBP", "").await.unwrap_err();
    assert_eq!(error.reason().as_deref(), Some("DATA_DAMAGED"));
}
