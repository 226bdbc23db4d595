//! `trialseal demo`: the main job told as a story, over real gRPC, on synthetic data.

mod people;
mod stage;

pub use stage::Stage;

use anyhow::{Context, Result, bail, ensure};
use client::{Client, Reader, entry_number, sign_form};
use export::LiveAudit;
use proto::{anchoring::GetCheckpointRequest, capture::GetItemHistoryRequest};
use seal::{datapoint::Datapoint, entry::Entry, id::Service, policy::Policy};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use synthetic::{Participant, Study, text_item, value};
use tokio::time::{Instant, sleep};
use vocabulary::command::{FormDef, ItemDef, ItemType, Submission, WithdrawalScope};

const AGAIN: Duration = Duration::from_millis(50);
/// A withdrawal is in force everywhere after a second; the machine may be busy.
const IN_FORCE: Duration = Duration::from_secs(2);

fn chapter(number: u32, title: &str) {
    println!("\n{number}. {title}");
}

fn told(line: impl AsRef<str>) {
    println!("   {}", line.as_ref());
}

struct Demo {
    stage: Stage,
    client: Client,
    folder: PathBuf,
}

/// A story that has begun.
pub struct Story<'a> {
    folder: &'a Path,
    cluster: bool,
}

impl<'a> Story<'a> {
    /// Begins it in a fresh folder: on a deployment of its own there, or on a `cluster` that is there already.
    pub fn begin(folder: &'a Path, cluster: bool) -> Result<Self> {
        make_room(folder)?;
        let where_to = if cluster { "A process each, mTLS between them." } else { "One process, real gRPC." };
        chapter(1, &format!("A deployment: three recording services, a chain, three witnesses. {where_to}"));
        Ok(Self { folder, cluster })
    }

    /// Tells it. An error means that something was not as told.
    pub async fn tell(&self, stage: Stage) -> Result<()> {
        let demo = Demo { client: Client::new(&stage.endpoints)?, stage, folder: self.folder.to_owned() };
        for (name, url) in [
            ("enrollment", &demo.stage.endpoints.enrollment),
            ("consent", &demo.stage.endpoints.consent),
            ("capture", &demo.stage.endpoints.capture),
            ("anchoring", &demo.stage.endpoints.anchoring),
        ] {
            told(format!("{name:<11} {url}"));
        }
        let (study, participants) = demo.study().await?;
        let first = demo.visits(&study, &participants).await?;
        let corrected = demo.correction(&study, &participants[0], first).await?;
        demo.declined(&study, &participants).await?;
        demo.reconsent(&study, &participants[0]).await?;
        demo.withdrawal(&study, &participants[2]).await?;
        demo.researcher(&study, &participants[0]).await?;
        let policy = demo.anchored(&study, corrected).await?;
        demo.audited(&study, &policy).await?;
        demo.proven(&study, corrected, &policy).await?;
        demo.tampered(&study, first, &policy).await
    }

    /// Ends it, once a deployment of its own has stopped: the reader verifies the same bundle.
    pub fn end(self) {
        let gone = if self.cluster { "no service is asked" } else { "no service is running any more" };
        let folder = self.folder.display();
        println!("\nVerify the same bundle yourself; {gone}:\n");
        println!("   trialseal verify {folder}/bundle.trialseal --policy {folder}/regulator-policy.txt");
        println!("   trialseal verify {folder}/bundle.trialseal --policy {folder}/regulator-policy.txt --json");
        println!("\n(With cargo: put `cargo run -q -- ` in place of `trialseal `.)");
    }
}

/// The file by which a demo knows a folder of its own.
const MARK: (&str, &str) = (".trialseal-demo", "made by trialseal demo, which may delete this folder\n");

