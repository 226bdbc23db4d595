//! Data directories of earlier programs open with this one: nothing they hold is lost, reads otherwise, or stands still.
//!
//! `tests/golden/README.md` says how a directory is made and what it holds.

#![allow(clippy::unwrap_used)]

#[path = "golden/kept.rs"]
mod kept;
#[path = "golden/play.rs"]
mod play;
#[path = "proof/study.rs"]
mod study;
mod support;

use audit::{Report, readable};
use client::{Client, Reader, entry_number, now_ms, sign_form};
use export::LiveAudit;
use kept::{Kept, Receipts};
use proto::{
    anchoring::ListBlocksRequest,
    capture::{FormInstance, GetFormRequest, GetItemHistoryRequest, ListEntriesRequest, ListFormsRequest},
    consent::{ListConsentsRequest, ListDocumentsRequest},
    enrollment::{GetParticipantRequest, GetStudyRequest},
    journal::{EntryView, ReadEntriesRequest},
};
use reports::{participant, people};
use seal::{id::Service, policy::Policy, receipt::Receipt, verify::verify};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};
use support::{World, process::Up, repository};
use synthetic::{Participant, value};
use tempfile::TempDir;
use testbed::judges::run;
use vocabulary::command::{Provision, Task, WithdrawalScope};

fn archive() -> PathBuf {
    repository().join("tests/golden/v1/golden.tar.zst")
}

/// A copy of the golden directory: `data`, and `kept` beside it.
fn unpack() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let tar = folder.path().join("golden.tar");
    zstd::stream::copy_decode(File::open(archive()).unwrap(), File::create(&tar).unwrap()).unwrap();
    run(Command::new("tar").arg("-xf").arg(&tar).arg("-C").arg(folder.path()));
    folder
}

/// The same archive of the same files, whoever makes it and when.
fn pack(folder: &Path) {
    let tar = folder.join("golden.tar");
    let same = ["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "--format=ustar"];
    run(Command::new("tar").args(same).arg("-cf").arg(&tar).args(["data", "kept"]).current_dir(folder));
    fs::create_dir_all(archive().parent().unwrap()).unwrap();
    zstd::stream::copy_encode(File::open(tar).unwrap(), File::create(archive()).unwrap(), 19).unwrap();
}

/// Makes the golden directory anew. Only a change of the format of data directories is a reason to: then beside this one.
/// Run by hand: `cargo test -p trialseal --test golden -- --ignored write_the_golden_directory`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes into the repository"]
async fn write_the_golden_directory() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept");
    fs::create_dir(&kept).unwrap();
    play::play(&world, &kept).await;
    world.deployment.stop().await;
    // Once more as a process of its own, which ends in order: what is on disk then is what an operator has.
    assert!(Up::start(world.folder.path()).terminate().success());
    run(Command::new("cp").arg("-r").arg(world.folder.path()).arg(folder.path().join("data")));
    fs::remove_file(folder.path().join("data/lock")).unwrap();
    pack(folder.path());
}

/// An earlier program's directory, opened with this one.
struct Opened {
    folder: TempDir,
    up: Up,
    client: Client,
    kept: Kept,
    policy: Policy,
}

impl Opened {
    fn open(folder: TempDir) -> Self {
        let up = Up::start(&folder.path().join("data"));
        let client = Client::new(&up.endpoints).unwrap();
        let kept = Kept::read(&folder.path().join("kept"));
        let policy = Policy::parse(&fs::read_to_string(folder.path().join("kept/policy.txt")).unwrap()).unwrap();
        Self { folder, up, client, kept, policy }
    }

    async fn audit(&self) -> Report {
        let (tiles, studies) = (&self.up.endpoints.anchoring, vec![self.kept.study().reader()]);
        let audit = LiveAudit { client: &self.client, tiles, policy: &self.policy, studies, progress: false };
        audit.run().await.unwrap()
    }

    async fn clean(&self) -> Report {
        let report = self.audit().await;
        assert!(report.clean, "{}", readable(&report));
        report
    }

    /// The bytes of all entries of a journal.
    async fn entries(&self, service: Service) -> Vec<Vec<u8>> {
        let request = ReadEntriesRequest {
            stream: service.stream(self.kept.study).0.0.to_vec(),
            from: 0,
            limit: 0,
            view: EntryView::Bare.into(),
            study: self.kept.study.to_string(),
        };
        let request = self.kept.study().reader().request(request);
        let mut messages = self.client.journal(service).read_entries(request).await.unwrap().into_inner();
        let mut entries = Vec::new();
        while let Some(message) = messages.message().await.unwrap() {
            entries.push(message.entry);
        }
        entries
    }

