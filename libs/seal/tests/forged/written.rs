//! How payloads, facts and bundles are written: what cannot be read, and what only some could read.

use super::{link, with_submission};
use crate::world::{
    World, key,
    study::{INVESTIGATOR, PARTICIPANT, name, values},
};
use seal::{bundle::Bundle, dsse, id::Service, report::LinkName, subject, verify::verify};

/// A submission whose first signature is by a key of which the state holds what no verifier reads.
pub(crate) fn with_odd_fact() -> Bundle {
    let (mut world, _) = with_submission();
    let envelope = dsse::sign(&world.submission(None), &[&key("nobody"), &key(INVESTIGATOR)]);
    let odd = vec![(subject::key(key("nobody").public().id()), b"{\"future\":{}}".to_vec())];
    world.record_bytes(Service::Enrollment, "from-the-future", b"{}".to_vec(), odd);
    let submission = world.record_bytes(Service::Capture, "submit-form", envelope, Vec::new());
    world.bundle(submission, &values(), 0, None)
}

#[test]
fn a_fact_that_is_no_fact_of_its_subject_is_passed_over() {
    let mut bundle = with_odd_fact();
    assert_eq!(link(&World::new().verify(&bundle)), None);
    let odd = bundle.facts.iter_mut().find(|part| part.fact.0.starts_with(b"{\"future\"")).unwrap();
    odd.fact.0.push(b' ');
    assert_eq!(link(&World::new().verify(&bundle)), Some(LinkName::Signer), "it is in the state all the same");
}

/// A submission whose payload or site fact is written otherwise.
pub(crate) fn written(payload: fn(&str) -> String, site: &[u8]) -> Bundle {
    let (mut world, _) = with_submission();
    let site = vec![(subject::site(&name("701")), site.to_vec())];
    world.record_bytes(Service::Enrollment, "from-elsewhere", b"{}".to_vec(), site);
    let json = payload(&serde_json::to_string(&world.submission(None)).unwrap());
    let envelope = dsse::sign_bytes(&dsse::payload_type("submit-form"), json.into_bytes(), &[&key(INVESTIGATOR)]);
    let submission = world.record_bytes(Service::Capture, "submit-form", envelope, Vec::new());
    world.bundle(submission, &values(), 0, None)
}

pub(crate) const SITE: &[u8] = br#"{"site":{"open":true,"changed":0}}"#;

/// The form instance as an array of its values.
pub(crate) fn instance_as_array(payload: &str) -> String {
    let (before, rest) = payload.split_once("\"instance\":{").unwrap();
    let (_, after) = rest.split_once('}').unwrap();
    format!("{before}\"instance\":[\"{PARTICIPANT}\",\"V1\",0,\"VS\",0]{after}")
}

/// A submission whose envelope is an array of the fields' values.
pub(crate) fn with_envelope_as_array() -> Bundle {
    let (mut world, _) = with_submission();
    let envelope = dsse::sign(&world.submission(None), &[&key(INVESTIGATOR)]);
    let json: serde_json::Value = serde_json::from_slice(&envelope).unwrap();
    let array = serde_json::json!([json["payloadType"], json["payload"], json["signatures"]]);
    let submission =
        world.record_bytes(Service::Capture, "submit-form", serde_json::to_vec(&array).unwrap(), Vec::new());
    world.bundle(submission, &values(), 0, None)
}

/// A bundle's JSON, changed, behind its right digest.
fn rewritten(bundle: &Bundle, from: &str, to: &str) -> Vec<u8> {
    let json = serde_json::to_string(bundle).unwrap();
    assert!(json.contains(from));
    let json = json.replacen(from, to, 1);
    format!("trialseal/bundle@v1 sha256 {}\n{json}", seal::sha256(&[json.as_bytes()]).to_hex()).into_bytes()
}

#[test]
fn objects_are_written_as_objects_and_names_as_strings() {
    let judged = |bundle: Bundle| link(&World::new().verify(&bundle));
    assert_eq!(judged(written(str::to_owned, SITE)), None);
    assert_eq!(judged(with_envelope_as_array()), Some(LinkName::Submission));
    assert_eq!(judged(written(instance_as_array, SITE)), Some(LinkName::Submission));
    assert_eq!(judged(written(str::to_owned, br#"{"site":[true,0,null]}"#)), Some(LinkName::Site));
    assert_eq!(
        judged(written(str::to_owned, br#"{"site":{"open":true,"changed":0,"state":{"open":null}}}"#)),
        Some(LinkName::Site)
    );
    let (bundle, policy) = (written(str::to_owned, SITE), World::new().policy());
    let judged = |from: &str, to: &str| link(&verify(&rewritten(&bundle, from, to), &policy));
    assert_eq!(judged("\"service\":\"capture\"", "\"service\": \"capture\""), None);
    assert_eq!(judged("\"service\":\"capture\"", "\"service\":{\"capture\":null}"), Some(LinkName::File));
}
