//! A trial in the making: a deployment, a study with two sites, and who works on it.

use audit::Report;
use client::{Access, Client, Reader, new_key, new_pseudonym, new_uuid, now_ms, sign_screening};
use export::Export;
use export::LiveAudit;
use proto::enrollment as pb;
use reports::people;
use seal::{datapoint::Datapoint, id::Name, policy::Policy, text::Hex};
use serde_json::Value;
use std::{
    fs,
    io::Write,
    process::Command,
    sync::{Arc, Mutex},
};
use synthetic::{Actor, Participant, Study, value};
use tempfile::TempDir;
use testbed::{judges::environment, repository};
use trialseal::deployment::Deployment;
use vocabulary::{
    allocation::{Arm, Factor, Method, Scheme, Secret},
    command::{
        DefineCriteria, ItemDef, ItemType, Randomise, RecordScreening, RecordStage, ScreenParticipant, SetStudyState,
        Stage, State, Task,
    },
    eligibility::{Criterion, CriterionKind, CriterionOutcome, Outcome},
};

pub(crate) const ARMS: [&str; 2] = ["VERUM-7Q4X", "PLACEBO-2K9Z"];
/// The places of each stratum.
pub(crate) const SLOTS: u32 = 8;

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// A command with the fields all have, and its own.
macro_rules! command {
    ($study:expr, $by:expr, $type:ident { $($field:ident $(: $value:expr)?),* $(,)? }) => {
        $type {
            study: $study.id,
            request: new_uuid().unwrap(),
            by: $by.name.clone(),
            time: now_ms(),
            $($field $(: $value)?),*
        }
    };
}

pub(crate) use command;

/// Everything the process logs, at the finest level.
#[derive(Clone, Default)]
pub(crate) struct Logs(Arc<Mutex<Vec<u8>>>);

impl Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Logs {
    pub(crate) fn capture() -> Self {
        let logs = Self::default();
        let writer = logs.clone();
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::TRACE);
        subscriber.with_ansi(false).with_writer(move || writer.clone()).init();
        logs
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

pub(crate) fn conceals(what: &str, text: &str) {
    for arm in ARMS {
        assert!(!text.contains(arm), "{what} names an arm");
    }
}

pub(crate) struct Trial {
    pub(crate) folder: TempDir,
    pub(crate) deployment: Deployment,
    pub(crate) client: Client,
    pub(crate) study: Study,
    pub(crate) sites: [Name; 2],
    pub(crate) statistician: Actor,
    pub(crate) pharmacist: Actor,
    pub(crate) physician: Actor,
}

impl Trial {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let deployment = Deployment::start(folder.path(), 0).await.unwrap();
        let client = Client::new(&deployment.endpoints).unwrap();
        let study = Study::create(&client, "PEOPLE-01").await.unwrap();
        let mut sites = Vec::new();
        for site in ["701", "702"] {
            sites.push(study.open_site(&client, site, "Synthetic site").await.unwrap());
        }
        let [statistician, pharmacist, physician] = ["statistician", "pharmacist", "physician"]
            .map(|actor| Actor { name: name(actor), key: new_key().unwrap() });
        for actor in [&statistician, &pharmacist, &physician] {
            study.register(&client, actor).await.unwrap();
        }
        let sites = sites.try_into().unwrap();
        let trial = Self { folder, deployment, client, study, sites, statistician, pharmacist, physician };
        let everywhere = Name::all_sites();
        trial.delegate(&trial.statistician, Task::ManageAllocation, &everywhere).await;
        trial.delegate(&trial.pharmacist, Task::SeeAllocation, &trial.sites[0]).await;
        trial.delegate(&trial.physician, Task::Unblind, &trial.sites[0]).await;
        for site in &trial.sites {
            trial.delegate(&trial.study.coordinator, Task::Enrol, site).await;
        }
        trial.delegate(&trial.study.investigator, Task::OverrideEligibility, &everywhere).await;
        trial.delegate(&trial.study.investigator, Task::Erase, &everywhere).await;
        trial
    }

