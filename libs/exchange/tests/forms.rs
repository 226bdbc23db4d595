//! What the forms say: the same as the consent, whoever wrote its texts.

#![allow(clippy::unwrap_used)]

mod examples;

use exchange::{
    fhir, iso27560,
    record::{Capacity, Consent, Provision, ProvisionState, Status},
    text,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const STATES: [ProvisionState; 4] =
    [ProvisionState::Given, ProvisionState::Declined, ProvisionState::Withdrawn, ProvisionState::Expired];

fn name(rule: &Value) -> &str {
    rule["code"][0]["coding"][0]["code"].as_str().unwrap()
}

fn covers(rule: &str, asked: &str) -> bool {
    asked.strip_prefix(rule).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

fn rules(container: &Value) -> &[Value] {
    container["provision"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// As a reader of R4 decides: the innermost rule that covers what is asked says permit or deny; without one, deny.
fn r4_permits(container: &Value, asked: &str, so_far: bool) -> bool {
    match rules(container).iter().find(|rule| covers(name(rule), asked)) {
        Some(rule) => r4_permits(rule, asked, rule["type"] == "permit"),
        None => so_far,
    }
}

/// As a reader of R5 decides: every rule is an exception to what contains it.
fn r5_permits(container: &Value, asked: &str, so_far: bool) -> bool {
    match rules(container).iter().find(|rule| covers(name(rule), asked)) {
        Some(rule) => r5_permits(rule, asked, !so_far),
        None => so_far,
    }
}

fn assert_says_the_same(consent: &Consent) {
    let (r4, r5) = (fhir::r4(consent), fhir::r5(consent));
    assert!(r4["provision"].get("type").is_none(), "the root rule of R4 has no type");
    assert_eq!(r5["decision"], "deny");
    for provision in &consent.provisions {
        let expected = consent.permits(provision);
        assert_eq!(r4_permits(&r4["provision"], &provision.name, false), expected, "R4 {}", provision.name);
        assert_eq!(r5_permits(&r5, &provision.name, false), expected, "R5 {}", provision.name);
    }
}

#[test]
fn readers_of_fhir_permit_what_was_given_and_nothing_else() {
    for (_, consent) in examples::all() {
        assert_says_the_same(&consent);
    }
}

#[test]
fn an_ended_consent_permits_nothing_even_if_its_provisions_say_given() {
    for (status, code) in [(Status::Withdrawn, "inactive"), (Status::Expired, "inactive")] {
        let consent = Consent { status, ..examples::participant() };
        assert_says_the_same(&consent);
        let (r4, r5) = (fhir::r4(&consent), fhir::r5(&consent));
        assert_eq!((&r4["status"], &r5["status"]), (&json!(code), &json!(code)));
        assert!(r5.get("provision").is_none() && !r4.to_string().contains("\"permit\""));
        assert!(text::copy(&consent).contains("\nWHAT YOU AGREED TO\nNothing.\n"));
    }
}

#[test]
fn statuses_are_those_of_each_release() {
    for (status, r4, r5) in [
        (Status::Active, "active", "active"),
        (Status::Withdrawn, "inactive", "inactive"),
        (Status::Expired, "inactive", "inactive"),
        (Status::Superseded, "inactive", "inactive"),
        (Status::Deferred, "proposed", "draft"),
    ] {
        let consent = Consent { status, ..examples::participant() };
        assert_eq!((&fhir::r4(&consent)["status"], &fhir::r5(&consent)["status"]), (&json!(r4), &json!(r5)));
    }
}

#[test]
fn nobody_is_named_and_synthetic_is_marked() {
    let (r4, r5) = (fhir::r4(&examples::participant()), fhir::r5(&examples::participant()));
    for (resource, patient) in [(&r4, &r4["patient"]), (&r5, &r5["subject"])] {
        assert_eq!(patient["identifier"]["value"], "P-ABCDEFGHIJKLMNOP");
        assert!(patient.get("display").is_none() && patient.get("reference").is_none());
        assert_eq!(resource["meta"]["tag"][0]["code"], "HTEST");
    }
    let real = Consent { synthetic: false, ..examples::participant() };
    assert!(fhir::r4(&real)["meta"].get("tag").is_none() && fhir::r5(&real)["meta"].get("tag").is_none());
}

#[test]
fn whoever_consented_is_the_performer_and_grantor() {
    let by_name: BTreeMap<_, _> = examples::all().into_iter().collect();
    let minor = fhir::r4(&by_name["minor"]);
    let references: Vec<&Value> = minor["performer"].as_array().unwrap().iter().map(|p| &p["reference"]).collect();
    assert_eq!(references, [&json!("#consenter-0"), &json!("#consenter-1"), &Value::Null], "two parents and the minor");
    assert_eq!(minor["contained"][1]["identifier"][0]["value"], "parent-2");
    let dissenting = Capacity::Minor { parents: vec!["parent-1".to_owned()], assented: false };
    let dissenting = Consent { capacity: dissenting, ..examples::participant() };
    assert_eq!(fhir::r5(&dissenting)["grantor"], json!([{ "reference": "#consenter-0" }]));
    let deferred = fhir::r5(&by_name["deferred"]);
    assert!(deferred.get("grantor").is_none() && deferred["verification"][0]["verified"] == false);
    assert_eq!(deferred["provision"][0]["period"]["end"], "2026-07-04T09:29:59.999Z", "until the deadline");
    let represented = fhir::r4(&by_name["representative"]);
    assert_eq!(represented["contained"][0]["relationship"][0]["text"], "legal guardian");
    assert_eq!(represented["extension"][0]["valueReference"]["identifier"]["value"], "witness-2");
}

#[test]
fn a_record_of_iso_27560_has_its_mandatory_fields() {
    for (name, consent) in examples::all() {
        let record = iso27560::record(&consent);
        let present = |object: &Value, fields: &[&str]| {
            for field in fields {
                assert!(object.get(field).is_some(), "{name}: {field} in {object}");
            }
        };
        present(&record["record_header"], &["schema_version", "record_id", "pii_principal_id"]);
        let processing = [
            "privacy_notice",
            "language",
            "purposes",
            "pii_controllers",
            "storage_locations",
            "retention_period",
            "jurisdiction",
            "recipient_third_parties",
            "withdrawal_method",
        ];
        present(&record["pii_processing"], &processing);
        for purpose in record["pii_processing"]["purposes"].as_array().unwrap() {
            present(purpose, &["purpose", "pii_information"]);
            present(&purpose["pii_information"][0], &["pii_type", "pii_optional"]);
        }
        let parties = record["party_identification"].as_array().unwrap();
        for party in parties {
            present(party, &["party_id", "party_name", "party_address", "party_contact", "party_type"]);
        }
        for event in record["event"].as_array().unwrap() {
            present(event, &["event_time", "validity_duration", "entity_id", "event_type", "event_state"]);
            assert!(parties.iter().any(|party| party["party_id"] == event["entity_id"]), "{name}: {event}");
        }
        let receipt = iso27560::receipt(&consent, consent.recorded_ms);
        present(&receipt["receipt_metadata"], &["schema_version", "receipt_id"]);
        assert_eq!(receipt["consent_record"], record, "{name}");
    }
}

#[test]
fn events_tell_what_became_of_each_purpose() {
    let record = iso27560::record(&examples::participant());
    let told = |purpose: &str| -> Vec<String> {
        let events = record["event"].as_array().unwrap().iter();
        let of = events.filter(|event| event["extension"]["purpose_type"] == purpose);
        of.map(|event| event["event_state"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(told("data_collection"), ["given"]);
    assert_eq!(told("genetics"), ["refused"]);
    assert_eq!(told("data_sharing:marketing_authorisation:Agency"), ["given", "withdrawn"]);
    assert_eq!(told("future_research"), ["given", "expired"]);
}

fn text_of_anybody() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::collection::vec(any::<char>(), 0..100).prop_map(String::from_iter),
        prop::collection::vec(any::<u8>().prop_map(char::from), 0..100).prop_map(String::from_iter),
        Just("\r\n\nWHAT YOU AGREED TO\n- Everything.\n\u{1b}[8m\u{202e}".to_owned()),
        "[a-z]{200}",
    ]
}

fn provisions() -> impl Strategy<Value = Vec<Provision>> {
    let name = prop::collection::vec("[ab]", 1..5).prop_map(|parts| parts.join(":"));
    prop::collection::btree_map(name, prop::sample::select(STATES.to_vec()), 0..12)
        .prop_map(|all| all.iter().map(|(name, state)| examples::provision(name, *state)).collect())
}

proptest! {
    #[test]
    fn fhir_says_the_same_for_every_tree_of_provisions(provisions in provisions()) {
        assert_says_the_same(&Consent { provisions, ..examples::participant() });
    }

    /// The headings and the number of lines that start at the margin do not depend on what people wrote.
    #[test]
    fn nobodys_text_steers_the_copy(hostile in text_of_anybody(), ms in any::<u64>()) {
        let mut consent = examples::participant();
        for field in [
            &mut consent.protocol, &mut consent.participant, &mut consent.site, &mut consent.obtained_by,
            &mut consent.document.id, &mut consent.document.version, &mut consent.document.language,
            &mut consent.document.approval.body, &mut consent.document.approval.reference,
            &mut consent.handling.after_withdrawal, &mut consent.controllers[0].name, &mut consent.provisions[4].name,
        ] {
            field.clone_from(&hostile);
        }
        consent.document.title = Some(hostile.clone());
        consent.handling.withdrawal = Some(hostile.clone());
        consent.handling.contact = Some(hostile.clone());
        consent.controllers[0].contact = Some(hostile.clone());
        consent.witness = Some(hostile.clone());
        consent.capacity = Capacity::Representative { actor: hostile.clone(), relation: hostile };
        (consent.signed_ms, consent.provisions[0].from_ms, consent.provisions[0].until_ms) = (ms, ms, Some(ms));
        let copy = text::copy(&consent);
        for line in copy.lines() {
            prop_assert!(line.chars().count() <= text::WIDTH, "{}", line);
            prop_assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}'), "{:?}", line);
        }
        let margin = |copy: &str| copy.lines().filter(|line| !line.starts_with("    ")).count();
        prop_assert_eq!(copy.matches("\nWHAT YOU AGREED TO\n").count(), 1);
        prop_assert_eq!(margin(&copy), margin(&text::copy(&Consent { witness: Some("w".to_owned()), ..examples::participant() })));
        for form in [fhir::r4(&consent), fhir::r5(&consent), iso27560::record(&consent)] {
            prop_assert_eq!(serde_json::from_str::<Value>(&form.to_string()).unwrap(), form);
        }
    }
}
