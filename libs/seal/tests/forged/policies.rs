//! Policy files: those that are read, and those that are refused before anything is verified.

use crate::published::folder_holds;
use seal::policy::{MAX_POLICY_BYTES, Policy};
use tlog::key::{Algorithm, SignerKey};

fn key(name: &str, algorithm: Algorithm, seed: u8) -> String {
    SignerKey::from_seed(name, algorithm, [seed; 32]).unwrap().verifier().to_string()
}

fn log(seed: u8) -> String {
    key("example.com/chain", Algorithm::Ed25519, seed)
}

fn witness(seed: u8) -> String {
    key("witness.example", Algorithm::CosignatureEd25519, seed)
}

fn receipt() -> String {
    key("capture.example", Algorithm::Ed25519, 40)
}

const STUDY: &str = "00000000-0000-4000-8000-000000000000";
const OTHER: &str = "00000000-0000-4000-8000-000000000001";
const ROOT: &str = "ed25519:O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik=";

/// A policy of one of each line, and one of its lines written otherwise.
fn usual() -> String {
    format!(
        "log {}\nwitness one {}\ngroup all-of-them all one\nquorum all-of-them\nstudy {STUDY} {ROOT}\nreceipt {}\n",
        log(1),
        witness(2),
        receipt()
    )
}

fn with(line: &str) -> String {
    usual() + line + "\n"
}

fn instead(from: &str, to: &str) -> String {
    let usual = usual();
    assert_eq!(usual.matches(from).count(), 1, "{from}");
    usual.replace(from, to)
}

/// Groups inside each other, so deep.
fn nested(depth: usize) -> String {
    let groups = (1..=depth).map(|at| match at {
        1 => "group g1 any one\n".to_owned(),
        _ => format!("group g{at} any g{}\n", at - 1),
    });
    format!("log {}\nwitness one {}\n{}quorum g{depth}\n", log(1), witness(2), groups.collect::<String>())
}

fn so_many(lines: usize, line: impl Fn(usize) -> String) -> String {
    let lines: String = (0..lines).map(|at| line(at) + "\n").collect();
    format!("log {}\n{lines}quorum none\n", log(1))
}

fn each_seed(at: usize) -> SignerKey {
    let seed = seal::sha256(&[&at.to_be_bytes()]).0;
    SignerKey::from_seed("w.test", Algorithm::CosignatureEd25519, seed).unwrap()
}

fn good() -> Vec<(&'static str, String)> {
    let ml_dsa = key("example.com/chain", Algorithm::CosignatureMlDsa44, 5);
    let witness_ml_dsa = key("pq.example", Algorithm::CosignatureMlDsa44, 6);
    let witnesses = |count| so_many(count, |at| format!("witness w{at} {}", each_seed(at).verifier()));
    vec![
        ("usual", usual()),
        ("without-a-study", format!("log {}\nquorum none\n", log(1))),
        ("without-a-log", "quorum none\n".to_owned()),
        ("last-line-without-its-end", usual().trim_end().to_owned()),
        ("lines-ended-by-two-bytes", usual().replace('\n', "\r\n")),
        ("tabs-and-blanks", usual().replace(' ', " \t  \t")),
        ("tab-in-a-study-line", instead(&format!("study {STUDY} "), &format!("study\t{STUDY}\t"))),
        ("tab-in-a-receipt-line", instead("receipt ", "\treceipt\t")),
        ("tab-at-the-end-of-a-study-line", instead(ROOT, &format!("{ROOT}\t"))),
        ("comments-and-blank-lines", format!("# a policy\n\n \t\n{}  # its end: \u{e9}\n", usual())),
        (
            "urls",
            instead("\nwitness", " https://log.example/\nwitness").replace("\ngroup", " https://w.example/ \ngroup"),
        ),
        ("two-studies", with(&format!("study {OTHER} {ROOT}"))),
        ("receipt-key-that-is-the-chains", with(&format!("receipt {}", log(1)))),
        ("ml-dsa", with(&format!("log {ml_dsa}\nwitness pq {witness_ml_dsa}"))),
        (
            "names-that-are-words",
            format!("log {}\nwitness all {}\ngroup group any all\nquorum group\n", log(1), witness(2)),
        ),
        ("group-of-a-number", instead("all-of-them all one", "all-of-them 1 one")),
        ("groups-32-deep", nested(32)),
        ("128-witnesses", witnesses(128)),
    ]
}

