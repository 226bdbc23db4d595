//! A study in a folder: complete, verifiable by us and by a verifier that shares no code with us, and of no use once changed.

#![allow(clippy::unwrap_used)]

mod support;

use audit::{Report, readable, receipts};
use client::{Access, Reader};
use export::{Export, Manifest};
use seal::{policy::Policy, receipt::Receipt};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use support::{World, repository};
use testbed::judges::environment;

async fn exported(world: &World, folder: &Path) -> Manifest {
    let auditor = world.study.reader();
    let access = Some(Access::everybody("export".parse().unwrap()));
    let reader = Reader { access, ..auditor };
    let (policy, text) = (world.policy(), world.policy_text());
    let tiles = &world.deployment.endpoints.anchoring;
    export::write(&world.client, tiles, reader, (&policy, &text), folder).await.unwrap()
}

async fn audited(folder: &Path, policy: &Policy, receipts: &[Receipt]) -> Report {
    Export::open(folder).unwrap().audit(policy, receipts, client::now_ms(), &()).unwrap()
}

/// What the independent verifier says.
fn judged(folder: &Path, policy: &Path) -> Value {
    let mut judge = Command::new(environment().join("bin/python"));
    let script = repository().join("docs/export/verify_export.py");
    judge.env("PYTHONDONTWRITEBYTECODE", "1");
    let output = judge.arg(script).arg(folder).arg("--policy").arg(policy).arg("--json").output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, target).unwrap();
        }
    }
}

