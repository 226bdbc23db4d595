//! Offline proofs.

use tlog::{
    Hash,
    merkle::{ProofError, Tree},
    policy::{Policy, PolicyError},
    proof::{LogProof, LogProofError},
};

use crate::{checkpoint, leaves, log_key, signed, witness_key};

fn proof(index: u64) -> LogProof {
    let path = Tree::new(&leaves(7)).path(index as usize);
    let checkpoint = signed(&checkpoint(7), &log_key(), &[&witness_key(2)]);
    LogProof { extra: Some(b"context".to_vec()), index, path, checkpoint }
}

fn policy(quorum: &str) -> Policy {
    let (log, witness) = (log_key().verifier(), witness_key(2).verifier());
    let absent = witness_key(3).verifier();
    Policy::parse(&format!("log {log}\nwitness w {witness}\nwitness a {absent}\nquorum {quorum}")).unwrap()
}

#[test]
fn entries_verify_offline_with_and_without_extra_data() {
    for index in 0..7 {
        let with = proof(index);
        let without = LogProof { extra: None, ..with.clone() };
        for proof in [with, without] {
            let read = LogProof::parse(proof.to_string().as_bytes()).unwrap();
            assert_eq!(read, proof);
            let verified = read.verify(index.to_string().as_bytes(), &policy("w")).unwrap();
            assert_eq!(verified.checkpoint, checkpoint(7));
        }
    }
}

#[test]
fn the_checkpoint_is_judged_before_the_path() {
    let mut wrong = proof(2);
    wrong.path.clear();
    let error = wrong.verify(b"2", &policy("a")).unwrap_err();
    assert!(matches!(error, LogProofError::Checkpoint(PolicyError::Quorum { .. })));
    let error = wrong.verify(b"2", &policy("w")).unwrap_err();
    assert_eq!(error, LogProofError::Inclusion(ProofError::Length));
}

#[test]
fn a_path_for_another_entry_or_with_leftovers_is_refused() {
    let good = proof(2);
    let policy = policy("w");
    let other = good.verify(b"3", &policy).unwrap_err();
    assert_eq!(other, LogProofError::Inclusion(ProofError::Root));
    let mut longer = good.clone();
    longer.path.push(Hash::ZERO);
    let leftover = longer.verify(b"2", &policy).unwrap_err();
    assert_eq!(leftover, LogProofError::Inclusion(ProofError::Length));
    let beyond = LogProof { index: 7, ..good }.verify(b"2", &policy).unwrap_err();
    assert_eq!(beyond, LogProofError::Inclusion(ProofError::OutOfRange));
}

#[test]
fn malformed_proofs_are_refused() {
    let good = proof(2).to_string();
    let hash = Hash::ZERO.to_base64();
    let cases = [
        good.replace("@v1", "@v2"),
        good.replace('\n', "\r\n"),
        good.replace("index 2", "index 02"),
        good.replace("index 2\n", ""),
        good.replace("extra ", "extra  "),
        good.replace("extra Y", "extra *"),
        good.replace("index 2\n", &format!("index 2\n{}", format!("{hash}\n").repeat(65))),
        good.replace("index 2\n", "index 2\nAAAA\n"),
        good.split_once("\n\n").unwrap().0.to_owned(),
        format!(" {good}"),
        format!("{good}{}", "x".repeat(tlog::proof::MAX_PROOF_BYTES)),
        String::new(),
    ];
    for text in cases {
        assert_eq!(LogProof::parse(text.as_bytes()), Err(LogProofError::Malformed), "{text:.80}");
    }
}
