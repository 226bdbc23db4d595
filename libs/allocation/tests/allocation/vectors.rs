//! The published vectors, and the judge written from the page alone: Python, with a ChaCha20 of its own.

use crate::schemes::{name, participants, scheme, secret, with_list, with_minimisation};
use allocation::{List, assign};
use proptest::{strategy::ValueTree, test_runner::TestRunner};
use seal::id::Name;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Output},
};
use testbed::repository;
use vocabulary::allocation::{Arm, Factor, Measure, Method, Scheme, Secret, commitment};

fn judge(folder: &Path) -> Output {
    Command::new("python3").arg(repository().join("tests/judges/allocation.py")).arg(folder).output().unwrap()
}

#[track_caller]
fn judged(folder: &Path) -> Value {
    let output = judge(folder);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn write(folder: &Path, file: &str, case: &Value) {
    let text = serde_json::to_string_pretty(case).unwrap();
    fs::write(folder.join(file).with_extension("json"), format!("{text}\n")).unwrap();
}

/// All slots of a list, and the disclosures of its first, middle and last.
fn list_case(scheme: &Scheme, secret: &Secret) -> Value {
    let list = List::generate(scheme, secret).unwrap();
    let strata = (0..u32::try_from(scheme.strata()).unwrap()).map(|index| scheme.stratum_at(index).unwrap().name);
    let places: Vec<(String, u32)> =
        strata.flat_map(|name| (0..scheme.slots_per_stratum()).map(move |index| (name.clone(), index))).collect();
    let slot = |(stratum, index): &(String, u32)| {
        let slot = list.slot(stratum, *index).unwrap();
        json!({ "stratum": slot.stratum, "index": slot.index, "arm": slot.arm, "salt": hex::encode(slot.salt) })
    };
    let opened = [0, places.len() / 2, places.len() - 1].map(|place| &places[place]);
    json!({
        "scheme": scheme,
        "secret": secret,
        "commitment": commitment(scheme, secret).to_hex(),
        "root": list.root().to_hex(),
        "slots": places.iter().map(slot).collect::<Vec<_>>(),
        "disclosures": opened.map(|(stratum, index)| list.disclose(stratum, *index).unwrap()),
    })
}

/// Participants one by one. The seventh is given the first arm whatever was allocated, and counts there.
fn minimisation_case(scheme: &Scheme, secret: &Secret, levels: &[Vec<Name>]) -> Value {
    let (mut earlier, mut participants) = (Vec::new(), Vec::new());
    for (number, levels) in levels.iter().enumerate() {
        let arm = assign(scheme, secret, &earlier, levels).unwrap();
        let mut participant = json!({ "levels": levels, "arm": arm });
        let given = if number == 6 { scheme.arms[0].arm.clone() } else { arm };
        if number == 6 {
            participant["given"] = json!(given);
        }
        participants.push(participant);
        earlier.push((levels.clone(), given));
    }
    json!({
        "scheme": scheme,
        "secret": secret,
        "commitment": commitment(scheme, secret).to_hex(),
        "participants": participants,
    })
}

fn minimised(arms: &[u32], weights: &[u32], probability_permille: u32, measure: Measure) -> Value {
    let method = Method::Minimisation { weights: weights.to_vec(), probability_permille, measure };
    let scheme = scheme(arms, &[3, 2], method);
    minimisation_case(&scheme, &secret(13, &[]), &participants(&scheme, 13, 40))
}

fn published() -> BTreeMap<&'static str, Value> {
    let blocks = |slots| Method::PermutedBlocks { slots };
    let named = Scheme {
        arms: vec![Arm { arm: name("Kit Ä"), weight: 1 }, Arm { arm: name("Kit ß"), weight: 1 }],
        factors: vec![
            Factor { factor: name("Sex"), levels: vec![name("female"), name("male")] },
            Factor { factor: name("Age"), levels: vec![name("< 65"), name("≥ 65")] },
        ],
        method: blocks(11),
    };
    BTreeMap::from([
        ("simple", list_case(&scheme(&[2, 1], &[2], Method::Simple { slots: 25 }), &secret(10, &[]))),
        ("blocks", list_case(&scheme(&[1, 2, 1], &[], blocks(33)), &secret(11, &[4, 8, 8]))),
        ("stratified-blocks", list_case(&named, &secret(12, &[2, 4, 6]))),
        ("minimisation-range", minimised(&[1, 1], &[1, 1], 800, Measure::Range)),
        ("minimisation-variance", minimised(&[3, 2, 1], &[2, 1], 750, Measure::Variance)),
    ])
}

/// The vectors are made once, by `TRIALSEAL_WRITE_VECTORS=1 cargo test -p allocation vectors`, and never change: a list
/// committed to by an old version must be repeatable for good.
#[test]
fn the_published_vectors_are_repeated_and_python_agrees() {
    let folder = repository().join("docs/vectors/allocation");
    if std::env::var_os("TRIALSEAL_WRITE_VECTORS").is_some() {
        fs::create_dir_all(&folder).unwrap();
        published().iter().for_each(|(file, case)| write(&folder, file, case));
    }
    for (file, case) in published() {
        let text = fs::read(folder.join(file).with_extension("json")).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&text).unwrap(), case, "{file}");
    }
    let slots = 25 + 33 + 44;
    assert_eq!(judged(&folder), json!({ "files": 5, "slots": slots, "disclosures": 9, "participants": 80 }));
}

#[test]
fn python_agrees_on_random_schemes() {
    let (folder, mut runner) = (tempfile::tempdir().unwrap(), TestRunner::deterministic());
    for number in 0..40 {
        let (scheme, secret) = proptest::strategy::Strategy::new_tree(&with_list(), &mut runner).unwrap().current();
        write(folder.path(), &format!("list-{number}"), &list_case(&scheme, &secret));
        let tree = proptest::strategy::Strategy::new_tree(&with_minimisation(), &mut runner);
        let (scheme, secret) = tree.unwrap().current();
        let levels = participants(&scheme, number, 25);
        write(folder.path(), &format!("minimisation-{number}"), &minimisation_case(&scheme, &secret, &levels));
    }
    let judged = judged(folder.path());
    assert_eq!((&judged["files"], &judged["participants"]), (&80.into(), &1_000.into()));
}

/// The judge is worth something only if it refuses: each statement of a case, changed, is named.
#[test]
fn python_refuses_every_changed_statement() {
    let cases = published();
    let changes: [(&str, &str, Value, &str); 8] = [
        ("blocks", "/secret/seed", json!("00".repeat(32)), "commitment"),
        ("blocks", "/scheme/arms/0/weight", json!(2), "commitment"),
        ("blocks", "/slots/3/arm", json!("Z"), "slots"),
        ("simple", "/slots/3/salt", json!("00".repeat(16)), "slots"),
        ("simple", "/root", json!("00".repeat(32)), "root"),
        ("stratified-blocks", "/disclosures/1/place", json!(0), "slot at 0"),
        ("stratified-blocks", "/disclosures/1/path/0", json!("00".repeat(32)), "path of"),
        ("minimisation-range", "/participants/9/arm", json!("Z"), "participant 9"),
    ];
    for (file, pointer, value, reason) in changes {
        let (folder, mut case) = (tempfile::tempdir().unwrap(), cases[file].clone());
        *case.pointer_mut(pointer).unwrap() = value;
        write(folder.path(), file, &case);
        let output = judge(folder.path());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(reason), "{file} {pointer}: {said}");
    }
}