    pub(crate) async fn delegate(&self, to: &Actor, task: Task, site: &Name) {
        self.study.delegate(&self.client, &self.study.root, to, task, site).await.unwrap();
    }

    pub(crate) async fn record<P: client::Command>(&self, command: &P, by: &Actor) -> Result<(), String> {
        recorded(self.client.record(command, &[&by.key]).await)
    }

    /// Registers somebody for screening who consents.
    pub(crate) async fn screen(&self, site: &Name, token: Option<Hex>) -> Participant {
        let participant = self.register(site, token).await;
        self.study.consent(&self.client, &participant).await.unwrap();
        participant
    }

    /// Registers somebody for screening.
    pub(crate) async fn register(&self, site: &Name, token: Option<Hex>) -> Participant {
        let (by, key) = (&self.study.coordinator, new_key().unwrap());
        let participant = Participant { name: new_pseudonym().unwrap(), site: site.clone(), key };
        let (site, key) = (site.clone(), participant.key.public());
        let screen = command!(
            self.study,
            by,
            ScreenParticipant { participant: participant.name.clone(), site, key, token, late: None }
        );
        self.client.record(&screen, &[&by.key, &participant.key]).await.unwrap();
        participant
    }

    pub(crate) fn screening(
        &self,
        by: &Actor,
        who: &Participant,
        found: [Outcome; 2],
        over: Option<&str>,
    ) -> RecordScreening {
        let ids = ["INCL01", "EXCL01"];
        let outcome = |(id, outcome): (&str, Outcome)| CriterionOutcome { criterion: name(id), outcome };
        let (participant, site, criteria) = (who.name.clone(), who.site.clone(), name("1"));
        let (root, count, overridden) = (seal::sha256(&[]).into(), 0, over.map(str::to_owned));
        let outcomes = ids.into_iter().zip(found).map(outcome).collect();
        command!(self.study, by, RecordScreening { participant, site, criteria, root, count, outcomes, overridden })
    }

    pub(crate) async fn decide(
        &self,
        command: RecordScreening,
        answers: Vec<Datapoint>,
        by: &Actor,
    ) -> Result<(), String> {
        recorded(self.client.record_screening(sign_screening(command, answers, &by.key).unwrap()).await)
    }

    /// A participant who fulfils the criteria and is enrolled.
    pub(crate) async fn enrol(&self) -> Participant {
        let (participant, by) = (self.screen(&self.sites[0], None).await, &self.study.coordinator);
        let command = self.screening(by, &participant, [Outcome::Met, Outcome::NotMet], None);
        self.decide(command, answers("44", "false"), by).await.unwrap();
        self.enter(&participant, Stage::Enrolled).await.unwrap();
        participant
    }

    pub(crate) async fn enter(&self, who: &Participant, stage: Stage) -> Result<(), String> {
        let (by, reason) = (&self.study.coordinator, name("as planned"));
        let (participant, site) = (who.name.clone(), who.site.clone());
        self.record(&command!(self.study, by, RecordStage { participant, site, stage, reason }), by).await
    }

    pub(crate) async fn randomise(&self, who: &Participant, sex: &str) -> Result<(), String> {
        let (by, allocation, levels) = (&self.study.coordinator, name("main"), vec![name(sex)]);
        let (participant, site) = (who.name.clone(), who.site.clone());
        self.record(&command!(self.study, by, Randomise { participant, site, allocation, levels }), by).await
    }

    pub(crate) async fn set_state(&self, state: State) {
        let (root, reason) = (&self.study.root, name("as planned"));
        self.record(&command!(self.study, root, SetStudyState { state, reason, seen: None }), root).await.unwrap();
    }

    pub(crate) fn reader(&self, actor: &Actor) -> Reader {
        self.study.reads(actor)
    }

