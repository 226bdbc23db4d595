//! Forgeries published for other verifiers.

use super::{
    EARLIER, LATER,
    consent::{
        capture, deferred, guardian, minor, own, with_false_device, with_second_key, with_stated_witness, with_witness,
    },
    withheld::{erasure, redaction},
    written::{SITE, instance_as_array, with_envelope_as_array, with_odd_fact, written},
};
use crate::published::{Vector, published};
use crate::world::{
    World,
    study::{Consent, DEVICE, FATHER, INVESTIGATOR, MOTHER, OTHER, PARTICIPANT, SECOND, name, offer, provision, terms},
};
use seal::{
    command::{Assent, Capacity, Reconsent, ReconsentMode, Relation, Terms},
    fact::{End, Superseded, Until},
    report::LinkName,
};

fn consent_vectors() -> Vec<Vector> {
    let under = |consent: &Consent, of: &Terms| capture(World::new(), consent, Some(of.clone()), None, None);
    let false_world = |(world, consent): (World, Consent)| capture(world, &consent, Some(terms()), None, None);
    let parent = with_stated_witness(PARTICIPANT, "701", Relation::ImpartialWitness, Relation::Parent);
    let (consent, document) = (Some(LinkName::Consent), Some(LinkName::Document));
    let parents = minor(&[MOTHER, FATHER], &[MOTHER, PARTICIPANT]);
    let without_assent = minor(&[MOTHER, FATHER], &[MOTHER, FATHER]);
    let parent_twice = minor(&[MOTHER, MOTHER], &[MOTHER, PARTICIPANT]);
    let majority =
        Capacity::Minor { parents: vec![name(MOTHER), name(FATHER)], assent: Assent::Signed, majority: EARLIER };
    let majority = Consent::by(majority, &[MOTHER, FATHER, PARTICIPANT]);
    let ended = Consent { until: Some(Until { time: EARLIER, why: End::Deferral }), ..own() };
    let stated = vec![provision("data_collection"), provision("genetics")];
    let more = Consent { stated: stated.clone(), ..own() };
    let both = Consent { provisions: stated, ..own() };
    let only = Terms { provisions: vec![offer("data_collection", true)], ..terms() };
    let reconsent = Reconsent { by: EARLIER + 1, meanwhile: ReconsentMode::Warn, then: ReconsentMode::Stop };
    let superseded = Superseded { by: 9, effective: EARLIER, reconsent: Some(reconsent) };
    vec![
        ("parent-did-not-sign", consent, under(&parents, &terms())),
        ("minor-did-not-assent", consent, under(&without_assent, &terms())),
        ("one-parent-of-two", document, under(&minor(&[MOTHER], &[MOTHER, PARTICIPANT]), &terms())),
        ("one-parent-twice", document, under(&parent_twice, &terms())),
        (
            "minors-not-admitted",
            document,
            under(&minor(&[MOTHER], &[MOTHER, PARTICIPANT]), &Terms { parents: 0, ..terms() }),
        ),
        ("representative-not-admitted", document, under(&guardian(), &Terms { representative: false, ..terms() })),
        ("deferral-not-admitted", document, under(&deferred(LATER), &Terms { deferral_ms: Some(1), ..terms() })),
        ("document-for-another-site", document, under(&own(), &Terms { sites: vec![name("702")], ..terms() })),
        ("document-not-yet-in-use", document, under(&own(), &Terms { effective: LATER, ..terms() })),
        (
            "witness-of-another-participant",
            consent,
            false_world(with_witness(OTHER, "701", Relation::ImpartialWitness)),
        ),
        ("witness-of-another-site", consent, false_world(with_witness(PARTICIPANT, "702", Relation::ImpartialWitness))),
        ("parent-as-witness", consent, false_world(with_witness(PARTICIPANT, "701", Relation::Parent))),
        ("witness-as-a-parent-in-the-state", consent, false_world(parent)),
        ("person-as-device", consent, false_world(with_false_device())),
        ("representative-with-a-key-of-staff", consent, false_world(with_second_key())),
        ("period-over-as-the-state-says", consent, under(&ended, &terms())),
        ("majority-reached-as-signed", consent, under(&majority, &terms())),
        ("deferral-over-as-signed", consent, under(&deferred(EARLIER), &terms())),
        ("reconsent-overdue", consent, capture(World::new(), &own(), Some(terms()), Some(superseded), None)),
        ("provision-not-given", consent, capture(World::new(), &own(), Some(terms()), None, Some("genetics"))),
        ("provision-not-signed", consent, capture(World::new(), &more, Some(terms()), None, Some("genetics"))),
        ("provision-not-offered", document, capture(World::new(), &both, Some(only), None, Some("genetics"))),
        ("manner-without-terms", document, capture(World::new(), &own(), None, None, None)),
        ("first-rules", None, capture(World::new(), &Consent { manner: None, ..own() }, None, None, None)),
    ]
}

fn withheld_vectors() -> Vec<Vector> {
    let (redacted, erased) = (Some(LinkName::Redaction), Some(LinkName::Erasure));
    let both = [INVESTIGATOR, SECOND];
    vec![
        ("redaction-by-one-person", redacted, redaction(|redact| redact.second = redact.by.clone(), &both)),
        ("redaction-with-one-signature", redacted, redaction(|_| (), &both[..1])),
        ("redaction-by-a-device", redacted, redaction(|redact| redact.second = name(DEVICE), &[INVESTIGATOR, DEVICE])),
        ("redaction-of-another-value", redacted, redaction(|redact| redact.index = 0, &both)),
        ("redaction-of-another-submission", redacted, redaction(|redact| redact.entry = 5, &both)),
        ("redaction-of-another-participant", redacted, redaction(|redact| redact.participant = name(OTHER), &both)),
        ("erasure-of-other-entries", erased, erasure(|erase| erase.entries = vec![5], INVESTIGATOR)),
        ("erasure-without-the-task", erased, erasure(|erase| erase.by = name(SECOND), SECOND)),
        ("erasure-in-any-order", None, erasure(|erase| erase.entries = vec![7, 5, 3, 0], INVESTIGATOR)),
        ("fact-of-the-future", None, with_odd_fact()),
        ("payload-with-an-array-for-an-object", Some(LinkName::Submission), written(instance_as_array, SITE)),
        ("envelope-as-an-array", Some(LinkName::Submission), with_envelope_as_array()),
        (
            "fact-with-an-array-for-an-object",
            Some(LinkName::Site),
            written(str::to_owned, br#"{"site":[true,0,null]}"#),
        ),
    ]
}

/// The vectors of `docs/vectors/forged`, made by `TRIALSEAL_WRITE_VECTORS=1 cargo test -p seal --test forged vectors`.
#[test]
fn the_forged_vectors_are_these() {
    let vectors: Vec<Vector> = consent_vectors().into_iter().chain(withheld_vectors()).collect();
    published("forged", &World::new().policy_text(), &vectors);
}
