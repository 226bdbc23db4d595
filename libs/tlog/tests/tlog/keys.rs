//! Keys as text.

use ed25519_dalek::{Signature, Verifier, VerifyingKey};
use tlog::{
    key::{Algorithm, KeyError, SignerKey, VerifierKey},
    note::{Note, NoteSignature},
};

use crate::{log_key, signer};

const KNOWN: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const ALL: [Algorithm; 3] = [Algorithm::Ed25519, Algorithm::CosignatureEd25519, Algorithm::CosignatureMlDsa44];

fn refused(text: &str) -> KeyError {
    text.parse::<VerifierKey>().unwrap_err()
}

#[test]
fn the_published_key_has_the_published_id() {
    let key: VerifierKey = KNOWN.parse().unwrap();
    assert_eq!(key.name(), "example.com/foo");
    assert_eq!(key.id(), [0x53, 0x0d, 0x90, 0x3a]);
    assert_eq!(key.algorithm(), Algorithm::Ed25519);
    assert_eq!(key.public_key().len(), 32);
    assert_eq!(key.to_string(), KNOWN);
    let parts = VerifierKey::new(key.name(), key.algorithm(), key.public_key());
    assert_eq!(parts, Ok(key));
}

#[test]
fn a_text_that_is_not_the_only_spelling_is_refused() {
    assert_eq!(refused(&KNOWN.replace("530d903a", "530d903b")), KeyError::Id);
    assert_eq!(refused(&KNOWN.replace("com/foo", "com/bar")), KeyError::Id);
    assert_eq!(refused(&KNOWN.replace("530d903a", "530D903A")), KeyError::Format);
    assert_eq!(refused(&KNOWN.replace("530d903a", "30d903a")), KeyError::Format);
    assert_eq!(refused(&KNOWN.replace("example.com/foo", "example com")), KeyError::Name);
    assert_eq!(refused(&KNOWN.replace("example.com/foo", "")), KeyError::Name);
    assert_eq!(refused(&KNOWN.replace("example.com/foo", &"n".repeat(256))), KeyError::Name);
    assert_eq!(refused(&KNOWN.replace("+Aek", "+Cek")), KeyError::Algorithm(0x09));
    assert_eq!(refused(&format!("{KNOWN}\n")), KeyError::Format);
    assert_eq!(refused(&KNOWN[..KNOWN.len() - 4]), KeyError::Material);
    assert_eq!(refused("example.com/foo"), KeyError::Format);
}

#[test]
fn weak_and_short_public_keys_are_refused() {
    // The neutral element: it would verify signatures of anything by anybody.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let new = |algorithm, key: &[u8]| VerifierKey::new("n", algorithm, key);
    assert_eq!(new(Algorithm::Ed25519, &neutral), Err(KeyError::Material));
    assert_eq!(new(Algorithm::Ed25519, &[2; 32]), Err(KeyError::Material));
    assert_eq!(new(Algorithm::CosignatureMlDsa44, &[0; 1311]), Err(KeyError::Material));
}

#[test]
fn keys_round_trip_for_every_algorithm() {
    for algorithm in ALL {
        let key = signer("n.example", algorithm, 7);
        let text = key.to_secret_text();
        assert!(text.starts_with("PRIVATE+KEY+n.example+"));
        let again: SignerKey = text.parse().unwrap();
        assert_eq!(again.verifier(), key.verifier());
        assert_eq!(again.to_secret_text(), text);
        let public = key.verifier();
        assert_eq!(public.public_key().len(), algorithm.public_key_bytes());
        assert_eq!(public.to_string().parse(), Ok(public));
        assert_eq!(Algorithm::from_byte(algorithm.byte()), Some(algorithm));
        assert_eq!(key.with_algorithm(algorithm).verifier(), key.verifier());
    }
    assert_eq!(Algorithm::from_byte(0x02), None);
}

#[test]
fn private_keys_with_a_wrong_id_or_length_are_refused() {
    let text = log_key().to_secret_text();
    let id = hex::encode(log_key().verifier().id());
    let error = |text: &str| text.parse::<SignerKey>().unwrap_err();
    assert_eq!(error(&text.replace(&id, "00000000")), KeyError::Id);
    assert_eq!(error(&text[..text.len() - 4]), KeyError::Material);
    assert_eq!(error(&format!("{}AAAA", *text)), KeyError::Material);
    assert_eq!(error(&text["PRIVATE+KEY+".len()..]), KeyError::Format);
    assert_eq!(error(&text.replace("+AQ", "+Ag")), KeyError::Algorithm(0x02));
}

#[test]
fn a_private_key_is_not_shown() {
    let key = log_key();
    let shown = format!("{key:?} {:?}", key.verifier());
    let text = key.to_secret_text();
    let secret = text.rsplit('+').next().unwrap();
    assert!(!shown.contains(&secret[4..]), "{shown}");
    assert!(!shown.contains("1, 1, 1") && !shown.contains("010101"), "{shown}");
    let error = format!("{}x", *text).parse::<SignerKey>().unwrap_err();
    assert!(!format!("{error:?} {error}").contains(&secret[4..]));
}

/// A signature whose point R is the neutral element, made with the private key of [`log_key`]:
/// `s = SHA-512(R ‖ A ‖ "any text\n") · a`. Lax verifiers take it.
#[test]
fn ed25519_is_verified_strictly() {
    let scalar = "2c54a1a75e0761b85d13fbc6eb10f1bb190b734f34d8076aacf7707a8b6c2500";
    let mut signature = vec![1];
    signature.resize(32, 0);
    signature.extend(hex::decode(scalar).unwrap());
    let key = log_key().verifier();
    let lax = VerifyingKey::from_bytes(key.public_key().try_into().unwrap()).unwrap();
    lax.verify(b"any text\n", &Signature::from_slice(&signature).unwrap()).unwrap();
    let line = NoteSignature { name: key.name().to_owned(), key_id: key.id(), signature };
    let note = Note { text: "any text\n".to_owned(), signatures: vec![line] };
    note.verify(&[key]).unwrap_err();
}
