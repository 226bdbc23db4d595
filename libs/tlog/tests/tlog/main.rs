//! Tests of the crate from outside: public vectors, every promise of the formats, and properties.
#![allow(clippy::unwrap_used)]

mod cosignatures;
mod forgeries;
mod keys;
mod notes;
mod policies;
mod proofs;
mod public_vectors;
mod tiles;
mod totality;
mod trees;
mod witnesses;

use ed25519_dalek::{Signer, SigningKey};
use tlog::{
    Hash,
    checkpoint::Checkpoint,
    key::{Algorithm, SignerKey},
    merkle,
    note::{self, NoteSignature},
};

const ORIGIN: &str = "log.example/trial";
/// Some time in November 2026, in POSIX seconds.
const NOW: u64 = 1_795_235_200;

fn signer(name: &str, algorithm: Algorithm, seed: u8) -> SignerKey {
    SignerKey::from_seed(name, algorithm, [seed; 32]).unwrap()
}

fn log_key() -> SignerKey {
    signer(ORIGIN, Algorithm::Ed25519, 1)
}

fn witness_key(seed: u8) -> SignerKey {
    signer(&format!("witness.example/{seed}"), Algorithm::CosignatureEd25519, seed)
}

/// Leaf hashes of the entries "0", "1", ...
fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|index| merkle::leaf_hash(index.to_string().as_bytes())).collect()
}

fn checkpoint(size: u64) -> Checkpoint {
    let root = merkle::root(&leaves(size));
    Checkpoint { origin: ORIGIN.to_owned(), size, root, extensions: Vec::new() }
}

/// A cosignature by [`witness_key`] with a time that [`tlog::cosignature::cosign`] does not write.
fn cosigned_at(checkpoint: &Checkpoint, seed: u8, time: u64) -> NoteSignature {
    let key = witness_key(seed).verifier();
    let message = format!("cosignature/v1\ntime {time}\n{checkpoint}");
    let signature = SigningKey::from_bytes(&[seed; 32]).sign(message.as_bytes());
    let signature = [&time.to_be_bytes()[..], &signature.to_bytes()].concat();
    NoteSignature { name: key.name().to_owned(), key_id: key.id(), signature }
}

/// The checkpoint as a note, signed by the log and then cosigned.
fn signed(checkpoint: &Checkpoint, log: &SignerKey, cosigners: &[&SignerKey]) -> String {
    let mut text = format!("{checkpoint}\n{}", note::sign(&checkpoint.to_string(), log).unwrap());
    for cosigner in cosigners {
        let line = tlog::cosignature::cosign(checkpoint, cosigner, NOW).unwrap();
        text.push_str(&line.to_string());
    }
    text
}
