//! Files made to cost much: each is judged for no more than a file of its size may cost.

use super::{
    Check, Counts, about, command, completed, counted, rotations,
    world::{
        START_MS, World, key, public,
        rotation::Rotation,
        study::{Consent, FATHER, INVESTIGATOR, MOTHER, PARTICIPANT, name, terms, values},
    },
};
use crate::{
    block::Block,
    bundle::{BlockPart, Bundle, EntryPart, MAX_BUNDLE_BYTES, MAX_FACT_BYTES, MAX_PARTS},
    command::{ActorKind, Assent, Capacity, Delegate, Payload, RegisterActor},
    dsse,
    entry::MAX_ENTRY_BYTES,
    fact::{self, Fact, Period},
    id::{Name, Service},
    report::{LinkName, Report},
    subject, task,
    text::{Base64, Hex},
    verify::verify,
};
use serde_json::json;
use tlog::{Hash, merkle};

/// What judging a file may cost, in nanoseconds of one processor.
const MOST_NS: usize = 200_000_000;

/// What the checkpoint costs at most: 64 signature lines, each verified over a note of 131,072 bytes or with ML-DSA-44.
const NOTE_NS: usize = 64 * 500_000;

/// What judging a file cost, in nanoseconds: each check at what it takes in a release build on a slow processor without
/// instructions for hashing.
fn cost_ns(counts: Counts) -> usize {
    let at = |check: Check, ns: usize| counts[check as usize] * ns;
    NOTE_NS
        + at(Check::Entry, 1_000)
        + at(Check::Envelope, 3_000)
        + at(Check::Command, 5_000)
        + at(Check::Fact, 5_000)
        + at(Check::Signature, 60_000)
        + at(Check::FileBytes, 3)
        + at(Check::ReadBytes, 10)
        + at(Check::HashedBytes, 4)
        + at(Check::SignedBytes, 3)
}

/// Judges a file; gives the report and what it cost.
fn judged(world: &World, file: &[u8]) -> (Report, Counts) {
    let policy = world.policy();
    counted(|| verify(file, &policy))
}

/// Checks that a file is refused at this link, and for how much.
fn refused(what: &str, world: &World, file: &[u8], link: LinkName) -> Counts {
    let (report, counts) = judged(world, file);
    let failed = report.failure.as_ref().map(|failure| failure.link);
    assert_eq!(failed, Some(link), "{what}: {:?}", report.failure);
    println!("{what}: {} bytes, {} us, {counts:?}", file.len(), cost_ns(counts) / 1_000);
    assert!(cost_ns(counts) <= MOST_NS, "{what}: {counts:?}");
    counts
}

/// The bundle of a command that verifies.
fn good() -> (World, Bundle) {
    let (world, number) = rotations(3);
    let mut bundle = about(&world, number);
    world.complete(&mut bundle);
    assert!(world.verify(&bundle).verified);
    (world, bundle)
}

fn junk(number: u64, length: usize) -> EntryPart {
    let entry = Base64(vec![number as u8; length]);
    EntryPart { service: Service::Consent, number, entry, envelope: None, path: Vec::new() }
}

fn block(world: &World, first: u64, count: u32, root: Hash) -> BlockPart {
    let stream = Service::Consent.stream(world.study);
    let block = Block { stream, number: 0, first, count, root, time: START_MS, previous: Hash::ZERO };
    BlockPart { block: Base64(block.to_bytes()), index: 0, path: Vec::new() }
}

#[test]
fn entries_that_nothing_rests_on_are_hashed_once_and_only_if_they_are_no_longer_than_entries_are() {
    let (world, bundle) = good();
    let room = MAX_PARTS - bundle.entries.len();
    let with = |length, blocks: &dyn Fn(u64) -> BlockPart| {
        let mut bundle = bundle.clone();
        bundle.entries.extend((0..room as u64).map(|number| junk(number, length)));
        bundle.blocks.extend((0..room as u64).map(blocks));
        bundle.to_bytes()
    };
    let over_all = |_| block(&world, 0, 65_536, Hash::ZERO);
    let counts = refused("long entries", &world, &with(5_500, &over_all), LinkName::File);
    assert_eq!(counts[Check::Entry as usize], 0);
    refused("entries one byte too long", &world, &with(MAX_ENTRY_BYTES + 1, &over_all), LinkName::File);
    let all = with(MAX_ENTRY_BYTES, &over_all);
    let counts = refused("blocks over each other", &world, &all, LinkName::Block);
    assert!(counts[Check::HashedBytes as usize] < all.len() + 100_000, "none was hashed: {counts:?}");
}

