//! Who may create studies, what they may fill, and that everybody else leaves nothing behind.

#![allow(clippy::unwrap_used)]

mod support;

use client::{Client, ClientError, Endpoints, new_key, new_study, new_uuid, now_ms};
use futures_util::{StreamExt, stream};
use proto::{consent::PublishDocumentRequest, enrollment::CreateStudyRequest, types::Receipt};
use seal::{
    dsse::sign,
    id::{Name, Uuid},
    key::SecretKey,
    sha256,
};
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use support::{
    World,
    process::{Running, TRIALSEAL},
};
use synthetic::{approval, name, offer, terms};
use tempfile::TempDir;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use vocabulary::command::{
    ActorKind, AddArm, CreateStudy, PublishDocument, RULES, RegisterActor, RevokeKey, SetStudyState, State,
};

/// Longer than a changed file may go unseen, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The keys and files of a deployment of processes, of which enrollment alone is run.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let urls =
            ["enrollment", "consent", "capture", "anchoring"].map(|name| format!("--{name}=https://{name}.test"));
        let mut init = Command::new(TRIALSEAL);
        init.arg("init").arg(folder.path()).args(urls).args(["--witness=https://w.test"; 3]);
        assert!(init.output().unwrap().status.success());
        Self { folder }
    }

    fn at(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// How enrollment is run, with more flags.
    fn arguments(&self, more: &[&str]) -> Vec<String> {
        let [database, vault] = ["enrollment", "vault"].map(|name| format!("sqlite://{}", self.at(name) + ".sqlite"));
        let keys = self.at("keys/enrollment");
        let told = ["enrollment", "--keys", &keys, "--database", &database, "--vault-database", &vault];
        let told = told.iter().chain(&["--consent", "http://127.0.0.1:1", "--rate", "0"]).chain(more);
        told.map(|argument| (*argument).to_owned()).collect()
    }

    fn enrollment(&self, more: &[&str]) -> Enrollment {
        let arguments = self.arguments(more);
        let process = Running::start(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
        Enrollment { client: client(&process.url), _process: process }
    }

    /// With the list of who may create studies that `init` made.
    fn listing(&self, more: &[&str]) -> Enrollment {
        self.enrollment(&[&["--studies", &self.at("studies.txt")], more].concat())
    }

    fn allow(&self, root: &SecretKey, more: &[&str]) {
        let mut allow = Command::new(TRIALSEAL);
        allow.args(["allow-study", "--studies", &self.at("studies.txt"), "--root-key", &root.public().to_string()]);
        let output = allow.args(more).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    async fn rows(&self, table: &str) -> i64 {
        let options = SqliteConnectOptions::new().filename(self.at("enrollment.sqlite"));
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        let sql = format!("SELECT COUNT(*) FROM {table}");
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut connection).await.unwrap()
    }
}

struct Enrollment {
    client: Client,
    _process: Running,
}

impl Enrollment {
    /// Brings an envelope, and gives its receipt or the refusal's code, reason and words.
    async fn create(&self, envelope: Vec<u8>) -> Result<Receipt, Said> {
        let answer = self.client.enrollment().create_study(CreateStudyRequest { envelope }).await;
        answer.map(|answer| answer.into_inner().receipt.unwrap()).map_err(|status| said(&status))
    }

    /// Asks until a root key has leave, or has none any more.
    async fn until_permitted(&self, root: &SecretKey, permitted: bool) {
        let late = Instant::now() + PATIENCE;
        loop {
            let answer = self.create(study(root)).await;
            if answer.is_ok() == permitted {
                return;
            }
            assert!(Instant::now() < late, "{answer:?}");
            tokio::time::sleep(Duration::from_millis(50)).await; // between two questions; the answer is waited for
        }
    }
}

fn client(enrollment: &str) -> Client {
    let nowhere = || "http://127.0.0.1:1".to_owned();
    let endpoints = Endpoints {
        enrollment: enrollment.to_owned(),
        consent: nowhere(),
        capture: nowhere(),
        anchoring: nowhere(),
        witnesses: Vec::new(),
        tls: None,
    };
    Client::new(&endpoints).unwrap()
}

type Said = (Code, String, String);

fn said(status: &Status) -> Said {
    let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
    (status.code(), reason, status.message().to_owned())
}

fn reason(answer: Result<Receipt, Said>) -> String {
    answer.map_or_else(|(_, reason, _)| reason, |_| "recorded".to_owned())
}

fn creating(study: Uuid, request: Uuid, root: &SecretKey) -> CreateStudy {
    let root_key = root.public();
    CreateStudy {
        study,
        request,
        by: Name::root(),
        time: now_ms(),
        name: name("S").unwrap(),
        root_key,
        rules: Some(RULES),
        tokens: false,
    }
}

/// The envelope that creates a new study of `root`.
fn study(root: &SecretKey) -> Vec<u8> {
    sign(&creating(new_study(&root.public()).unwrap(), new_uuid().unwrap(), root), &[root])
}

/// What a process says in its log until it listens.
fn log_at_start(arguments: &[String]) -> String {
    let mut command = Command::new(TRIALSEAL);
    command.args(arguments).args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.env("RUST_LOG", "warn").spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("listening on")));
    child.kill().unwrap();
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    child.wait().unwrap();
    log
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_list_nobody_creates_a_study_and_the_log_says_so() {
    let (place, root) = (Place::new(), new_key().unwrap());
    let list = place.at("studies.txt");
    for more in [&[][..], &["--studies", &list]] {
        let (code, reason, _) = place.enrollment(more).create(study(&root)).await.unwrap_err();
        assert_eq!((code, &*reason), (Code::PermissionDenied, "STUDY_NOT_PERMITTED"), "{more:?}");
        assert!(log_at_start(&place.arguments(more)).contains("nobody may create studies"), "{more:?}");
    }
    fs::write(&list, "ed25519:nothing\n").unwrap();
    let arguments = place.arguments(&["--studies", &list]);
    let output = Command::new(TRIALSEAL).args(arguments).args(["--listen", "127.0.0.1:0"]).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("line 1"), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn leave_comes_and_goes_with_the_file_and_a_recorded_study_keeps_its_receipt() {
    let (place, sponsor, stranger) = (Place::new(), new_key().unwrap(), new_key().unwrap());
    let enrollment = place.listing(&[]);
    assert_eq!(reason(enrollment.create(study(&sponsor)).await), "STUDY_NOT_PERMITTED");
    place.allow(&sponsor, &["--until", "9999-12-30"]);
    enrollment.until_permitted(&sponsor, true).await;
    let (planned, request) = (new_study(&sponsor.public()).unwrap(), new_uuid().unwrap());
    let recorded = sign(&creating(planned, request, &sponsor), &[&sponsor]);
    let receipt = enrollment.create(recorded.clone()).await.unwrap();

    // To a stranger a study that exists is one that does not; the same request id tells nothing either.
    let there = enrollment.create(sign(&creating(planned, request, &stranger), &[&stranger])).await.unwrap_err();
    let nowhere = enrollment.create(study(&stranger)).await.unwrap_err();
    assert_eq!((&there, &*there.1), (&nowhere, "STUDY_NOT_PERMITTED"));
    // Nor does anybody learn who has leave: what is not signed by the root key is refused for that.
    for root in [&sponsor, &stranger] {
        let borrowed = sign(&creating(new_uuid().unwrap(), new_uuid().unwrap(), root), &[&new_key().unwrap()]);
        assert_eq!(reason(enrollment.create(borrowed).await), "SIGNATURE_INVALID");
    }

    fs::write(place.at("studies.txt"), "what is this\n").unwrap();
    assert_eq!(enrollment.create(recorded.clone()).await.unwrap(), receipt);
    let text = format!("{} until 2020-01-01\n", sponsor.public());
    fs::write(place.at("studies.txt"), text).unwrap();
    enrollment.until_permitted(&sponsor, false).await;
    assert_eq!(reason(enrollment.create(study(&sponsor)).await), "STUDY_NOT_PERMITTED");
    assert_eq!(enrollment.create(recorded).await.unwrap(), receipt, "sent again, it has its first receipt");
    let other = sign(&creating(planned, request, &sponsor), &[&sponsor, &stranger]);
    assert_eq!(enrollment.create(other).await.unwrap_err(), there);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_studies_without_leave_leave_nothing() {
    let (place, sponsor, stranger) = (Place::new(), new_key().unwrap(), new_key().unwrap());
    place.allow(&sponsor, &[]);
    let enrollment = place.listing(&[]);
    // Some are recorded meanwhile, so that refused ones are in groups that are committed; and commands for studies that
    // nobody has go as far as the journal.
    let arm = |study| AddArm {
        study,
        request: new_uuid().unwrap(),
        by: Name::root(),
        time: now_ms(),
        arm: name("A").unwrap(),
        title: name("A").unwrap(),
    };
    let calls = stream::iter(0..10_000).map(|number| {
        let (enrollment, stranger, sponsor) = (&enrollment, &stranger, &sponsor);
        async move {
            match number % 200 {
                0 => reason(enrollment.create(study(sponsor)).await),
                1..20 => {
                    let refused = enrollment.client.record(&arm(new_uuid().unwrap()), &[stranger]).await;
                    refused.unwrap_err().reason().unwrap()
                }
                _ => reason(enrollment.create(study(stranger)).await),
            }
        }
    });
    let mut recorded = 0;
    let mut answers = calls.buffer_unordered(256);
    while let Some(answer) = answers.next().await {
        match &*answer {
            "recorded" => recorded += 1,
            answer => assert!(matches!(answer, "STUDY_NOT_PERMITTED" | "STUDY_UNKNOWN"), "{answer}"),
        }
    }
    drop(answers);
    assert_eq!(recorded, 50);
    for table in ["stream", "entry", "request"] {
        assert_eq!(place.rows(table).await, recorded, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_study_is_created_by_a_small_envelope_and_so_many_an_hour() {
    let (place, sponsor) = (Place::new(), new_key().unwrap());
    let others = [new_key().unwrap(), new_key().unwrap()];
    [&sponsor, &others[0], &others[1]].into_iter().for_each(|root| place.allow(root, &[]));
    let enrollment = place.listing(&["--studies-per-hour", "2"]);
    let mut padded = study(&sponsor);
    padded.resize(16_385, b' ');
    let (code, reason_said, words) = enrollment.create(padded.clone()).await.unwrap_err();
    assert_eq!((code, &*reason_said), (Code::InvalidArgument, "MALFORMED"), "{words}");
    padded.truncate(16_384);
    enrollment.create(padded.clone()).await.unwrap();
    let stolen = sign(&creating(new_uuid().unwrap(), new_uuid().unwrap(), &others[0]), &[&sponsor]);
    for _ in 0..3 {
        assert_eq!(
            reason(enrollment.create(stolen.clone()).await),
            "SIGNATURE_INVALID",
            "and takes nothing of anybody's"
        );
        enrollment.create(padded.clone()).await.unwrap(); // sent again, it is none of the two
    }
    enrollment.create(study(&others[0])).await.unwrap();
    // No key has two yet, but their address has.
    let (code, reason_said, _) = enrollment.create(study(&others[1])).await.unwrap_err();
    assert_eq!((code, &*reason_said), (Code::ResourceExhausted, "RATE_LIMITED"));
    assert_eq!(place.rows("entry").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn up_on_loopback_is_open_and_says_so_unless_it_has_a_list() {
    let (folder, root) = (tempfile::tempdir().unwrap(), new_key().unwrap());
    let list = folder.path().join("studies.txt");
    let told = |more: &[&str]| {
        let mut command = Command::new(TRIALSEAL);
        command.args(["up", "--port", "0", "--data"]).arg(folder.path().join("data")).args(more);
        let mut child = command.env("RUST_LOG", "error").stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut said: Vec<String> = lines.by_ref().take_while(|line| !line.contains("stop with Ctrl-C")).collect();
        let url = said.iter().find_map(|line| line.trim().strip_prefix("enrollment")).unwrap().trim().to_owned();
        std::thread::spawn(move || lines.for_each(drop)); // keeps the pipe open and empty
        (Running { child, url }, said.pop().unwrap())
    };
    let (up, last) = told(&[]);
    assert_eq!(last, "studies may be created by everyone on this machine");
    let enrollment = Enrollment { client: client(&up.url), _process: up };
    enrollment.create(study(&root)).await.unwrap();
    drop(enrollment);
    fs::write(&list, "").unwrap();
    let (up, last) = told(&["--studies", list.to_str().unwrap()]);
    assert_eq!(last, format!("studies may be created by the root keys in {}", list.display()));
    let enrollment = Enrollment { client: client(&up.url), _process: up };
    assert_eq!(reason(enrollment.create(study(&root)).await), "STUDY_NOT_PERMITTED");
}

/// A study to fill, by its root.
struct Filled {
    study: Uuid,
    root: SecretKey,
}

impl Filled {
    async fn create(enrollment: &Enrollment, place: &Place) -> Self {
        let root = new_key().unwrap();
        let study = new_study(&root.public()).unwrap();
        place.allow(&root, &[]);
        let created = Self { study, root };
        let late = Instant::now() + PATIENCE;
        while let Err(error) = enrollment.create(sign(&creating(study, study, &created.root), &[&created.root])).await {
            assert!(Instant::now() < late, "{error:?}");
            tokio::time::sleep(Duration::from_millis(50)).await; // until the list was read again
        }
        created
    }

    async fn record<C: client::Command>(&self, enrollment: &Enrollment, command: &C, more: &[&SecretKey]) -> String {
        let keys = [&[&self.root], more].concat();
        match enrollment.client.record(command, &keys).await {
            Ok(_) => "recorded".to_owned(),
            Err(ClientError::Refused(status)) => {
                let info = status.get_details_error_info().unwrap();
                let what = info.metadata.get("what").cloned().unwrap_or_default();
                assert!(info.reason != "STUDY_QUOTA" || status.code() == Code::ResourceExhausted);
                format!("{} {what}", info.reason)
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Adds an arm with a title of 100 bytes.
    async fn arm(&self, enrollment: &Enrollment, arm: u32) -> String {
        let (request, by, time) = (new_uuid().unwrap(), Name::root(), now_ms());
        let (arm, title) = (name(&format!("arm {arm}")).unwrap(), name(&"t".repeat(100)).unwrap());
        self.record(enrollment, &AddArm { study: self.study, request, by, time, arm, title }, &[]).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_study_has_so_many_entries_and_what_protects_somebody_a_few_more() {
    let place = Place::new();
    let with = ["--study-entries", "8", "--study-bytes", "0"];
    let enrollment = place.listing(&with);
    let (filled, actor) = (Filled::create(&enrollment, &place).await, new_key().unwrap());
    let register = |key: &SecretKey| {
        let (request, by, time, kind) = (new_uuid().unwrap(), Name::root(), now_ms(), ActorKind::Person);
        RegisterActor {
            study: filled.study,
            request,
            by,
            time,
            actor: name("nurse").unwrap(),
            kind,
            key: key.public(),
            site: None,
        }
    };
    assert_eq!(filled.record(&enrollment, &register(&actor), &[&actor]).await, "recorded");
    for arm in 0..6 {
        assert_eq!(filled.arm(&enrollment, arm).await, "recorded");
    }
    assert_eq!(filled.arm(&enrollment, 6).await, "STUDY_QUOTA entries");
    assert_eq!(filled.arm(&enrollment, 0).await, "NAME_TAKEN arm", "what the rules refuse they refuse as ever");
    drop(enrollment);
    let enrollment = place.listing(&with);
    assert_eq!(filled.arm(&enrollment, 6).await, "STUDY_QUOTA entries", "after a restart as well");
    let (request, by, time, reason) = (new_uuid().unwrap(), Name::root(), now_ms(), name("left").unwrap());
    let revoke = RevokeKey { study: filled.study, request, by, time, key: actor.public().id(), reason };
    assert_eq!(filled.record(&enrollment, &revoke, &[]).await, "recorded");
    let (request, by, time, reason) = (new_uuid().unwrap(), Name::root(), now_ms(), name("full").unwrap());
    let close = SetStudyState { study: filled.study, request, by, time, state: State::Closed, reason, seen: None };
    assert_ne!(
        filled.record(&enrollment, &close, &[]).await,
        "recorded",
        "the eighth is used up, or it was never open"
    );
    let other = Filled::create(&enrollment, &place).await;
    assert_eq!(other.arm(&enrollment, 0).await, "recorded", "other studies are not affected");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_study_has_so_many_bytes() {
    let place = Place::new();
    let with = |bytes| ["--study-bytes", bytes, "--study-entries", "0"];
    let enrollment = place.listing(&with("10000"));
    let filled = Filled::create(&enrollment, &place).await;
    let mut arms = 0;
    let full = loop {
        match filled.arm(&enrollment, arms).await {
            answer if answer == "recorded" => arms += 1,
            answer => break answer,
        }
    };
    assert_eq!(full, "STUDY_QUOTA bytes");
    assert!((5..20).contains(&arms), "{arms} arms of about a kilobyte");
    drop(enrollment);
    let enrollment = place.listing(&with("10000"));
    assert_eq!(filled.arm(&enrollment, arms).await, "STUDY_QUOTA bytes", "after a restart as well");
    drop(enrollment);
    let enrollment = place.listing(&with("20000"));
    assert_eq!(filled.arm(&enrollment, arms).await, "recorded");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_is_not_recorded_leaves_no_file() {
    let world = World::new().await;
    let folder = world.folder.path().join("documents");
    let document = |request, file: &[u8]| PublishDocument {
        study: world.study.id,
        request,
        by: Name::root(),
        time: now_ms(),
        document: name("ICF").unwrap(),
        version: name("2.0").unwrap(),
        language: name("en").unwrap(),
        content: sha256(&[file]).into(),
        approval: approval().unwrap(),
        terms: Some(terms(vec![offer("data_collection", true).unwrap()]).unwrap()),
    };
    let (request, file, root) = (new_uuid().unwrap(), b"version 2".to_vec(), &world.study.root.key);
    let first = document(request, &file);
    let receipt = world.client.publish(&first, file.clone(), &[root]).await.unwrap();
    let before = files(&folder);
    // By anybody, under the id of a request that was recorded.
    for number in 0..5_u8 {
        let other = vec![number; 1 << 20];
        let envelope = sign(&document(request, &other), &[&new_key().unwrap()]);
        let refused =
            world.client.consent.clone().publish_document(PublishDocumentRequest { envelope, file: other }).await;
        assert_eq!(said(&refused.unwrap_err()).1, "KEY_UNKNOWN", "which requests there are is not for everybody");
    }
    assert_eq!(files(&folder), before);
    assert_eq!(world.client.publish(&first, file, &[root]).await.unwrap(), receipt);
}
