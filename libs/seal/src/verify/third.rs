//! The vectors of `docs/vectors/rules-3`: bundles of a service that accepted what rules 3 refuse. Its states are true, every
//! hash, proof and signature is in order, and each bundle has all its parts: it is refused for one reason, and would verify
//! without the one check that it is named for.

#![allow(clippy::unwrap_used)] // a test may panic

mod consents;
#[path = "../../tests/forged/published.rs"]
mod published;
mod rights;
mod times;
mod two_persons;

use super::counted::{
    forgiving,
    world::{
        START_MS, World, policy_of,
        study::{Consent, DEVICE, FATHER, INVESTIGATOR, MOTHER, PARTICIPANT, name, terms, values},
    },
};
use crate::{
    bundle::{Bundle, Withheld},
    command::{Assent, Capacity, Terms},
    id::Service,
    policy::Policy,
    report::{LinkName, Report},
    sha256,
    text::Hex,
    verify::verify,
};
use published::{Vector, published};
use tlog::merkle::leaf_hash;

const DAY: u64 = 86_400_000;
const LATER: u64 = START_MS + 100 * DAY;

/// Journals, and what a bundle of them is about.
struct Case {
    world: World,
    of: u64,
    about: About,
}

enum About {
    /// The first value of a submission.
    Value,
    /// The second value, which this entry took out.
    Redacted(u64),
    /// A submission that this entry erased.
    Erased(u64),
    /// A command of this journal as such.
    Record(Service),
}

impl Case {
    fn bundle(&self) -> Bundle {
        let Self { world, of, about } = self;
        let leaf = Hex(leaf_hash(&values()[1].to_bytes()));
        match about {
            About::Value => world.bundle(*of, &values(), 0, None),
            About::Redacted(entry) => world.bundle(*of, &values(), 1, Some(Withheld::Redacted { entry: *entry, leaf })),
            About::Erased(entry) => world.bundle(*of, &values(), 0, Some(Withheld::Erased { entry: *entry })),
            About::Record(service) => world.record_bundle(*service, *of),
        }
    }
}

/// A submission under a document with these terms, after what happened once it was published.
fn captured(mut world: World, of: Terms, happened: impl FnOnce(&mut World)) -> Case {
    world.publish(Some(of));
    happened(&mut world);
    let of = world.submit(None);
    Case { world, of, about: About::Value }
}

/// The same in the usual study, under the usual document.
fn after(happened: impl FnOnce(&mut World)) -> Case {
    captured(World::third(), admitting(), happened)
}

/// A submission after what happened before the document was published, under the participant's own consent.
fn prepared(prepare: impl FnOnce(&mut World)) -> Case {
    let mut world = World::third();
    prepare(&mut world);
    captured(world, admitting(), |world| _ = world.consent(&own()))
}

/// Terms that admit everybody.
fn admitting() -> Terms {
    Terms { site_device: true, ..terms() }
}

fn own() -> Consent {
    Consent::by(Capacity::Participant, &[PARTICIPANT])
}

fn on_device() -> Consent {
    Consent::by(Capacity::SiteDevice { device: name(DEVICE), evidence: Hex(sha256(&[b"drawn"])) }, &[DEVICE])
}

/// The consent of parents who say that this is when the minor comes of age; so does the state.
fn of_parents(majority: u64) -> Consent {
    let parents = vec![name(MOTHER), name(FATHER)];
    let capacity = Capacity::Minor { parents, assent: Assent::Signed, majority };
    Consent { majority: Some(majority), ..Consent::by(capacity, &[MOTHER, FATHER, PARTICIPANT]) }
}

/// A vector that is refused for one reason.
#[derive(Clone, Copy)]
struct Wrong {
    name: &'static str,
    link: LinkName,
    /// Words of the reason that no other check gives.
    reason: &'static str,
    /// The case as it should be, which verifies, or as it should not.
    make: fn(bool) -> Case,
    /// The name under which the case as it should be is published, where it is at a bound.
    bound: Option<&'static str>,
}

