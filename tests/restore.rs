//! Restored to an earlier state: found out and reported, never continued in silence.

#![allow(clippy::unwrap_used)]

mod support;

use audit::{Report, readable};
use channel::{Channel, Settings};
use client::{Client, sign_form};
use export::LiveAudit;
use proto::anchoring::GetCheckpointRequest;
use seal::{policy::Policy, receipt::Receipt};
use sqlx::{Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{
    fs,
    time::{Duration, Instant},
};
use support::process::Up;
use synthetic::{Participant, Study, text_item, value};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use vocabulary::command::FormDef;

/// Longer than any healthy machine needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A study in a data directory, which the binary serves.
struct Kept {
    data: tempfile::TempDir,
    study: Study,
    participant: Participant,
    receipts: Vec<Receipt>,
}

impl Kept {
    async fn new() -> (Self, Up) {
        let data = tempfile::tempdir().unwrap();
        let up = Up::start(data.path());
        let client = Client::new(&up.endpoints).unwrap();
        let study = Study::create(&client, "RESTORE").await.unwrap();
        let site = study.open_site(&client, "701", "Synthetic site").await.unwrap();
        let items = vec![text_item("SYSBP").unwrap()];
        study
            .define(&client, "1", vec![FormDef { provision: None, form: "VS".parse().unwrap(), items }])
            .await
            .unwrap();
        let participant = study.enrol(&client, &site).await.unwrap();
        study.consent(&client, &participant).await.unwrap();
        (Self { data, study, participant, receipts: Vec::new() }, up)
    }

    /// Records so many forms and waits until all are on the chain.
    async fn grow(&mut self, up: &Up, forms: u32) {
        let client = Client::new(&up.endpoints).unwrap();
        for _ in 0..forms {
            let repeat = u32::try_from(self.receipts.len()).unwrap();
            let header = self.study.header(&self.participant, "VISIT", "VS", repeat).unwrap();
            let form = sign_form(header, vec![value("SYSBP", "120")], &self.study.coordinator.key).unwrap();
            self.receipts.push(client.submit(form).await.unwrap());
        }
        let reader = self.study.reader();
        let until = Instant::now() + PATIENCE;
        let last = client::entry_number(self.receipts.last().unwrap()).unwrap();
        while client.bundle(&reader, last, "SYSBP", "").await.is_err() {
            assert!(Instant::now() < until, "entry {last} does not get on the chain");
            tokio::time::sleep(Duration::from_millis(50)).await; // between two questions
        }
    }

    /// What a backup of a database would hold now; nothing runs.
    fn copy(&self, file: &str) -> tempfile::TempDir {
        let copy = tempfile::tempdir().unwrap();
        fs::copy(self.data.path().join(file), copy.path().join(file)).unwrap();
        let log = format!("{file}-wal");
        let _none = fs::copy(self.data.path().join(&log), copy.path().join(&log));
        copy
    }

    fn restore(&self, copy: &tempfile::TempDir, file: &str) {
        self.lose(file);
        for file in fs::read_dir(copy.path()).unwrap() {
            let name = file.unwrap().file_name();
            fs::copy(copy.path().join(&name), self.data.path().join(&name)).unwrap();
        }
    }

    fn lose(&self, file: &str) {
        for part in ["", "-wal", "-shm"] {
            let _none = fs::remove_file(self.data.path().join(format!("{file}{part}")));
        }
    }

    fn policy(&self) -> Policy {
        let (_, text) = ::verify::read_policy(&self.data.path().join("policy.txt"), None).unwrap();
        Policy::parse(&format!("{text}{}", self.study.policy_line())).unwrap()
    }

    async fn audit(&self, up: &Up, receipts: &[Receipt]) -> Report {
        let (client, policy) = (Client::new(&up.endpoints).unwrap(), self.policy());
        let (tiles, studies) = (&up.endpoints.anchoring, vec![self.study.reader()]);
        LiveAudit { client: &client, tiles, policy: &policy, studies, progress: false }
            .run_with(receipts)
            .await
            .unwrap()
    }

    /// How many forks the witnesses have kept.
    async fn evidence(&self) -> i64 {
        let mut forks = 0;
        for witness in ["sponsor", "cro", "regulator"] {
            let file = self.data.path().join(format!("witness-{witness}.sqlite"));
            let mut database =
                SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(file)).await.unwrap();
            forks +=
                sqlx::query("SELECT COUNT(*) FROM evidence").fetch_one(&mut database).await.unwrap().get::<i64, _>(0);
        }
        forks
    }
}

