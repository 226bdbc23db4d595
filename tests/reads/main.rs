//! What a read opens: each signed request to read one read, of what it names; and what is told of request ids.

#![allow(clippy::unwrap_used)]

mod guess;
#[path = "../support/mod.rs"]
mod support;

use client::{Access, ClientError, Reader, new_key, new_uuid, now_ms};
use futures_util::future::join_all;
use proto::{
    anchoring::GetBundleRequest,
    capture::{
        DiscloseDatapointRequest, FormInstance, GetDatapointRequest, GetFormRequest, GetItemHistoryRequest,
        ListFormsRequest,
    },
    consent::AccessDataRequest,
    enrollment::GetParticipantRequest,
    journal::{EntryView, ReadEntriesRequest},
};
use reports::participant;
use seal::{
    MAX_ACCESS_AGE_MS, MAX_ACCESS_AHEAD_MS, dsse,
    id::{Name, Service},
    verify,
};
use support::World;
use synthetic::{Actor, Participant, name};
use token::ACCESS_HEADER;
use tonic::{Request, Status, metadata::MetadataValue};
use vocabulary::command::{AccessData, GrantAccess, ItemRead, Provision, Task};

/// Longer than a call takes.
const WHILE_MS: u64 = 10_000;

fn reason<T: std::fmt::Debug>(outcome: Result<T, Status>) -> String {
    ClientError::from(outcome.unwrap_err()).reason().unwrap_or_default()
}

async fn person(world: &World, who: &str, tasks: &[Task], site: &Name) -> Actor {
    let actor = Actor { name: name(who).unwrap(), key: new_key().unwrap() };
    world.study.register(&world.client, &actor).await.unwrap();
    for task in tasks {
        world.study.delegate(&world.client, &world.study.root, &actor, *task, site).await.unwrap();
    }
    actor
}

/// A monitor of every site, the captured entry they will read, and who signs that.
struct Reads {
    world: World,
    monitor: Actor,
    entry: u64,
}

impl Reads {
    async fn new() -> Self {
        let world = World::new().await;
        let entry = world.capture("VISIT", "120").await;
        let monitor = person(&world, "monitor-sato", &[Task::Read], &Name::all_sites()).await;
        Self { world, monitor, entry }
    }

    fn of(&self) -> &Participant {
        &self.world.participants[0]
    }

    fn study(&self) -> String {
        self.world.study.id.to_string()
    }

    /// The monitor's request to read everything of the first participant.
    fn access(&self) -> AccessData {
        AccessData {
            study: self.world.study.id,
            request: new_uuid().unwrap(),
            by: self.monitor.name.clone(),
            time: now_ms(),
            participant: self.of().name.clone(),
            site: self.of().site.clone(),
            categories: Vec::new(),
            purpose: name("source data verification").unwrap(),
            grant: None,
            only: None,
        }
    }

    fn only(&self, item: &str) -> Option<ItemRead> {
        Some(ItemRead { entry: self.entry, item: name(item).unwrap(), repeat: String::new() })
    }

    fn sign(&self, access: &AccessData) -> Vec<u8> {
        dsse::sign(access, &[&self.monitor.key])
    }

    /// A call of the monitor's with this envelope.
    fn with<T>(&self, message: T, envelope: &[u8]) -> Request<T> {
        let mut request = self.world.study.reads(&self.monitor).request(message);
        request.metadata_mut().insert_bin(ACCESS_HEADER, MetadataValue::from_bytes(envelope));
        request
    }

    fn form(&self) -> GetFormRequest {
        let instance = FormInstance {
            participant: self.of().name.to_string(),
            event: "VISIT".to_owned(),
            form: "VS".to_owned(),
            ..FormInstance::default()
        };
        GetFormRequest { study: self.study(), instance: Some(instance) }
    }

    async fn read(&self, envelope: &[u8]) -> Result<usize, Status> {
        let answer = self.world.client.capture.clone().get_form(self.with(self.form(), envelope)).await?;
        Ok(answer.into_inner().form.unwrap().values.len())
    }

    async fn disclose(&self, entry: u64, item: &str, envelope: &[u8]) -> Result<(), Status> {
        let (item, repeat) = (item.to_owned(), String::new());
        let request = DiscloseDatapointRequest { study: self.study(), entry, item, repeat };
        self.world.client.capture.clone().disclose_datapoint(self.with(request, envelope)).await.map(drop)
    }