fn wrong(name: &'static str, link: LinkName, reason: &'static str, make: fn(bool) -> Case) -> Wrong {
    Wrong { name, link, reason, make, bound: None }
}

/// A vector a millisecond, or the like, past a bound, and one at it.
fn past(bound: &'static str, wrong: Wrong) -> Wrong {
    Wrong { bound: Some(bound), ..wrong }
}

fn policy_text() -> String {
    policy_of(&[&World::third(), &World::of_rules(4)])
}

fn judged(bundle: &Bundle) -> Report {
    verify(&bundle.to_bytes(), &Policy::parse(&policy_text()).unwrap())
}

impl Wrong {
    /// Makes the vectors, and checks that one check alone refuses the wrong one.
    fn vectors(&self) -> Vec<Vector> {
        let Self { name, link, reason, make, bound } = self;
        let right = make(true).bundle();
        let report = judged(&right);
        assert!(report.verified, "{name}, as it should be: {:?}", report.failure);
        let (bundle, without) = forgiving(reason, || {
            let bundle = make(false).bundle();
            let report = judged(&bundle);
            (bundle, report)
        });
        assert!(without.verified, "{name}, without the check: {:?}", without.failure);
        let failure = judged(&bundle).failure;
        let said = failure.as_ref().map(|failure| failure.reason.as_str()).unwrap_or_default();
        // What nobody delegated cannot be shown: then the fact is lacking.
        let lacks = reason.contains("held no delegation") && said.contains("lacks a proof of the fact");
        assert!(said.contains(reason) || lacks, "{name}: {failure:?}");
        let good = bound.map(|bound| (bound, None, right));
        good.into_iter().chain([(*name, Some(*link), bundle)]).collect()
    }
}

/// Vectors that verify.
fn good() -> Vec<Vector> {
    let consented = |consent: Consent| after(|world| _ = world.consent(&consent)).bundle();
    vec![
        ("own", None, consented(own())),
        ("parents", None, consented(of_parents(LATER))),
        ("guardian", None, consented(consents::guardian())),
        ("on-a-device-of-the-site", None, consented(on_device())),
        ("given-again-on-the-newest-state", None, consents::given_again(true).bundle()),
        ("redaction-by-two-persons", None, two_persons::redacted(|_| (), |_| ()).bundle()),
        ("erasure", None, times::erased(1_000).bundle()),
        ("confirmed-by-a-registrar", None, rights::confirmed(|_| ()).bundle()),
        ("delegated-from-a-later-period", None, rights::from_a_later_period().bundle()),
        ("withdrawal-recorded-late", None, times::recorded(2 * DAY as i64).bundle()),
    ]
}

/// The vectors of `docs/vectors/rules-3`, made by `TRIALSEAL_WRITE_VECTORS=1 cargo test --workspace --lib third`.
#[test]
fn each_vector_of_rules_3_is_refused_by_the_one_check_it_is_named_for() {
    let wrong =
        [consents::wrong_consents(), rights::wrong_rights(), times::wrong_times(), two_persons::wrong_persons()];
    let wrong = wrong.iter().flatten().flat_map(Wrong::vectors);
    let vectors: Vec<Vector> = good().into_iter().chain(wrong).chain(rights::without_a_signature()).collect();
    for report in published("rules-3", &policy_text(), &vectors) {
        assert!(report.claim.is_none_or(|claim| claim.rules == 3));
    }
}

/// Another signer of the consent discussion than the investigator, whose rights the case is not about.
fn nurse(world: &mut World, kind: crate::command::ActorKind, tasks: &[&str]) {
    world.register_of(NURSE, kind, None, NURSE);
    tasks.iter().for_each(|task| _ = world.delegate(NURSE, task));
}

const NURSE: &str = "nurse-adeyemi";

/// The investigator, who does everything else.
const BY: &str = INVESTIGATOR;