/// A demo's folder is made anew, but only if a demo made it.
fn make_room(folder: &Path) -> Result<()> {
    let (mark, shown) = (folder.join(MARK.0), folder.display());
    if folder.exists() {
        let ours = fs::read_to_string(&mark).is_ok_and(|found| found == MARK.1);
        ensure!(ours, "{shown}: exists and is not a demo's folder; choose another with --data");
        fs::remove_dir_all(folder).with_context(|| format!("{shown}"))?;
    }
    owner::make_directory(folder)
        .and_then(|()| owner::write(&mark, MARK.1.as_bytes()))
        .with_context(|| format!("{shown}"))
}

impl Demo {
    async fn study(&self) -> Result<(Study, Vec<Participant>)> {
        chapter(2, "A study: its root key, a site, people and what they may do, a consent form, participants.");
        let study = Study::create(&self.client, "DEMO-01").await?;
        told(format!("study {} created by its root key", study.id));
        told("sponsor → dr-imani (enrol, consent, capture) → coordinator-lund (capture)");
        let site = study.open_site(&self.client, "701", "University hospital (synthetic)").await?;
        told("site 701 added and activated");
        let number = |item: &str, min: f64, max: f64| -> Result<ItemDef> {
            let range = (Some(min), Some(max));
            Ok(ItemDef { kind: ItemType::Integer, min: range.0, max: range.1, mandatory: true, ..text_item(item)? })
        };
        let items = vec![
            number("SYSBP", 40.0, 300.0)?,
            number("DIABP", 20.0, 200.0)?,
            number("PULSE", 20.0, 250.0)?,
            text_item("POSITION")?,
            text_item("COMMENT")?,
        ];
        let genetics =
            FormDef { form: "GEN".parse()?, items: vec![text_item("APOE")?], provision: Some("genetics".parse()?) };
        let vital = FormDef { form: "VS".parse()?, items, provision: None };
        study.define(&self.client, "1", vec![vital, genetics]).await?;
        told("form VS is captured under consent to data_collection (mandatory), GEN under genetics (optional)");
        let mut participants = Vec::new();
        for agrees in [&["data_collection", "genetics"][..], &["data_collection"], &["data_collection"]] {
            let participant = study.enrol(&self.client, &site).await?;
            let provisions = agrees.iter().map(|provision| provision.parse()).collect::<Result<_, _>>()?;
            let consent = study.consent_to(&participant, "1.0", provisions)?;
            self.client.record(&consent, &[&participant.key, &study.investigator.key]).await?;
            told(format!("{} enrolled, consents to {} (synthetic)", participant.name, agrees.join(" and ")));
            participants.push(participant);
        }
        Ok((study, participants))
    }

    async fn visits(&self, study: &Study, participants: &[Participant]) -> Result<u64> {
        chapter(3, "Visits are captured; every form is signed by who captured it.");
        let mut first = None;
        for event in ["BASELINE", "WEEK 2"] {
            for (participant, pressure) in participants.iter().zip(["210", "124", "131"]) {
                let header = study.header(participant, event, "VS", 0)?;
                let form = sign_form(header, vital_signs(pressure), &study.coordinator.key)?;
                let receipt = self.client.submit(form).await?;
                let entry = entry_number(&receipt).context("a receipt without an entry")?;
                first = first.or(Some(entry));
            }
            told(format!("{event}: {} forms, each answered with a signed receipt", participants.len()));
        }
        first.context("nothing was captured")
    }

