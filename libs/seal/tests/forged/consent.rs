//! Who gave consent, to what, under which document, and until when.

use super::{EARLIER, LATER, link};
use crate::world::{
    World, key,
    study::{
        Consent, DEVICE, FATHER, GUARDIAN, MOTHER, OTHER, PARTICIPANT, SECOND, WITNESS, name, offer, provision, terms,
        values,
    },
};
use seal::{
    bundle::Bundle,
    command::{ActorKind, Assent, Capacity, Reconsent, ReconsentMode, Relation, Terms},
    fact::{self, End, Fact, Superseded, Until},
    id::Service,
    report::LinkName,
    subject,
    text::Hex,
    verify::verify,
};

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
pub(crate) fn capture(
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

pub(crate) fn own() -> Consent {
    Consent::by(Capacity::Participant, &[PARTICIPANT])
}

pub(crate) fn minor(parents: &[&str], signers: &[&'static str]) -> Consent {
    let parents = parents.iter().map(|parent| name(parent)).collect();
    Consent::by(Capacity::Minor { parents, assent: Assent::Signed, majority: LATER }, signers)
}

pub(crate) fn guardian() -> Consent {
    Consent::by(Capacity::Representative { actor: name(GUARDIAN) }, &[GUARDIAN])
}

fn on_device(device: &str, signers: &[&'static str]) -> Consent {
    let evidence = Hex(seal::sha256(&[b"drawn"]));
    Consent::by(Capacity::SiteDevice { device: name(device), evidence }, signers)
}

pub(crate) fn deferred(deadline: u64) -> Consent {
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
pub(crate) fn with_witness(of: &str, site: &str, relation: Relation) -> (World, Consent) {
    with_stated_witness(of, site, relation, Relation::ImpartialWitness)
}

/// The same; the state names this relation.
pub(crate) fn with_stated_witness(of: &str, site: &str, relation: Relation, stated: Relation) -> (World, Consent) {
    let mut world = World::new();
    world.represent(LATE, of, site, relation, stated);
    let mut consent = Consent::by(Capacity::Participant, &[PARTICIPANT, LATE]);
    consent.manner.as_mut().unwrap().witness = Some(name(LATE));
    (world, consent)
}

/// A person whom the state calls a device.
pub(crate) fn with_false_device() -> (World, Consent) {
    let mut world = World::new();
    world.register("dr-false", ActorKind::Person, ActorKind::Device);
    (world, on_device("dr-false", &["dr-false"]))
}

/// A second key of the witness, registered by who registers staff.
pub(crate) fn with_second_key() -> (World, Consent) {
    let mut world = World::new();
    let (registered, actor, key) = (world.next(Service::Enrollment), name(WITNESS), key("another key").public());
    let fact = Fact::Key(fact::Key { actor: actor.clone(), key, registered, ended: None, steps: None });
    world.register_key(&actor, ActorKind::Person, key, vec![(subject::key(key.id()), fact)]);
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
    let stated = with_stated_witness(PARTICIPANT, "701", Relation::ImpartialWitness, Relation::Parent);
    assert_eq!(judged(stated), refused, "as another, as the state says");
    assert_eq!(judged(with_false_device()), refused);
    assert_eq!(judged(with_second_key()), refused);
}

#[test]
fn a_key_is_the_one_its_registration_names() {
    let again = |actor, named, consent: &Consent| {
        let mut world = World::new();
        world.register_again(actor, named, "stated key");
        under(world, consent, &terms())
    };
    let participant = Consent::by(Capacity::Participant, &["stated key"]);
    assert_eq!(again(PARTICIPANT, "stated key", &participant), None);
    assert_eq!(again(PARTICIPANT, "another key", &participant), Some(LinkName::Consent));
    let witness = witnessed(&[PARTICIPANT, "stated key"]);
    assert_eq!(again(WITNESS, "stated key", &witness), None);
    assert_eq!(again(WITNESS, "another key", &witness), Some(LinkName::Consent));
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

#[test]
fn a_new_key_is_vouched_for_by_the_older_one() {
    let mut world = World::new();
    world.publish(Some(terms()));
    world.rotate(PARTICIPANT, "new key");
    world.consent(&Consent::by(Capacity::Participant, &["new key"]));
    let submission = world.submit(None);
    assert_eq!(link(&world.verify(&world.bundle(submission, &values(), 0, None))), None);
}
