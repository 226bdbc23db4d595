//! `trialseal record` and `delegations --csv`.

use super::{Field, support::process::TRIALSEAL};
use client::{new_key, new_pseudonym};
use seal::key::SecretKey;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Output, Stdio},
};
use synthetic::{Actor, name};
use vocabulary::command::Task;

impl Field {
    /// Runs a command of `trialseal` by somebody, with text on its standard input.
    fn start(&self, by: &str, key: &SecretKey, arguments: &[&str]) -> Child {
        let file = format!("{by}.key");
        self.write(&file, &key.to_secret_text());
        let mut command = Command::new(TRIALSEAL);
        command.args(arguments).args(["--study", &self.world.study.id.to_string(), "--actor", by]).arg("--key");
        command.arg(self.path(&file)).arg("--endpoints").arg(self.path("endpoints.json")).env("RUST_LOG", "error");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn record(&self, by: (&str, &SecretKey), kind: &str, fields: &Value, more: &[&str]) -> Output {
        let mut child = self.start(by.0, by.1, &[&["record", kind], more].concat());
        child.stdin.take().unwrap().write_all(fields.to_string().as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn good(output: &Output) {
    assert!(output.status.success(), "{}", said(output));
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_is_screened_and_enrolled_by_the_command_line_alone() {
    let field = Field::new().await;
    let (root, investigator) =
        (("root", &field.world.study.root.key), ("dr-imani", &field.world.study.investigator.key));
    let item = |item: &str, kind: &str| json!({"item": item, "type": kind, "mandatory": true});
    let criterion = |criterion: &str, kind: &str, expression: &str| json!({"criterion": criterion, "kind": kind, "text": criterion, "expression": expression});
    let criteria = json!({
        "version": "1", "protocol": "1.0", "items": [item("AGE", "integer"), item("PREGNANT", "boolean")],
        "criteria": [criterion("INCL01", "inclusion", "AGE >= 18"), criterion("EXCL01", "exclusion", "PREGNANT")],
    });
    good(&field.record(root, "define-criteria", &criteria, &[]));

    let (participant, key) = (new_pseudonym().unwrap(), new_key().unwrap());
    field.write("participant.key", &key.to_secret_text());
    let own = field.path("participant.key").to_str().unwrap().to_owned();
    let screen = json!({"participant": participant, "site": "701", "key": key.public()});
    let without = field.record(investigator, "screen-participant", &screen, &[]);
    let (words, public) = (said(&without), key.public().to_string());
    assert!(words.contains("SIGNATURE_INVALID") && words.contains(&public), "{words}");
    assert!(words.contains("`key`") && words.contains("--also FILE"), "{words}");
    good(&field.record(investigator, "screen-participant", &screen, &["--also", &own]));
    let consent = json!({
        "participant": participant, "site": "701", "document": "ICF", "version": "1.0", "language": "en",
        "provisions": ["data_collection"], "synthetic": true, "manner": {"capacity": "participant", "answers": []},
    });
    good(&field.record(investigator, "give-consent", &consent, &["--also", &own]));

    let enrolled = json!({"participant": participant, "site": "701", "stage": "enrolled", "reason": "eligible"});
    let early = field.record(investigator, "record-stage", &enrolled, &[]);
    assert!(said(&early).contains("SCREENING_REQUIRED"), "{}", said(&early));
    let screening = json!({"participant": participant, "site": "701"});
    field.write("answers.json", r#"{"AGE": 44, "PREGNANT": false}"#);
    let answers = field.path("answers.json").to_str().unwrap().to_owned();
    let alone = field.record(investigator, "record-screening", &screening, &[]);
    assert!(!alone.status.success(), "without answers there is nothing to decide on");
    good(&field.record(investigator, "record-screening", &screening, &["--answers", &answers]));
    good(&field.record(investigator, "record-stage", &enrolled, &[]));
    field.audit().await;

    field.write("answers.json", r#"{"AGE": ["forty-four"]}"#);
    let bad = field.record(investigator, "record-screening", &screening, &["--answers", &answers]);
    assert!(said(&bad).contains("the answers: AGE: ") && !said(&bad).contains("forty-four"), "{}", said(&bad));
    let two = field.record(investigator, "withdraw-consent", &screening, &["--attach", &answers]);
    assert!(said(&two).contains("withdraw-consent takes no attachment"), "{}", said(&two));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_of_the_wrong_kind_is_named_with_what_was_expected() {
    let field = Field::new().await;
    let root = ("root", &field.world.study.root.key);
    let document = "0".repeat(64);
    let protocol = json!({"version": "2.0", "document": document, "effective": "next Monday"});
    let refused = field.record(root, "add-protocol-version", &protocol, &[]);
    let words = said(&refused);
    assert!(words.contains("effective: expected a whole number, not negative, found a string"), "{words}");
    assert!(!words.contains("Monday"), "{words}");
    let refused = field.record(root, "add-protocol-version", &json!([1]), &[]);
    assert!(said(&refused).contains("the fields: not a JSON object"), "{}", said(&refused));
}

#[tokio::test(flavor = "multi_thread")]
async fn record_says_what_it_waits_for() {
    let field = Field::new().await;
    let key = &field.world.study.root.key;
    let mut child = field.start("root", key, &["record", "add-arm"]);
    // Nothing comes, and the input stays open.
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    assert!(line.contains("reading the command's fields") && line.contains("standard input"), "{line}");
    child.stdin.take().unwrap().write_all(br#"{"arm":"A","title":"Arm A"}"#).unwrap();
    assert!(child.wait_with_output().unwrap().status.success());

    let mut child = field.start("root", key, &["record", "add-arm"]);
    drop(child.stdin.take());
    let words = said(&child.wait_with_output().unwrap());
    assert!(words.contains("standard input is empty"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_cell_of_the_delegation_log_is_a_formula() {
    let field = Field::new().await;
    let (client, study) = (&field.world.client, &field.world.study);
    let actor = Actor { name: name("=HYPERLINK(\"http://x\",\"y\")").unwrap(), key: new_key().unwrap() };
    study.register(client, &actor).await.unwrap();
    study.delegate(client, &study.root, &actor, Task::Read, &field.world.site).await.unwrap();
    let end = json!({"actor": actor.name, "task": "read", "site": "701", "reason": "=cmd|'/c calc'!A0"});
    let mut with = end.clone();
    let events = reports::people::delegations(client, &study.reads(&study.root), None).await.unwrap();
    let granted = events.iter().find(|event| event.actor == actor.name.as_str()).unwrap();
    with["delegation"] = granted.act.as_ref().unwrap().entry.into();
    good(&field.record(("root", &study.root.key), "end-delegation", &with, &[]));
    let log = field.start("root", &study.root.key, &["delegations", "--csv"]).wait_with_output().unwrap();
    good(&log);
    let mut reader = csv::Reader::from_reader(log.stdout.as_slice());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert!(rows.iter().flatten().all(|cell| !cell.starts_with(['=', '+', '-', '@'])), "{rows:?}");
    let row = rows.iter().find(|row| row[0].contains("HYPERLINK")).unwrap();
    assert_eq!((&row[0], &row[14]), ("'=HYPERLINK(\"http://x\",\"y\")", "'=cmd|'/c calc'!A0"));
}