    async fn correction(&self, study: &Study, participant: &Participant, corrects: u64) -> Result<u64> {
        chapter(4, "One value was mistyped: it is corrected, with a reason. Nothing is overwritten.");
        let header = Submission {
            corrects: Some(corrects),
            reason: Some("typing error: the source document says 120".to_owned()),
            ..study.header(participant, "BASELINE", "VS", 0)?
        };
        let form = sign_form(header.clone(), vec![value("SYSBP", "120")], &study.coordinator.key)?;
        let entry = entry_number(&self.client.submit(form).await?).context("a receipt without an entry")?;
        let request = GetItemHistoryRequest {
            study: study.id.to_string(),
            instance: Some(proto::capture::FormInstance {
                participant: participant.name.to_string(),
                event: "BASELINE".to_owned(),
                event_repeat: 0,
                form: "VS".to_owned(),
                form_repeat: 0,
            }),
            item: "SYSBP".to_owned(),
            ..Default::default()
        };
        let history = self.client.capture.clone().get_item_history(self.coordinator(study).request(request)).await;
        let changes = history.map_err(client::ClientError::from)?.into_inner().changes;
        for change in &changes {
            told(format!(
                "SYSBP {:?} → {:?} by {} {}",
                change.old_value, change.new_value, change.signed_by, change.reason
            ));
        }
        let values: Vec<&str> = changes.iter().map(|change| change.new_value.as_str()).collect();
        ensure!(values == ["210", "120"], "the history is not as told: {values:?}");
        Ok(entry)
    }

