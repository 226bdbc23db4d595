//! Bundles on chains that sign with ML-DSA-44, alone or beside Ed25519, and whose witnesses do.

use super::consent::own;
use crate::published::{Vector, published};
use crate::world::{
    ORIGIN, World,
    study::{terms, values},
};
use seal::{bundle::Bundle, report::LinkName};
use tlog::{
    checkpoint::Checkpoint,
    cosignature,
    key::{Algorithm, SignerKey},
    note::{self, NoteSignature},
};

const COSIGNED: u64 = 1_767_225_700;

fn signer(name: &str, algorithm: Algorithm, seed: u8) -> SignerKey {
    SignerKey::from_seed(name, algorithm, [seed; 32]).unwrap()
}

fn classic() -> SignerKey {
    crate::world::log()
}

fn quantum() -> SignerKey {
    signer(ORIGIN, Algorithm::CosignatureMlDsa44, 20)
}

fn witnesses() -> [SignerKey; 2] {
    [
        signer("one.test/witness", Algorithm::CosignatureEd25519, 21),
        signer("two.test/witness", Algorithm::CosignatureMlDsa44, 22),
    ]
}

fn policy() -> String {
    let world = World::new();
    let [one, two] = witnesses().map(|witness| witness.verifier().to_string());
    format!(
        "log {}\nlog {}\nwitness one {one}\nwitness two {two}\ngroup both all one two\nquorum both\nstudy {} {}\n",
        classic().verifier(),
        quantum().verifier(),
        world.study,
        world.root.public()
    )
}

fn unsigned() -> (Bundle, Checkpoint) {
    let mut world = World::new();
    world.publish(Some(terms()));
    world.consent(&own());
    let submission = world.submit(None);
    let bundle = world.bundle(submission, &values(), 0, None);
    let text = bundle.checkpoint.split_inclusive("\n\n").next().unwrap();
    let checkpoint = Checkpoint::parse(text.strip_suffix('\n').unwrap()).unwrap();
    (bundle, checkpoint)
}

/// The bundle under a checkpoint with these signatures.
fn signed(checkpoint: &Checkpoint, lines: &[NoteSignature]) -> Bundle {
    let mut bundle = unsigned().0;
    bundle.checkpoint = format!("{checkpoint}\n");
    lines.iter().for_each(|line| bundle.checkpoint.push_str(&line.to_string()));
    bundle
}

fn by(checkpoint: &Checkpoint, key: &SignerKey, time: u64) -> NoteSignature {
    match key.verifier().algorithm() {
        Algorithm::Ed25519 => note::sign(&checkpoint.to_string(), key).unwrap(),
        _ => cosignature::cosign(checkpoint, key, time).unwrap(),
    }
}

/// The bundle under its own checkpoint, signed by these keys and both witnesses, and changed.
fn with(keys: &[SignerKey], change: impl FnOnce(&mut Vec<NoteSignature>)) -> Bundle {
    let (_, checkpoint) = unsigned();
    let witnesses = witnesses();
    let all = keys.iter().chain(&witnesses);
    let mut lines: Vec<NoteSignature> = all.map(|key| by(&checkpoint, key, COSIGNED)).collect();
    change(&mut lines);
    signed(&checkpoint, &lines)
}

