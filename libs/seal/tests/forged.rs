//! False journals, every hash, proof and signature in order: the verifier refuses each by the name of the link it breaks.

#![allow(clippy::unwrap_used)]

mod world;

use seal::{
    bundle::{Bundle, Withheld},
    command::{ActorKind, Assent, Capacity, EraseParticipant, Reconsent, ReconsentMode, RedactValue, Relation, Terms},
    dsse,
    fact::{End, Fact, Subject, Superseded, Until},
    id::Service,
    key::SecretKey,
    report::{LinkName, Report},
    text::Hex,
    verify::verify,
};
use std::{collections::BTreeMap, fs, path::Path};
use tlog::merkle::leaf_hash;
use world::{
    START_MS, World, key,
    study::{
        Consent, DEVICE, FATHER, GUARDIAN, INVESTIGATOR, MOTHER, OTHER, PARTICIPANT, SECOND, WITNESS, name, offer,
        provision, terms, values,
    },
};

const LATER: u64 = START_MS + 1_000_000_000;
/// A moment between the start of the journals and everything captured.
const EARLIER: u64 = START_MS + 10_000;

fn link(report: &Report) -> Option<LinkName> {
    assert_eq!(report.verified, report.failure.is_none());
    report.failure.as_ref().map(|failure| failure.link)
}

/// What the verifier makes of a submission under this consent, to a document with these terms.
fn under(world: World, consent: &Consent, of: &Terms) -> Option<LinkName> {
    captured(world, consent, Some(of.clone()), None, None)
}

fn captured(
    world: World,
    consent: &Consent,
    terms: Option<Terms>,
    superseded: Option<Superseded>,
    provision: Option<&str>,
) -> Option<LinkName> {
    let policy = world.policy();
    link(&verify(&capture(world, consent, terms, superseded, provision).to_bytes(), &policy))
}

/// The bundle of a submission under this consent.
fn capture(
    mut world: World,
    consent: &Consent,
    terms: Option<Terms>,
    superseded: Option<Superseded>,
    provision: Option<&str>,
) -> Bundle {
    world.publish_as(terms, superseded);
    world.consent(consent);
    let submission = world.submit(provision);
    world.bundle(submission, &values(), 0, None)
}

fn own() -> Consent {
    Consent::by(Capacity::Participant, &[PARTICIPANT])
}

