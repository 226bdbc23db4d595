//! Reading somebody's FHIR R4 Consent.

#![allow(clippy::unwrap_used)]

mod examples;

use exchange::{
    fhir::{self, Decision, ImportError, MAX_BYTES, MAX_DEPTH, RequestStatus, Scope, import_r4},
    record::{Consent, ProvisionState, Status},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::fs;

fn read(value: &Value) -> Result<fhir::Request, ImportError> {
    import_r4(value.to_string().as_bytes())
}

fn minimal() -> Value {
    json!({
        "resourceType": "Consent",
        "status": "proposed",
        "scope": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "treatment" }] },
        "category": [{ "text": "any" }],
        "policyRule": { "text": "any" },
    })
}

fn with(pointer: &str, value: Value) -> Value {
    let mut resource = minimal();
    put(&mut resource, pointer, value);
    resource
}

fn put(resource: &mut Value, pointer: &str, value: Value) {
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    let parent = resource.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    parent.insert(field.to_owned(), value);
}

/// Whether our record permits this, and so must a reader of the export.
fn permitted(consent: &Consent) -> Vec<(String, bool)> {
    let ended = matches!(consent.status, Status::Withdrawn | Status::Expired);
    let one = |p: &exchange::record::Provision| (p.name.clone(), p.state == ProvisionState::Given && !ended);
    let mut all: Vec<_> = consent.provisions.iter().map(one).collect();
    all.sort();
    all
}

#[test]
fn our_own_exports_come_back_with_every_provision() {
    for (name, consent) in examples::all() {
        let request = read(&fhir::r4(&consent)).unwrap();
        let mut read: Vec<_> = request
            .provisions
            .iter()
            .filter_map(|p| Some((p.provision.clone()?, p.decision == Decision::Permit)))
            .collect();
        read.sort();
        assert_eq!(read, permitted(&consent), "{name}");
        assert_eq!(request.patient.as_deref(), Some(consent.participant.as_str()), "{name}");
        assert_eq!(request.scope, Scope::Research, "{name}");
        assert_eq!(request.provisions.len(), consent.provisions.len() + 1, "{name}: the root and ours");
    }
}

/// Real files of HL7, if they are beside the repository.
#[test]
fn the_examples_of_hl7_are_read_and_other_resources_refused() {
    let folder = testbed::repository().join("../shared/data/fhir");
    if !folder.exists() {
        eprintln!("no real data beside the repository: {}", folder.display());
        return;
    }
    let mut consents = 0;
    for file in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let bytes = fs::read(&file).unwrap();
        if !name.starts_with("Consent-") {
            assert_eq!(import_r4(&bytes), Err(ImportError::NotConsent), "{name}");
            continue;
        }
        let request = import_r4(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        consents += 1;
        assert_eq!((request.status, request.scope), (RequestStatus::Active, Scope::PatientPrivacy), "{name}");
        assert!(request.patient.unwrap().starts_with("Patient/"), "{name}");
        assert!(request.date.is_some() && !request.provisions.is_empty(), "{name}");
        assert!(request.unmapped.contains(&"policyRule".to_owned()), "{name}: {:?}", request.unmapped);
        assert!(request.provisions.iter().all(|p| p.provision.is_none()), "{name}: none is about a trial");
    }
    assert!(consents >= 6, "{consents}");
}