fn replace(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{}: nothing to replace", file.display());
    fs::write(file, text.replacen(from, to, 1)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_verifies_without_any_server_by_us_and_by_another() {
    let world = World::new().await;
    for (event, pressure) in [("BASELINE", "120"), ("WEEK 2", "118")] {
        world.capture(event, pressure).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let (export, policy_file) = (folder.path().join("export"), folder.path().join("policy.txt"));
    let manifest = exported(&world, &export).await;
    fs::write(&policy_file, world.policy_text()).unwrap();
    let policy = world.policy();
    drop(world); // no server from here on
    let report = audited(&export, &policy, &[]).await;
    assert!(report.clean, "{}", readable(&report));
    assert_eq!((report.datapoints, report.waiting), (4, 0));
    assert_eq!(manifest.blocks, report.blocks);
    assert!(manifest.files.keys().any(|name| name.starts_with("documents/")));
    let judgement = judged(&export, &policy_file);
    assert_eq!(judgement["verified"], true, "{judgement}");
    let counted = |what: &str| judgement["counts"][what].as_u64().unwrap();
    assert_eq!((counted("blocks"), counted("entries"), counted("datapoints")), (report.blocks, report.entries, 4));
    assert_eq!((counted("commands"), counted("answers")), (report.commands, 0));

    let own = export.join("policy.txt");
    tlog::policy::Policy::parse(&fs::read_to_string(&own).unwrap()).unwrap();
    assert_eq!(judged(&export, &own)["verified"], true, "the folder's own two files");
    let (parsed, _) = ::verify::read_policy(&own, None).unwrap();
    assert_eq!((&parsed.studies, &parsed.receipts), (&policy.studies, &policy.receipts));

    // The study's policy line is the regulator's own: with another root key nothing holds.
    let other = fs::read_to_string(&policy_file).unwrap();
    let (before, _) = other.rsplit_once("study ").unwrap();
    fs::write(&policy_file, before).unwrap();
    assert_eq!(judged(&export, &policy_file)["verified"], false);
    assert!(!audited(&export, &Policy::parse(before).unwrap(), &[]).await.clean);
}

/// Changes a copy of an export, which both must find out. Some changes pass for one who renews the manifest too.
async fn found_out(
    whole: &Path,
    (policy, policy_file): (&Policy, &Path),
    what: &str,
    renew: bool,
    change: impl Fn(&Path),
) {
    let folder = tempfile::tempdir().unwrap();
    let export = folder.path().join("export");
    copy(whole, &export);
    change(&export);
    if renew {
        renew_manifest(&export);
    }
    let judgement = judged(&export, policy_file);
    assert_eq!(judgement["verified"], false, "{what}");
    let outcome = Export::open(&export).unwrap().audit(policy, &[], client::now_ms(), &());
    assert!(outcome.is_err() || !outcome.unwrap().clean, "{what}");
}

/// What a forger with the folder does: states the digests of what is there now.
fn renew_manifest(export: &Path) {
    let file = export.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    for (name, digest) in manifest["files"].as_object_mut().unwrap() {
        *digest = seal::sha256(&[&fs::read(export.join(name)).unwrap()]).to_hex().into();
    }
    fs::write(file, manifest.to_string()).unwrap();
}

fn last_line_gone(file: &Path) {
    let text = fs::read_to_string(file).unwrap();
    let end = text.trim_end().rfind('\n').unwrap() + 1;
    fs::write(file, &text[..end]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_changed_in_an_export_is_found_by_both() {
    let world = World::new().await;
    let entry = world.capture("BASELINE", "120").await;
    assert_eq!(entry, 1, "the form definitions come first");
    let folder = tempfile::tempdir().unwrap();
    let (whole, policy_file) = (folder.path().join("export"), folder.path().join("policy.txt"));
    exported(&world, &whole).await;
    fs::write(&policy_file, world.policy_text()).unwrap();
    let policy = world.policy();
    let relied = (&policy, policy_file.as_path());
    let bundle = fs::read_dir(whole.join("chain/tile/entries/000.p")).unwrap().next().unwrap().unwrap().path();
    let bundle = PathBuf::from("chain/tile/entries/000.p").join(bundle.file_name().unwrap());
    let document = fs::read_dir(whole.join("documents")).unwrap().next().unwrap().unwrap().path();
    let document = PathBuf::from("documents").join(document.file_name().unwrap());
    let journal = |name: &str| format!("journals/{name}.jsonl");

    assert_eq!(judged(&whole, &policy_file)["verified"], true, "nothing was changed yet");
    assert!(audited(&whole, &policy, &[]).await.clean, "nothing was changed yet");
    for renew in [false, true] {
        found_out(&whole, relied, "a value", renew, |at| {
            let file = at.join(journal("capture"));
            let text = fs::read_to_string(&file).unwrap();
            let line: Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
            let point = line["datapoints"][0].as_str().unwrap();
            let cut = point.len() / 2;
            let letter = if point.as_bytes()[cut] == b'A' { "B" } else { "A" };
            replace(&file, point, &format!("{}{letter}{}", &point[..cut], &point[cut + 1..]));
        })
        .await;
        found_out(&whole, relied, "an entry less", renew, |at| last_line_gone(&at.join(journal("consent")))).await;
        found_out(&whole, relied, "a journal less", renew, |at| fs::write(at.join(journal("capture")), "").unwrap())
            .await;
        found_out(&whole, relied, "another block", renew, |at| {
            let mut bytes = fs::read(at.join(&bundle)).unwrap();
            let place = bytes.len() - 40;
            bytes[place] ^= 1;
            fs::write(at.join(&bundle), bytes).unwrap();
        })
        .await;
        found_out(&whole, relied, "another document", renew, |at| fs::write(at.join(&document), "other").unwrap())
            .await;
        found_out(&whole, relied, "an erasure nobody ordered", renew, |at| {
            let file = at.join(journal("capture"));
            let text = fs::read_to_string(&file).unwrap();
            let mut lines: Vec<&str> = text.lines().collect();
            let entry: Value = serde_json::from_str(lines[1]).unwrap();
            let gone = serde_json::json!({ "entry": entry["entry"], "unreadable": true }).to_string();
            lines[1] = if renew { "" } else { &gone };
            fs::write(file, lines.join("\n") + "\n").unwrap();
        })
        .await;
    }
    found_out(&whole, relied, "a file less", false, |at| fs::remove_file(at.join("PROOF.md")).unwrap()).await;
    found_out(&whole, relied, "a file more", false, |at| fs::write(at.join("extra"), "").unwrap()).await;
    found_out(&whole, relied, "another time", false, |at| replace(&at.join("verify_bundle.py"), "def ", "def  ")).await;
}

/// How many faults our audit finds in a copy of an export after a change, the first of them, and what it did not judge.
async fn faults(whole: &Path, policy: &Policy, change: impl Fn(&Path)) -> (u64, String, u64) {
    let folder = tempfile::tempdir().unwrap();
    let export = folder.path().join("export");
    copy(whole, &export);
    change(&export);
    renew_manifest(&export);
    let report = audited(&export, policy, &[]).await;
    let first = report.findings.first().map(|finding| format!("{:?} {:?}", finding.service, finding.entry));
    (report.found, first.unwrap_or_default(), report.unjudged)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_fault_is_not_told_as_many() {
    let world = World::new().await;
    for event in ["BASELINE", "WEEK 2", "WEEK 4"] {
        world.capture(event, "120").await;
    }
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("export");
    exported(&world, &whole).await;
    let policy = world.policy();
    let entries = audited(&whole, &policy, &[]).await.entries;
    assert!(entries > 20, "{entries}");
    let lines = |at: &Path, journal: &str, change: &dyn Fn(&mut Vec<String>)| {
        let file = at.join(format!("journals/{journal}.jsonl"));
        let mut lines: Vec<String> = fs::read_to_string(&file).unwrap().lines().map(ToOwned::to_owned).collect();
        change(&mut lines);
        fs::write(file, lines.join("\n") + "\n").unwrap();
    };
    for (journal, service) in [("enrollment", "Enrollment"), ("consent", "Consent"), ("capture", "Capture")] {
        let gone = faults(&whole, &policy, |at| lines(at, journal, &|lines| drop(lines.remove(1)))).await;
        let twice = faults(&whole, &policy, |at| lines(at, journal, &|lines| lines.insert(1, lines[1].clone()))).await;
        let cut = faults(&whole, &policy, |at| {
            lines(at, journal, &|lines| {
                let mut line: Value = serde_json::from_str(&lines[1]).unwrap();
                let entry = line["entry"].as_str().unwrap();
                line["entry"] = entry[..entry.len() / 8 * 4].to_owned().into();
                lines[1] = line.to_string();
            });
        })
        .await;
        let unsigned = faults(&whole, &policy, |at| {
            lines(at, journal, &|lines| {
                let mut line: Value = serde_json::from_str(&lines[1]).unwrap();
                line["envelope"] = "e30=".into();
                lines[1] = line.to_string();
            });
        })
        .await;
        for (what, (found, first, unjudged)) in [("gone", gone), ("twice", twice), ("cut", cut), ("unsigned", unsigned)]
        {
            assert_eq!(first, format!("Some({service}) Some(1)"), "{journal} {what}");
            assert!((1..=2).contains(&found), "{journal} {what}: {found} faults, {unjudged} not judged");
            let rests = what != "twice" && journal == "enrollment";
            assert_eq!(unjudged > 5, rests, "{journal} {what}: {unjudged} not judged");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_are_checked_against_an_export() {
    let world = World::new().await;
    let submit = |event| {
        let header = world.study.header(&world.participants[0], event, "VS", 0).unwrap();
        client::sign_form(header, vec![synthetic::value("SYSBP", "120")], &world.study.coordinator.key).unwrap()
    };
    let kept = world.client.submit(submit("BASELINE")).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let export = folder.path().join("export");
    exported(&world, &export).await;
    let later = world.client.submit(submit("WEEK 2")).await.unwrap();
    let policy = world.policy();
    let lines = receipts::line(&kept).unwrap() + "\n" + &receipts::line(&later).unwrap();
    let read = receipts::read(&lines).unwrap();
    assert_eq!(read, [kept.clone(), later]);
    let report = audited(&export, &policy, &read[..1]).await;
    assert!(report.clean && report.receipts == 1, "{}", readable(&report));
    let report = audited(&export, &policy, &read).await;
    assert!(!report.clean && report.findings[0].what.contains("rolled back"), "{}", readable(&report));
    assert!(!audited(&export, &policy, &[Receipt { index: 1, ..kept }]).await.clean, "a forged receipt");
    assert!(receipts::read("{\"entry\":1}").is_err());
}
