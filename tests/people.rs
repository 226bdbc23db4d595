//! Enrolment end to end: start-up, screening, limits, one person at two sites, randomisation that can be proven and is
//! concealed, unblinding, the reveal, and the audit of it all.

#![allow(clippy::unwrap_used)]

mod support;

use client::{Client, Reader, new_key, new_pseudonym, new_uuid, now_ms, sign_screening};
use identity::{Attributes, MatchingKey, token};
use proto::enrollment as pb;
use seal::{
    allocation::{Arm, Factor, Method, Scheme, Secret, commitment},
    command::{
        AddArm, ClearMatch, CommitAllocation, CreateStudy, DefineCriteria, EraseParticipant, ItemDef, ItemType,
        Randomise, RecordScreening, RecordStage, RevealAllocation, ScreenParticipant, SetCap, SetStudyState, Stage,
        State, Task, Unblind,
    },
    datapoint::Datapoint,
    eligibility::{Criterion, CriterionKind, CriterionOutcome, Outcome},
    id::{Name, Uuid},
    key::SecretKey,
    policy::Policy,
    text::Hex,
};
use std::{
    io::Write,
    sync::{Arc, Mutex},
};
use tempfile::TempDir;
use trialseal::{
    audit::{Audit, Report},
    deployment::Deployment,
    people::{self, SlotFile, verify_slot},
    setup::{Actor, Participant, Study, value},
};

const ARMS: [&str; 2] = ["VERUM-7Q4X", "PLACEBO-2K9Z"];
/// The places of each stratum.
const SLOTS: u32 = 8;

