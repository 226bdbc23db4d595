//! Judges that share no code with us: PyPI `fhir.resources` for FHIR R4 and R5, npm `fhir` for the value sets of R4.

#![allow(clippy::unwrap_used)]

mod examples;

use exchange::fhir;
use serde_json::{Value, json};
use std::{collections::BTreeMap, process::Command};
use testbed::judges::{judge, node, python, run};

type Findings = BTreeMap<String, Vec<String>>;

fn file(cases: &[Value]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    serde_json::to_writer(&file, cases).unwrap();
    file
}

fn fhir_resources(cases: &[Value]) -> Findings {
    let found = run(python("fhir_consent.py").arg(file(cases).path()));
    serde_json::from_str(&found).unwrap()
}

fn npm_fhir(cases: &[Value]) -> Findings {
    let mut command = Command::new("node");
    let found = run(command.arg(judge("fhir_consent.mjs")).arg(node()).arg(file(cases).path()));
    serde_json::from_str(&found).unwrap()
}

fn case(name: &str, release: &str, resource: &Value) -> Value {
    json!({ "name": format!("{name} {release}"), "release": release, "resource": resource })
}

fn assert_faultless(findings: &Findings, cases: usize) {
    assert_eq!(findings.len(), cases);
    for (name, found) in findings {
        assert!(found.is_empty(), "{name}: {found:#?}");
    }
}

#[test]
fn fhir_resources_finds_nothing_in_r4_and_r5() {
    let both =
        |(name, consent): &(&str, _)| [case(name, "r4", &fhir::r4(consent)), case(name, "r5", &fhir::r5(consent))];
    let cases: Vec<Value> = examples::all().iter().flat_map(both).collect();
    assert_faultless(&fhir_resources(&cases), cases.len());
}

#[test]
fn npm_fhir_finds_nothing_in_r4() {
    let cases: Vec<Value> =
        examples::all().iter().map(|(name, consent)| case(name, "r4", &fhir::r4(consent))).collect();
    assert_faultless(&npm_fhir(&cases), cases.len());
}

/// The participant's export with the value at a JSON pointer replaced, or added.
fn changed(good: &Value, release: &str, pointer: &str, value: Value) -> Value {
    let mut resource = good.clone();
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    match resource.pointer_mut(parent).unwrap() {
        Value::Object(fields) => fields.insert(field.to_owned(), value),
        _ => panic!("{pointer}"),
    };
    case(pointer, release, &resource)
}

#[test]
fn the_judges_of_r4_refuse_wrong_codes_and_wrong_structure() {
    let good = fhir::r4(&examples::participant());
    let wrong = |pointer, value| changed(&good, "r4", pointer, value);
    let codes = [
        wrong("/status", json!("withdrawn")),
        wrong("/scope/coding/0/code", json!("trial")),
        wrong("/category/0/coding/0/code", json!("study")),
        wrong("/provision/provision/0/type", json!("allow")),
        wrong("/provision/provision/0/purpose/0/code", json!("RESEARCH")),
        wrong("/provision/provision/0/action/0/coding/0/code", json!("gather")),
        wrong("/provision/provision/1/class/0/code", json!("Sample")),
        wrong("/provision/provision/3/actor/0/role/coding/0/code", json!("RECIPIENT")),
        wrong("/provision/provision/0/provision/0/type", json!("refuse")),
        wrong("/patient/type", json!("Group")),
    ];
    let structure = [
        wrong("/verification/0/verified", json!("perhaps")),
        wrong("/decision", json!("deny")),
        wrong("/dateTime", json!("yesterday")),
        wrong("/provision/provision/0/actor", json!([{ "role": { "text": "all" } }])),
    ];
    let missing = ["status", "scope", "category"].map(|name| {
        let mut resource = good.clone();
        resource.as_object_mut().unwrap().remove(name);
        case(name, "r4", &resource)
    });
    refused(&npm_fhir(&codes), codes.len());
    refused(&npm_fhir(&missing), missing.len());
    refused(&fhir_resources(&structure), structure.len());
    let listed = [codes[0].clone(), codes[3].clone()];
    refused(&fhir_resources(&listed), listed.len());
}

#[test]
fn the_judge_of_r5_refuses_wrong_codes_and_elements_of_r4() {
    let good = fhir::r5(&examples::participant());
    let wrong = |pointer, value| changed(&good, "r5", pointer, value);
    let cases = [
        wrong("/status", json!("proposed")),
        wrong("/decision", json!("opt-in")),
        wrong("/scope", json!({ "text": "research" })),
        wrong("/dateTime", json!("2026-07-01T09:30:00Z")),
        wrong("/date", json!("2026-07-01T09:30:00Z")),
        wrong("/provision/0/type", json!("permit")),
        wrong("/sourceAttachment", json!({ "title": "ICF" })),
    ];
    refused(&fhir_resources(&cases), cases.len());
}

fn refused(findings: &Findings, cases: usize) {
    assert_eq!(findings.len(), cases);
    for (name, found) in findings {
        assert!(!found.is_empty(), "not refused: {name}");
    }
}

/// The value sets of FHIR R5 with a required binding that our exports use, as the specification lists them.
#[test]
fn codes_of_r5_are_in_their_required_value_sets() {
    const STATUS: [&str; 6] = ["draft", "active", "inactive", "not-done", "entered-in-error", "unknown"];
    const DECISION: [&str; 2] = ["deny", "permit"];
    const NARRATIVE: [&str; 4] = ["generated", "extensions", "additional", "empty"];
    for (name, consent) in examples::all() {
        let resource = fhir::r5(&consent);
        let code = |pointer| resource.pointer(pointer).and_then(Value::as_str).unwrap();
        assert!(STATUS.contains(&code("/status")), "{name}");
        assert!(DECISION.contains(&code("/decision")), "{name}");
        assert!(NARRATIVE.contains(&code("/text/status")), "{name}");
    }
}
