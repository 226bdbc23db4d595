//! Vectors made by other implementations.

use std::{fs, path::Path};

use serde_json::Value;
use tlog::{
    Hash,
    checkpoint::Checkpoint,
    cosignature,
    key::{Algorithm, SignerKey, VerifierKey},
    merkle,
    note::{self, Note},
    policy::Policy,
    proof::LogProof,
};

/// The vectors, unless the data folder is not on this machine. If the folder is, the file must be.
fn vectors(file: &str) -> Option<Value> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if !data.exists() {
        eprintln!("skipped: no data folder, so no {file}");
        return None;
    }
    let text = fs::read_to_string(data.join("tlog").join(file)).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

fn string<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap()
}

/// Hashes of another length than 32 bytes do not reach the verifier: `None`.
fn hash(value: &Value) -> Option<Hash> {
    Hash::from_base64(value.as_str().unwrap())
}

fn hashes(value: &Value) -> Option<Vec<Hash>> {
    value.as_array().map_or(Some(Vec::new()), |proof| proof.iter().map(hash).collect())
}

fn included(case: &Value) -> Option<()> {
    let (leaf, root) = (hash(&case["leafHash"])?, hash(&case["root"])?);
    let (index, size) = (case["leafIdx"].as_u64()?, case["treeSize"].as_u64()?);
    merkle::verify_inclusion(&leaf, index, size, &hashes(&case["proof"])?, &root).ok()
}

fn consistent(case: &Value) -> Option<()> {
    let (root1, root2) = (hash(&case["root1"])?, hash(&case["root2"])?);
    let (size1, size2) = (case["size1"].as_u64()?, case["size2"].as_u64()?);
    merkle::verify_consistency(size1, size2, &root1, &root2, &hashes(&case["proof"])?).ok()
}

fn check(kind: &str, count: usize, verify: fn(&Value) -> Option<()>) {
    let Some(vectors) = vectors("rfc6962-proof-vectors.json") else { return };
    let cases = vectors[kind].as_object().unwrap();
    assert_eq!(cases.len(), count);
    for (name, case) in cases {
        assert_eq!(verify(case).is_none(), case["wantErr"].as_bool().unwrap(), "{name}");
    }
}

#[test]
fn inclusion_proofs_get_the_published_answers() {
    check("inclusion", 53, included);
}

#[test]
fn consistency_proofs_get_the_published_answers() {
    check("consistency", 43, consistent);
}

const COSIGNATURES: &str = "cosignature-and-proof-vectors.json";

fn keys(vectors: &Value) -> [VerifierKey; 3] {
    let fields = ["log_vkey", "witness_vkey_0x04", "mldsa_vkey"];
    fields.map(|field| string(vectors, field).parse().unwrap())
}

#[test]
fn the_checkpoint_is_signed_and_cosigned_both_ways() {
    let Some(vectors) = vectors(COSIGNATURES) else { return };
    let note = Note::parse(string(&vectors, "checkpoint").as_bytes()).unwrap();
    let verified = note.verify(&keys(&vectors)).unwrap();
    let found: Vec<_> = verified.iter().map(|v| (v.key.algorithm(), v.time)).collect();
    let time = Some(1_795_229_198);
    let expected =
        [(Algorithm::Ed25519, None), (Algorithm::CosignatureEd25519, time), (Algorithm::CosignatureMlDsa44, time)];
    assert_eq!(found, expected);
}

#[test]
fn private_keys_give_the_public_keys_and_the_same_signatures() {
    let Some(vectors) = vectors(COSIGNATURES) else { return };
    let signer = |field| string(&vectors, field).parse::<SignerKey>().unwrap();
    let log = signer("log_skey");
    let tool_witness = signer("witness_skey");
    assert_eq!(tool_witness.verifier().to_string(), string(&vectors, "witness_vkey_0x01"));
    let witness = tool_witness.with_algorithm(Algorithm::CosignatureEd25519);
    let ml_dsa = signer("mldsa_skey");
    let public = [&log, &witness, &ml_dsa].map(|key| key.verifier());
    assert_eq!(public, keys(&vectors));

    let bytes = string(&vectors, "checkpoint");
    let note = Note::parse(bytes.as_bytes()).unwrap();
    let checkpoint = Checkpoint::parse(&note.text).unwrap();
    let time = note.verify(&public).unwrap()[1].time.unwrap();
    let cosign = |key| cosignature::cosign(&checkpoint, key, time).unwrap();
    assert_eq!(note::sign(&note.text, &log).unwrap(), note.signatures[0]);
    assert_eq!(cosign(&witness), note.signatures[1]);
    // The published ML-DSA signature is a hedged one: another signature of the same message.
    assert_eq!(cosign(&ml_dsa), cosign(&ml_dsa));
    let ours = Note { text: note.text.clone(), signatures: vec![cosign(&ml_dsa)] };
    assert_eq!(ours.verify(&public).unwrap()[0].time, Some(time));
}

#[test]
fn every_text_of_the_vectors_round_trips() {
    let Some(vectors) = vectors(COSIGNATURES) else { return };
    let checkpoint = string(&vectors, "checkpoint");
    let note = Note::parse(checkpoint.as_bytes()).unwrap();
    assert_eq!(note.to_string(), checkpoint);
    assert_eq!(Checkpoint::parse(&note.text).unwrap().to_string(), note.text);
    for field in ["log_vkey", "witness_vkey_0x01", "witness_vkey_0x04", "mldsa_vkey"] {
        let text = string(&vectors, field);
        assert_eq!(text.parse::<VerifierKey>().unwrap().to_string(), text);
    }
    for field in ["log_skey", "witness_skey", "mldsa_skey"] {
        let text = string(&vectors, field);
        assert_eq!(text.parse::<SignerKey>().unwrap().to_secret_text().as_str(), text);
    }
}

#[test]
fn seven_log_proofs_verify_for_their_entry_only() {
    let Some(vectors) = vectors(COSIGNATURES) else { return };
    let [log, witness, ml_dsa] = keys(&vectors);
    let policy = format!("log {log}\nwitness a {witness}\nwitness b {ml_dsa}\ngroup both all a b\nquorum both\n");
    let policy = Policy::parse(&policy).unwrap();
    let proofs = vectors["proofs"].as_array().unwrap();
    assert_eq!(proofs.len(), 7);
    for case in proofs {
        let text = string(case, "tlog_proof");
        let proof = LogProof::parse(text.as_bytes()).unwrap();
        assert_eq!(proof.to_string(), text);
        let verified = proof.verify(string(case, "leaf").as_bytes(), &policy).unwrap();
        assert_eq!((verified.checkpoint.size, verified.cosigned_by.len()), (7, 2));
        proof.verify(b"another entry", &policy).unwrap_err();
        let moved = LogProof { index: (proof.index + 1) % 7, ..proof };
        moved.verify(string(case, "leaf").as_bytes(), &policy).unwrap_err();
    }
}
