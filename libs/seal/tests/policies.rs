//! Policies in their two forms: a pure tlog-policy with a file of keys beside it, and one file that holds both.

#![allow(missing_docs, clippy::unwrap_used)]

use seal::{
    policy::{MAX_POLICY_BYTES, Policy, PolicyError, part},
    verify::verify,
};
use tlog::key::{Algorithm, SignerKey};

const BUNDLE: &[u8] = include_bytes!("../../../docs/vectors/bundle.trialseal");
const OLDER: &str = include_str!("../../../docs/vectors/policy.txt");

fn study_line(of: &str) -> &str {
    of.lines().find(|line| line.starts_with("study ")).unwrap()
}

#[test]
fn both_forms_of_a_policy_say_the_same() {
    let older = Policy::parse(OLDER).unwrap();
    let (pure, keys) = part(OLDER);
    tlog::policy::Policy::parse(OLDER).unwrap_err();
    tlog::policy::Policy::parse(&pure).unwrap();
    let alone = Policy::parse(&pure).unwrap();
    assert!(alone.studies.is_empty() && alone.receipts.is_empty());
    assert!(!verify(BUNDLE, &alone).verified, "the study's root key is in the other file");
    let both = alone.with_keys(&keys).unwrap();
    assert_eq!((&both.tlog, &both.studies, &both.receipts), (&older.tlog, &older.studies, &older.receipts));
    assert!(verify(BUNDLE, &both).verified);
    assert!(verify(BUNDLE, &older).verified);
}

#[test]
fn the_file_of_keys_holds_keys_and_nothing_else() {
    let (pure, keys) = part(OLDER);
    let read = |keys: &str| Policy::parse(&pure).unwrap().with_keys(keys).map(|policy| policy.studies.len());
    assert_eq!(read(""), Ok(0));
    assert_eq!(read(&format!("# studies\r\n\r\n \t# more\n{keys}")), Ok(1));
    let study = study_line(OLDER);
    assert_eq!(read(&study.replace(' ', "\t ")), Ok(1));
    for (line, error) in [
        ("quorum none", PolicyError::Kind(2)),
        (pure.lines().find(|line| line.starts_with("log ")).unwrap(), PolicyError::Kind(2)),
        ("studies", PolicyError::Kind(2)),
        ("\u{b}", PolicyError::Control(2)),
        ("# \u{7f}", PolicyError::Control(2)),
        ("study", PolicyError::Study(2)),
        ("receipt nobody", PolicyError::Receipt(2)),
    ] {
        assert_eq!(read(&format!("# keys\n{line}\n")), Err(error), "{line:?}");
    }
    assert_eq!(read(&format!("{study}\n{study}\n")), Err(PolicyError::Study(2)), "named twice");
    let again = Policy::parse(OLDER).unwrap().with_keys(study).map(drop);
    assert_eq!(again, Err(PolicyError::Study(1)), "named in both files");
    assert_eq!(read(&"\n".repeat(MAX_POLICY_BYTES + 1)), Err(PolicyError::TooLarge));
}

#[test]
fn a_policy_of_32_logs_and_32_witnesses_with_keys_of_ml_dsa_is_read() {
    let vkey = |name: String, seed| {
        SignerKey::from_seed(&name, Algorithm::CosignatureMlDsa44, [seed; 32]).unwrap().verifier().to_string()
    };
    let mut text = String::new();
    let mut names = String::new();
    for seed in 0..32_u8 {
        text += &format!("log {} https://log-{seed}.example/\n", vkey(format!("log-{seed}.example"), seed));
        text += &format!("witness w{seed} {}\n", vkey(format!("witness-{seed}.example"), 100 + seed));
        names += &format!(" w{seed}");
    }
    text += &format!("group all-of-them 17{names}\nquorum all-of-them\n");
    assert!(text.len() > 115_000, "{}", text.len());
    let policy = Policy::parse(&text).unwrap();
    assert_eq!((policy.tlog.logs().len(), policy.tlog.witnesses().len()), (32, 32));
    assert_eq!(Policy::parse(&"#".repeat(MAX_POLICY_BYTES + 1)).unwrap_err(), PolicyError::TooLarge);
}