    async fn bundle(&self, item: &str, envelope: &[u8]) -> Result<Vec<u8>, Status> {
        let (item, repeat) = (item.to_owned(), String::new());
        let request = GetBundleRequest { study: self.study(), entry: self.entry, item, repeat };
        let answer = self.world.client.anchoring.clone().get_bundle(self.with(request, envelope)).await?;
        Ok(answer.into_inner().bundle)
    }

    async fn participant(&self, envelope: &[u8]) -> Result<(), Status> {
        let request = GetParticipantRequest { study: self.study(), participant: self.of().name.to_string() };
        self.world.client.enrollment().get_participant(self.with(request, envelope)).await.map(drop)
    }

    /// Everything but a disclosure: none of it is one item.
    async fn everything_else(&self, envelope: &[u8]) -> Vec<String> {
        let capture = self.world.client.capture.clone();
        let (study, instance) = (self.study(), self.form().instance);
        let (item, repeat) = ("SYSBP".to_owned(), String::new());
        let one = GetDatapointRequest { study, instance: instance.clone(), item: item.clone(), repeat: repeat.clone() };
        let history = GetItemHistoryRequest { study: self.study(), instance, item, repeat, ..Default::default() };
        let list =
            ListFormsRequest { study: self.study(), participant: self.of().name.to_string(), ..Default::default() };
        vec![
            reason(self.read(envelope).await),
            reason(capture.clone().get_datapoint(self.with(one, envelope)).await),
            reason(capture.clone().get_item_history(self.with(history, envelope)).await),
            reason(capture.clone().list_forms(self.with(list, envelope)).await),
            reason(self.participant(envelope).await),
        ]
    }

    /// What the participant sees of who looked.
    async fn page(&self) -> String {
        let own = Actor { name: self.of().name.clone(), key: self.of().key.clone() };
        let own = self.world.study.reads(&own);
        let accesses = participant::accesses(&self.world.client, &own, &self.of().name).await.unwrap();
        participant::looks_page(&participant::looks(&accesses).unwrap())
    }