fn vectors() -> Vec<Vector> {
    let refused = Some(LinkName::Checkpoint);
    let (_, own) = unsigned();
    let extended = Checkpoint { extensions: vec!["a further line".to_owned()], ..own.clone() };
    let cosigned = |key: &SignerKey, of: &Checkpoint| by(of, key, COSIGNED);
    let [one, two] = witnesses();
    vec![
        ("signed-with-ml-dsa", None, with(&[quantum()], |_| ())),
        ("signed-with-both", None, with(&[quantum(), classic()], |_| ())),
        ("signed-with-ed25519", None, with(&[classic()], |_| ())),
        ("signed-twice-with-ml-dsa", None, with(&[quantum(), quantum()], |_| ())),
        ("extension-that-ml-dsa-does-not-cover", None, {
            // The Ed25519 cosignature is over all lines; the ML-DSA signatures are those of the checkpoint without them.
            let lines = [cosigned(&quantum(), &own), cosigned(&one, &extended), cosigned(&two, &own)];
            signed(&extended, &lines)
        }),
        ("extension-that-ed25519-covers", refused, {
            let lines = [cosigned(&quantum(), &own), cosigned(&one, &own), cosigned(&two, &own)];
            signed(&extended, &lines)
        }),
        ("unsigned", refused, with(&[], |_| ())),
        (
            "wrong-ml-dsa-beside-good-ed25519",
            refused,
            with(&[classic(), quantum()], |lines| lines[1].signature[100] ^= 1),
        ),
        (
            "wrong-ed25519-beside-good-ml-dsa",
            refused,
            with(&[classic(), quantum()], |lines| lines[0].signature[40] ^= 1),
        ),
        ("good-and-then-wrong", refused, with(&[quantum(), quantum()], |lines| lines[1].signature[2_000] ^= 1)),
        ("time-changed", refused, with(&[quantum()], |lines| lines[0].signature[7] ^= 1)),
        ("time-past-the-last", refused, with(&[quantum()], |lines| lines[0].signature[0] |= 0x80)),
        ("signature-a-byte-short", refused, with(&[quantum()], |lines| _ = lines[0].signature.pop())),
        ("signature-a-byte-long", refused, with(&[quantum()], |lines| lines[0].signature.push(0))),
        ("signature-of-a-time-alone", refused, with(&[quantum()], |lines| lines[0].signature.truncate(8))),
        ("of-another-size", refused, {
            let other = Checkpoint { size: own.size + 1, ..own.clone() };
            let lines = [cosigned(&quantum(), &other), cosigned(&one, &own), cosigned(&two, &own)];
            signed(&own, &lines)
        }),
        ("of-another-root", refused, {
            let other = Checkpoint { root: seal::sha256(&[b"another"]), ..own.clone() };
            let lines = [cosigned(&quantum(), &other), cosigned(&one, &own), cosigned(&two, &own)];
            signed(&own, &lines)
        }),
        ("of-another-origin", refused, {
            let other = Checkpoint { origin: "another.test/chain".to_owned(), ..own.clone() };
            let lines = [cosigned(&quantum(), &other), cosigned(&one, &own), cosigned(&two, &own)];
            signed(&own, &lines)
        }),
        (
            "of-another-cosigner",
            refused,
            with(&[quantum()], |lines| {
                // The same key under another name: the name is part of what is signed.
                let other = signer("another.test/chain", Algorithm::CosignatureMlDsa44, 20);
                lines[0].signature = by(&own, &other, COSIGNED).signature;
            }),
        ),
        ("cosigned-at-time-0", refused, with(&[quantum()], |lines| lines[1].signature = at_time_0(&own))),
        ("cosigned-by-one", refused, with(&[quantum()], |lines| _ = lines.pop())),
        (
            "cosigned-with-the-key-of-the-chain",
            refused,
            with(&[quantum()], |lines| {
                let of_chain = lines[0].clone();
                *lines.last_mut().unwrap() = NoteSignature { name: two.verifier().name().to_owned(), ..of_chain };
            }),
        ),
    ]
}

/// The first witness's cosignature of time 0, which says less than a witness must: that it looked, and when.
fn at_time_0(checkpoint: &Checkpoint) -> Vec<u8> {
    let key = signer("one.test/witness", Algorithm::Ed25519, 21);
    let signature = note::sign(&format!("cosignature/v1\ntime 0\n{checkpoint}"), &key).unwrap().signature;
    [vec![0; 8], signature].concat()
}

/// The vectors of `docs/vectors/ml-dsa`, made by `TRIALSEAL_WRITE_VECTORS=1 cargo test -p seal --test forged chains`.
#[test]
fn the_vectors_of_ml_dsa_are_these() {
    let vectors = vectors();
    let reports = published("ml-dsa", &policy(), &vectors);
    for ((name, ..), report) in vectors.iter().zip(reports) {
        let Some(claim) = report.claim else { continue };
        let named: Vec<&str> = claim.checkpoint.cosigned_by.iter().map(|cosigner| cosigner.name.as_str()).collect();
        assert_eq!(named, ["one", "two"], "{name}");
    }
}
