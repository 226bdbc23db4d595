//! Values that were taken out: one by one, or with their participant.

use super::{comment_leaf, link, with_submission};
use crate::world::{
    World, key,
    study::{DEVICE, INVESTIGATOR, OTHER, SECOND, name, values},
};
use seal::{
    bundle::{Bundle, Withheld},
    command::{EraseParticipant, RedactValue},
    id::Service,
    key::SecretKey,
    report::LinkName,
    text::Hex,
};
use tlog::merkle::leaf_hash;

/// The bundle of a comment taken out by this redaction, signed by these.
pub(crate) fn redaction(change: impl Fn(&mut RedactValue), signers: &[&str]) -> Bundle {
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
pub(crate) fn erasure(change: impl Fn(&mut EraseParticipant), signer: &str) -> Bundle {
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
