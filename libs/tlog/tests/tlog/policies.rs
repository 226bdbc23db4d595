//! Trust policies.

use tlog::{
    key::{Algorithm, SignerKey, VerifierKey},
    policy::{LineProblem, MAX_DEFINITIONS, MAX_DEPTH, Policy, PolicyError},
};

use crate::{NOW, checkpoint, cosigned_at, log_key, signed, signer, witness_key};

/// Witnesses `w2` to `w7` and these lines.
fn policy(lines: &str) -> Result<Policy, PolicyError> {
    let mut text = format!("log {} https://log.example/\n", log_key().verifier());
    for seed in 2..=7 {
        text.push_str(&format!("witness w{seed} {}\n", witness_key(seed).verifier()));
    }
    Policy::parse(&(text + lines))
}

fn cosigners(seeds: impl IntoIterator<Item = u8>) -> Vec<VerifierKey> {
    seeds.into_iter().map(|seed| witness_key(seed).verifier()).collect()
}

#[test]
fn groups_nest_and_each_subset_of_witnesses_is_judged() {
    let lines = "group x 2 w2 w3 w4\ngroup y any w5 w6 w7\ngroup xy all x y\nquorum xy\n";
    let policy = policy(lines).unwrap();
    assert_eq!(policy.quorum_text(), "all of (2 of (w2, w3, w4), any of (w5, w6, w7))");
    for subset in 0..64_u8 {
        let seeds: Vec<u8> = (2..8).filter(|seed| subset >> (seed - 2) & 1 == 1).collect();
        let x = seeds.iter().filter(|seed| **seed <= 4).count();
        let y = seeds.iter().filter(|seed| **seed > 4).count();
        assert_eq!(policy.satisfied_by(&cosigners(seeds.clone())), x >= 2 && y >= 1, "{seeds:?}");
    }
}

#[test]
fn repeated_and_unknown_cosigners_add_nothing() {
    let policy = policy("group g 2 w2 w3\nquorum g\n").unwrap();
    assert!(policy.satisfied_by(&cosigners([3, 2])));
    assert!(!policy.satisfied_by(&cosigners([2, 2, 9, 4])));
    let renamed = signer("other", Algorithm::CosignatureEd25519, 3).verifier();
    assert!(!policy.satisfied_by(&[witness_key(2).verifier(), renamed]));
}

#[test]
fn quorums_are_told_in_words() {
    let cases = [
        ("quorum none", "none"),
        ("quorum w3", "w3"),
        ("group g 2 w2 w3 w4\nquorum g", "2 of (w2, w3, w4)"),
        ("group g 2 w2 w3\nquorum g", "all of (w2, w3)"),
        ("group g 1 w2 w3\nquorum g", "any of (w2, w3)"),
        ("group a any w2\ngroup g all a w3\nquorum g", "all of (w2, w3)"),
    ];
    for (lines, text) in cases {
        assert_eq!(policy(lines).unwrap().quorum_text(), text, "{lines}");
    }
    assert!(policy("quorum none").unwrap().satisfied_by(&[]));
    assert!(!policy("quorum w3").unwrap().satisfied_by(&[]));
}

#[test]
fn comments_white_space_and_urls() {
    let log = log_key().verifier();
    let witness = witness_key(2).verifier();
    let text =
        format!("# who\n\n \t# indented\n\tlog\t {log}  https://l.example/ \nwitness löwe {witness} u\n quorum löwe");
    let policy = Policy::parse(&text).unwrap();
    assert_eq!(policy.logs()[0].url.as_deref(), Some("https://l.example/"));
    assert_eq!(policy.witnesses()[0].name, "löwe");
    assert_eq!(policy.witnesses()[0].url.as_deref(), Some("u"));
    assert_eq!(policy.keys(), [log, witness]);
    assert_eq!(Policy::parse("quorum none").unwrap().keys(), []);
}

