//! Every parser gives an answer for every input, and what it reads it writes back unchanged.

use proptest::prelude::*;
use tlog::{
    Hash,
    checkpoint::Checkpoint,
    key::{Algorithm, SignerKey, VerifierKey},
    merkle::Tree,
    note::{self, Note},
    policy::Policy,
    proof::LogProof,
    tile::{self, EntriesId, TileId},
    witness::{self, AddCheckpoint},
};

use crate::{checkpoint, leaves, log_key, signed, signer, witness_key};

/// Runs every parser and every judge on these bytes.
fn run_all(bytes: &[u8]) {
    if let Ok(note) = Note::parse(bytes) {
        assert_eq!(note.to_string().as_bytes(), bytes);
        let _ = note.verify(&[log_key().verifier(), witness_key(2).verifier()]);
    }
    if let Ok(proof) = LogProof::parse(bytes) {
        assert_eq!(proof.to_string().as_bytes(), bytes);
        let _ = proof.verify(b"2", &policy());
    }
    if let Ok(request) = AddCheckpoint::parse(bytes) {
        assert_eq!(request.to_string().as_bytes(), bytes);
        let _ = witness::decide(&request, None, &[log_key().verifier()]);
    }
    if let Ok(lines) = note::parse_signatures(bytes) {
        let text: String = lines.iter().map(|line| line.to_string()).collect();
        assert_eq!(text.as_bytes(), bytes);
    }
    if let [width, bundle @ ..] = bytes {
        let width = u16::from(*width) + 1;
        if let Ok(entries) = tile::parse_entry_bundle(bundle, width) {
            let entries: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
            assert_eq!(tile::entry_bundle(&entries).as_deref(), Some(bundle));
        }
    }
    let _ = policy().verify_checkpoint(bytes);
    let _ = Hash::from_slice(bytes);
    run_text(&String::from_utf8_lossy(bytes));
}

fn run_text(text: &str) {
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(checkpoint.to_string(), text);
    }
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(key) = text.parse::<SignerKey>() {
        assert_eq!(key.to_secret_text().as_str(), text);
    }
    if let Some(tile) = TileId::parse(text) {
        assert_eq!(tile.path(), text);
    }
    if let Some(bundle) = EntriesId::parse(text) {
        assert_eq!(bundle.path(), text);
    }
    if let Some(hash) = Hash::from_base64(text) {
        assert_eq!(hash.to_base64(), text);
    }
    if let Some(hash) = Hash::from_hex(text) {
        assert_eq!(hash.to_hex(), text);
    }
    if let Ok(policy) = Policy::parse(text) {
        let _ = (policy.quorum_text(), policy.satisfied_by(&policy.keys()));
    }
}

fn policy_text() -> String {
    let (log, witness) = (log_key().verifier(), witness_key(2).verifier());
    format!("log {log} u\nwitness a {witness}\ngroup g 1 a\n# end\nquorum g\n")
}

fn policy() -> Policy {
    Policy::parse(&policy_text()).unwrap()
}

/// One valid text of every format.
fn samples() -> Vec<String> {
    let checkpoint = signed(&checkpoint(7), &log_key(), &[&witness_key(2)]);
    let path = Tree::new(&leaves(7)).path(2);
    let extra = Some(vec![1, 2, 3]);
    let proof = LogProof { extra, index: 2, path, checkpoint: checkpoint.clone() };
    let request = AddCheckpoint { old: 0, proof: vec![], checkpoint: checkpoint.clone() };
    let signature = checkpoint.split_once("\n\n").unwrap().1.to_owned();
    let bundle = tile::entry_bundle(&[b"ab", b""]).unwrap();
    vec![
        proof.to_string(),
        request.to_string(),
        signature,
        format!("\u{1}{}", String::from_utf8(bundle).unwrap()),
        policy_text(),
        crate::checkpoint(7).to_string(),
        log_key().verifier().to_string(),
        log_key().to_secret_text().to_string(),
        signer("pq", Algorithm::CosignatureMlDsa44, 3).verifier().to_string(),
        "tile/0/x001/x234/067.p/8".to_owned(),
        "tile/entries/x001/x234/067.p/8".to_owned(),
        Hash::ZERO.to_base64(),
        Hash::ZERO.to_hex(),
        checkpoint,
    ]
}

#[derive(Clone, Debug)]
enum Mutation {
    Replace(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    Insert(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Repeat(prop::sample::Index),
}

impl Mutation {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        match self {
            _ if length == 0 => bytes.push(b'0'),
            Mutation::Replace(at, byte) => bytes[at.index(length)] = *byte,
            Mutation::Remove(at) => drop(bytes.remove(at.index(length))),
            Mutation::Insert(at, byte) => bytes.insert(at.index(length), *byte),
            Mutation::Cut(at) => bytes.truncate(at.index(length)),
            Mutation::Repeat(at) => bytes.extend_from_within(at.index(length)..),
        }
    }
}

fn mutation() -> impl Strategy<Value = Mutation> {
    // Half of the bytes are ones that the formats give a meaning to.
    let byte = prop_oneof![any::<u8>(), prop::sample::select(b"\n \t+=-./x019\r#\0AB".to_vec())];
    let at = any::<prop::sample::Index>;
    prop_oneof![
        (at(), byte.clone()).prop_map(|(at, byte)| Mutation::Replace(at, byte)),
        at().prop_map(Mutation::Remove),
        (at(), byte).prop_map(|(at, byte)| Mutation::Insert(at, byte)),
        at().prop_map(Mutation::Cut),
        at().prop_map(Mutation::Repeat),
    ]
}

#[test]
fn the_samples_are_valid() {
    for sample in samples() {
        run_all(sample.as_bytes());
    }
    assert!(policy().verify_checkpoint(samples().pop().unwrap().as_bytes()).is_ok());
}

proptest! {
    #[test]
    fn parsers_are_total_on_random_bytes(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        text in "[ \t\n\r+=/x0-9a-zA-F—.#]{0,200}",
    ) {
        run_all(&bytes);
        run_all(text.as_bytes());
    }

    #[test]
    fn parsers_are_total_on_mutated_valid_input(
        sample: prop::sample::Index, mutations in prop::collection::vec(mutation(), 1..4),
    ) {
        let samples = samples();
        let mut bytes = samples[sample.index(samples.len())].clone().into_bytes();
        mutations.iter().for_each(|mutation| mutation.apply(&mut bytes));
        run_all(&bytes);
    }

    #[test]
    fn a_mutated_checkpoint_is_believed_only_if_its_text_is_the_same(mutation in mutation()) {
        let original = samples().pop().unwrap();
        let mut bytes = original.clone().into_bytes();
        mutation.apply(&mut bytes);
        if let Ok(verified) = policy().verify_checkpoint(&bytes) {
            prop_assert_eq!(verified.checkpoint, checkpoint(7));
        }
    }
}
