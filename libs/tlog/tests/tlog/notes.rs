//! Signed notes and checkpoints.

use proptest::prelude::*;
use tlog::{
    Hash,
    checkpoint::{Checkpoint, CheckpointError},
    key::Algorithm,
    note::{self, MAX_NOTE_BYTES, MAX_SIGNATURES, Note, NoteError, NoteSignature},
};

use crate::{NOW, checkpoint, log_key, signed, signer, witness_key};

fn line(byte: char) -> String {
    format!("\u{2014} n{byte} AAAAAAA{byte}\n")
}

#[test]
fn text_and_signatures_part_at_the_last_empty_line() {
    let bytes = format!("a\n\nb\n\n{}{}", line('A'), line('B'));
    let note = Note::parse(bytes.as_bytes()).unwrap();
    assert_eq!(note.text, "a\n\nb\n");
    assert_eq!(note.signatures.len(), 2);
    assert_eq!(note.signatures[1].name, "nB");
    assert_eq!(note.to_string(), bytes);
}

#[test]
fn malformed_notes_are_refused() {
    let good = format!("a\n\n{}", line('A'));
    Note::parse(good.as_bytes()).unwrap();
    let lines = NoteError::SignatureLine;
    let cases = [
        (good.replace("a\n", "a\r\n"), NoteError::Text),
        (good.replace('a', "a\tb"), NoteError::Text),
        (good.replace("\n\n", "\n"), lines.clone()),
        (good.trim_end().to_owned(), lines.clone()),
        (format!("{good}\n"), lines.clone()),
        ("a\n\n".to_owned(), lines.clone()),
        (format!("{good}x\n"), lines.clone()),
        (good.replace('\u{2014}', "-"), lines.clone()),
        (good.replace("nA", "n+A"), lines.clone()),
        (good.replace("nA", ""), lines.clone()),
        (good.replace("nA", "n\u{2003}A"), lines.clone()),
        (good.replace("AAAAAAAA", "AAAA"), lines.clone()),
        (good.replace("AAAAAAAA", "AAAAAA=="), lines.clone()),
        (good.replace("AAAAAAAA", "AAAAAAB="), lines.clone()),
        (good.replace("AAAAAAAA", "AAAAAAA"), lines),
    ];
    for (note, error) in cases {
        assert_eq!(Note::parse(note.as_bytes()), Err(error), "{note:?}");
    }
    assert_eq!(Note::parse(b"\xff\n\n"), Err(NoteError::Text));
}

#[test]
fn size_and_number_of_signatures_are_bounded() {
    let note = |signatures| format!("a\n\n{}", line('A').repeat(signatures));
    Note::parse(note(MAX_SIGNATURES).as_bytes()).unwrap();
    let error = Note::parse(note(MAX_SIGNATURES + 1).as_bytes()).unwrap_err();
    assert_eq!(error, NoteError::TooLarge);
    let long = format!("{}\n\n{}", "a".repeat(MAX_NOTE_BYTES), line('A'));
    assert_eq!(Note::parse(long.as_bytes()), Err(NoteError::TooLarge));
}

#[test]
fn sixteen_post_quantum_signatures_fit() {
    let keys: Vec<_> =
        (0..16).map(|i| signer(&format!("{i}.{}", "n".repeat(200)), Algorithm::CosignatureMlDsa44, i)).collect();
    let bytes = signed(&checkpoint(3), &log_key(), &keys.iter().collect::<Vec<_>>());
    let note = Note::parse(bytes.as_bytes()).unwrap();
    let keys: Vec<_> = keys.iter().map(|key| key.verifier()).collect();
    assert_eq!(note.verify(&keys).unwrap().len(), 16);
}

#[test]
fn unknown_signatures_are_ignored_and_known_ones_must_hold() {
    let (log, witness) = (log_key(), witness_key(2));
    let note = Note::parse(signed(&checkpoint(3), &log, &[&witness]).as_bytes()).unwrap();
    let (log, witness) = (log.verifier(), witness.verifier());
    let both = note.verify(&[log.clone(), witness.clone()]).unwrap();
    assert_eq!(both.iter().map(|v| v.time).collect::<Vec<_>>(), [None, Some(NOW)]);
    assert_eq!(note.verify(std::slice::from_ref(&witness)).unwrap()[0].key, witness);
    assert_eq!(note.verify(&[]), Err(NoteError::NoKnownSignature));
    assert_eq!(note.verify(&[witness_key(3).verifier()]), Err(NoteError::NoKnownSignature));

    let mut broken = note.clone();
    broken.signatures[1].signature[20] ^= 1;
    let wrong = NoteError::WrongSignature { name: witness.name().to_owned() };
    assert_eq!(broken.verify(&[log.clone(), witness.clone()]), Err(wrong));
    assert_eq!(broken.verify(std::slice::from_ref(&log)).unwrap().len(), 1);

    // The same id under another name, and the same name with another id, are other keys.
    let mut renamed = broken.clone();
    renamed.signatures[1].name.push('x');
    assert_eq!(renamed.verify(&[log.clone(), witness.clone()]).unwrap().len(), 1);
    broken.signatures[1].key_id[0] ^= 1;
    assert_eq!(broken.verify(&[log, witness]).unwrap().len(), 1);
}