#[test]
fn a_wrong_line_is_named_with_its_number() {
    let log = log_key().verifier();
    let twin = signer("log.example/twin", Algorithm::Ed25519, 1).verifier();
    let self_witness = signer("w", Algorithm::CosignatureEd25519, 1).verifier();
    let other = witness_key(9).verifier();
    let fresh = signer("log.example/fresh", Algorithm::Ed25519, 60).verifier();
    let cases = [
        ("logs x".to_owned(), LineProblem::Kind),
        ("log".to_owned(), LineProblem::Items),
        (format!("log {fresh} a b"), LineProblem::Items),
        (format!("log {twin}"), LineProblem::DuplicateKey),
        (format!("log {other}"), LineProblem::Algorithm),
        (format!("witness w {self_witness}"), LineProblem::DuplicateKey),
        (format!("witness w {log}"), LineProblem::Algorithm),
        (format!("witness none {other}"), LineProblem::ReservedName),
        (format!("witness w2 {other}"), LineProblem::DuplicateName),
        ("witness w".to_owned(), LineProblem::Items),
        ("group g all w2 w9".to_owned(), LineProblem::Undefined),
        ("group g all w2 none".to_owned(), LineProblem::Undefined),
        ("group g any g".to_owned(), LineProblem::Undefined),
        ("group g all w2 w2".to_owned(), LineProblem::AlreadyMember),
        ("group w2 all w3".to_owned(), LineProblem::DuplicateName),
        ("group none all w3".to_owned(), LineProblem::ReservedName),
        ("group g all".to_owned(), LineProblem::Threshold),
        ("group g 0 w2".to_owned(), LineProblem::Threshold),
        ("group g 2 w2".to_owned(), LineProblem::Threshold),
        ("group g 01 w2".to_owned(), LineProblem::Threshold),
        ("group g some w2".to_owned(), LineProblem::Threshold),
        ("group g".to_owned(), LineProblem::Items),
        ("quorum".to_owned(), LineProblem::Items),
        ("quorum w2 w3".to_owned(), LineProblem::Items),
        ("quorum w9".to_owned(), LineProblem::Undefined),
        ("quorum w2\r".to_owned(), LineProblem::ControlCharacter),
    ];
    for (line, problem) in cases {
        let error = policy(&format!("{line}\nquorum none\n")).unwrap_err();
        assert_eq!(error, PolicyError::Line { line: 8, problem }, "{line}");
        assert!(error.to_string().contains("line 8"));
    }
    let key = policy("witness w x+00000000+AA==\nquorum none").unwrap_err();
    assert!(matches!(key, PolicyError::Line { line: 8, problem: LineProblem::Key(_) }));
}

#[test]
fn exactly_one_quorum_and_one_group_per_member() {
    assert_eq!(policy(""), Err(PolicyError::NoQuorum));
    let second = policy("quorum w2\nquorum none").unwrap_err();
    assert_eq!(second, PolicyError::Line { line: 9, problem: LineProblem::SecondQuorum });
    let member = policy("group a any w2\ngroup b any w3 w2\nquorum a").unwrap_err();
    assert_eq!(member, PolicyError::Line { line: 9, problem: LineProblem::AlreadyMember });
    let forward = policy("quorum g\ngroup g any w2").unwrap_err();
    assert_eq!(forward, PolicyError::Line { line: 8, problem: LineProblem::Undefined });
}

#[test]
fn depth_and_number_are_bounded() {
    let chain = |depth: usize| {
        let mut lines = "group g1 all w2\n".to_owned();
        (2..=depth).for_each(|i| lines.push_str(&format!("group g{i} any g{}\n", i - 1)));
        policy(&format!("{lines}quorum g{depth}"))
    };
    assert_eq!(chain(MAX_DEPTH).unwrap().quorum_text(), "w2");
    let error = chain(MAX_DEPTH + 1).unwrap_err();
    assert!(matches!(error, PolicyError::Line { problem: LineProblem::TooDeep, .. }));

    let many = |count: usize| {
        let seed = |i: usize| {
            let mut seed = [0; 32];
            seed[..8].copy_from_slice(&(i as u64).to_be_bytes());
            SignerKey::from_seed("l", Algorithm::Ed25519, seed).unwrap().verifier()
        };
        let lines: String = (0..count).map(|i| format!("log {}\n", seed(i))).collect();
        Policy::parse(&format!("{lines}quorum none"))
    };
    assert_eq!(many(MAX_DEFINITIONS).unwrap().logs().len(), MAX_DEFINITIONS);
    let error = many(MAX_DEFINITIONS + 1).unwrap_err();
    assert!(matches!(error, PolicyError::Line { problem: LineProblem::TooMany, .. }));
    let huge = "\n".repeat(tlog::policy::MAX_POLICY_BYTES + 1);
    assert_eq!(Policy::parse(&huge), Err(PolicyError::TooLarge));
}

#[test]
fn a_checkpoint_needs_the_log_and_the_quorum() {
    let policy = policy("group g 2 w2 w3 w4\nquorum g\n").unwrap();
    let (log, w2, w3) = (log_key(), witness_key(2), witness_key(3));
    let note = signed(&checkpoint(5), &log, &[&w3, &witness_key(9), &w2]);
    let verified = policy.verify_checkpoint(note.as_bytes()).unwrap();
    assert_eq!(verified.checkpoint, checkpoint(5));
    assert_eq!(verified.log, log.verifier());
    let expected = [("w3".to_owned(), w3.verifier(), NOW), ("w2".to_owned(), w2.verifier(), NOW)];
    assert_eq!(verified.cosigned_by, expected);

    let verify = |note: String| policy.verify_checkpoint(note.as_bytes()).unwrap_err();
    let twice = verify(signed(&checkpoint(5), &log, &[&w2, &w2]));
    let cosigned_by = vec!["w2".to_owned()];
    let needed = "2 of (w2, w3, w4)".to_owned();
    assert_eq!(twice, PolicyError::Quorum { needed, cosigned_by });
    assert!(twice.to_string().contains("2 of (w2, w3, w4)"));
}