fn bad_lines() -> Vec<(&'static str, String)> {
    let weak = format!("ed25519:{}=", "A".repeat(43));
    vec![
        ("empty", String::new()),
        ("quorum-missing", instead("quorum all-of-them\n", "")),
        ("quorum-twice", with("quorum none")),
        ("quorum-of-a-later-line", format!("log {}\nquorum one\nwitness one {}\n", log(1), witness(2))),
        ("quorum-of-nobody-known", instead("quorum all-of-them", "quorum two")),
        ("quorum-with-an-item-more", instead("quorum all-of-them", "quorum all-of-them one")),
        ("unknown-word", with("key x")),
        ("word-in-capitals", instead("study ", "Study ")),
        ("byte-order-mark", format!("\u{feff}{}", usual())),
        ("no-break-space", instead("study ", "study\u{a0}")),
        ("vertical-tab", instead("study ", "study\u{b}")),
        ("form-feed-in-a-receipt-line", instead("receipt ", "receipt\u{c}")),
        ("control-character-in-a-comment", with("# bell \u{7}")),
        ("delete-in-a-comment", with("# delete \u{7f}")),
        ("carriage-return-alone", instead("\nquorum", "\rquorum")),
        ("last-line-ended-by-half", usual().trim_end().to_owned() + "\r"),
        ("study-twice", with(&format!("study {STUDY} {ROOT}"))),
        ("study-without-a-key", with(&format!("study {OTHER}"))),
        ("study-with-an-item-more", with(&format!("study {OTHER} {ROOT} # ours"))),
        ("study-in-capitals", with(&format!("study {} {ROOT}", OTHER.replace('8', "A")))),
        ("study-with-a-key-id", with(&format!("study {OTHER} ed25519:{}", "0".repeat(64)))),
        ("study-with-a-key-of-small-order", with(&format!("study {OTHER} {weak}"))),
        ("receipt-key-of-a-witness", with(&format!("receipt {}", witness(41)))),
        ("receipt-without-a-key", with("receipt")),
        ("receipt-with-an-item-more", with(&format!("receipt {} capture", key("x.test", Algorithm::Ed25519, 42)))),
    ]
}

/// The key id in a key's text.
fn id(key: &str) -> &str {
    key.split('+').nth(1).unwrap()
}

fn bad_definitions() -> Vec<(&'static str, String)> {
    let (one, two) = (witness(2), witness(3));
    let of = |groups: &str| format!("log {}\nwitness one {one}\nwitness two {two}\n{groups}\nquorum none\n", log(1));
    vec![
        ("log-of-a-witness-key", with(&format!("log {}", witness(43)))),
        ("log-without-a-key", with("log")),
        ("log-with-an-item-more", with(&format!("log {} https://a.example/ more", log(44)))),
        ("witness-of-a-log-key", with(&format!("witness two {}", log(45)))),
        ("witness-without-a-name", with(&format!("witness {two}"))),
        ("key-with-another-id", with(&format!("log {}", log(46).replace(id(&log(46)), id(&log(47)))))),
        ("key-of-an-unknown-type", with("log example.com/x+00000000+AgAA")),
        ("key-of-another-length", with("log example.com/x+00000000+AQAA")),
        ("key-twice", with(&format!("log {}", log(1)))),
        ("key-twice-of-two-types", with(&format!("witness two {}", key("w.test", Algorithm::CosignatureEd25519, 1)))),
        (
            "key-twice-of-two-names",
            with(&format!("witness two {}", key("other.test", Algorithm::CosignatureEd25519, 2))),
        ),
        ("name-twice", with(&format!("witness one {two}"))),
        ("name-of-a-group", with(&format!("witness all-of-them {two}"))),
        ("name-none", with(&format!("witness none {two}"))),
        ("group-none", of("group none any one")),
        ("group-without-members", of("group g all")),
        ("group-of-a-later-line", of("group g any h\ngroup h any one")),
        ("group-of-itself", of("group g any g")),
        ("group-with-a-member-twice", of("group g 2 one one")),
        ("member-of-two-groups", of("group g any one\ngroup h any one")),
        ("threshold-0", of("group g 0 one two")),
        ("threshold-too-high", of("group g 3 one two")),
        ("threshold-of-another-spelling", of("group g 01 one two")),
        ("threshold-in-words", of("group g most one two")),
        ("threshold-past-64-bits", of("group g 18446744073709551617 one")),
        ("groups-33-deep", nested(33)),
        ("129-witnesses", so_many(129, |at| format!("witness w{at} {}", each_seed(at).verifier()))),
        ("129-groups", {
            let group = |at| format!("witness w{at} {}\ngroup g{at} any w{at}", each_seed(at).verifier());
            let more = (0..1).map(|_| "group last any g0".to_owned());
            let text = so_many(128, group);
            text.replace("quorum none\n", &(more.collect::<String>() + "\nquorum none\n"))
        }),
    ]
}

/// The files of `docs/vectors/policies`, made by `TRIALSEAL_WRITE_VECTORS=1 cargo test -p seal --test forged policies`.
#[test]
fn the_policies_are_read_or_refused_as_they_say() {
    let bad: Vec<_> = bad_lines().into_iter().chain(bad_definitions()).collect();
    for (name, text) in good() {
        assert!(Policy::parse(&text).is_ok(), "{name}: {:?}", Policy::parse(&text).err());
    }
    for (name, text) in &bad {
        assert!(Policy::parse(text).is_err(), "{name}");
    }
    let files = |all: Vec<(&str, String)>| -> Vec<(String, Vec<u8>)> {
        let named = all.into_iter().map(|(name, text)| (format!("{name}.txt"), text.into_bytes()));
        named.collect()
    };
    folder_holds("policies/good", &files(good()));
    folder_holds("policies/bad", &files(bad));
    let usual = usual();
    let of_length = |length: usize| Policy::parse(&format!("{usual}#{}", "x".repeat(length - usual.len() - 1)));
    assert!(of_length(MAX_POLICY_BYTES).is_ok() && of_length(MAX_POLICY_BYTES + 1).is_err());
}
