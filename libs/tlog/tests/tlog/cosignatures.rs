//! Cosignatures by witnesses.

use tlog::{
    cosignature::{self, MAX_TIME_SECONDS},
    key::Algorithm,
    note::{MAX_SIGNATURES, Note, NoteError, parse_each_signature},
};

use crate::{NOW, checkpoint, cosigned_at, log_key, signer, witness_key};

const COSIGNING: [Algorithm; 2] = [Algorithm::CosignatureEd25519, Algorithm::CosignatureMlDsa44];

#[test]
fn the_time_is_part_of_what_is_signed() {
    for algorithm in COSIGNING {
        let key = signer("w", algorithm, 2);
        let line = cosignature::cosign(&checkpoint(3), &key, NOW).unwrap();
        assert_eq!(line.signature[..8], NOW.to_be_bytes());
        let mut note = Note { text: checkpoint(3).to_string(), signatures: vec![line] };
        assert_eq!(note.verify(&[key.verifier()]).unwrap()[0].time, Some(NOW));
        note.signatures[0].signature[7] ^= 1;
        note.verify(&[key.verifier()]).unwrap_err();
        note.signatures[0].signature.truncate(7);
        note.verify(&[key.verifier()]).unwrap_err();
    }
}

#[test]
fn times_outside_the_format_are_refused() {
    let cosign = |time| cosignature::cosign(&checkpoint(3), &witness_key(2), time).map(drop);
    assert_eq!(cosign(0), Err(NoteError::Time));
    assert_eq!(cosign(MAX_TIME_SECONDS + 1), Err(NoteError::Time));
    assert_eq!(cosign(MAX_TIME_SECONDS), Ok(()));
}

#[test]
fn times_that_no_cosignature_can_carry_are_wrong_though_signed() {
    let verify = |time| {
        let signatures = vec![cosigned_at(&checkpoint(3), 2, time)];
        let note = Note { text: checkpoint(3).to_string(), signatures };
        note.verify(&[witness_key(2).verifier()]).map(|verified| verified[0].time)
    };
    assert_eq!(verify(0), Ok(Some(0)));
    assert_eq!(verify(MAX_TIME_SECONDS), Ok(Some(MAX_TIME_SECONDS)));
    verify(MAX_TIME_SECONDS + 1).unwrap_err();
}

#[test]
fn a_log_key_does_not_cosign() {
    let cosigned = cosignature::cosign(&checkpoint(3), &log_key(), NOW);
    assert_eq!(cosigned, Err(NoteError::Algorithm));
}

#[test]
fn only_what_reads_back_as_the_same_checkpoint_is_cosigned() {
    let mut smuggled = checkpoint(3);
    smuggled.origin = format!("{}\n9", smuggled.origin);
    let cosigned = cosignature::cosign(&smuggled, &witness_key(2), NOW);
    assert_eq!(cosigned, Err(NoteError::Text));
    let mut long = checkpoint(3);
    long.origin = "o".repeat(256);
    let key = signer("w", Algorithm::CosignatureMlDsa44, 2);
    assert_eq!(cosignature::cosign(&long, &key, NOW), Err(NoteError::Text));
}

#[test]
fn a_cosignature_of_something_else_than_a_checkpoint_is_wrong() {
    let key = witness_key(2);
    let line = cosignature::cosign(&checkpoint(3), &key, NOW).unwrap();
    let note = Note { text: "no checkpoint\n".to_owned(), signatures: vec![line] };
    let error = note.verify(&[key.verifier()]).unwrap_err();
    assert!(matches!(error, NoteError::WrongSignature { .. }));
}

#[test]
fn extension_lines_are_covered_by_ed25519_only() {
    let mut extended = checkpoint(3);
    extended.extensions.push("extra".to_owned());
    for (algorithm, covered) in COSIGNING.into_iter().zip([true, false]) {
        let key = signer("w", algorithm, 2);
        let line = cosignature::cosign(&extended, &key, NOW).unwrap();
        let bare = Note { text: checkpoint(3).to_string(), signatures: vec![line] };
        assert_eq!(bare.verify(&[key.verifier()]).is_err(), covered, "{algorithm:?}");
    }
}

#[test]
fn ml_dsa_names_its_cosigner_and_ed25519_does_not() {
    for (algorithm, bound) in COSIGNING.into_iter().zip([false, true]) {
        let (key, other) = (signer("w", algorithm, 2), signer("x", algorithm, 2).verifier());
        let mut line = cosignature::cosign(&checkpoint(3), &key, NOW).unwrap();
        (line.name, line.key_id) = (other.name().to_owned(), other.id());
        let note = Note { text: checkpoint(3).to_string(), signatures: vec![line] };
        assert_eq!(note.verify(&[other]).is_err(), bound, "{algorithm:?}");
    }
}

#[test]
fn each_line_of_an_answer_is_judged_alone() {
    let keys: Vec<_> = (2..=4).map(|seed| witness_key(seed).verifier()).collect();
    let mut lines: Vec<_> = (2..=5).map(|seed| cosigned_at(&checkpoint(3), seed, NOW)).collect();
    lines[1].signature[20] ^= 1;
    lines.extend([cosigned_at(&checkpoint(3), 2, NOW + 1), cosigned_at(&checkpoint(4), 4, NOW)]);
    let note = Note { text: checkpoint(3).to_string(), signatures: lines.clone() };
    assert!(note.verify(&keys).is_err());
    let judged = note.judge(&keys);
    let valid: Vec<_> = judged.valid.iter().map(|(line, verified)| (line.clone(), verified.time)).collect();
    assert_eq!(valid, [(lines[0].clone(), Some(NOW)), (lines[2].clone(), Some(NOW))], "the first of each key");
    assert_eq!(judged.wrong, 2, "the line of a stranger is no fault of these keys");

    let text: String = lines.iter().map(ToString::to_string).collect();
    assert_eq!(parse_each_signature(text.as_bytes()), (lines.clone(), 0));
    let junk = [b"junk\n\n\xff\xfe\n".as_slice(), text.as_bytes(), "— a\n— b c\u{1}".as_bytes()].concat();
    assert_eq!(parse_each_signature(&junk), (lines.clone(), 5));
    assert_eq!(parse_each_signature(b"").0, []);
    let many = lines[0].to_string().repeat(100);
    assert_eq!(parse_each_signature(many.as_bytes()).0.len(), MAX_SIGNATURES);
}