async fn health(up: &Up, name: &str) -> &'static str {
    let channel = Channel::new(&up.endpoints.anchoring, None, Settings::default()).unwrap();
    let request = HealthCheckRequest { service: name.to_owned() };
    HealthClient::new(channel).check(request).await.unwrap().into_inner().status().as_str_name()
}

async fn becomes(up: &Up, name: &str, status: &str) {
    let until = Instant::now() + PATIENCE;
    while health(up, name).await != status {
        assert!(Instant::now() < until, "{name} does not become {status}");
        tokio::time::sleep(Duration::from_millis(50)).await; // between two questions
    }
}

async fn size(up: &Up) -> u64 {
    let client = Client::new(&up.endpoints).unwrap();
    let answer = client.anchoring.clone().get_checkpoint(GetCheckpointRequest { at_most: 0 }).await.unwrap();
    answer.into_inner().checkpoint.lines().nth(1).unwrap().parse().unwrap()
}

async fn submit(kept: &Kept, up: &Up, repeat: u32) -> Receipt {
    let header = kept.study.header(&kept.participant, "LATER", "VS", repeat).unwrap();
    let form = sign_form(header, vec![value("SYSBP", "99")], &kept.study.coordinator.key).unwrap();
    Client::new(&up.endpoints).unwrap().submit(form).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_restored_to_an_earlier_state_is_found_out_by_its_witnesses_and_stands_still() {
    let (mut kept, up) = Kept::new().await;
    kept.grow(&up, 3).await;
    assert!(up.terminate().success());
    let earlier = kept.copy("anchoring.sqlite");
    let up = Up::start(kept.data.path());
    assert_eq!(health(&up, "chain").await, "SERVING");
    kept.grow(&up, 3).await;
    let published = size(&up).await;
    assert!(up.terminate().success());
    let latest = kept.copy("anchoring.sqlite");

    kept.restore(&earlier, "anchoring.sqlite");
    let up = Up::start(kept.data.path());
    becomes(&up, "chain", "NOT_SERVING").await;
    let stands = size(&up).await;
    assert!(stands < published, "the database is the earlier one");
    submit(&kept, &up, 0).await; // capture goes on
    assert_eq!((health(&up, "chain").await, size(&up).await), ("NOT_SERVING", stands));
    assert!(up.terminate().success());
    assert_eq!(kept.evidence().await, 0, "no witness was shown a fork");

    // The right database again: the chain goes on where it was.
    kept.restore(&latest, "anchoring.sqlite");
    let up = Up::start(kept.data.path());
    kept.grow(&up, 1).await;
    assert_eq!(health(&up, "chain").await, "SERVING");
    let report = kept.audit(&up, &kept.receipts).await;
    assert!(report.clean, "{}", readable(&report));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_was_lost_whole_is_found_out_by_its_witnesses() {
    let (mut kept, up) = Kept::new().await;
    kept.grow(&up, 1).await;
    assert!(up.terminate().success());
    kept.lose("anchoring.sqlite");
    let up = Up::start(kept.data.path());
    becomes(&up, "chain", "NOT_SERVING").await;
    assert!(up.terminate().success());
    assert_eq!(kept.evidence().await, 0, "no witness was shown a fork");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_restored_to_an_earlier_state_is_found_out_by_the_chain_and_by_receipts() {
    let (mut kept, up) = Kept::new().await;
    kept.grow(&up, 3).await;
    assert!(up.terminate().success());
    let earlier = kept.copy("capture.sqlite");
    let up = Up::start(kept.data.path());
    kept.grow(&up, 3).await;
    assert!(kept.audit(&up, &kept.receipts).await.clean);
    assert!(up.terminate().success());
    let later = kept.copy("capture.sqlite");

    kept.restore(&earlier, "capture.sqlite");
    let up = Up::start(kept.data.path());
    becomes(&up, "journals", "NOT_SERVING").await;
    assert_eq!(health(&up, "chain").await, "SERVING", "the chain itself is well");
    let report = kept.audit(&up, &kept.receipts).await;
    let lost = report.findings.iter().filter(|finding| finding.what.contains("as a receipt shows")).count();
    assert_eq!(lost, 3, "{}", readable(&report));
    // It goes on, and past where it was: still found out.
    for repeat in 0..5 {
        submit(&kept, &up, repeat).await;
    }
    assert!(up.terminate().success());
    let up = Up::start(kept.data.path());
    becomes(&up, "journals", "NOT_SERVING").await;
    let report = kept.audit(&up, &kept.receipts).await;
    let other = report.findings.iter().filter(|finding| finding.what.contains("is another than a receipt")).count();
    assert_eq!(other, 3, "{}", readable(&report));
    assert!(up.terminate().success());

    kept.restore(&later, "capture.sqlite");
    let up = Up::start(kept.data.path());
    kept.grow(&up, 1).await;
    assert_eq!(health(&up, "journals").await, "SERVING");
    let report = kept.audit(&up, &kept.receipts).await;
    assert!(report.clean, "{}", readable(&report));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_was_lost_whole_is_found_out() {
    let (mut kept, up) = Kept::new().await;
    kept.grow(&up, 1).await;
    assert!(up.terminate().success());
    kept.lose("capture.sqlite");
    let up = Up::start(kept.data.path());
    becomes(&up, "journals", "NOT_SERVING").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_taken_under_load_contradicts_itself_nowhere_and_goes_on() {
    let (mut kept, up) = Kept::new().await;
    kept.grow(&up, 3).await;
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    let (data, client) = (kept.data.path().to_owned(), Client::new(&up.endpoints).unwrap());
    let load = async {
        let mut forms = 0_u32;
        loop {
            let header = kept.study.header(&kept.participant, "LOAD", "VS", forms).unwrap();
            let form = sign_form(header, vec![value("SYSBP", "120")], &kept.study.coordinator.key).unwrap();
            client.submit(form).await.unwrap();
            forms += 1;
        }
    };
    let report = tokio::select! {
        report = trialseal::backup::write(&data, &copy) => report.unwrap(),
        () = load => unreachable!(),
    };
    assert_eq!(
        report.databases[..4],
        ["witness-cro.sqlite", "witness-regulator.sqlite", "witness-sponsor.sqlite", "anchoring.sqlite"]
    );
    assert!(!copy.join("keys").exists() && report.keys.len() >= 9, "{report:?}");
    assert!(trialseal::backup::write(&data, &copy).await.is_err(), "a backup never replaces one");
    assert!(up.terminate().success());

    fs::create_dir(copy.join("keys")).unwrap();
    for key in &report.keys {
        fs::copy(key, copy.join("keys").join(key.file_name().unwrap())).unwrap();
    }
    let before = std::mem::replace(&mut kept.data, tempfile::tempdir().unwrap());
    fs::remove_dir(kept.data.path()).unwrap();
    fs::rename(&copy, kept.data.path()).unwrap();
    let up = Up::start(kept.data.path());
    kept.grow(&up, 2).await;
    let audit = kept.audit(&up, &kept.receipts).await;
    assert!(audit.clean, "{}", readable(&audit));
    assert_eq!([health(&up, "chain").await, health(&up, "journals").await], ["SERVING"; 2]);
    drop(before);
}
