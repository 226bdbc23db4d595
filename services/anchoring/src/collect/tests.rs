//! Collecting from a deployment in memory.

#[path = "../../../../libs/seal/tests/forged/world/mod.rs"]
mod world;

use super::*;
use crate::turns::Turns;
use seal::{dsse::sign_bytes, id::Service, text::Base64};
use std::{
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::Duration,
};
use tokio::{sync::Semaphore, time::timeout};
use vocabulary::{
    command::RotateKey,
    fact::{self, Fact},
    subject,
};
use world::{
    World, key, public,
    study::{INVESTIGATOR, name},
};

/// A world whose parts can be held back, that counts what is fetched and charged.
struct Counted {
    world: World,
    open: Semaphore,
    fetched: AtomicUsize,
    charged: AtomicUsize,
}

impl Source for Counted {
    async fn fetch(&self, _: Uuid, demand: Demand) -> Result<Part, Status> {
        let _open = self.open.acquire().await.unwrap();
        self.fetched.fetch_add(1, SeqCst);
        let mut one = about(&self.world, 0);
        assert!(self.world.supply(&mut one, demand), "it is there");
        Ok(one.entries.pop().map(Part::Entry).or_else(|| one.facts.pop().map(Part::Fact)).unwrap())
    }

    async fn charge(&self) {
        self.charged.fetch_add(1, SeqCst);
    }
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

/// The investigator replaces their key so often, each time in a command with so many spaces; the bundle of the last time.
fn rotations(count: usize, spaces: usize) -> (Counted, Bundle) {
    let (mut world, mut old, mut last) = (World::new(), INVESTIGATOR.to_owned(), 0);
    for number in 0..count {
        let (new, registered) = (format!("key {number}"), world.next(Service::Enrollment));
        let json = format!(
            r#"{{"study":"{}","request":"{}","by":"{INVESTIGATOR}","time":{},"key":"{}"{}}}"#,
            world.study,
            world.study,
            world.time,
            public(&new),
            " ".repeat(spaces)
        );
        let kind = <RotateKey as vocabulary::command::Payload>::KIND;
        let envelope = sign_bytes(&seal::dsse::payload_type(kind), json.into_bytes(), &[&key(&old), &key(&new)]);
        let fact =
            Fact::Key(fact::Key { actor: name(INVESTIGATOR), key: public(&new), registered, ended: None, steps: None });
        let facts = vec![(subject::key(public(&new).id()), fact.to_bytes())];
        last = world.record_bytes(Service::Enrollment, kind, envelope, facts);
        old = new;
    }
    let bundle = about(&world, last);
    let (fetched, charged) = (AtomicUsize::new(0), AtomicUsize::new(0));
    (Counted { world, open: Semaphore::new(1), fetched, charged }, bundle)
}

async fn collected((source, bundle): &(Counted, Bundle)) -> Result<Bundle, Status> {
    let turn = Turns::of(1, 0).enter().unwrap().turn().await.unwrap();
    collect(source, bundle.clone(), source.world.root.public(), turn).await
}

/// The code of a refusal, and whether its details have these words.
fn refused(status: &Status, words: &[&str]) -> Code {
    let details = String::from_utf8_lossy(status.details());
    assert!(words.iter().all(|word| details.contains(word)), "{details}");
    status.code()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_chain_costs_three_fetches_a_step_and_is_charged_by_them() {
    for rotated in [50, 100] {
        let chain = rotations(rotated, 0);
        let bundle = collected(&chain).await.unwrap();
        let fetched = chain.0.fetched.load(SeqCst);
        // Of each rotation its entry bare, its entry with the command, and the fact of the key before; then the
        // registration of the first key, by the root: two entries and a fact, and what was bare before.
        assert_eq!(fetched, bundle.facts.len() + bundle.entries.len() + rotated - 1, "{rotated}");
        assert_eq!(chain.0.charged.load(SeqCst), fetched / 16);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_bundle_can_prove_is_told_from_what_is_damaged() {
    let long = collected(&rotations(140, 0)).await.unwrap_err();
    assert_eq!(refused(&long, &["NOT_PROVABLE"]), Code::FailedPrecondition);
    let large = rotations(12, 700_000);
    let refusal = collected(&large).await.unwrap_err();
    assert_eq!(refused(&refusal, &["NOT_PROVABLE"]), Code::FailedPrecondition);
    assert!(large.0.fetched.load(SeqCst) < 36, "it stops when there are too many bytes");
    let mut broken = rotations(3, 0);
    broken.0.world.root = key("another");
    assert_eq!(refused(&collected(&broken).await.unwrap_err(), &["STREAM_BROKEN"]), Code::DataLoss);
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_proofs_are_made_as_there_are_turns_some_wait_and_the_rest_is_refused() {
    let (turns, (source, bundle)) = (Turns::of(1, 1), rotations(3, 0));
    let shut = source.open.acquire().await.unwrap();
    let turn = turns.enter().unwrap().turn().await.unwrap();
    let root_key = source.world.root.public();
    let mut first = Box::pin(collect(&source, bundle.clone(), root_key, turn));
    let mut second = pin!(turns.enter().unwrap().turn());
    tokio::select! {
        biased;
        _ = &mut first => panic!("it is held up"),
        _ = &mut second => panic!("it is not its turn"),
        () = std::future::ready(()) => {}
    }
    let third = turns.enter().err().unwrap();
    assert_eq!(refused(&third, &["OVERLOADED", "google.rpc.RetryInfo"]), Code::ResourceExhausted);
    drop(first); // whoever asked for it has gone: the walk ends, and the next one has its turn
    let turn = timeout(Duration::from_secs(60), second).await.expect("it never is its turn").unwrap();
    drop(shut);
    assert!(collect(&source, bundle, root_key, turn).await.is_ok());
    assert!(turns.enter().is_ok());
}