#[test]
fn a_cosignature_without_a_time_does_not_count() {
    let policy = policy("quorum w2").unwrap();
    let note = |time| format!("{}{}", signed(&checkpoint(5), &log_key(), &[]), cosigned_at(&checkpoint(5), 2, time));
    policy.verify_checkpoint(note(1).as_bytes()).unwrap();
    let error = policy.verify_checkpoint(note(0).as_bytes()).unwrap_err();
    assert!(matches!(error, PolicyError::Quorum { .. }));
}

#[test]
fn refusals_of_a_checkpoint_say_why() {
    let policy = policy("group g 2 w2 w3 w4\nquorum g\n").unwrap();
    let (log, w2, w3) = (log_key(), witness_key(2), witness_key(3));
    let good = signed(&checkpoint(5), &log, &[&w2, &w3]);
    let verify = |note: &str| policy.verify_checkpoint(note.as_bytes()).unwrap_err();
    assert_eq!(verify(&good.replace("\n5\n", "\n05\n")), PolicyError::Malformed);
    assert_eq!(verify("text"), PolicyError::Malformed);

    let (head, tail) = good.split_once("\n\n").unwrap();
    let lines: Vec<&str> = tail.lines().collect();
    let unsigned = format!("{head}\n\n{}\n{}\n", lines[1], lines[2]);
    assert_eq!(verify(&unsigned), PolicyError::LogSignature);
    assert_eq!(verify(&good.replacen("\n5\n", "\n6\n", 1)), PolicyError::LogSignature);
    let mut broken = good.clone();
    broken.replace_range(good.len() - 4.., "AA=\n");
    assert_eq!(verify(&broken), PolicyError::Signature { name: w3.verifier().name().into() });

    let mut strange = checkpoint(5);
    strange.origin = "log.example/other".to_owned();
    let origin = strange.origin.clone();
    assert_eq!(verify(&signed(&strange, &log, &[&w2, &w3])), PolicyError::Origin { origin });
}

#[test]
fn a_log_signs_under_its_own_origin_only() {
    let second = signer("log.example/second", Algorithm::Ed25519, 40);
    let lines = format!("log {}\nquorum none", second.verifier());
    let policy = policy(&lines).unwrap();
    let crossed = signed(&checkpoint(5), &second, &[]);
    let error = policy.verify_checkpoint(crossed.as_bytes()).unwrap_err();
    assert_eq!(error, PolicyError::LogSignature);
}

#[test]
fn a_log_may_sign_with_ml_dsa_as_well() {
    let quantum = signer(crate::ORIGIN, Algorithm::CosignatureMlDsa44, 41);
    let policy = policy(&format!("log {}\nquorum none", quantum.verifier())).unwrap();
    let note = signed(&checkpoint(5), &log_key(), &[&quantum]);
    let verified = policy.verify_checkpoint(note.as_bytes()).unwrap();
    assert_eq!((verified.log, verified.cosigned_by), (log_key().verifier(), vec![]));
}

#[test]
fn the_quorum_stands_by_a_checkpoint_since_the_latest_time_that_enough_state() {
    let lines = "group x 2 w2 w3 w4\ngroup y any w5 w6 w7\ngroup xy all x y\nquorum xy\n";
    let since = |lines: &str, times: &[(u8, u64)]| {
        let cosigned_by: Vec<_> =
            times.iter().map(|(seed, time)| (format!("w{seed}"), witness_key(*seed).verifier(), *time)).collect();
        policy(lines).unwrap().cosigned_since(&cosigned_by)
    };
    assert_eq!(since(lines, &[(2, 10), (3, 30), (4, 20), (5, 25), (6, 5)]), Some(20));
    assert_eq!(since(lines, &[(2, 10), (3, 30), (5, 40)]), Some(10));
    assert_eq!(since(lines, &[(2, 10), (3, 30), (5, 2), (7, 3)]), Some(3));
    assert_eq!(since(lines, &[(2, 10), (3, 30), (4, 20)]), None, "no quorum");
    assert_eq!(since("quorum none", &[(2, 10)]), None, "nobody has to stand by it");
}