    async fn withdrawal(&self, study: &Study, participant: &Participant) -> Result<()> {
        chapter(7, "A participant withdraws consent; the next capture for them is refused.");
        let withdraw = study.withdrawal(participant, WithdrawalScope::Everything)?;
        self.client.record(&withdraw, &[&participant.key]).await?;
        told(format!("{} signed the withdrawal with their own key", participant.name));
        let begun = Instant::now();
        for attempt in 1.. {
            let header = study.header(participant, "WEEK 4", "VS", attempt)?;
            let form = sign_form(header, vital_signs("130"), &study.coordinator.key)?;
            let asked = begun.elapsed();
            match self.client.submit(form).await {
                Err(error) if error.reason().as_deref() == Some("CONSENT_WITHDRAWN") => {
                    told(format!("capture refused {} ms later: {error}", begun.elapsed().as_millis()));
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
                Ok(_) if asked < IN_FORCE => sleep(AGAIN).await,
                Ok(_) => break,
            }
        }
        bail!("a capture was accepted that was asked for long after consent was withdrawn")
    }

    async fn anchored(&self, study: &Study, entry: u64) -> Result<Policy> {
        chapter(10, "The journals' new entries become blocks of the chain; two of three witnesses must cosign.");
        let text = format!("{}{}", self.stage.policy, study.policy_line());
        let policy = Policy::parse(&text)?;
        let (pure, keys) = seal::policy::part(&text);
        fs::write(self.folder.join("regulator-policy.txt"), pure)?;
        fs::write(self.folder.join("regulator-policy-keys.txt"), keys)?;
        self.client.prove(&study.reader(), entry, "SYSBP", "").await?;
        let request = GetCheckpointRequest { at_most: 0 };
        let answer = self.client.anchoring.clone().get_checkpoint(request).await;
        let note = answer.map_err(client::ClientError::from)?.into_inner().checkpoint;
        let verified = policy.tlog.verify_checkpoint(note.as_bytes())?;
        told(format!("checkpoint of {} blocks, root {}", verified.checkpoint.size, verified.checkpoint.root));
        for (name, key, _) in &verified.cosigned_by {
            told(format!("cosigned by {name} ({:?})", key.algorithm()));
        }
        Ok(policy)
    }

    async fn audited(&self, study: &Study, policy: &Policy) -> Result<()> {
        chapter(11, "An auditor recomputes everything from stored bytes.");
        let report = self.audit(study, policy).await?;
        print!("{}", audit::readable(&report));
        ensure!(report.clean, "the audit found damage where there is none");
        Ok(())
    }

    async fn audit(&self, study: &Study, policy: &Policy) -> Result<audit::Report> {
        let studies = vec![study.reader()];
        let tiles = &self.stage.endpoints.anchoring;
        LiveAudit { client: &self.client, tiles, policy, studies, progress: true }.run().await
    }

    async fn proven(&self, study: &Study, entry: u64, policy: &Policy) -> Result<()> {
        chapter(12, "A regulator verifies one datapoint offline, from two files.");
        let bytes = self.client.prove(&study.reader(), entry, "SYSBP", "").await?;
        let file = self.folder.join("bundle.trialseal");
        fs::write(&file, &bytes)?;
        let report = verify::verify(&file, policy)?;
        print!("{}", verify::readable(&report));
        ensure!(report.verified, "the bundle does not verify");
        let mut forged = seal::bundle::Bundle::parse(&bytes)?;
        let mut datapoint = Datapoint::parse(&forged.datapoint.0)?;
        datapoint.value = "118".to_owned();
        forged.datapoint.0 = datapoint.to_bytes();
        let report = seal::verify::verify(&forged.to_bytes(), policy);
        ensure!(!report.verified, "a forged bundle verifies");
        told("the same bundle with 118 in place of 120:");
        print!("{}", verify::readable(&report));
        Ok(())
    }

    /// Somebody with the database and even the master key changes a value, and seals it again so that it opens.
    async fn tampered(&self, study: &Study, entry: u64, policy: &Policy) -> Result<()> {
        chapter(13, "An insider with the database and the keys edits a value behind the service's back.");
        let Stage { capture: database, vault, .. } = &self.stage;
        let number = i64::try_from(entry)?;
        let stream: i64 = sqlx::query_scalar("SELECT id FROM stream WHERE name = $1")
            .bind(Service::Capture.stream(study.id).0.0.to_vec())
            .fetch_one(database.pool())
            .await?;
        let select = "SELECT bytes, stored FROM entry WHERE stream = $1 AND number = $2";
        let (bytes, stored): (Vec<u8>, Vec<u8>) =
            sqlx::query_as(select).bind(stream).bind(number).fetch_one(database.pool()).await?;
        let context = Entry::parse(&bytes)?.envelope;
        let mut plain = vault.open_sealed(&context.0, &stored).await?;
        let place = plain.windows(3).position(|three| three == b"210").context("the value is not where it was")?;
        plain[place..place + 3].copy_from_slice(b"140");
        let reference =
            vault.master().reference("participant", &[&study.id.0, self.subject(study, entry).await?.as_bytes()]);
        let forged = vault.seal(&reference, &context.0, &plain).await?;
        let update = sqlx::query("UPDATE entry SET stored = $1 WHERE stream = $2 AND number = $3");
        update.bind(forged).bind(stream).bind(number).execute(database.writing()).await?;
        told(format!("capture entry {entry}: SYSBP 210 is now 140, encrypted under the right key"));
        let report = self.audit(study, policy).await?;
        print!("{}", audit::readable(&report));
        let found = report.findings.iter().any(|f| f.service == Some(Service::Capture) && f.entry == Some(entry));
        ensure!(!report.clean && found, "the audit did not find the edit");
        Ok(())
    }

    /// Whose form an entry is.
    async fn subject(&self, study: &Study, entry: u64) -> Result<String> {
        let bytes = self.client.prove(&study.reader(), entry, "DIABP", "").await?;
        let bundle = seal::bundle::Bundle::parse(&bytes)?;
        let part = bundle.entries.iter().find(|part| (part.service, part.number) == (Service::Capture, entry));
        let envelope = part.and_then(|part| part.envelope.as_ref()).context("no envelope")?;
        let header: Submission = seal::dsse::Envelope::parse(&envelope.0)?.payload()?;
        Ok(header.instance.participant.to_string())
    }

    fn coordinator(&self, study: &Study) -> Reader {
        study.reads(&study.coordinator)
    }
}

fn vital_signs(pressure: &str) -> Vec<Datapoint> {
    vec![
        Datapoint { unit: "mmHg".to_owned(), ..value("SYSBP", pressure) },
        Datapoint { unit: "mmHg".to_owned(), ..value("DIABP", "80") },
        Datapoint { unit: "beats/min".to_owned(), ..value("PULSE", "66") },
        value("POSITION", "SUPINE"),
    ]
}