#[test]
fn entries_in_blocks_of_their_own_are_hashed_once_each_and_left_over() {
    let (world, mut bundle) = good();
    let (room, path) = (MAX_PARTS - bundle.entries.len(), vec![Hex(Hash::ZERO); 16]);
    for number in (0..room as u64).map(|place| place * 65_536) {
        let entry = EntryPart { path: path.clone(), ..junk(number, MAX_ENTRY_BYTES) };
        let leaf = merkle::leaf_hash(&entry.entry.0);
        let root = path.iter().fold(leaf, |hash, beside| merkle::node_hash(&hash, &beside.0));
        bundle.blocks.push(block(&world, number, 65_536, root));
        bundle.entries.push(entry);
    }
    let file = bundle.to_bytes();
    let counts = refused("entries in blocks of their own", &world, &file, LinkName::Chain);
    let each = MAX_ENTRY_BYTES + 16 * 65;
    assert!(counts[Check::HashedBytes as usize] < file.len() + room * each + 100_000, "{counts:?}");
}

/// The bundle of a value under a consent of these parents, in an envelope of a megabyte.
fn of_parents(parents: &[&str]) -> (World, Bundle) {
    let mut world = World::new();
    world.publish(Some(terms()));
    let parents = parents.iter().map(|parent| name(parent)).collect();
    let capacity = Capacity::Minor { parents, assent: Assent::Signed, majority: START_MS + 1_000_000_000 };
    world.consent(&Consent::by(capacity, &[MOTHER, FATHER, PARTICIPANT]));
    let submission = world.submit(None);
    let bundle = world.bundle(submission, &values(), 0, None);
    (world, bundle)
}

#[test]
fn a_parent_named_a_thousand_times_is_looked_at_once_and_refused() {
    let (world, bundle) = of_parents(&[MOTHER, FATHER]);
    let (report, two) = judged(&world, &bundle.to_bytes());
    assert!(report.verified, "{:?}", report.failure);
    let many = [[MOTHER].repeat(15_000), vec![FATHER]].concat();
    let (world, bundle) = of_parents(&many);
    let counts = refused("a parent many times", &world, &bundle.to_bytes(), LinkName::Document);
    for check in [Check::Entry, Check::Envelope, Check::Command, Check::Fact, Check::Signature] {
        assert!(counts[check as usize] <= two[check as usize], "{check:?}: {counts:?} for {two:?}");
    }
}

#[test]
fn every_byte_of_a_bundle_is_hashed_once_beside_its_digest() {
    let (world, bundle) = of_parents(&[MOTHER, FATHER]);
    let (report, counts) = judged(&world, &bundle.to_bytes());
    assert!(report.verified);
    let hashes = |path: &[Hex]| 65 * path.len();
    let entries = bundle.entries.iter().map(|part| {
        part.entry.0.len() + part.envelope.as_ref().map_or(0, |envelope| envelope.0.len()) + hashes(&part.path)
    });
    let facts = bundle.facts.iter().map(|part| part.fact.0.len() + hashes(&part.siblings));
    let blocks = bundle.blocks.iter().map(|part| part.block.0.len() + hashes(&part.path));
    let all: usize = entries.chain(facts).chain(blocks).sum();
    let once = bundle.to_bytes().len() + all + hashes(&bundle.path);
    assert_eq!(counts[Check::HashedBytes as usize], once);
}

