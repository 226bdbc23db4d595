//! The program as inspectors run it: the kept vectors, wrong files, wrong flags.

#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/vectors")
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_trialseal-verify")).current_dir(vectors()).args(arguments).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_bundle_that_verifies_exits_0_and_its_report_is_the_kernels() {
    let readable = run(&["bundle.trialseal", "--policy", "policy.txt"]);
    assert_eq!(readable.status.code(), Some(0), "{}", said(&readable));
    assert!(out(&readable).contains("\nVERIFIED: "), "{}", out(&readable));

    let json = run(&["--json", "bundle.trialseal", "--policy=policy.txt"]);
    let (policy, _) = verify::read_policy(&vectors().join("policy.txt"), None).unwrap();
    let report = seal::verify::verify(&fs::read(vectors().join("bundle.trialseal")).unwrap(), &policy);
    assert_eq!(out(&json), serde_json::to_string_pretty(&report).unwrap() + "\n");
}

#[test]
fn a_bundle_that_was_changed_exits_1_and_says_which_link_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    let (file, mut bytes) = (folder.path().join("changed"), fs::read(vectors().join("bundle.trialseal")).unwrap());
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&file, bytes).unwrap();
    let file = file.to_str().unwrap();
    let readable = run(&[file, "--policy", "policy.txt"]);
    assert_eq!((readable.status.code(), out(&readable).ends_with("NOT VERIFIED\n")), (Some(1), true));
    let json = run(&[file, "--policy", "policy.txt", "--json"]);
    let report: Value = serde_json::from_str(&out(&json)).unwrap();
    assert_eq!((json.status.code(), &report["verified"]), (Some(1), &Value::Bool(false)));
    assert!(report["failure"]["link"].is_string(), "{report}");
}

#[test]
fn an_old_checkpoint_is_refused_only_where_a_fresh_one_is_demanded() {
    let demanded = |age| run(&["bundle.trialseal", "--policy", "policy.txt", "--max-age", age]);
    assert_eq!(demanded("1h").status.code(), Some(1), "the vectors are older");
    assert!(out(&demanded("1h")).contains("are demanded"));
    assert_eq!(demanded("87600h").status.code(), Some(0));
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let large = folder.path().join("large");
    fs::File::create(&large).unwrap().set_len(seal::bundle::MAX_BUNDLE_BYTES as u64 + 1).unwrap();
    let large = large.to_str().unwrap();
    for (arguments, what) in [
        (["nowhere", "--policy", "policy.txt"], "nowhere: "),
        (["bundle.trialseal", "--policy", "nowhere"], "nowhere: "),
        (["bundle.trialseal", "--policy", "bundle.trialseal"], "bundle.trialseal: "),
        ([large, "--policy", "policy.txt"], "so not a bundle"),
    ] {
        let output = run(&arguments);
        assert_eq!((output.status.code(), out(&output)), (Some(1), String::new()), "{arguments:?}");
        assert!(said(&output).contains(what), "{arguments:?}: {}", said(&output));
    }
}

#[test]
fn wrong_flags_exit_2_and_change_nothing() {
    let two = ["bundle.trialseal", "bundle.trialseal", "--policy", "policy.txt"];
    for (arguments, what) in [
        (&[][..], "BUNDLE is missing"),
        (&two[..1], "--policy FILE is missing"),
        (&two[..], "BUNDLE is given twice"),
        (&["bundle.trialseal", "--policy"], "--policy"),
        (&["bundle.trialseal", "--policy", "policy.txt", "--fast"], "--fast"),
        (&["bundle.trialseal", "--policy", "policy.txt", "--max-age", "-1h"], "negative"),
        (&["bundle.trialseal", "--policy", "policy.txt", "--max-age", "soon"], "not a duration"),
    ] {
        let output = run(arguments);
        assert_eq!((output.status.code(), out(&output)), (Some(2), String::new()), "{arguments:?}");
        assert!(said(&output).contains(what), "{arguments:?}: {}", said(&output));
    }
    for (flag, what) in [("--help", "Usage: "), ("-V", env!("CARGO_PKG_VERSION"))] {
        let output = run(&[flag]);
        assert!(output.status.code() == Some(0) && out(&output).contains(what), "{}", out(&output));
    }
}
