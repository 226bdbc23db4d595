//! How often a walk parses and checks: what a proof costs, counted and not timed.

#![allow(clippy::unwrap_used)] // a test may panic

mod hostile;
#[path = "../../tests/forged/world/mod.rs"]
pub(super) mod world;

use super::{Demand, Fault, Part, complete, walk};
use crate::{
    bundle::Bundle,
    command::{ActorKind, Delegate, RegisterActor, RotateKey},
    fact::{self, Fact},
    id::{Name, Service},
    subject::{self, Subject},
    task,
    text::Base64,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::cell::Cell;
use world::{
    START_MS, World, key, public,
    study::{INVESTIGATOR, name},
};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    Entry,
    Envelope,
    Command,
    Fact,
    Signature,
    /// Bytes of a bundle file.
    FileBytes,
    /// Bytes of payloads and facts whose fields were read.
    ReadBytes,
    /// Bytes that were hashed with SHA-256.
    HashedBytes,
    /// Bytes of payloads that signatures were verified over.
    SignedBytes,
}

/// How often each was done.
pub(crate) type Counts = [usize; 9];

thread_local! {
    static COUNTS: Cell<Counts> = const { Cell::new([0; 9]) };
}

thread_local! {
    static FORGIVEN: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Whether the check that gives this reason is left out: what a bundle lacks is shown by doing without one check.
pub(crate) fn forgiven(reason: &str) -> bool {
    FORGIVEN.get().is_some_and(|words| reason.contains(words))
}

/// Does something without the checks whose reasons contain these words.
pub(super) fn forgiving<T>(words: &'static str, work: impl FnOnce() -> T) -> T {
    FORGIVEN.set(Some(words));
    let done = work();
    FORGIVEN.set(None);
    done
}

pub(crate) fn count(check: Check) {
    count_many(check, 1);
}

pub(crate) fn count_many(check: Check, times: usize) {
    let mut counts = COUNTS.get();
    counts[check as usize] += times;
    COUNTS.set(counts);
}

pub(crate) fn count_signature(payload: usize) {
    count(Check::Signature);
    count_many(Check::SignedBytes, payload);
}

pub(crate) fn count_bundle(bytes: usize) {
    count_many(Check::HashedBytes, bytes);
    count_many(Check::FileBytes, bytes);
}

pub(crate) fn counted<T>(work: impl FnOnce() -> T) -> (T, Counts) {
    COUNTS.set([0; 9]);
    let done = work();
    (done, COUNTS.get())
}

fn command<P: DeserializeOwned>(world: &World, by: &str, mut rest: Value) -> P {
    let common = json!({ "study": world.study, "request": world.study, "by": by, "time": world.time });
    rest.as_object_mut().unwrap().extend(common.as_object().unwrap().clone());
    serde_json::from_value(rest).unwrap()
}

fn valid(world: &World, actor: &str, new: &str) -> (Subject, Fact) {
    let (key, registered) = (public(new), world.next(Service::Enrollment));
    (subject::key(key.id()), Fact::Key(fact::Key { actor: name(actor), key, registered, ended: None, steps: None }))
}

/// A study whose investigator replaced their key so often; the last time in the entry of this number.
fn rotations(count: usize) -> (World, u64) {
    let (mut world, mut old, mut last) = (World::new(), INVESTIGATOR.to_owned(), 0);
    for number in 0..count {
        let new = format!("key {number}");
        let rotate: RotateKey = command(&world, INVESTIGATOR, json!({ "key": public(&new) }));
        let facts = vec![valid(&world, INVESTIGATOR, &new)];
        last = world.record(&rotate, &[&key(&old), &key(&new)], facts);
        old = new;
    }
    (world, last)
}

/// A study in which each actor registers the next one, and lets them register others, so often.
fn delegations(count: usize) -> (World, u64) {
    let (mut world, mut by, mut last) = (World::new(), "root".to_owned(), 0);
    let (task, from, until) = (task::REGISTER_ACTORS, START_MS, START_MS + 1_000_000_000);
    for number in 0..count {
        let next = format!("actor-{number}");
        let register = json!({ "actor": next, "kind": ActorKind::Person, "key": public(&next) });
        let register: RegisterActor = command(&world, &by, register);
        let facts = vec![valid(&world, &next, &next)];
        last = world.record(&register, &[&key(&by)], facts);
        let delegate = json!({ "actor": next, "task": task, "site": "*", "from": from, "until": until });
        let delegate: Delegate = command(&world, &by, delegate);
        let subject = subject::delegation(&name(&next), task, &Name::all_sites());
        let granted = world.next(Service::Enrollment);
        let fact = Fact::Delegation(fact::Delegation { granted, from, until, ended: None });
        world.record(&delegate, &[&key(&by)], vec![(subject, fact)]);
        by = next;
    }
    (world, last)
}

fn about(world: &World, submission: u64) -> Bundle {
    Bundle {
        study: world.study,
        submission,
        datapoint: Base64::default(),
        index: 0,
        path: Vec::new(),
        entries: Vec::new(),
        facts: Vec::new(),
        blocks: Vec::new(),
        checkpoint: String::new(),
        record: Some(Service::Enrollment),
        withheld: None,
    }
}

/// A part from a world, as a service would fetch it.
fn fetch(world: &World, demand: &Demand) -> Option<Part> {
    let mut one = about(world, 0);
    let found = world.supply(&mut one, demand.clone());
    let part = one.entries.pop().map(Part::Entry).or_else(|| one.facts.pop().map(Part::Fact));
    part.filter(|_| found)
}

/// Completes the bundle about an entry, and says how many parts were fetched for it.
fn completed((world, number): &(World, u64)) -> (Result<Bundle, Fault>, usize) {
    let mut fetched = 0;
    let mut supplier = |demand: &Demand| {
        fetched += 1;
        fetch(world, demand)
    };
    let bundle = complete(about(world, *number), &world.root.public(), &mut supplier);
    (bundle, fetched)
}

/// How often each check is made for a bundle in which everything is checked once.
fn once(bundle: &Bundle) -> [usize; 3] {
    let envelopes = bundle.entries.iter().filter(|part| part.envelope.is_some()).count();
    [bundle.entries.len(), envelopes, bundle.facts.len()]
}

#[test]
fn every_part_of_a_bundle_is_fetched_parsed_and_checked_once() {
    for (what, chain) in [("rotations", rotations(100)), ("delegations", delegations(60))] {
        let ((bundle, fetched), made) = counted(|| completed(&chain));
        let mut bundle = bundle.unwrap();
        let [entries, envelopes, facts] = once(&bundle);
        assert!(envelopes >= 60 && entries > envelopes && facts >= 60, "{what}: {:?}", once(&bundle));
        // Signatures: one for each envelope. Commands: the first is read as that of any kind.
        assert_eq!(made[..5], [entries, envelopes, envelopes - 1, facts, envelopes], "{what}");
        // An entry that another one follows may turn out later to be needed with its envelope.
        assert!((entries + facts..=entries + envelopes + facts).contains(&fetched), "{what}: {fetched}");
        chain.0.complete(&mut bundle);
        let (report, checked) = counted(|| chain.0.verify(&bundle));
        assert!(report.verified, "{what}: {:?}", report.failure);
        assert_eq!(checked[..5], made[..5], "{what}: the verifier does as much as who completed it");
    }
}

#[test]
fn what_a_proof_costs_grows_with_the_length_of_its_chain() {
    let rotated = [40, 80, 120].map(|length| counted(|| completed(&rotations(length)).1));
    let delegated = [20, 40, 60].map(|length| counted(|| completed(&delegations(length)).1));
    for [(short, few), (middle, some), (long, many)] in [rotated, delegated] {
        assert_eq!(long - middle, middle - short);
        for check in 0..5 {
            assert_eq!(many[check] - some[check], some[check] - few[check]);
        }
    }
}

#[test]
fn a_chain_longer_than_a_bundle_may_rest_on_is_told_from_a_broken_one() {
    assert!(completed(&rotations(128)).0.is_ok());
    let (refused, fetched) = completed(&rotations(140));
    assert!(matches!(refused, Err(Fault::TooLong(_))), "{refused:?}");
    assert!(fetched <= 128 * 3 + 4, "{fetched}: it ends there");
    let (mut world, number) = rotations(3);
    world.root = key("another");
    assert!(matches!(completed(&(world, number)).0, Err(Fault::Broken(_))));
}

#[test]
fn a_part_that_was_not_asked_for_is_not_taken_in() {
    let (world, number) = rotations(3);
    let mut asked = Vec::new();
    let mut supplier = |demand: &Demand| {
        asked.push(demand.clone());
        fetch(&world, &Demand::Entry { service: Service::Enrollment, number, envelope: asked.len() == 1 })
    };
    let refused = complete(about(&world, number), &world.root.public(), &mut supplier);
    let Err(Fault::Missing(_, missing)) = refused else { panic!("{refused:?}") };
    assert_eq!((asked.len(), &missing), (2, &asked[1]), "it asks once and gives up");
}

#[test]
fn without_a_supplier_what_is_missing_is_a_fault_and_stays_missing() {
    let (world, number) = rotations(1);
    let missing = walk(&about(&world, number), &world.root.public(), &mut Vec::new()).err();
    let envelope = Demand::Entry { service: Service::Enrollment, number, envelope: true };
    assert!(matches!(missing, Some(Fault::Missing(_, demand)) if demand == envelope));
}

/// Microseconds of this thread's processor time.
fn processor_us() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse::<u64>().unwrap() / 1_000
}

#[test]
#[ignore = "measures, for docs/PERFORMANCE.md"]
fn one_walk_against_a_walk_for_each_part() {
    let chain = rotations(120);
    let (world, number, root_key) = (&chain.0, chain.1, chain.0.root.public());
    let mut parts = Vec::new();
    let mut keep = |demand: &Demand| fetch(world, demand).inspect(|part| parts.push(part.clone()));
    complete(about(world, number), &root_key, &mut keep).unwrap();

    let (begun, mut all) = (processor_us(), parts.iter().cloned());
    complete(about(world, number), &root_key, &mut |_: &Demand| all.next()).unwrap();
    let once = processor_us() - begun;

    let (begun, mut all, mut bundle) = (processor_us(), parts.iter().cloned(), about(world, number));
    while walk(&bundle, &root_key, &mut Vec::new()).is_err() {
        match all.next().unwrap() {
            Part::Fact(part) => bundle.facts.push(part),
            Part::Entry(part) => {
                bundle.entries.retain(|known| (known.service, known.number) != (part.service, part.number));
                bundle.entries.push(part);
            }
        }
    }
    let again = processor_us() - begun;
    println!("{} parts: {once} us in one walk, {again} us with a walk for each, ratio {}", parts.len(), again / once);
}