/// A payload as long as an envelope admits.
fn padded<P: Payload>(payload: &P, keys: &[&str]) -> Vec<u8> {
    let body = serde_json::to_string(payload).unwrap();
    let length = (dsse::MAX_ENVELOPE_BYTES - 2_000) / 4 * 3;
    let body = format!("{body}{}", " ".repeat(length - body.len()));
    let keys: Vec<_> = keys.iter().map(|of| key(of)).collect();
    dsse::sign_bytes(&dsse::payload_type(P::KIND), body.into_bytes(), &keys.iter().collect::<Vec<_>>())
}

#[test]
fn long_envelopes_are_hashed_once_and_signed_bytes_once_for_each_signature() {
    let (mut world, mut old) = (World::new(), INVESTIGATOR.to_owned());
    let mut last = 0;
    for number in 0..5 {
        let new = format!("key {number}");
        let rotate: crate::command::RotateKey = command(&world, INVESTIGATOR, json!({ "key": public(&new) }));
        let registered = world.next(Service::Enrollment);
        let fact =
            Fact::Key(fact::Key { actor: name(INVESTIGATOR), key: public(&new), registered, ended: None, steps: None });
        let facts = vec![(subject::key(public(&new).id()), fact.to_bytes())];
        last = world.record_bytes(Service::Enrollment, "rotate-key", padded(&rotate, &[&old, &new]), facts);
        old = new;
    }
    let mut bundle = about(&world, last);
    world.complete(&mut bundle);
    bundle.checkpoint.push('x');
    let file = bundle.to_bytes();
    assert!((6 << 20..=MAX_BUNDLE_BYTES).contains(&file.len()), "{}", file.len());
    let counts = refused("long envelopes", &world, &file, LinkName::Checkpoint);
    assert!(counts[Check::HashedBytes as usize] < 2 * file.len(), "{counts:?}");
}

/// A study under rules 3 whose investigator replaced their key so often.
fn third_rotations(count: usize) -> (World, u64) {
    let (mut world, mut old, mut last) = (World::third(), INVESTIGATOR, 0);
    for number in 0..count {
        let new: &'static str = Box::leak(format!("key {number}").into_boxed_str());
        last = world.replace_key(&Rotation::of(INVESTIGATOR, old, new));
        old = new;
    }
    (world, last)
}

/// A study under rules 3 in which each actor registers the next one, and lets them register others, so often.
fn third_chain(count: usize) -> (World, u64) {
    let (mut world, mut by, mut line, mut last) = (World::third(), "root".to_owned(), Vec::<Name>::new(), 0);
    let (task, from, until) = (task::REGISTER_ACTORS, START_MS, START_MS + 1_000_000_000);
    for number in 0..count {
        let next = format!("actor-{number}");
        let register = json!({ "actor": next, "kind": ActorKind::Person, "key": public(&next) });
        let register: RegisterActor = command(&world, &by, register);
        let registered = world.next(Service::Enrollment);
        let fact =
            Fact::Key(fact::Key { actor: name(&next), key: public(&next), registered, ended: None, steps: None });
        last = world.record(&register, &[&key(&by), &key(&next)], vec![(subject::key(public(&next).id()), fact)]);
        let delegate = json!({ "actor": next, "task": task, "site": "*", "from": from, "until": until });
        let delegate: Delegate = command(&world, &by, delegate);
        line.push(name(&by));
        let granted = world.next(Service::Enrollment);
        let period = Period { granted, from, until, ended: None, line: line.clone(), steps: 1, after: None };
        let fact = Fact::Delegations(fact::Delegations { periods: vec![period], newest: Hex(Hash::ZERO) });
        world.record(
            &delegate,
            &[&key(&by)],
            vec![(subject::delegation(&name(&next), task, &Name::all_sites()), fact)],
        );
        by = next;
    }
    (world, last)
}

#[test]
fn the_longest_chain_of_rights_verifies_each_signature_once_on_a_small_stack() {
    // As many steps as a verifier follows, but for the investigator's own registration.
    for (what, chain) in [("rotations", third_rotations(479)), ("delegations", third_chain(120))] {
        let mut bundle = completed(&chain).0.unwrap();
        let world = chain.0;
        world.complete(&mut bundle);
        let file = bundle.to_bytes();
        let small = std::thread::Builder::new().stack_size(2 << 20);
        let (report, counts) = small.spawn(move || judged(&world, &file)).unwrap().join().unwrap();
        assert!(report.verified, "{what}: {:?}", report.failure);
        let signatures: usize = bundle.entries.iter().filter_map(|part| part.envelope.as_ref()).map(signed).sum();
        assert!(counts[Check::Signature as usize] <= signatures, "{what}: {counts:?} for {signatures}");
        println!("{what}: {} us, {counts:?}", cost_ns(counts) / 1_000);
        assert!(cost_ns(counts) <= MOST_NS, "{what}: {counts:?}");
    }
}