    /// How many receipts hold: signed by who is in the policy, for the entry that stands at that place.
    async fn honoured(&self) -> usize {
        let mut honoured = 0;
        for Receipts { service, receipts } in &self.kept.receipts {
            let entries = self.entries(*service).await;
            for told in receipts {
                let receipt = Receipt::from(told.clone());
                let number = receipt.verify(&self.policy.receipts).unwrap().entry.number;
                honoured += usize::from(entries.get(usize::try_from(number).unwrap()) == Some(&receipt.entry));
            }
        }
        honoured
    }

    fn receipts(&self) -> usize {
        self.kept.receipts.iter().map(|of| of.receipts.len()).sum()
    }

    fn instance(&self) -> Option<FormInstance> {
        Some(FormInstance {
            participant: self.kept.participant(0).name.to_string(),
            event: self.kept.event.to_string(),
            event_repeat: 0,
            form: "VS".to_owned(),
            form_repeat: 0,
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_programs_directory_opens_whole_and_goes_on() {
    let opened = Opened::open(unpack());
    let before = opened.clean().await;
    assert!(before.entries >= opened.kept.entries, "{} of {} entries", before.entries, opened.kept.entries);
    assert_eq!((before.screenings, before.erased, before.redacted), (1, 1, 1));
    assert!(opened.receipts() >= 15);
    assert_eq!(opened.honoured().await, opened.receipts());
    bundles(&opened);
    people_and_lists(&opened).await;
    values(&opened).await;
    extend(&opened).await;
    let after = opened.clean().await;
    assert!(after.entries > before.entries + 10);
    assert!(opened.up.terminate().success());
}

fn bundles(opened: &Opened) {
    let mut verified = 0;
    for file in fs::read_dir(opened.folder.path().join("kept")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "trialseal") {
            let report = verify(&fs::read(&path).unwrap(), &opened.policy);
            assert!(report.verified, "{}: {:?}", path.display(), report.failure);
            verified += 1;
        }
    }
    assert_eq!(verified, 4);
}

async fn people_and_lists(opened: &Opened) {
    let Opened { client, kept, .. } = opened;
    let (study, staff) = (kept.study(), kept.study().coordinator);
    let (id, reader) = (kept.study.to_string(), study.reads(&staff));
    let whole = client
        .enrollment()
        .get_study(reader.request(GetStudyRequest { study: id.clone(), ..Default::default() }))
        .await
        .unwrap();
    let whole = whole.into_inner();
    assert_eq!((whole.state.as_str(), whole.sites.len(), whole.arms.len()), ("open", 1, 2));
    assert_eq!(whole.allocations[0].randomised, 1);
    let delegations = people::delegations(client, &study.reads(&study.auditor), None).await.unwrap();
    assert!(delegations.len() > 15, "{}", delegations.len());
    let rows = people::participants(client, &reader, kept.site.as_str()).await.unwrap();
    let randomised: Vec<_> = rows.iter().filter(|row| row.stage == "randomised").collect();
    assert!(rows.len() > 10 && randomised.len() == 1);
    let request = GetParticipantRequest { study: id.clone(), participant: randomised[0].participant.clone() };
    let way = client.enrollment().get_participant(reader.request(request)).await.unwrap().into_inner();
    assert_eq!(way.stages.len(), 4);

    let list = ListDocumentsRequest { study: id.clone(), page_size: 0, page_token: String::new() };
    let documents = client.consent.clone().list_documents(reader.request(list)).await.unwrap().into_inner().documents;
    assert_eq!(documents.len(), 3);
    let (own, participant) = (kept.own(0), kept.participant(0).name);
    let standing = participant::standing(client, &own, &participant).await.unwrap();
    assert!(standing[0].in_force && standing[0].document[1] == "2.0", "{standing:?}");
    let (page_size, page_token) = (0, String::new());
    let list = ListConsentsRequest { study: id.clone(), participant: participant.to_string(), page_size, page_token };
    let given = client.consent.clone().list_consents(own.request(list)).await.unwrap().into_inner().commands;
    assert_eq!(given.len(), 3);
    let copy = participant::copy(client, &own, (&participant, given[0].number), Default::default()).await.unwrap();
    assert!(copy.contains("WHAT YOU AGREED TO"));
    let looks = participant::looks(&participant::accesses(client, &own, &participant).await.unwrap()).unwrap();
    assert!(looks.iter().any(|look| look.by == "researcher-okafor"), "{looks:?}");

    let stream = Service::Capture.stream(kept.study).0.0.to_vec();
    let list = ListBlocksRequest { stream, from: 0, page_size: 0 };
    assert!(!client.anchoring.clone().list_blocks(list).await.unwrap().into_inner().blocks.is_empty());
}

async fn values(opened: &Opened) {
    let Opened { client, kept, .. } = opened;
    let study = kept.study.to_string();
    let participant = kept.participant(0).name.to_string();
    for reader in [kept.own(0), kept.study().reads(&kept.study().coordinator)] {
        let request = GetFormRequest { study: study.clone(), instance: opened.instance() };
        let form = client.capture.clone().get_form(reader.request(request)).await.unwrap().into_inner().form.unwrap();
        assert_eq!((form.values[0].value.as_str(), form.entries.len()), (kept.value.as_str(), 2));
        let (page_size, page_token) = (0, String::new());
        let list = ListFormsRequest { study: study.clone(), participant: participant.clone(), page_size, page_token };
        let forms = client.capture.clone().list_forms(reader.request(list)).await.unwrap().into_inner().forms;
        assert_eq!(forms.len(), 2);
    }
    let (item, repeat) = ("SYSBP".to_owned(), String::new());
    let request =
        GetItemHistoryRequest { study: study.clone(), instance: opened.instance(), item, repeat, ..Default::default() };
    let history = client.capture.clone().get_item_history(kept.own(0).request(request)).await.unwrap().into_inner();
    assert_eq!(history.changes.len(), 2);
    let list = ListEntriesRequest { study, participant, ..Default::default() };
    let auditor = kept.study().reader();
    let listed = client.capture.clone().list_entries(auditor.request(list)).await.unwrap().into_inner();
    assert_eq!(listed.entries.len(), 3);
}

/// The study goes on: authority and consent given anew, a capture, a proof, a withdrawal, and nothing after that.
async fn extend(opened: &Opened) {
    let Opened { client, kept, policy, .. } = opened;
    let (study, participant) = (kept.study(), kept.participant(0));
    for task in [Task::ObtainConsent, Task::Capture, Task::Read] {
        for actor in [&study.investigator, &study.coordinator] {
            study.delegate(client, &study.root, actor, task, &kept.site).await.unwrap();
        }
    }
    let consent = study.consent_to(&participant, "2.0", vec![Provision::data_collection()]).unwrap();
    client.record(&consent, &[&participant.key, &study.investigator.key]).await.unwrap();
    let receipt = capture(opened, &participant, 0).await.unwrap();
    let reader: Reader = study.reads(&study.coordinator);
    let entry = entry_number(&receipt).unwrap();
    let bundle = client.prove(&reader, entry, "SYSBP", "").await.unwrap();
    let report = verify(&bundle, policy);
    assert!(report.verified, "{:?}", report.failure);
    let withdraw = study.withdrawal(&participant, WithdrawalScope::Everything).unwrap();
    client.record(&withdraw, &[&participant.key]).await.unwrap();
    let until = now_ms() + seal::MAX_DECISION_AGE_MS;
    let mut repeat = 1;
    let refused = loop {
        match capture(opened, &participant, repeat).await {
            Ok(_) => assert!(now_ms() <= until, "captured after the withdrawal"),
            Err(error) => break error.reason(),
        }
        repeat += 1;
    };
    assert_eq!(refused.as_deref(), Some("CONSENT_WITHDRAWN"));
}

async fn capture(opened: &Opened, participant: &Participant, repeat: u32) -> Result<Receipt, client::ClientError> {
    let study = opened.kept.study();
    let header = study.header(participant, "LATER PROGRAM", "VS", repeat).unwrap();
    let form = sign_form(header, vec![value("SYSBP", "121"), value("DIABP", "79")], &study.coordinator.key).unwrap();
    opened.client.submit(form).await
}

async fn damage(folder: &Path, file: &str, statement: &str) {
    let options = SqliteConnectOptions::new().filename(folder.join("data").join(file));
    let mut database = SqliteConnection::connect_with(&options).await.unwrap();
    let done = sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut database).await.unwrap();
    assert!(done.rows_affected() > 0, "{statement}: changed nothing");
    database.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_to_the_copy_is_found() {
    let folder = unpack();
    let edit = "UPDATE entry SET bytes = CAST(substr(bytes, 1, length(bytes) - 1) || x'ff' AS BLOB) WHERE number = 2";
    damage(folder.path(), "capture.sqlite", edit).await;
    let plain = folder.path().join("kept/plain.trialseal");
    let mut bundle = fs::read(&plain).unwrap();
    bundle[200] ^= 1;
    fs::write(&plain, bundle).unwrap();
    let opened = Opened::open(folder);
    let report = opened.audit().await;
    assert!(report.findings.iter().any(|found| found.entry == Some(2)), "{}", readable(&report));
    assert!(!verify(&fs::read(&plain).unwrap(), &opened.policy).verified);
    drop(opened);

    // The correction, for which a receipt was kept, is the last entry of its journal.
    let folder = unpack();
    let delete = "DELETE FROM entry WHERE number = (SELECT max(number) FROM entry)";
    damage(folder.path(), "capture.sqlite", delete).await;
    let opened = Opened::open(folder);
    assert!(!opened.audit().await.clean);
    assert_eq!(opened.honoured().await, opened.receipts() - 1);
}