fn minor(parents: &[&str], signers: &[&'static str]) -> Consent {
    let parents = parents.iter().map(|parent| name(parent)).collect();
    Consent::by(Capacity::Minor { parents, assent: Assent::Signed, majority: LATER }, signers)
}

fn guardian() -> Consent {
    Consent::by(Capacity::Representative { actor: name(GUARDIAN) }, &[GUARDIAN])
}

fn on_device(device: &str, signers: &[&'static str]) -> Consent {
    let evidence = Hex(seal::sha256(&[b"drawn"]));
    Consent::by(Capacity::SiteDevice { device: name(device), evidence }, signers)
}

fn deferred(deadline: u64) -> Consent {
    Consent::by(Capacity::Deferred { reason: name("unconscious"), deadline }, &[])
}

fn witnessed(signers: &[&'static str]) -> Consent {
    let mut consent = Consent::by(Capacity::Participant, signers);
    consent.manner.as_mut().unwrap().witness = Some(name(WITNESS));
    consent
}

#[test]
fn every_way_to_consent_verifies() {
    assert_eq!(under(World::new(), &own(), &terms()), None);
    assert_eq!(under(World::new(), &minor(&[MOTHER, FATHER], &[MOTHER, FATHER, PARTICIPANT]), &terms()), None);
    assert_eq!(under(World::new(), &guardian(), &terms()), None);
    assert_eq!(under(World::new(), &on_device(DEVICE, &[DEVICE]), &terms()), None);
    assert_eq!(under(World::new(), &deferred(LATER), &terms()), None);
    assert_eq!(under(World::new(), &witnessed(&[PARTICIPANT, WITNESS]), &terms()), None);
    let first_rules = Consent { manner: None, ..own() };
    assert_eq!(captured(World::new(), &first_rules, None, None, None), None);
    let genetics = Consent { provisions: vec![provision("data_collection"), provision("genetics")], ..own() };
    assert_eq!(captured(World::new(), &genetics, Some(terms()), None, Some("genetics")), None);
    let able = Capacity::Minor {
        parents: vec![name(MOTHER), name(FATHER)],
        assent: Assent::NotAble(name("an infant")),
        majority: LATER,
    };
    assert_eq!(under(World::new(), &Consent::by(able, &[MOTHER, FATHER]), &terms()), None);
}

#[test]
fn whoever_had_to_sign_a_consent_signed_it() {
    let refused = Some(LinkName::Consent);
    assert_eq!(under(World::new(), &Consent::by(Capacity::Participant, &[MOTHER]), &terms()), refused);
    assert_eq!(under(World::new(), &minor(&[MOTHER, FATHER], &[MOTHER, PARTICIPANT]), &terms()), refused);
    assert_eq!(under(World::new(), &minor(&[MOTHER, FATHER], &[MOTHER, FATHER]), &terms()), refused, "assent");
    assert_eq!(under(World::new(), &minor(&[MOTHER, GUARDIAN], &[MOTHER, GUARDIAN, PARTICIPANT]), &terms()), refused);
    assert_eq!(under(World::new(), &minor(&[], &[PARTICIPANT]), &terms()), refused);
    assert_eq!(
        under(World::new(), &Consent::by(Capacity::Representative { actor: name(MOTHER) }, &[MOTHER]), &terms()),
        refused
    );
    assert_eq!(
        under(World::new(), &Consent::by(Capacity::Representative { actor: name(GUARDIAN) }, &[PARTICIPANT]), &terms()),
        refused
    );
    assert_eq!(under(World::new(), &on_device(DEVICE, &[PARTICIPANT]), &terms()), refused);
    assert_eq!(under(World::new(), &on_device(SECOND, &[SECOND]), &terms()), refused, "a person is no device");
    assert_eq!(under(World::new(), &witnessed(&[PARTICIPANT]), &terms()), refused);
}

const LATE: &str = "R-EEEEEEEEEEEEEEEE";

/// A witness whose registration names this participant, site and relation; the state says it is right.
fn with_witness(of: &str, site: &str, relation: Relation) -> (World, Consent) {
    let mut world = World::new();
    world.represent(LATE, of, site, relation, Relation::ImpartialWitness);
    let mut consent = Consent::by(Capacity::Participant, &[PARTICIPANT, LATE]);
    consent.manner.as_mut().unwrap().witness = Some(name(LATE));
    (world, consent)
}

/// A person whom the state calls a device.
fn with_false_device() -> (World, Consent) {
    let mut world = World::new();
    world.register("dr-false", ActorKind::Person, ActorKind::Device);
    (world, on_device("dr-false", &["dr-false"]))
}

/// A second key of the witness, registered by who registers staff.
fn with_second_key() -> (World, Consent) {
    let mut world = World::new();
    let (registered, actor, key) = (world.next(Service::Enrollment), name(WITNESS), key("another key").public());
    let fact = Fact::Key { actor: actor.clone(), key, registered, ended: None };
    world.register_key(&actor, ActorKind::Person, key, vec![(Subject::Key(key.id()), fact)]);
    (world, witnessed(&[PARTICIPANT, "another key"]))
}

#[test]
fn what_registered_who_signs_says_what_the_state_says() {
    let judged = |(world, consent): (World, Consent)| under(world, &consent, &terms());
    let refused = Some(LinkName::Consent);
    assert_eq!(judged(with_witness(PARTICIPANT, "701", Relation::ImpartialWitness)), None);
    assert_eq!(judged(with_witness(OTHER, "701", Relation::ImpartialWitness)), refused, "of another participant");
    assert_eq!(judged(with_witness(PARTICIPANT, "702", Relation::ImpartialWitness)), refused, "at another site");
    assert_eq!(judged(with_witness(PARTICIPANT, "701", Relation::Parent)), refused, "as another");
    assert_eq!(judged(with_false_device()), refused);
    assert_eq!(judged(with_second_key()), refused);
}

#[test]
fn a_document_admits_the_way_consent_was_given() {
    let refused = Some(LinkName::Document);
    let both = minor(&[MOTHER, FATHER], &[MOTHER, FATHER, PARTICIPANT]);
    let one = minor(&[MOTHER], &[MOTHER, PARTICIPANT]);
    assert_eq!(under(World::new(), &one, &terms()), refused, "one parent where two are asked for");
    assert_eq!(under(World::new(), &one, &Terms { parents: 1, ..terms() }), None);
    assert_eq!(under(World::new(), &minor(&[MOTHER, MOTHER], &[MOTHER, PARTICIPANT]), &terms()), refused, "one twice");
    assert_eq!(under(World::new(), &both, &Terms { parents: 0, ..terms() }), refused);
    assert_eq!(under(World::new(), &guardian(), &Terms { representative: false, ..terms() }), refused);
    assert_eq!(under(World::new(), &deferred(LATER), &Terms { deferral_ms: None, ..terms() }), refused);
    assert_eq!(under(World::new(), &deferred(LATER), &Terms { deferral_ms: Some(1_000), ..terms() }), refused);
    assert_eq!(under(World::new(), &own(), &Terms { sites: vec![name("702")], ..terms() }), refused);
    assert_eq!(under(World::new(), &own(), &Terms { sites: vec![name("701")], ..terms() }), None);
    assert_eq!(under(World::new(), &own(), &Terms { effective: LATER, ..terms() }), refused);
    let optional = Consent { provisions: vec![provision("data_collection"), provision("genetics")], ..deferred(LATER) };
    assert_eq!(captured(World::new(), &optional, Some(terms()), None, Some("genetics")), refused);
    assert_eq!(captured(World::new(), &own(), None, None, None), refused, "no terms admit only what has no manner");
    assert_eq!(under(World::new(), &Consent { manner: None, ..own() }, &terms()), refused);
    let lacking = Terms { provisions: vec![offer("genetics", false)], ..terms() };
    assert_eq!(under(World::new(), &own(), &lacking), refused);
}

#[test]
fn consent_is_to_the_provision_the_submission_rests_on() {
    let refused = Some(LinkName::Consent);
    assert_eq!(captured(World::new(), &own(), Some(terms()), None, Some("genetics")), refused);
    assert_eq!(captured(World::new(), &own(), Some(terms()), None, Some("data_collection:imaging")), refused);
    // The state says more than was signed.
    let stated = vec![provision("data_collection"), provision("genetics")];
    let more = Consent { stated, ..own() };
    assert_eq!(captured(World::new(), &more, Some(terms()), None, Some("genetics")), refused);
    assert_eq!(captured(World::new(), &more, Some(terms()), None, None), None);
}

#[test]
fn what_ends_by_itself_has_not_ended() {
    let refused = Some(LinkName::Consent);
    let ends = |time| Consent { until: Some(Until { time, why: End::Period }), ..own() };
    assert_eq!(under(World::new(), &ends(LATER), &terms()), None);
    assert_eq!(under(World::new(), &ends(EARLIER), &terms()), refused, "as the state says");
    // As the signed commands say, whatever the state says.
    let parents = vec![name(MOTHER), name(FATHER)];
    let came_of_age = Capacity::Minor { parents, assent: Assent::Signed, majority: EARLIER };
    let came_of_age = Consent::by(came_of_age, &[MOTHER, FATHER, PARTICIPANT]);
    assert_eq!(under(World::new(), &came_of_age, &terms()), refused);
    assert_eq!(under(World::new(), &deferred(EARLIER), &terms()), refused);
    let mut days = terms();
    days.provisions[0].days = Some(1);
    let after = |ms: u64| {
        let mut world = World::new();
        world.publish(Some(days.clone()));
        world.consent(&own());
        world.time += ms;
        let submission = world.submit(None);
        link(&world.verify(&world.bundle(submission, &values(), 0, None)))
    };
    // The clock of the journals ticks a second for each entry.
    assert_eq!(after(86_400_000 - 1_001), None);
    assert_eq!(after(86_400_000 - 1_000), refused);
}

#[test]
fn a_superseded_document_stops_capture_when_it_says_so() {
    let superseded = |effective, by, meanwhile, then| {
        let reconsent = Some(Reconsent { by, meanwhile, then });
        captured(World::new(), &own(), Some(terms()), Some(Superseded { by: 9, effective, reconsent }), None)
    };
    use ReconsentMode::{Stop, Warn};
    let refused = Some(LinkName::Consent);
    assert_eq!(superseded(EARLIER, LATER, Warn, Stop), None);
    assert_eq!(superseded(EARLIER, LATER, Stop, Stop), refused);
    assert_eq!(superseded(EARLIER, EARLIER + 1, Warn, Stop), refused);
    assert_eq!(superseded(EARLIER, EARLIER + 1, Warn, Warn), None);
    assert_eq!(superseded(LATER, LATER + 1, Stop, Stop), None);
    let silent = Some(Superseded { by: 9, effective: EARLIER, reconsent: None });
    assert_eq!(captured(World::new(), &own(), Some(terms()), silent, None), None);
}

#[test]
fn a_withdrawal_counts_from_when_it_was_recorded() {
    let mut world = World::new();
    world.publish(Some(terms()));
    let given = world.consent(&own());
    let before = world.submit(None);
    world.withdraw(&[provision("data_collection")], given);
    let after = world.submit(None);
    assert_eq!(link(&world.verify(&world.bundle(before, &values(), 0, None))), None);
    assert_eq!(link(&world.verify(&world.bundle(after, &values(), 0, None))), Some(LinkName::Consent));
}

/// A submission whose first signature is by a key of which the state holds what no verifier reads.
fn with_odd_fact() -> Bundle {
    let (mut world, _) = with_submission();
    let envelope = dsse::sign(&world.submission(None), &[&key("nobody"), &key(INVESTIGATOR)]);
    let odd = vec![(Subject::Key(key("nobody").public().id()), b"{\"future\":{}}".to_vec())];
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

/// A study with one submission.
fn with_submission() -> (World, u64) {
    let mut world = World::new();
    world.publish(Some(terms()));
    world.consent(&own());
    let submission = world.submit(None);
    (world, submission)
}

fn comment_leaf() -> Hex {
    Hex(leaf_hash(&values()[1].to_bytes()))
}

/// The bundle of a comment taken out by this redaction, signed by these.
fn redaction(change: impl Fn(&mut RedactValue), signers: &[&str]) -> Bundle {
    let (mut world, submission) = with_submission();
    let mut redact = world.redaction(submission);
    change(&mut redact);
    let keys: Vec<SecretKey> = signers.iter().map(|signer| key(signer)).collect();
    let entry = world.record(&redact, &keys.iter().collect::<Vec<_>>(), Vec::new());
    let withheld = Withheld::Redacted { entry, leaf: comment_leaf() };
    world.bundle(submission, &values(), 1, Some(withheld))
}

/// What the verifier makes of a comment taken out by this redaction, signed by these.
fn redacted(change: impl Fn(&mut RedactValue), signers: &[&str]) -> Option<LinkName> {
    let report = World::new().verify(&redaction(change, signers));
    if let Some(claim) = &report.claim {
        assert_eq!((claim.item.as_str(), claim.value.as_str()), ("COMMENT", ""));
        assert_eq!(claim.redacted.as_ref().map(|redacted| redacted.second.as_str()), Some(SECOND));
    }
    link(&report)
}

#[test]
fn a_value_is_taken_out_by_two_persons_entitled_to() {
    let both = [INVESTIGATOR, SECOND];
    let refused = Some(LinkName::Redaction);
    assert_eq!(redacted(|_| (), &both), None);
    assert_eq!(redacted(|redact| redact.second = redact.by.clone(), &both), refused, "one person twice");
    assert_eq!(redacted(|_| (), &[INVESTIGATOR]), refused);
    assert_eq!(redacted(|_| (), &[SECOND]), refused);
    assert_eq!(redacted(|redact| redact.second = name(DEVICE), &[INVESTIGATOR, DEVICE]), refused, "without the task");
    assert_eq!(redacted(|redact| redact.index = 0, &both), refused, "another value");
    assert_eq!(redacted(|redact| redact.entry += 1, &both), refused, "another submission");
    assert_eq!(redacted(|redact| redact.participant = name(OTHER), &both), refused);
    assert_eq!(redacted(|redact| redact.site = name("702"), &both), refused);
}

#[test]
fn a_redacted_bundle_holds_the_leaf_and_nothing_of_the_value() {
    let (mut world, submission) = with_submission();
    let entry = world.record(&world.redaction(submission), &[&key(INVESTIGATOR), &key(SECOND)], Vec::new());
    let made = |withheld, change: fn(&mut Bundle)| {
        let mut bundle = world.bundle(submission, &values(), 1, Some(withheld));
        change(&mut bundle);
        link(&world.verify(&bundle))
    };
    let good = || Withheld::Redacted { entry, leaf: comment_leaf() };
    assert_eq!(made(good(), |_| ()), None);
    let other = Hex(leaf_hash(b"another"));
    assert_eq!(made(Withheld::Redacted { entry, leaf: other }, |_| ()), Some(LinkName::Datapoint));
    assert_eq!(made(Withheld::Redacted { entry: submission, leaf: comment_leaf() }, |_| ()), Some(LinkName::Redaction));
    assert_eq!(made(good(), |bundle| bundle.datapoint.0 = values()[1].to_bytes()), Some(LinkName::Redaction));
    assert_eq!(made(good(), |bundle| bundle.withheld = None), Some(LinkName::Datapoint));
    // Before the redaction the value was there, and still is for whoever kept it.
    assert_eq!(link(&world.verify(&world.bundle(submission, &values(), 1, None))), None);
}

/// The bundle of a submission erased by this command, signed by this person.
fn erasure(change: impl Fn(&mut EraseParticipant), signer: &str) -> Bundle {
    let (mut world, submission) = with_submission();
    let mut erase = world.erasure(vec![submission]);
    change(&mut erase);
    let entry = world.record(&erase, &[&key(signer)], Vec::new());
    world.bundle(submission, &values(), 0, Some(Withheld::Erased { entry }))
}

/// What the verifier makes of a submission erased by this command, signed by this person.
fn erased(change: impl Fn(&mut EraseParticipant), signer: &str) -> Option<LinkName> {
    let report = World::new().verify(&erasure(change, signer));
    if report.verified {
        assert!(report.claim.is_none());
        let erasure = report.erasure.as_ref().unwrap();
        assert_eq!((erasure.entry, erasure.erased_in), (0, 1));
        assert!(erasure.checkpoint.is_some() && !erasure.delegations.is_empty());
    }
    link(&report)
}

#[test]
fn an_erasure_lists_the_entry_and_is_signed_by_who_may() {
    let refused = Some(LinkName::Erasure);
    assert_eq!(erased(|_| (), INVESTIGATOR), None);
    assert_eq!(erased(|erase| erase.entries = vec![7, 5, 3, 0], INVESTIGATOR), None, "in any order");
    assert_eq!(erased(|erase| erase.entries = Vec::new(), INVESTIGATOR), refused);
    assert_eq!(erased(|erase| erase.entries = vec![5], INVESTIGATOR), refused, "another entry");
    assert_eq!(erased(|erase| erase.by = name(SECOND), SECOND), refused, "without the task");
    assert_eq!(erased(|_| (), SECOND), refused, "signed by another");
}

#[test]
fn what_is_taken_out_was_recorded_before() {
    let withheld = |of: u64, withheld: Withheld, world: &World, index| {
        link(&world.verify(&world.bundle(of, &values(), index, Some(withheld))))
    };
    let (mut world, submission) = with_submission();
    let later = world.next(Service::Capture) + 1;
    let redaction = world.record(&world.redaction(later), &[&key(INVESTIGATOR), &key(SECOND)], Vec::new());
    assert_eq!(world.submit(None), later);
    let redacted = Withheld::Redacted { entry: redaction, leaf: comment_leaf() };
    assert_eq!(withheld(later, redacted, &world, 1), Some(LinkName::Redaction), "a submission of the future");

    let erasure =
        world.record(&world.erasure(vec![submission, redaction, later, later + 2]), &[&key(INVESTIGATOR)], Vec::new());
    let erased = || Withheld::Erased { entry: erasure };
    assert_eq!(world.submit(None), later + 2);
    assert_eq!(withheld(submission, erased(), &world, 0), None);
    assert_eq!(withheld(redaction, erased(), &world, 0), Some(LinkName::Erasure), "no submission");
    assert_eq!(withheld(later + 2, erased(), &world, 0), Some(LinkName::Erasure), "a submission of the future");
}

/// A submission whose payload or site fact is written otherwise.
fn written(payload: fn(&str) -> String, site: &[u8]) -> Bundle {
    let (mut world, _) = with_submission();
    let site = vec![(Subject::Site(name("701")), site.to_vec())];
    world.record_bytes(Service::Enrollment, "from-elsewhere", b"{}".to_vec(), site);
    let json = payload(&serde_json::to_string(&world.submission(None)).unwrap());
    let envelope = dsse::sign_bytes(&dsse::payload_type("submit-form"), json.into_bytes(), &[&key(INVESTIGATOR)]);
    let submission = world.record_bytes(Service::Capture, "submit-form", envelope, Vec::new());
    world.bundle(submission, &values(), 0, None)
}

const SITE: &[u8] = br#"{"site":{"open":true,"changed":0}}"#;

/// The form instance as an array of its values.
fn instance_as_array(payload: &str) -> String {
    let (before, rest) = payload.split_once("\"instance\":{").unwrap();
    let (_, after) = rest.split_once('}').unwrap();
    format!("{before}\"instance\":[\"{PARTICIPANT}\",\"V1\",0,\"VS\",0]{after}")
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

#[test]
fn an_erased_bundle_holds_nothing_of_the_submission() {
    let (mut world, submission) = with_submission();
    let entry = world.record(&world.erasure(vec![0, 1, 2]), &[&key(INVESTIGATOR)], Vec::new());
    let made = |of: u64, change: fn(&mut Bundle)| {
        let mut bundle = world.bundle(of, &values(), 0, Some(Withheld::Erased { entry }));
        change(&mut bundle);
        link(&world.verify(&bundle))
    };
    let refused = Some(LinkName::Erasure);
    assert_eq!(made(submission, |_| ()), None);
    assert_eq!(made(entry, |_| ()), refused, "an erasure is no submission, nor before itself");
    assert_eq!(made(submission, |bundle| bundle.datapoint.0 = values()[0].to_bytes()), refused);
    assert_eq!(made(submission, |bundle| bundle.index = 1), refused);
    assert_eq!(made(submission, |bundle| bundle.path.push(comment_leaf())), refused);
    let envelope = |bundle: &mut Bundle| {
        let part = bundle.entries.iter_mut().find(|part| part.envelope.is_none() && part.service == Service::Capture);
        part.unwrap().envelope = Some(seal::text::Base64(b"{}".to_vec()));
    };
    assert_eq!(made(submission, envelope), Some(LinkName::Leftovers));
}

#[test]
fn a_new_key_is_vouched_for_by_the_older_one() {
    let mut world = World::new();
    world.publish(Some(terms()));
    world.rotate(PARTICIPANT, "new key");
    world.consent(&Consent::by(Capacity::Participant, &["new key"]));
    let submission = world.submit(None);
    assert_eq!(link(&world.verify(&world.bundle(submission, &values(), 0, None))), None);
}

/// A vector: its name, the link that must fail, and the bundle.
type Vector = (&'static str, Option<LinkName>, Bundle);

fn consent_vectors() -> Vec<Vector> {
    let under = |consent: &Consent, of: &Terms| capture(World::new(), consent, Some(of.clone()), None, None);
    let false_world = |(world, consent): (World, Consent)| capture(world, &consent, Some(terms()), None, None);
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
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/vectors/forged");
    let vectors: Vec<Vector> = consent_vectors().into_iter().chain(withheld_vectors()).collect();
    let expected: BTreeMap<String, Option<String>> = vectors
        .iter()
        .map(|(name, link, _)| (format!("{name}.trialseal"), link.map(|link| link.to_string())))
        .collect();
    let expected = serde_json::to_string_pretty(&expected).unwrap() + "\n";
    let mut files = vec![("policy.txt".to_owned(), World::new().policy_text().into_bytes())];
    files.push(("expected.json".to_owned(), expected.into_bytes()));
    files.extend(vectors.iter().map(|(name, _, bundle)| (format!("{name}.trialseal"), bundle.to_bytes())));
    if std::env::var_os("TRIALSEAL_WRITE_VECTORS").is_some() {
        fs::create_dir_all(&folder).unwrap();
        files.iter().for_each(|(file, bytes)| fs::write(folder.join(file), bytes).unwrap());
    }
    for (file, bytes) in &files {
        assert!(fs::read(folder.join(file)).unwrap() == *bytes, "{file} is not as it is made");
    }
    let policy = World::new().policy();
    for (name, expected, bundle) in vectors {
        assert_eq!(link(&verify(&bundle.to_bytes(), &policy)), expected, "{name}");
    }
}