    pub(crate) async fn arm(&self, actor: &Actor, who: &Participant) -> Result<pb::GetAllocationResponse, String> {
        let found = people::allocation(&self.client, &self.reader(actor), who.name.as_str()).await;
        // Everything a refusal says: it must be the same whether or not there is an allocation.
        found.map_err(|error| match error.downcast() {
            Ok(client::ClientError::Refused(status)) => {
                format!("{:?} {} {:?}", status.code(), status.message(), String::from_utf8_lossy(status.details()))
            }
            other => format!("{other:?}"),
        })
    }

    pub(crate) async fn audit(&self) -> Report {
        let policy = Policy::parse(&format!("{}{}", self.deployment.policy, self.study.policy_line())).unwrap();
        let studies = vec![self.study.reader()];
        let tiles = &self.deployment.endpoints.anchoring;
        LiveAudit { client: &self.client, tiles, policy: &policy, studies, progress: false }.run().await.unwrap()
    }

    /// What our audit and the independent verifier say of one export.
    pub(crate) async fn exported(&self) -> (Report, Value) {
        let folder = tempfile::tempdir().unwrap();
        let (at, policy_file) = (folder.path().join("export"), folder.path().join("policy.txt"));
        let text = format!("{}{}", self.deployment.policy, self.study.policy_line());
        fs::write(&policy_file, &text).unwrap();
        let reader = Reader { access: Some(Access::everybody(name("export"))), ..self.study.reader() };
        let policy = Policy::parse(&text).unwrap();
        export::write(&self.client, &self.deployment.endpoints.anchoring, reader, (&policy, &text), &at).await.unwrap();
        let mut judge = Command::new(environment().join("bin/python"));
        judge.arg(repository().join("docs/export/verify_export.py")).env("PYTHONDONTWRITEBYTECODE", "1");
        let output = judge.arg(&at).arg("--policy").arg(&policy_file).arg("--json").output().unwrap();
        let report = Export::open(&at).unwrap().audit(&policy, &[], now_ms(), &()).unwrap();
        (report, serde_json::from_slice(&output.stdout).unwrap())
    }
}

pub(crate) fn recorded<T>(result: Result<T, client::ClientError>) -> Result<(), String> {
    result.map(drop).map_err(|error| error.reason().unwrap_or_else(|| error.to_string()))
}

pub(crate) fn refused(result: Result<(), String>, reason: &str) {
    assert_eq!(result.unwrap_err(), reason);
}

pub(crate) fn answers(age: &str, pregnant: &str) -> Vec<Datapoint> {
    vec![value("AGE", age), value("PREGNANT", pregnant)]
}

pub(crate) fn definition(study: &Study) -> DefineCriteria {
    let item = |id: &str, kind| ItemDef {
        item: name(id),
        kind,
        max_length: None,
        min: None,
        max: None,
        codes: Vec::new(),
        mandatory: true,
    };
    let criterion = |id: &str, kind, text: &str, expression: &str| Criterion {
        criterion: name(id),
        kind,
        text: text.to_owned(),
        expression: expression.to_owned(),
    };
    let items = vec![item("AGE", ItemType::Integer), item("PREGNANT", ItemType::Boolean)];
    let criteria = vec![
        criterion("INCL01", CriterionKind::Inclusion, "Adults", "AGE >= 18"),
        criterion("EXCL01", CriterionKind::Exclusion, "Pregnancy", "PREGNANT"),
    ];
    command!(study, study.root, DefineCriteria { version: name("1"), protocol: name("1.0"), items, criteria })
}

pub(crate) fn scheme() -> Scheme {
    let arms = ARMS.map(|arm| Arm { arm: name(arm), weight: 1 }).to_vec();
    let factors = vec![Factor { factor: name("sex"), levels: vec![name("f"), name("m")] }];
    Scheme { arms, factors, method: Method::PermutedBlocks { slots: SLOTS } }
}

pub(crate) fn secret() -> Secret {
    Secret { seed: client::random().unwrap(), block_sizes: vec![2, 4] }
}