    async fn recorded(&self) -> usize {
        self.page().await.matches("monitor-sato read").count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_request_opens_one_read() {
    let reads = Reads::new().await;
    let envelope = reads.sign(&reads.access());
    let at_once = join_all((0..16).map(|_| reads.read(&envelope))).await;
    assert_eq!(at_once.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(at_once.into_iter().filter(Result::is_err).all(|outcome| reason(outcome) == "ACCESS_USED"));
    assert!(reads.everything_else(&envelope).await.iter().all(|reason| reason == "ACCESS_USED"));
    assert_eq!(reason(reads.disclose(reads.entry, "SYSBP", &envelope).await), "ACCESS_USED");
    assert_eq!(reason(reads.bundle("SYSBP", &envelope).await), "ACCESS_USED");
    assert_eq!(reads.recorded().await, 1);

    // A proof is one read, and the log keeps its own answer: the same receipt, however often it is asked.
    let proof = reads.sign(&reads.access());
    reads.disclose(reads.entry, "SYSBP", &proof).await.unwrap();
    assert_eq!(reason(reads.bundle("SYSBP", &proof).await), "ACCESS_USED");
    let record = async |envelope: &[u8]| {
        let request = AccessDataRequest { envelope: envelope.to_vec() };
        reads.world.client.consent.clone().access_data(request).await.unwrap().into_inner()
    };
    let third = reads.sign(&reads.access());
    let answers = [record(&third).await, record(&third).await];
    assert_eq!(answers.each_ref().map(|answer| answer.recorded_before), [false, true]);
    assert_eq!(answers[0].receipt, answers[1].receipt);
    assert_eq!(reason(reads.read(&third).await), "ACCESS_USED");
    assert_eq!(reads.recorded().await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_is_signed_for_now() {
    let reads = Reads::new().await;
    let signed = |time| reads.sign(&AccessData { time, ..reads.access() });
    let now = now_ms();
    for (time, refused) in
        [(now + MAX_ACCESS_AHEAD_MS + WHILE_MS, "CLOCK_AHEAD"), (now - MAX_ACCESS_AGE_MS - 1, "ACCESS_STALE")]
    {
        let envelope = signed(time);
        assert!(reads.everything_else(&envelope).await.iter().all(|reason| reason == refused), "{refused}");
        assert_eq!(reason(reads.bundle("SYSBP", &envelope).await), refused);
        assert_eq!(reason(reads.disclose(reads.entry, "SYSBP", &envelope).await), refused);
        let direct = AccessDataRequest { envelope };
        assert_eq!(reason(reads.world.client.consent.clone().access_data(direct).await), refused);
    }
    assert_eq!(reads.recorded().await, 0);
    for time in [now + MAX_ACCESS_AHEAD_MS, now + WHILE_MS - MAX_ACCESS_AGE_MS] {
        assert_eq!(reads.read(&signed(time)).await.unwrap(), 2);
    }
    assert_eq!(reads.recorded().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_of_one_item_opens_its_proof_and_nothing_else() {
    let reads = Reads::new().await;
    let other = reads.world.capture("OTHER VISIT", "130").await;
    let only = |item| reads.sign(&AccessData { only: reads.only(item), ..reads.access() });
    let envelope = only("SYSBP");
    assert!(reads.everything_else(&envelope).await.iter().all(|reason| reason == "MALFORMED"));
    for entry in [reads.entry, other, 9_999] {
        // The same, whether or not there is such an entry.
        assert_eq!(reason(reads.disclose(entry, "DIABP", &envelope).await), "MALFORMED");
    }
    assert_eq!(reason(reads.disclose(other, "SYSBP", &envelope).await), "MALFORMED");
    assert_eq!(reads.recorded().await, 0);
    reads.disclose(reads.entry, "SYSBP", &envelope).await.unwrap();
    assert!(reads.page().await.contains(&format!("your data: item SYSBP of entry {}, for", reads.entry)));

    // Nor does it open a journal to an auditor.
    let World { client, study, .. } = &reads.world;
    let Reader { access, .. } = study.reader();
    let access = access.map(|access| Access { only: reads.only("SYSBP"), ..access });
    let auditor = Reader { access, ..study.reader() };
    let whole = ReadEntriesRequest {
        stream: Service::Capture.stream(study.id).0.0.to_vec(),
        view: EntryView::Full.into(),
        study: study.id.to_string(),
        ..Default::default()
    };
    let read = client.journal(Service::Capture).read_entries(auditor.request(whole)).await;
    assert_eq!(reason(read.map(drop)), "MALFORMED");

    // Whoever has a proof made signs that it is of the item.
    let bundle = reads.world.bundle(reads.entry, "DIABP").await;
    assert!(verify::verify(&bundle, &reads.world.policy()).verified);
    let page = reads.page().await;
    let auditor = page.lines().filter(|line| line.contains("auditor-vega")).collect::<Vec<_>>();
    assert!(!auditor.is_empty());
    let told = format!("read one value: item DIABP of entry {}, for audit, by task", reads.entry);
    assert!(auditor.iter().all(|line| line.contains(&told)), "{page}");
    let report = reads.world.audit().await;
    assert!(report.clean, "{:?}", report.findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_item_of_a_grant_is_within_its_categories() {
    let reads = Reads::new().await;
    let of = reads.of();
    let genetics: Provision = "genetics".parse().unwrap();
    let (grant, purpose, now) = (name("g1").unwrap(), name("research").unwrap(), now_ms());
    let give = GrantAccess {
        study: reads.world.study.id,
        request: new_uuid().unwrap(),
        by: of.name.clone(),
        time: now,
        participant: of.name.clone(),
        site: of.site.clone(),
        grant: grant.clone(),
        grantee: reads.monitor.name.clone(),
        categories: vec![genetics.clone()],
        purpose: purpose.clone(),
        from: now - 1_000,
        until: now + 3_600_000,
        uses: Some(2),
        seen: None,
    };
    reads.world.client.record(&give, &[&of.key]).await.unwrap();
    let asks = |categories| {
        let (purpose, grant) = (purpose.clone(), Some(grant.clone()));
        reads.sign(&AccessData { categories, purpose, grant, only: reads.only("SYSBP"), ..reads.access() })
    };
    // SYSBP was captured under data_collection: neither claiming that nor naming the item opens it.
    for categories in [vec![Provision::data_collection()], vec![genetics], Vec::new()] {
        assert_eq!(reason(reads.disclose(reads.entry, "SYSBP", &asks(categories)).await), "NOT_FOUND");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_became_of_a_participant_is_shown_to_reads_of_collected_data() {
    let reads = Reads::new().await;
    let signed = |categories| reads.sign(&AccessData { categories, ..reads.access() });
    let genetics: Provision = "genetics".parse().unwrap();
    assert_eq!(reason(reads.participant(&signed(vec![genetics.clone()])).await), "NOT_FOUND");
    for categories in [Vec::new(), vec![Provision::data_collection()], vec![genetics, Provision::data_collection()]] {
        reads.participant(&signed(categories)).await.unwrap();
    }
}
