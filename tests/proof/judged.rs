//! A verifier that was written from `docs/PROOF.md` and shares no code with this one, on every vector there is.

use super::{files, outcome, read_policy, support::repository};
use seal::{policy::Policy, verify::verify};
use serde_json::{Value, json, value::RawValue};
use std::{collections::BTreeMap, fs, path::Path};
use testbed::judges::python;

#[test]
fn the_verifier_written_from_the_page_agrees_on_every_vector() {
    let vectors = repository().join("docs/vectors");
    let judge = |file: &Path, policy: &Path| -> Value {
        let mut judge = python("verify_bundle.py");
        let output = judge.arg(file).arg("--policy").arg(policy).arg("--json").output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let bundle = vectors.join("bundle.trialseal");
    let mine = outcome(&verify(&fs::read(&bundle).unwrap(), &read_policy(&vectors)));
    assert_eq!(judge(&bundle, &vectors.join("policy.txt"))["claim"], mine["claim"]);
    for (folder, policy) in [
        ("bad", ""),
        ("rules-2/good", "rules-2"),
        ("rules-2/bad", "rules-2"),
        ("forged", "forged"),
        ("rules-3", "rules-3"),
        ("rotations/good", "rotations/good"),
        ("rotations/bad", "rotations/bad"),
        ("ml-dsa", "ml-dsa"),
        ("bounds", "bounds"),
        ("record/bad", "record/bad"),
    ] {
        let (folder, policy_file) = (vectors.join(folder), vectors.join(policy).join("policy.txt"));
        let policy = read_policy(&vectors.join(policy));
        for file in files(&folder) {
            let (mine, judged) = (verify(&fs::read(&file).unwrap(), &policy), judge(&file, &policy_file));
            let (outcome, link) = (outcome(&mine), mine.failure.map(|failure| failure.link.to_string()));
            assert_eq!(judged["verified"], mine.verified, "{file:?}");
            assert_eq!(judged["failed_link"], json!(link), "{file:?}");
            assert_eq!((&judged["claim"], &judged["erasure"]), (&outcome["claim"], &outcome["erasure"]), "{file:?}");
        }
    }
}

#[derive(serde::Deserialize)]
struct Judged {
    record: BTreeMap<String, Box<RawValue>>,
}

/// The same verifier on commands as such: it shows them with their digits, as the stored reports do.
#[test]
fn the_verifier_written_from_the_page_shows_commands_as_they_were_signed() {
    let folder = repository().join("docs/vectors/record");
    let policy = read_policy(&folder.join("good"));
    let mut shown = 0;
    for file in files(&folder.join("good")) {
        let record = verify(&fs::read(&file).unwrap(), &policy).record.unwrap();
        let stored = folder.join("reports").join(file.file_stem().unwrap()).with_extension("json");
        let mine = serde_json::to_string_pretty(&record).unwrap() + "\n";
        assert_eq!(fs::read_to_string(stored).unwrap(), mine, "{file:?}");
        let mut judge = python("verify_bundle.py");
        let judge = judge.arg(&file).arg("--policy").arg(folder.join("good/policy.txt")).arg("--json");
        let text = String::from_utf8(judge.output().unwrap().stdout).unwrap();
        // The command has numbers that no reader of JSON holds: it is compared as text.
        let judged: Judged = serde_json::from_str(&text).unwrap();
        let mine: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&mine).unwrap();
        assert!(judged.record.keys().eq(mine.keys()), "{file:?}");
        for (field, mine) in mine.iter().filter(|(field, _)| *field != "command") {
            let [mine, judged] = [mine, &judged.record[field]].map(|value| serde_json::from_str::<Value>(value.get()));
            assert_eq!(mine.unwrap(), judged.unwrap(), "{file:?} {field}");
        }
        assert!(text.contains(record.command.as_str()), "{file:?}: {text}");
        shown += 1;
    }
    assert!(shown >= 10);
}

/// The same verifier on policies: a malformed one is an error of who verifies, before any bundle is looked at.
#[test]
fn the_verifier_written_from_the_page_reads_the_same_policies() {
    let folder = repository().join("docs/vectors");
    for (of, malformed) in [("policies/good", false), ("policies/bad", true)] {
        for file in fs::read_dir(folder.join(of)).unwrap().map(|file| file.unwrap().path()) {
            let mine = Policy::parse(&fs::read_to_string(&file).unwrap());
            assert_eq!(mine.is_err(), malformed, "{file:?}");
            let mut judge = python("verify_bundle.py");
            let judged = judge.arg(folder.join("bundle.trialseal")).arg("--policy").arg(&file).output().unwrap();
            assert_eq!(judged.status.code() == Some(2), malformed, "{file:?}");
        }
    }
}