#[test]
fn another_text_breaks_every_kind_of_signature() {
    let log = log_key();
    let (classic, quantum) = (witness_key(2), signer("pq", Algorithm::CosignatureMlDsa44, 3));
    let note = Note::parse(signed(&checkpoint(3), &log, &[&classic, &quantum]).as_bytes()).unwrap();
    for (key, signature) in [&log, &classic, &quantum].into_iter().zip(note.signatures) {
        let text = checkpoint(4).to_string();
        let forged = Note { text, signatures: vec![signature] };
        let error = forged.verify(&[key.verifier()]).unwrap_err();
        assert!(matches!(error, NoteError::WrongSignature { .. }), "{key:?}");
    }
}

#[test]
fn two_signatures_by_one_key_count_once() {
    let (log, witness) = (log_key(), witness_key(2));
    let bytes = signed(&checkpoint(3), &log, &[&witness, &witness]);
    let mut note = Note::parse(bytes.as_bytes()).unwrap();
    let keys = [log.verifier(), witness.verifier(), log.verifier()];
    assert_eq!(note.verify(&keys).unwrap().len(), 2);
    note.signatures[2].signature[20] ^= 1;
    note.verify(&keys).unwrap_err();
}

#[test]
fn logs_sign_text_that_a_note_can_hold() {
    let sign = |text| note::sign(text, &log_key()).map(drop);
    assert_eq!(sign("any text\n\n"), Ok(()));
    assert_eq!(sign("no newline"), Err(NoteError::Text));
    assert_eq!(sign(""), Err(NoteError::Text));
    assert_eq!(sign("a\rb\n"), Err(NoteError::Text));
    assert_eq!(note::sign("a\n", &witness_key(2)), Err(NoteError::Algorithm));
}

#[test]
fn a_witness_answer_is_signature_lines_alone() {
    let answer = format!("{}{}", line('A'), line('B'));
    let lines = note::parse_signatures(answer.as_bytes()).unwrap();
    assert_eq!(lines.iter().map(NoteSignature::to_string).collect::<String>(), answer);
    assert_eq!(note::parse_signatures(b""), Err(NoteError::SignatureLine));
    let untidy = format!("\n{answer}");
    assert_eq!(note::parse_signatures(untidy.as_bytes()), Err(NoteError::SignatureLine));
}

#[test]
fn checkpoints_name_the_line_that_is_wrong() {
    let root = Hash::ZERO.to_base64();
    let cases = [
        (format!("\n1\n{root}\n"), CheckpointError::Origin),
        (format!("o\n01\n{root}\n"), CheckpointError::Size),
        (format!("o\n\n{root}\n"), CheckpointError::Size),
        (format!("o\n18446744073709551616\n{root}\n"), CheckpointError::Size),
        ("o\n1\nAAAA\n".to_owned(), CheckpointError::Root),
        (format!("o\n1\n{root}"), CheckpointError::Text),
        (format!("o\r\n1\n{root}\n"), CheckpointError::Text),
        ("o\n1\n".to_owned(), CheckpointError::Text),
        (String::new(), CheckpointError::Text),
        (format!("o\n1\n{root}\n\n"), CheckpointError::Extension),
        (format!("o\n1\n{root}\n\nx\n"), CheckpointError::Extension),
    ];
    for (text, error) in cases {
        assert_eq!(Checkpoint::parse(&text), Err(error), "{text:?}");
    }
    let extended = format!("o\n0\n{root}\nx\ny z\n");
    let checkpoint = Checkpoint::parse(&extended).unwrap();
    assert_eq!(checkpoint.extensions, ["x", "y z"]);
    assert_eq!(checkpoint.to_string(), extended);
}

proptest! {
    #[test]
    fn checkpoints_round_trip(origin in "[^\u{0}-\u{1f}]{1,40}", size: u64, root: [u8; 32]) {
        let checkpoint = Checkpoint { origin, size, root: Hash(root), extensions: Vec::new() };
        prop_assert_eq!(Checkpoint::parse(&checkpoint.to_string()), Ok(checkpoint));
    }

    #[test]
    fn notes_round_trip(
        text in "([^\u{0}-\u{1f}]{0,20}\n){1,5}", name in "[a-z./é]{1,20}",
        key_id: [u8; 4], signature in prop::collection::vec(any::<u8>(), 1..80),
    ) {
        let note = Note { text, signatures: vec![NoteSignature { name, key_id, signature }; 2] };
        prop_assert_eq!(Note::parse(note.to_string().as_bytes()), Ok(note));
    }
}