fn name(text: &str) -> Name {
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

/// Everything the process logs, at the finest level.
#[derive(Clone, Default)]
struct Logs(Arc<Mutex<Vec<u8>>>);

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
    fn capture() -> Self {
        let logs = Self::default();
        let writer = logs.clone();
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::TRACE);
        subscriber.with_ansi(false).with_writer(move || writer.clone()).init();
        logs
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

fn conceals(what: &str, text: &str) {
    for arm in ARMS {
        assert!(!text.contains(arm), "{what} names an arm");
    }
}

struct Trial {
    folder: TempDir,
    deployment: Deployment,
    client: Client,
    study: Study,
    sites: [Name; 2],
    statistician: Actor,
    pharmacist: Actor,
    physician: Actor,
}

impl Trial {
    async fn start() -> Self {
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

    async fn delegate(&self, to: &Actor, task: Task, site: &Name) {
        self.study.delegate(&self.client, &self.study.root, to, task, site).await.unwrap();
    }

    async fn record<P: client::Command>(&self, command: &P, by: &Actor) -> Result<(), String> {
        recorded(self.client.record(command, &[&by.key]).await)
    }

    async fn screen(&self, site: &Name, token: Option<Hex>) -> Participant {
        let (by, key) = (&self.study.coordinator, new_key().unwrap());
        let participant = Participant { name: new_pseudonym().unwrap(), site: site.clone(), key };
        let (site, key) = (site.clone(), participant.key.public());
        let screen =
            command!(self.study, by, ScreenParticipant { participant: participant.name.clone(), site, key, token });
        self.record(&screen, by).await.unwrap();
        participant
    }

    fn screening(&self, by: &Actor, who: &Participant, found: [Outcome; 2], over: Option<&str>) -> RecordScreening {
        let ids = ["INCL01", "EXCL01"];
        let outcome = |(id, outcome): (&str, Outcome)| CriterionOutcome { criterion: name(id), outcome };
        let (participant, site, criteria) = (who.name.clone(), who.site.clone(), name("1"));
        let (root, count, overridden) = (seal::sha256(&[]).into(), 0, over.map(str::to_owned));
        let outcomes = ids.into_iter().zip(found).map(outcome).collect();
        command!(self.study, by, RecordScreening { participant, site, criteria, root, count, outcomes, overridden })
    }

    async fn decide(&self, command: RecordScreening, answers: Vec<Datapoint>, by: &Actor) -> Result<(), String> {
        recorded(self.client.record_screening(sign_screening(command, answers, &by.key).unwrap()).await)
    }

    /// A participant who fulfils the criteria and is enrolled.
    async fn enrol(&self) -> Participant {
        let (participant, by) = (self.screen(&self.sites[0], None).await, &self.study.coordinator);
        let command = self.screening(by, &participant, [Outcome::Met, Outcome::NotMet], None);
        self.decide(command, answers("44", "false"), by).await.unwrap();
        self.enter(&participant, Stage::Enrolled).await.unwrap();
        participant
    }

    async fn enter(&self, who: &Participant, stage: Stage) -> Result<(), String> {
        let (by, reason) = (&self.study.coordinator, name("as planned"));
        let (participant, site) = (who.name.clone(), who.site.clone());
        self.record(&command!(self.study, by, RecordStage { participant, site, stage, reason }), by).await
    }

    async fn randomise(&self, who: &Participant, sex: &str) -> Result<(), String> {
        let (by, allocation, levels) = (&self.study.coordinator, name("main"), vec![name(sex)]);
        let (participant, site) = (who.name.clone(), who.site.clone());
        self.record(&command!(self.study, by, Randomise { participant, site, allocation, levels }), by).await
    }

    async fn set_state(&self, state: State) {
        let (root, reason) = (&self.study.root, name("as planned"));
        self.record(&command!(self.study, root, SetStudyState { state, reason }), root).await.unwrap();
    }

    fn reader(&self, actor: &Actor) -> Reader {
        self.study.reads(actor)
    }

    async fn arm(&self, actor: &Actor, who: &Participant) -> Result<pb::GetAllocationResponse, String> {
        let found = people::allocation(&self.client, &self.reader(actor), who.name.as_str()).await;
        found.map_err(|error| format!("{error:?}"))
    }

    async fn audit(&self) -> Report {
        let policy = Policy::parse(&format!("{}{}", self.deployment.policy, self.study.policy_line())).unwrap();
        let studies = vec![self.study.reader()];
        let tiles = &self.deployment.endpoints.anchoring;
        Audit { client: &self.client, tiles, policy: &policy, studies, progress: false }.run().await.unwrap()
    }
}

fn recorded<T>(result: Result<T, client::ClientError>) -> Result<(), String> {
    result.map(drop).map_err(|error| error.reason().unwrap_or_else(|| error.to_string()))
}

fn refused(result: Result<(), String>, reason: &str) {
    assert_eq!(result, Err(reason.to_owned()));
}

fn answers(age: &str, pregnant: &str) -> Vec<Datapoint> {
    vec![value("AGE", age), value("PREGNANT", pregnant)]
}

fn definition(study: &Study) -> DefineCriteria {
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

fn scheme() -> Scheme {
    let arms = ARMS.map(|arm| Arm { arm: name(arm), weight: 1 }).to_vec();
    let factors = vec![Factor { factor: name("sex"), levels: vec![name("f"), name("m")] }];
    Scheme { arms, factors, method: Method::PermutedBlocks { slots: SLOTS } }
}

fn secret() -> Secret {
    Secret { seed: client::random().unwrap(), block_sizes: vec![2, 4] }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_from_its_start_to_the_reveal() {
    let logs = Logs::capture();
    let trial = Trial::start().await;
    let secret = start_up(&trial).await;
    let unreadable = screening(&trial).await;
    one_person_at_two_sites(&trial).await;
    let participants = randomisation(&trial).await;
    concealment(&trial, &participants).await;
    unblinding(&trial, &participants).await;
    conceals("the log", &logs.text());
    assert!(logs.text().len() > 1_000, "nothing was logged, so nothing was shown");
    delegation_log(&trial).await;
    reveal(&trial, &secret).await;

    let report = trial.audit().await;
    assert!(report.clean, "{:#?}", report.findings);
    assert_eq!(report.allocations, participants.len() as u64);
    let screened = report.screenings;
    erase(&trial, &unreadable).await;
    let report = trial.audit().await;
    assert!(report.clean, "{:#?}", report.findings);
    assert_eq!(report.screenings, screened - 1);
    let Trial { deployment, folder, .. } = trial;
    deployment.stop().await;
    drop(folder);
}

/// Arms, a limit, criteria, the commitment.
async fn start_up(trial: &Trial) -> Secret {
    let (study, root) = (&trial.study, &trial.study.root);
    let key = new_key().unwrap();
    let first = Study { id: new_uuid().unwrap(), root: Actor { name: Name::root(), key }, ..other_names() };
    let (title, root_key) = (name("OLD"), first.root.key.public());
    let outdated = command!(first, first.root, CreateStudy { name: title, root_key, rules: None });
    refused(trial.record(&outdated, &first.root).await, "RULES_OUTDATED");
    for arm in ARMS {
        trial.record(&command!(study, root, AddArm { arm: name(arm), title: name("An arm") }), root).await.unwrap();
    }
    let mut wrong = definition(study);
    wrong.criteria[0].expression = "AGE >= 'eighteen'".to_owned();
    refused(trial.record(&wrong, root).await, "CRITERIA_INVALID");
    trial.record(&definition(study), root).await.unwrap();
    refused(recorded(study.enrol(&trial.client, &trial.sites[0]).await.map_err(downcast)), "SCREENING_REQUIRED");

    let (secret, by) = (secret(), &trial.statistician);
    let root = Some(allocation::List::generate(&scheme(), &secret).unwrap().root().into());
    let (allocation, commitment) = (name("main"), commitment(&scheme(), &secret).into());
    let commit = command!(study, by, CommitAllocation { allocation, scheme: scheme(), commitment, root });
    let other = self::secret();
    refused(recorded(trial.client.commit_allocation(&commit, &other, &[&by.key]).await), "COMMITMENT_MISMATCH");
    let by_pharmacist = CommitAllocation { by: trial.pharmacist.name.clone(), ..commit.clone() };
    let keys: [&SecretKey; 1] = [&trial.pharmacist.key];
    refused(recorded(trial.client.commit_allocation(&by_pharmacist, &secret, &keys).await), "DELEGATION_MISSING");
    let first = trial.client.commit_allocation(&commit, &secret, &[&by.key]).await.unwrap();
    let again = trial.client.commit_allocation(&commit, &secret, &[&by.key]).await.unwrap();
    assert_eq!(first, again, "a lost answer is asked for again");
    secret
}

fn downcast(error: anyhow::Error) -> client::ClientError {
    error.downcast().unwrap()
}

/// The rest of a study that is never created.
fn other_names() -> Study {
    let actor = |text: &str| Actor { name: name(text), key: new_key().unwrap() };
    let (investigator, coordinator, auditor) = (actor("a"), actor("b"), actor("c"));
    Study { id: Uuid([0; 16]), root: actor("root"), investigator, coordinator, auditor }
}

/// Outcomes are those of the answers; only the investigator overrides. Gives who failed.
async fn screening(trial: &Trial) -> Participant {
    use Outcome::{Met, NotMet, Undetermined};
    let (coordinator, investigator) = (&trial.study.coordinator, &trial.study.investigator);
    let request = |answers: &[Datapoint]| pb::EvaluateEligibilityRequest {
        study: trial.study.id.to_string(),
        site: "701".to_owned(),
        answers: answers.iter().map(Datapoint::to_bytes).collect(),
    };
    let reader = trial.reader(coordinator);
    let dry = trial.client.enrollment().evaluate_eligibility(reader.request(request(&answers("17", "")))).await;
    let dry = dry.unwrap().into_inner();
    let outcomes: Vec<&str> = dry.outcomes.iter().map(|outcome| outcome.outcome.as_str()).collect();
    assert_eq!((dry.eligible, outcomes), (false, vec!["not_met", "undetermined"]));

    let minor = trial.screen(&trial.sites[0], None).await;
    refused(trial.enter(&minor, Stage::Enrolled).await, "SCREENING_REQUIRED");
    let says = |found| trial.screening(coordinator, &minor, found, None);
    refused(trial.decide(says([Met, NotMet]), answers("17", "false"), coordinator).await, "OUTCOME_MISMATCH");
    let mut signed = sign_screening(says([NotMet, NotMet]), answers("17", "false"), &coordinator.key).unwrap();
    signed.answers.swap(0, 1);
    refused(recorded(trial.client.record_screening(signed).await), "ROOT_MISMATCH");
    let signed = sign_screening(says([NotMet, Undetermined]), vec![value("AGE", "17")], &coordinator.key).unwrap();
    let first = trial.client.record_screening(signed.clone()).await.unwrap();
    assert_eq!(trial.client.record_screening(signed).await.unwrap(), first, "a lost answer is asked for again");
    refused(trial.enter(&minor, Stage::Enrolled).await, "STAGE_NOT_PERMITTED");

    let near = trial.screen(&trial.sites[0], None).await;
    let over = Some("eighteen next week; agreed with the sponsor");
    let by_coordinator = trial.screening(coordinator, &near, [NotMet, NotMet], over);
    refused(trial.decide(by_coordinator, answers("17", "false"), coordinator).await, "DELEGATION_MISSING");
    let by_investigator = trial.screening(investigator, &near, [NotMet, NotMet], over);
    trial.decide(by_investigator, answers("17", "false"), investigator).await.unwrap();
    trial.enter(&near, Stage::Enrolled).await.unwrap();
    minor
}

/// The same person at two sites is found without either learning who it is.
async fn one_person_at_two_sites(trial: &Trial) {
    let (study, coordinator) = (&trial.study, &trial.study.coordinator);
    let mut keys = Vec::new();
    for site in &trial.sites {
        let request = pb::GetMatchingKeyRequest { study: study.id.to_string(), site: site.to_string() };
        let reader = trial.reader(coordinator);
        keys.push(trial.client.enrollment().get_matching_key(reader.request(request)).await.unwrap().into_inner().key);
    }
    assert!(keys[0] == keys[1] && keys[0].len() == 32);
    let request = pb::GetMatchingKeyRequest { study: study.id.to_string(), site: "701".to_owned() };
    let reader = trial.reader(&trial.pharmacist);
    trial.client.enrollment().get_matching_key(reader.request(request)).await.unwrap_err();
    let key = MatchingKey::new(keys[0].clone().try_into().unwrap());
    let person = |given: &str| Attributes {
        given_name: given.to_owned(),
        family_name: "Example".to_owned(),
        birth_date: "1980-02-29".to_owned(),
        national_id: None,
    };
    let token = |given: &str| Some(Hex(token(&key, &person(given)).unwrap()));
    let here = trial.screen(&trial.sites[0], token("Renée")).await;
    let there = trial.screen(&trial.sites[1], token("RENEE")).await;
    let rows = people::participants(&trial.client, &trial.reader(coordinator), "702").await.unwrap();
    let told = rows.last().unwrap();
    assert_eq!(told.participant, there.name.as_str());
    assert_eq!(told.r#match, Some(pb::TokenMatch { sites: vec!["701".to_owned()], cleared: false }));
    assert!(!format!("{rows:?}").contains(here.name.as_str()), "the other site's pseudonym is told");

    let command = trial.screening(coordinator, &there, [Outcome::Met, Outcome::NotMet], None);
    trial.decide(command, answers("46", "false"), coordinator).await.unwrap();
    refused(trial.enter(&there, Stage::Enrolled).await, "DUPLICATE_PARTICIPATION");
    let (root, reason, participant) = (&study.root, name("a namesake"), there.name.clone());
    trial.record(&command!(study, root, ClearMatch { participant, reason }), root).await.unwrap();
    trial.enter(&there, Stage::Enrolled).await.unwrap();
}

/// Enrols up to the limit and randomises until a stratum is full.
async fn randomisation(trial: &Trial) -> Vec<Participant> {
    let (study, root) = (&trial.study, &trial.study.root);
    let mut participants = Vec::new();
    for _ in 0..=SLOTS {
        participants.push(trial.enrol().await);
    }
    let cap = SLOTS + 2; // with the one enrolled on an override
    trial.record(&command!(study, root, SetCap { site: name("701"), participants: cap }), root).await.unwrap();
    let late = trial.screen(&trial.sites[0], None).await;
    let (by, met) = (&study.coordinator, [Outcome::Met, Outcome::NotMet]);
    trial.decide(trial.screening(by, &late, met, None), answers("50", "false"), by).await.unwrap();
    refused(trial.enter(&late, Stage::Enrolled).await, "CAP_REACHED");
    refused(trial.randomise(&late, "f").await, "STAGE_NOT_PERMITTED");
    let spare = participants.pop().unwrap();
    for participant in &participants {
        trial.randomise(participant, "f").await.unwrap();
    }
    refused(trial.randomise(&spare, "f").await, "STRATUM_EXHAUSTED");
    trial.randomise(&spare, "m").await.unwrap();
    participants.push(spare);
    participants
}

/// The pharmacist reads and proves each arm; nobody else learns any.
async fn concealment(trial: &Trial, participants: &[Participant]) {
    let coordinator = trial.reader(&trial.study.coordinator);
    let study = trial.study.id.to_string();
    let mut enrollment = trial.client.enrollment();
    let whole = enrollment.get_study(coordinator.request(pb::GetStudyRequest { study: study.clone() })).await.unwrap();
    let whole = whole.into_inner();
    assert_eq!((whole.state.as_str(), whole.sites.len(), whole.arms.len()), ("open", 2, 2));
    assert_eq!(whole.sites[0].enrolment, Some(pb::Enrolment { enrolled: u64::from(SLOTS) + 2, cap: Some(SLOTS + 2) }));
    let root = tlog::Hash::from_slice(&whole.allocations[0].root).unwrap();
    assert_eq!(whole.allocations[0].randomised, participants.len() as u64);

    let mut given = Vec::new();
    for participant in participants {
        let answer = trial.arm(&trial.pharmacist, participant).await.unwrap();
        let file = serde_json::to_vec(&SlotFile::of(&answer).unwrap()).unwrap();
        let slot = verify_slot(&file, &root).unwrap();
        assert_eq!(slot.arm.as_str(), answer.arm);
        let [one, other] = ARMS.map(str::as_bytes);
        let swapped = if answer.arm == ARMS[0] { (one, other) } else { (other, one) };
        let mut forged = SlotFile::of(&answer).unwrap();
        forged.disclosure.slot.0 = slot_with(&forged.disclosure.slot.0, swapped);
        verify_slot(&serde_json::to_vec(&forged).unwrap(), &root).unwrap_err();
        verify_slot(&file, &tlog::sha256(&[b"another root"])).unwrap_err();
        given.push(answer.arm);
    }
    let verum = given[..SLOTS as usize].iter().filter(|arm| *arm == ARMS[0]).count();
    assert_eq!(verum, SLOTS as usize / 2, "blocks of 2 and 4 fill 8 places evenly");

    // Blinded roles: the same answer whether or not there is an allocation, and no arm in any answer.
    let unknown = Participant { name: new_pseudonym().unwrap(), site: name("701"), key: new_key().unwrap() };
    for actor in [&trial.study.coordinator, &trial.study.investigator, &trial.study.auditor, &trial.physician] {
        let nothing = trial.arm(actor, &unknown).await.unwrap_err();
        for participant in participants {
            assert_eq!(
                trial.arm(actor, participant).await.unwrap_err().split("metadata").next(),
                nothing.split("metadata").next()
            );
        }
        conceals("a refusal", &nothing);
    }
    let rows = people::participants(&trial.client, &coordinator, "701").await.unwrap();
    conceals("the list of participants", &format!("{rows:?}"));
    conceals("its page", &people::participants_page("701", &rows));
    for participant in participants {
        let request = pb::GetParticipantRequest { study: study.clone(), participant: participant.name.to_string() };
        let answer = enrollment.get_participant(coordinator.request(request)).await.unwrap().into_inner();
        let stages: Vec<&str> = answer.stages.iter().map(|entered| entered.stage.as_str()).collect();
        assert_eq!(stages, ["screened", "eligible", "enrolled", "randomised"]);
        conceals("a participant's way", &format!("{answer:?}"));
    }
}

/// A slot's bytes with one arm's name replaced by the other's, lengths made right.
fn slot_with(slot: &[u8], (is, becomes): (&[u8], &[u8])) -> Vec<u8> {
    let kept = slot.len() - is.len() - 4;
    let length = u32::try_from(becomes.len()).unwrap().to_be_bytes();
    [&slot[..kept], &length, becomes].concat()
}

/// The physician unblinds one participant, and sees that one alone.
async fn unblinding(trial: &Trial, participants: &[Participant]) {
    let (by, who) = (&trial.physician, &participants[0]);
    let (participant, site, notified) = (who.name.clone(), who.site.clone(), vec![name("sponsor medical monitor")]);
    let unblind = command!(trial.study, by, Unblind { participant, site, reason: "overdose".to_owned(), notified });
    let by_coordinator = Unblind { by: trial.study.coordinator.name.clone(), ..unblind.clone() };
    refused(trial.record(&by_coordinator, &trial.study.coordinator).await, "DELEGATION_MISSING");
    trial.record(&unblind, by).await.unwrap();
    let arm = trial.arm(by, who).await.unwrap().arm;
    assert_eq!(arm, trial.arm(&trial.pharmacist, who).await.unwrap().arm);
    trial.arm(by, &participants[1]).await.unwrap_err();
    trial.arm(&trial.study.coordinator, who).await.unwrap_err();
    let study = trial.study.id.to_string();
    let request = pb::GetParticipantRequest { study, participant: who.name.to_string() };
    let reader = trial.reader(&trial.study.coordinator);
    let answer = trial.client.enrollment().get_participant(reader.request(request)).await.unwrap().into_inner();
    assert_eq!(answer.unblinded[0].by, "physician");
    assert_eq!(answer.unblinded[0].reason, "overdose");
}

async fn delegation_log(trial: &Trial) {
    let reader = trial.reader(&trial.study.auditor);
    let events = people::delegations(&trial.client, &reader, None).await.unwrap();
    let csv = people::delegation_csv(&events).unwrap();
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), events.len());
    let pharmacist = rows.iter().find(|row| &row[0] == "pharmacist").unwrap();
    assert_eq!((&pharmacist[1], &pharmacist[2], &pharmacist[9]), ("see_allocation", "701", "2026-01-10"));
    let page = people::delegation_page(&trial.study.id.to_string(), &events);
    assert!(page.contains("physician: unblind at site 701"), "{page}");
    let site = people::delegations(&trial.client, &trial.reader(&trial.pharmacist), Some("701")).await.unwrap();
    assert!(site.iter().all(|event| event.site == "701" || event.site == "*"));
    people::delegations(&trial.client, &trial.reader(&trial.pharmacist), None).await.unwrap_err();
    people::delegations(&trial.client, &trial.reader(&trial.pharmacist), Some("702")).await.unwrap_err();
}

/// Once the study is paused the seed is public, and only the one committed to.
async fn reveal(trial: &Trial, secret: &Secret) {
    let by = &trial.statistician;
    let revealing = |secret: &Secret| {
        let (allocation, seed) = (name("main"), tlog::Hash(secret.seed).into());
        let block_sizes = secret.block_sizes.clone();
        command!(trial.study, by, RevealAllocation { allocation, seed, block_sizes })
    };
    refused(trial.record(&revealing(secret), by).await, "REVEAL_TOO_EARLY");
    trial.set_state(State::Paused).await;
    refused(trial.record(&revealing(&self::secret()), by).await, "COMMITMENT_MISMATCH");
    trial.record(&revealing(secret), by).await.unwrap();
}

/// Destroys the key of somebody who was screened: their answers and outcomes are gone, the journal still replays.
async fn erase(trial: &Trial, who: &Participant) {
    let by = &trial.study.investigator;
    let (participant, site, entries) = (who.name.clone(), who.site.clone(), Vec::new());
    let (order, law) = (name("the participant's request"), name("GDPR 17"));
    let erase = command!(trial.study, by, EraseParticipant { participant, site, entries, order, law });
    trial.record(&erase, by).await.unwrap();
}