fn signed(envelope: &Base64) -> usize {
    dsse::Envelope::parse(&envelope.0).unwrap().key_ids().count()
}

#[test]
fn content_that_is_no_bundle_costs_no_more_than_reading_it() {
    let (world, bundle) = good();
    let json = serde_json::to_string(&bundle).unwrap();
    let file = |json: &str| {
        format!("trialseal/bundle@v1 sha256 {}\n{json}", tlog::sha256(&[json.as_bytes()]).to_hex()).into_bytes()
    };
    let most = MAX_BUNDLE_BYTES - json.len() - 1_000;
    let entry = r#"{"service":"capture","number":0,"entry":"","path":[]},"#;
    let hash = format!("\"{}\",", Hash::ZERO.to_hex());
    let into = |place: &str, what: String| file(&json.replacen(place, &format!("{place}{what}"), 1));
    for (what, file) in [
        ("deep arrays", into("\"entries\":[", "[".repeat(most))),
        ("deep objects", into("\"entries\":[", "{\"path\":".repeat(most / 8))),
        ("a long datapoint", into("\"datapoint\":\"", "AAAA".repeat(most / 4))),
        ("many entries", into("\"entries\":[", entry.repeat(most / entry.len()))),
        ("a long path", into("\"path\":[", hash.repeat(most / hash.len()) + &hash[..66])),
        ("an unknown field", into("{", format!("\"x\":\"{}\",", "x".repeat(most)))),
        ("white space", into("{", " ".repeat(most) + "}")),
        ("a long number", into("\"submission\":", "9".repeat(most))),
        ("a long note", into("\"checkpoint\":\"", "x".repeat(most))),
    ] {
        let (report, counts) = judged(&world, &file);
        assert!(!report.verified, "{what}");
        println!("{what}: {} bytes, {} us, {:?}", file.len(), cost_ns(counts) / 1_000, report.failure);
        assert!(cost_ns(counts) <= MOST_NS / 2, "{what}: {counts:?}");
    }
}

#[test]
fn a_fact_is_read_once_and_no_longer_than_facts_are() {
    let (world, bundle) = good();
    let with = |length: usize| {
        let mut bundle = bundle.clone();
        bundle.facts[0].fact.0.resize(length, b' ');
        bundle.to_bytes()
    };
    refused("a fact one byte too long", &world, &with(MAX_FACT_BYTES + 1), LinkName::File);
    refused("a fact as long as they are", &world, &with(MAX_FACT_BYTES), LinkName::Signer);
    let names = "\"a\",".repeat(1_000);
    let period = format!(r#"{{"granted":0,"from":0,"until":1,"ended":null,"line":[{names}"a"],"steps":0}}"#);
    let newest = Hash::ZERO.to_hex();
    let fact = format!(r#"{{"delegations":{{"periods":[{period}],"newest":"{newest}"}}}}"#);
    assert_eq!(Fact::parse(fact.as_bytes()), None, "a line longer than a proof may be");
    assert!(Fact::parse(fact.replace(&names, "").as_bytes()).is_some());
}

#[test]
#[ignore = "measures, for the costs above"]
fn what_the_costs_are() {
    let (world, bundle) = of_parents(&[MOTHER, FATHER]);
    let file = bundle.to_bytes();
    let begun = super::processor_us();
    for _ in 0..10 {
        assert!(judged(&world, &file).0.verified);
    }
    let (counts, us) = (judged(&world, &file).1, (super::processor_us() - begun) / 10);
    println!("{us} us for {counts:?}, reckoned {} us", cost_ns(counts) / 1_000);
}