#[test]
fn what_is_asked_for_is_told_and_the_rest_is_listed() {
    let mut resource = minimal();
    put(&mut resource, "/patient", json!({ "reference": "Patient/7", "display": "A. Name" }));
    put(&mut resource, "/dateTime", json!("2026-07"));
    put(&mut resource, "/extension", json!([{ "url": "urn:x", "valueString": "y" }, { "url": "urn:z" }]));
    let rule = |action: &str| {
        json!({
            "type": "permit",
            "period": { "start": "2026-07-01", "end": "2026-07-31" },
            "purpose": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HRESCH" }],
            "action": [{ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/consentaction", "code": action }] }],
        })
    };
    let mut narrower = rule("use");
    put(&mut narrower, "/securityLabel", json!([{ "code": "R" }]));
    put(&mut resource, "/provision", json!({ "provision": [rule("use"), rule("correct"), narrower] }));
    let request = read(&resource).unwrap();
    assert_eq!((request.patient.as_deref(), request.date.as_deref()), (Some("Patient/7"), Some("2026-07")));
    assert_eq!((request.status, request.scope), (RequestStatus::Proposed, Scope::Treatment));
    let names: Vec<_> = request.provisions.iter().map(|p| (p.path.as_str(), p.provision.as_deref())).collect();
    let expected = [
        ("provision", None),
        ("provision.provision[0]", Some("future_research")),
        ("provision.provision[1]", None),
        ("provision.provision[2]", None),
    ];
    assert_eq!(names, expected);
    assert_eq!(request.provisions[1].period.as_ref().unwrap().end.as_deref(), Some("2026-07-31"));
    let unmapped = [
        "category[0]",
        "extension[0]",
        "extension[1]",
        "patient.display",
        "policyRule",
        "provision.provision[1].action[0]",
        "provision.provision[1].purpose[0]",
        "provision.provision[2].action[0]",
        "provision.provision[2].purpose[0]",
        "provision.provision[2].securityLabel[0]",
    ];
    assert_eq!(request.unmapped, unmapped);
    assert_eq!(request.content, tlog::sha256(&[resource.to_string().as_bytes()]));
}

#[test]
fn every_status_is_read_as_it_is_written() {
    for code in ["draft", "proposed", "active", "rejected", "inactive", "entered-in-error"] {
        assert_eq!(read(&with("/status", json!(code))).unwrap().status.code(), code);
    }
}

/// Each changes one rule of a good export so that it says something else than our provision.
#[test]
fn a_narrower_rule_is_never_taken_for_a_wider_one() {
    let good = fhir::r4(&examples::participant());
    let sharing = "/provision/provision/3";
    assert!(named(&good, "provision.provision[0]") && named(&good, "provision.provision[3]"));
    for (path, pointer, value) in [
        ("provision.provision[0]", "/provision/provision/0/dataPeriod", json!({ "start": "2026" })),
        ("provision.provision[0]", "/provision/provision/0/securityLabel", json!([{ "code": "R" }])),
        ("provision.provision[0]", "/provision/provision/0/class", good["provision"]["provision"][1]["class"].clone()),
        ("provision.provision[0]", "/provision/provision/0/actor", good["provision"]["provision"][3]["actor"].clone()),
        ("provision.provision[0]", "/provision/provision/0/purpose/0/code", json!("TREAT")),
        ("provision.provision[0]", "/provision/provision/0/action/0/coding/0/system", json!("urn:other")),
        ("provision.provision[0].provision[0]", "/provision/provision/0/dataPeriod", json!({ "start": "2026" })),
        ("provision.provision[0]", "/provision/purpose", json!([{ "code": "TREAT" }])),
        ("provision.provision[3]", &format!("{sharing}/actor/0/reference/display"), json!("Somebody else")),
        ("provision.provision[3]", &format!("{sharing}/actor/0/reference/reference"), json!("Organization/else")),
        ("provision.provision[3]", &format!("{sharing}/actor/0/role/coding/0/code"), json!("CST")),
    ] {
        let mut resource = good.clone();
        put(&mut resource, pointer, value);
        assert!(!named(&resource, path), "{pointer}");
    }
}

fn named(resource: &Value, path: &str) -> bool {
    let request = read(resource).unwrap();
    request.provisions.iter().find(|p| p.path == path).unwrap().provision.is_some()
}

#[test]
fn what_is_not_a_consent_of_r4_is_refused_with_its_path() {
    use ImportError::{Code, Missing, Modifier, Rule, Time, Type, Unknown};
    let refused = |resource: &Value, error: &dyn Fn(String) -> ImportError, path: &str| {
        assert_eq!(read(resource), Err(error(path.to_owned())), "{resource}");
    };
    for name in ["status", "scope", "category"] {
        let mut resource = minimal();
        resource.as_object_mut().unwrap().remove(name);
        refused(&resource, &|path| Missing { path }, name);
    }
    let mut without_policy = minimal();
    without_policy.as_object_mut().unwrap().remove("policyRule");
    refused(&without_policy, &|path| Rule { path }, "policyRule");
    for (pointer, value, path) in [
        ("/decision", json!("deny"), "decision"),
        ("/Jane Doe", json!("x"), "?"),
        ("/_provision", json!({}), "_provision"),
        ("/policyRule/name", json!("x"), "policyRule.name"),
    ] {
        refused(&with(pointer, value), &|path| Unknown { path }, path);
    }
    for (pointer, value, path) in [
        ("/category", json!({ "text": "x" }), "category"),
        ("/category", json!([]), "category"),
        ("/policyRule", json!({}), "policyRule"),
        ("/policyRule", json!([{ "text": "x" }]), "policyRule"),
        ("/policyRule/text", json!(""), "policyRule.text"),
        ("/policyRule/text", json!("a\u{1b}[2J"), "policyRule.text"),
        ("/policyRule/text", json!(null), "policyRule.text"),
        ("/status", json!(1), "status"),
        ("/verification", json!([{ "verified": "true" }]), "verification[0].verified"),
        ("/contained", json!([{ "id": "a" }]), "contained[0]"),
        ("/language", json!(" en"), "language"),
        ("/sourceAttachment", json!({ "size": -1 }), "sourceAttachment.size"),
    ] {
        refused(&with(pointer, value), &|path| Type { path }, path);
    }
    for (pointer, value, path) in [
        ("/status", json!("withdrawn"), "status"),
        ("/provision", json!({ "provision": [{ "type": "allow" }] }), "provision.provision[0].type"),
        ("/text", json!({ "status": "made", "div": "<div/>" }), "text.status"),
    ] {
        refused(&with(pointer, value), &|path| Code { path }, path);
    }
    for (pointer, value, path) in [
        ("/dateTime", json!("2026-02-30"), "dateTime"),
        ("/meta", json!({ "lastUpdated": "2026" }), "meta.lastUpdated"),
        ("/provision", json!({ "period": { "start": "2026", "end": "2025" } }), "provision.period"),
        (
            "/provision",
            json!({ "dataPeriod": { "start": "2026-01-01T12:00:00+02:00", "end": "2026-01-01T09:59:59Z" } }),
            "provision.dataPeriod",
        ),
    ] {
        refused(&with(pointer, value), &|path| Time { path }, path);
    }
    for (pointer, value, path) in [
        ("/implicitRules", json!("urn:x"), "implicitRules"),
        ("/provision", json!({ "modifierExtension": [{ "url": "urn:x" }] }), "provision.modifierExtension"),
    ] {
        refused(&with(pointer, value), &|path| Modifier { path }, path);
    }
    let mut both = with("/sourceAttachment", json!({ "title": "x" }));
    put(&mut both, "/sourceReference", json!({ "reference": "Contract/1" }));
    refused(&both, &|path| Rule { path }, "sourceReference");
}

#[test]
fn primitives_may_have_companions_and_extensions_any_value() {
    let mut resource = with("/_status", json!({ "id": "s" }));
    put(&mut resource, "/meta", json!({ "profile": ["urn:x"], "_profile": [null] }));
    put(&mut resource, "/extension", json!([{ "url": "urn:x", "valueCodeableConcept": { "a": [1, null] } }]));
    let request = read(&resource).unwrap();
    assert!(request.unmapped.contains(&"_status".to_owned()));
}

#[test]
fn what_is_not_json_or_another_resource_is_refused() {
    for bytes in [&b""[..], b"{", b"\xff", b"{\"resourceType\":\"Consent\"} x", b"{\"a\":1,\"a\":2}"] {
        assert_eq!(import_r4(bytes), Err(ImportError::NotJson));
    }
    let twice = minimal().to_string().replacen("\"status\"", "\"status\":\"active\",\"status\"", 1);
    assert_eq!(import_r4(twice.as_bytes()), Err(ImportError::NotJson));
    for other in [json!(null), json!([]), json!("Consent"), json!({}), json!({ "resourceType": "Patient" })] {
        assert_eq!(read(&other), Err(ImportError::NotConsent));
    }
}

#[test]
fn size_and_depth_are_bounded() {
    let mut bytes = minimal().to_string().into_bytes();
    bytes.resize(MAX_BYTES, b' ');
    assert!(import_r4(&bytes).is_ok());
    bytes.push(b' ');
    assert_eq!(import_r4(&bytes), Err(ImportError::TooLong));
    let nested = |levels| (0..levels).fold(json!({ "type": "deny" }), |inner, _| json!({ "provision": [inner] }));
    assert!(read(&with("/provision", nested(MAX_DEPTH - 1))).is_ok());
    let deep = read(&with("/provision", nested(MAX_DEPTH)));
    assert!(matches!(deep, Err(ImportError::TooDeep { .. })), "{deep:?}");
    let value = (0..40).fold(json!(1), |inner, _| json!([inner]));
    let deep = read(&with("/extension", json!([{ "url": "urn:x", "valueX": value }])));
    assert!(matches!(deep, Err(ImportError::TooDeep { .. })), "{deep:?}");
    let unclosed = "[".repeat(MAX_BYTES);
    assert_eq!(import_r4(unclosed.as_bytes()), Err(ImportError::NotJson));
}

/// A place in a JSON text and what to do there.
fn mutations() -> impl Strategy<Value = Vec<(prop::sample::Index, u8, u8)>> {
    prop::collection::vec((any::<prop::sample::Index>(), 0..4_u8, any::<u8>()), 1..6)
}

fn mutate(bytes: &mut Vec<u8>, mutations: &[(prop::sample::Index, u8, u8)]) {
    for (index, how, byte) in mutations {
        let at = index.index(bytes.len());
        match how {
            0 => bytes[at] = *byte,
            1 => bytes.insert(at, *byte),
            2 => {
                bytes.remove(at);
            }
            _ => bytes[at] ^= 1 << (byte % 8),
        }
    }
}

/// All values of a resource, as pointers.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| pointers(value, &format!("{at}/{name}"), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, item)| pointers(item, &format!("{at}/{n}"), found));
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = import_r4(&bytes);
    }

    #[test]
    fn changed_exports_are_read_or_refused(which in 0..6_usize, mutations in mutations()) {
        let mut bytes = fhir::r4(&examples::all()[which].1).to_string().into_bytes();
        mutate(&mut bytes, &mutations);
        match import_r4(&bytes) {
            Ok(request) => prop_assert_eq!(request.content, tlog::sha256(&[&bytes])),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    /// Whatever stands in the place of whatever value: no panic, and an error names a place, never a value.
    #[test]
    fn a_replaced_value_is_read_or_refused_by_place(which in any::<prop::sample::Index>(), kind in 0..6_usize) {
        let mut resource = fhir::r4(&examples::participant());
        let mut all = Vec::new();
        pointers(&resource, "", &mut all);
        let secret = "SECRET VALUE";
        let values = [json!(null), json!(7), json!(secret), json!([secret]), json!({ "SECRET VALUE": secret }), json!(true)];
        *resource.pointer_mut(&all[which.index(all.len())]).unwrap() = values[kind].clone();
        if let Err(error) = read(&resource) {
            let told = format!("{error} {error:?}");
            prop_assert!(!told.contains("SECRET"), "{}", told);
        }
    }
}
