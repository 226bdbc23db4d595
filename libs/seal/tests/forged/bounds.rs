//! Bundles at their bounds, and what says one thing twice.

use super::{
    consent::{minor, own},
    link,
};
use crate::published::{Vector, published};
use crate::world::{
    World,
    study::{FATHER, MOTHER, PARTICIPANT, terms, values},
};
use seal::{
    bundle::{Bundle, EntryPart},
    entry::{MAX_ENTRY_BYTES, hash},
    id::Service,
    report::LinkName,
    text::Base64,
};

fn captured() -> (World, Bundle) {
    let mut world = World::new();
    world.publish(Some(terms()));
    world.consent(&own());
    let submission = world.submit(None);
    let bundle = world.bundle(submission, &values(), 0, None);
    (world, bundle)
}

/// The enrollment journal in blocks of these ranges.
fn in_blocks(ranges: impl FnOnce(usize) -> Vec<std::ops::Range<usize>>) -> Bundle {
    let (world, mut bundle) = captured();
    let blocks = ranges(world.next(Service::Enrollment) as usize).into_iter();
    let blocks = blocks.map(|range| (Service::Enrollment, range));
    let others = [Service::Consent, Service::Capture].map(|service| (service, 0..world.next(service) as usize));
    world.anchor_in(&mut bundle, &blocks.chain(others).collect::<Vec<_>>());
    bundle
}

/// A bundle with an entry of this length that nothing rests on, in a block of its own.
fn with_an_entry_of(length: usize) -> Bundle {
    let (_, mut bundle) = captured();
    let entry = Base64(vec![0; length]);
    bundle.entries.push(EntryPart {
        service: Service::Consent,
        number: 1_000,
        entry,
        envelope: None,
        path: Vec::new(),
    });
    bundle
}

fn vectors() -> Vec<Vector> {
    let named = |parents: &[&'static str]| {
        let consent = minor(parents, &[MOTHER, FATHER, PARTICIPANT]);
        super::consent::capture(World::new(), &consent, Some(terms()), None, None)
    };
    // With all parts that the consent of two parents needs.
    let again = |parents: &[&'static str]| {
        let mut world = World::new();
        world.publish(Some(terms()));
        world.consent(&minor(parents, &[MOTHER, FATHER, PARTICIPANT]));
        world.submit(None);
        world.with_the_parts_of(&named(&[MOTHER, FATHER]))
    };
    let document = Some(LinkName::Document);
    vec![
        ("blocks-beside-each-other", None, in_blocks(|count| vec![0..3, 3..5, 5..count])),
        ("blocks-out-of-order", None, in_blocks(|count| vec![5..count, 0..5])),
        ("blocks-over-each-other", Some(LinkName::Block), in_blocks(|count| vec![0..6, 5..count])),
        ("block-inside-another", Some(LinkName::Block), in_blocks(|count| vec![0..count, 4..6])),
        ("two-blocks-from-one-entry-on", Some(LinkName::Block), in_blocks(|count| vec![0..count, 0..5])),
        ("entry-as-long-as-may-be", Some(LinkName::Block), with_an_entry_of(MAX_ENTRY_BYTES)),
        ("entry-longer-than-may-be", Some(LinkName::File), with_an_entry_of(MAX_ENTRY_BYTES + 1)),
        ("two-parents", None, named(&[MOTHER, FATHER])),
        ("a-parent-named-again", document, again(&[MOTHER, FATHER, MOTHER])),
    ]
}

/// The vectors of `docs/vectors/bounds`, made by `TRIALSEAL_WRITE_VECTORS=1 cargo test -p seal --test forged bounds`.
#[test]
fn the_vectors_of_bounds_are_these() {
    published("bounds", &World::new().policy_text(), &vectors());
}

#[test]
fn the_longest_entry_is_read_and_no_longer_one() {
    let (world, bundle) = captured();
    let mut entry = seal::entry::Entry::parse(&bundle.entries[0].entry.0).unwrap();
    entry.kind = "k".repeat(64);
    entry.state_root = Some(hash(b""));
    let head = entry.head();
    entry.basis =
        (0..4).map(|number| seal::entry::Head { stream: seal::id::StreamId(hash(&[number])), ..head }).collect();
    assert_eq!(entry.to_bytes().len(), MAX_ENTRY_BYTES);
    assert_eq!(seal::entry::Entry::parse(&entry.to_bytes()).as_ref(), Ok(&entry));
    assert_eq!(link(&world.verify(&bundle)), None);
}
