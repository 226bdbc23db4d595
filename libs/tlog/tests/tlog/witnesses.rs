//! What a witness answers.

use std::collections::HashMap;

use tlog::{
    Hash,
    checkpoint::Checkpoint,
    key::Algorithm,
    merkle, tile,
    witness::{AddCheckpoint, MAX_PROOF_LINES, Refusal, decide, is_size_content_type},
};

use crate::{checkpoint, leaves, log_key, signed, signer};

fn request(old: u64, size: u64) -> AddCheckpoint {
    let tiles: HashMap<_, _> = tile::grow(&HashMap::new(), 0, &leaves(size)).unwrap().into_iter().collect();
    let proof = tile::consistency_proof(&tiles, old.min(size), size).unwrap();
    AddCheckpoint { old, proof, checkpoint: signed(&checkpoint(size), &log_key(), &[]) }
}

fn last(size: u64) -> Option<(u64, Hash)> {
    Some((size, merkle::root(&leaves(size))))
}

fn answer(request: &AddCheckpoint, last: Option<(u64, Hash)>) -> Result<Checkpoint, Refusal> {
    let again = AddCheckpoint::parse(request.to_string().as_bytes()).unwrap();
    assert_eq!(&again, request);
    decide(request, last.as_ref(), &[log_key().verifier()])
}

#[test]
fn growth_is_accepted_from_any_size_to_any_larger() {
    assert_eq!(answer(&request(0, 5), None), Ok(checkpoint(5)));
    assert_eq!(answer(&request(0, 0), None), Ok(checkpoint(0)));
    for size in 1..40 {
        for old in 0..=size {
            assert_eq!(answer(&request(old, size), last(old)), Ok(checkpoint(size)));
        }
    }
}

#[test]
fn the_same_size_refreshes_the_time() {
    assert_eq!(answer(&request(5, 5), last(5)), Ok(checkpoint(5)));
}

#[test]
fn every_refusal_has_its_status() {
    let resigned = |old, checkpoint: &Checkpoint| AddCheckpoint {
        old,
        proof: Vec::new(),
        checkpoint: signed(checkpoint, &log_key(), &[]),
    };
    let unknown = Checkpoint { origin: "log.example/other".to_owned(), ..checkpoint(5) };
    let impostor = signer(crate::ORIGIN, Algorithm::Ed25519, 50);
    let unsigned = AddCheckpoint { checkpoint: signed(&checkpoint(5), &impostor, &[]), ..request(3, 5) };
    let mut tampered = request(3, 5);
    tampered.checkpoint = tampered.checkpoint.replace("\n5\n", "\n6\n");
    let mut garbled = request(3, 5);
    garbled.checkpoint.insert(0, '\n');
    let forked = Checkpoint { root: Hash::ZERO, ..checkpoint(5) };
    let hollow = Checkpoint { root: Hash::ZERO, ..checkpoint(0) };
    let proved_from_nothing = AddCheckpoint { old: 0, ..request(3, 5) };
    let proved_refresh = AddCheckpoint { old: 5, ..request(3, 5) };
    let mut wrong = request(3, 5);
    wrong.proof[0] = Hash::ZERO;
    let mut truncated = request(3, 5);
    truncated.proof.pop();

    let table = [
        ("unknown origin", resigned(0, &unknown), None, Refusal::UnknownOrigin, 404),
        ("no trusted signature", unsigned, last(3), Refusal::Signature, 403),
        ("wrong signature", tampered, last(3), Refusal::Signature, 403),
        ("malformed checkpoint", garbled, last(3), Refusal::Malformed, 400),
        ("old above size", request(6, 5), last(6), Refusal::OldTooLarge, 400),
        ("never cosigned", request(3, 5), None, Refusal::Conflict { size: 0 }, 409),
        ("behind", request(3, 5), last(4), Refusal::Conflict { size: 4 }, 409),
        ("ahead", request(0, 5), last(4), Refusal::Conflict { size: 4 }, 409),
        ("smaller than cosigned", request(4, 5), last(9), Refusal::Conflict { size: 9 }, 409),
        ("size 0, wrong root", resigned(0, &hollow), None, Refusal::Root, 422),
        ("same size, other root", resigned(5, &forked), last(5), Refusal::Root, 422),
        ("proof from nothing", proved_from_nothing, None, Refusal::Proof, 422),
        ("proof for the same size", proved_refresh, last(5), Refusal::Proof, 422),
        ("wrong proof", wrong, last(3), Refusal::Proof, 422),
        ("short proof", truncated, last(3), Refusal::Proof, 422),
        ("forked growth", request(3, 5), Some((3, Hash::ZERO)), Refusal::Proof, 422),
    ];
    for (name, request, last, refusal, status) in table {
        assert_eq!(answer(&request, last), Err(refusal), "{name}");
        assert_eq!(refusal.status(), status, "{name}");
    }
}

#[test]
fn only_the_key_of_the_origin_counts() {
    let other = signer("log.example/other", Algorithm::Ed25519, 51);
    let keys = [log_key().verifier(), other.verifier()];
    let crossed = signed(&checkpoint(5), &other, &[]);
    let request = AddCheckpoint { old: 0, proof: Vec::new(), checkpoint: crossed };
    assert_eq!(decide(&request, None, &keys), Err(Refusal::Signature));
    assert_eq!(decide(&request, None, &[]), Err(Refusal::UnknownOrigin));
}

#[test]
fn malformed_requests_are_refused() {
    let good = request(3, 5).to_string();
    let hash = format!("{}\n", Hash::ZERO.to_base64());
    let lines = |count| good.replacen("old 3\n", &format!("old 3\n{}", hash.repeat(count)), 1);
    AddCheckpoint::parse(lines(MAX_PROOF_LINES - request(3, 5).proof.len()).as_bytes()).unwrap();
    let cases = [
        lines(MAX_PROOF_LINES),
        good.replace("old 3", "old 03"),
        good.replace("old 3", "old -3"),
        good.replace("old 3", "new 3"),
        good.replace("old 3\n", "old 3\n\u{7}\n"),
        good.replace("old 3\n", "old 3\nAAAA\n"),
        good.replace('\n', "\r\n"),
        good.replace("\n\n", "\n"),
        format!("{good}{}", "x".repeat(tlog::witness::MAX_REQUEST_BYTES)),
        String::new(),
    ];
    for text in cases {
        let refusal = AddCheckpoint::parse(text.as_bytes()).unwrap_err();
        assert_eq!((refusal, refusal.status()), (Refusal::Malformed, 400), "{text:.80}");
    }
}

#[test]
fn a_size_is_told_by_its_content_type_in_any_case_and_with_parameters() {
    for value in [
        "text/x.tlog.size",
        "text/x.tlog.size; charset=utf-8",
        "Text/X.TLog.Size ;charset=\"utf-8\"",
        " text/x.tlog.size;",
    ] {
        assert!(is_size_content_type(value), "{value}");
    }
    for value in
        ["", "text/plain", "text/x.tlog.sizes", "text/plain; text/x.tlog.size", "text/x.tlog.size charset=utf-8"]
    {
        assert!(!is_size_content_type(value), "{value}");
    }
}
