//! What the end-to-end tests share: a deployment with a synthetic study in it.

#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)] // each test uses its own part; a test may panic

pub mod faults;
pub mod load;
pub mod process;
pub mod receipts;
pub mod seeded;
pub mod told;

use audit::Report;
use client::{Client, entry_number, sign_form};
use export::LiveAudit;
use seal::{id::Name, policy::Policy};
use std::path::PathBuf;
use synthetic::{Participant, Study, text_item, value};
use tempfile::TempDir;
pub use testbed::repository;
use trialseal::deployment::Deployment;
use vocabulary::command::FormDef;

/// The real data beside the repository, if it is there.
pub fn real_data() -> Option<PathBuf> {
    let folder = repository().join("../shared/data");
    folder.exists().then_some(folder)
}

/// A running deployment with a study, one open site and two consented participants.
pub struct World {
    pub folder: TempDir,
    pub deployment: Deployment,
    pub client: Client,
    pub study: Study,
    pub site: Name,
    pub participants: Vec<Participant>,
}

impl World {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let deployment = Deployment::start(folder.path(), 0).await.unwrap();
        let client = Client::new(&deployment.endpoints).unwrap();
        let study = Study::create(&client, "TEST-01").await.unwrap();
        let site = study.open_site(&client, "701", "Synthetic site").await.unwrap();
        let items = ["SYSBP", "DIABP", "COMMENT"].map(|item| text_item(item).unwrap()).to_vec();
        study
            .define(&client, "1", vec![FormDef { provision: None, form: "VS".parse().unwrap(), items }])
            .await
            .unwrap();
        let mut participants = Vec::new();
        for _ in 0..2 {
            let participant = study.enrol(&client, &site).await.unwrap();
            study.consent(&client, &participant).await.unwrap();
            participants.push(participant);
        }
        Self { folder, deployment, client, study, site, participants }
    }

    /// Captures a form of the first participant and gives the number of its entry.
    pub async fn capture(&self, event: &str, pressure: &str) -> u64 {
        let header = self.study.header(&self.participants[0], event, "VS", 0).unwrap();
        let form = sign_form(header, vec![value("SYSBP", pressure), value("DIABP", "80")], &self.study.coordinator.key);
        entry_number(&self.client.submit(form.unwrap()).await.unwrap()).unwrap()
    }

    pub fn policy_text(&self) -> String {
        format!("{}{}", self.deployment.policy, self.study.policy_line())
    }

    pub fn policy(&self) -> Policy {
        Policy::parse(&self.policy_text()).unwrap()
    }

    pub async fn bundle(&self, entry: u64, item: &str) -> Vec<u8> {
        self.client.prove(&self.study.reader(), entry, item, "").await.unwrap()
    }

    pub async fn audit(&self) -> Report {
        let policy = self.policy();
        let studies = vec![self.study.reader()];
        let tiles = &self.deployment.endpoints.anchoring;
        LiveAudit { client: &self.client, tiles, policy: &policy, studies, progress: false }.run().await.unwrap()
    }
}
