//! False journals, every hash, proof and signature in order: the verifier refuses each by the name of the link it breaks.

#![allow(clippy::unwrap_used)]

mod bounds;
mod chains;
mod consent;
mod policies;
mod published;
mod records;
mod rotations;
mod third;
mod vectors;
mod withheld;
mod world;
mod written;

use consent::own;
use seal::{
    report::{LinkName, Report},
    text::Hex,
};
use tlog::merkle::leaf_hash;
use world::{
    START_MS, World,
    study::{terms, values},
};

const LATER: u64 = START_MS + 1_000_000_000;
/// A moment between the start of the journals and everything captured.
const EARLIER: u64 = START_MS + 10_000;

fn link(report: &Report) -> Option<LinkName> {
    assert_eq!(report.verified, report.failure.is_none());
    report.failure.as_ref().map(|failure| failure.link)
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
