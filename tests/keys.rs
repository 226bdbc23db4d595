//! Keys where they are used: a chain's two, and those of witnesses that others run, made there and named by the operator.

#![allow(clippy::unwrap_used)]

mod support;

use channel::http::Http;
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};
use support::process::{Running, TRIALSEAL, Up};
use tlog::{
    checkpoint::Checkpoint,
    key::{Algorithm, SignerKey, VerifierKey},
    note::Note,
    policy::{Policy, VerifiedCheckpoint},
};

/// Longer than any healthy machine needs.
const PATIENCE: Duration = Duration::from_secs(60);

fn trialseal(arguments: &[&str]) -> Output {
    let mut command = Command::new(TRIALSEAL);
    command.args(arguments).env("RUST_LOG", "error").output().unwrap()
}

fn told(arguments: &[&str]) -> String {
    let output = trialseal(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn refuses(arguments: &[&str], what: &str) {
    let output = trialseal(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains(what), "{arguments:?}: {said}");
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn policy_in(data: &Path) -> Policy {
    Policy::parse(&fs::read_to_string(data.join("policy.txt")).unwrap()).unwrap()
}

/// The published checkpoint, once a policy believes it.
async fn believed(url: &str, policy: &Policy) -> (Note, VerifiedCheckpoint) {
    let until = Instant::now() + PATIENCE;
    loop {
        let found = Http::new(None).unwrap().fetch(&format!("{url}/checkpoint"), 1 << 20).await.ok();
        let verified = found.as_ref().map(|note| policy.verify_checkpoint(note));
        if let (Some(note), Some(Ok(verified))) = (&found, &verified) {
            return (Note::parse(note).unwrap(), verified.clone());
        }
        assert!(Instant::now() < until, "no such checkpoint within a minute: {verified:?}");
        tokio::time::sleep(Duration::from_millis(20)).await; // between two questions; the answer is what is waited for
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_chain_signs_with_two_keys_and_one_that_began_with_one_goes_on_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let up = Up::start(&data);
    let policy = policy_in(&data);
    let algorithms: Vec<_> = policy.logs().iter().map(|log| log.key.algorithm()).collect();
    assert_eq!(algorithms, [Algorithm::Ed25519, Algorithm::CosignatureMlDsa44]);
    assert!(policy.logs().iter().all(|log| log.key.name() == "trialseal.example/chain"));
    let (note, _) = believed(&up.endpoints.anchoring, &policy).await;
    let checkpoint = Checkpoint::parse(&note.text).unwrap();
    assert_eq!(checkpoint.size, 0, "nothing was recorded");
    let (policy_file, endpoints) = (text(&data.join("policy.txt")), text(&data.join("endpoints.json")));
    let audit = told(&["audit", "--policy", &policy_file, "--endpoints", &endpoints]);
    assert!(audit.contains("AUDIT CLEAN"), "{audit}");
    for log in policy.logs() {
        let alone = note.verify(std::slice::from_ref(&log.key)).unwrap();
        assert_eq!(alone.len(), 1, "signed by the {:?} key", log.key.algorithm());
        let lines = policy.witnesses().iter().map(|witness| format!("witness {} {}\n", witness.name, witness.key));
        let only = format!("log {}\n{}group g 2 sponsor cro regulator\nquorum g\n", log.key, lines.collect::<String>());
        let verified = Policy::parse(&only).unwrap().verify_checkpoint(note.to_string().as_bytes()).unwrap();
        assert_eq!((&verified.log, &verified.checkpoint), (&log.key, &checkpoint), "by either key alone");
    }
    let wrong = SignerKey::from_seed("trialseal.example/chain", Algorithm::CosignatureMlDsa44, [9; 32]).unwrap();
    note.verify(&[wrong.verifier()]).unwrap_err();
    assert!(up.terminate().success());

    // A data directory of before there was a second key.
    let older = folder.path().join("older");
    fs::create_dir(&older).unwrap();
    fs::write(older.join("FORMAT"), "trialseal/data@v1\n").unwrap();
    fs::create_dir(older.join("keys")).unwrap();
    let kept = older.join("keys/chain.key");
    fs::copy(data.join("keys/chain.key"), &kept).unwrap();
    let up = Up::start(&older);
    let policy = policy_in(&older);
    assert_eq!(policy.logs().iter().map(|log| log.key.algorithm()).collect::<Vec<_>>(), [Algorithm::Ed25519]);
    let (note, _) = believed(&up.endpoints.anchoring, &policy).await;
    let by_the_chain = |line: &&tlog::note::NoteSignature| line.name == "trialseal.example/chain";
    assert_eq!(note.signatures.iter().filter(by_the_chain).count(), 1);
    assert!(!older.join("keys/chain-ml-dsa.key").exists());
    assert!(up.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_others_run_makes_its_own_key_and_cosigns_beside_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&folder.path().join(name));
    let (data, keys, list) = (folder.path().join("data"), at("witness"), at("witness/logs.txt"));
    let init = ["witness", "init", "--name", "regulator.example/w", "--keys", &keys];
    let vkey = told(&init);
    assert_eq!(told(&init), vkey, "what is there is kept");
    let key: VerifierKey = vkey.trim_end().parse().unwrap();
    assert_eq!((key.name(), key.algorithm()), ("regulator.example/w", Algorithm::CosignatureMlDsa44));
    let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("witness"), mode("witness/witness.key")), (0o700, 0o600));
    let json: Value = serde_json::from_str(&told(&[&init[..], &["--json"]].concat())).unwrap();
    assert_eq!((json["vkey"].as_str(), json["policy"].as_str()), (Some(vkey.trim_end()), Some(&*list)));

    let up = Up::start(&data);
    let logs = policy_in(&data).logs().to_vec();
    assert!(up.terminate().success());
    for log in &logs {
        let add = told(&["witness", "add-log", &log.key.to_string(), "--policy", &list]);
        assert!(add.contains("from its next start"), "{add}");
        assert!(told(&["witness", "add-log", &log.key.to_string(), "--policy", &list]).contains("is already in"));
    }
    assert_eq!(Policy::parse(&fs::read_to_string(&list).unwrap()).unwrap().logs().len(), 2);
    let memory = format!("sqlite://{}", at("witness.sqlite"));
    let witness = Running::start(&["witness", "--keys", &keys, "--database", &memory, "--policy", &list], &[]);

    let mut beside = Command::new(TRIALSEAL);
    beside.args(["up", "--port", "0", "--data"]).arg(&data).env("RUST_LOG", "error");
    beside.args(["--witness-vkey", vkey.trim_end(), &witness.url, "--quorum", "4"]);
    let up = Up::spawn(beside);
    let policy = policy_in(&data);
    assert_eq!(policy.quorum_text(), "all of (sponsor, cro, regulator, regulator.example/w)");
    assert_eq!(up.endpoints.witnesses.last(), Some(&witness.url));
    let client = client::Client::new(&up.endpoints).unwrap();
    synthetic::Study::create(&client, "KEYS").await.unwrap(); // a checkpoint under the new policy
    let (_, verified) = believed(&up.endpoints.anchoring, &policy).await;
    assert_eq!(verified.cosigned_by.len(), 4);
    assert!(up.terminate().success());
}

#[test]
fn a_deployment_has_any_number_of_witnesses_that_others_run() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&folder.path().join(name));
    let made = at("made");
    let urls = ["enrollment", "consent", "capture", "anchoring"].map(|name| format!("--{name}=https://{name}.example"));
    let mut init = vec!["init", &made, "--name", "trial-8.example"];
    init.extend(urls.iter().map(String::as_str));
    let vkeys: Vec<String> = (0..5)
        .map(|n| {
            let (name, keys) = (format!("w{n}.example"), at(&format!("w{n}")));
            let algorithm = ["ml-dsa-44", "ed25519"][n % 2];
            told(&["witness", "init", "--name", &name, "--keys", &keys, "--algorithm", algorithm]).trim_end().to_owned()
        })
        .collect();
    let url = "https://w.example";
    let named: Vec<&str> = vkeys.iter().flat_map(|vkey| ["--witness-vkey", vkey, url]).collect();
    refuses(&init, "--witness");
    refuses(&[&init[..], &["--witness", url]].concat(), "must be given 3 times, not 1");
    told(&[&init[..], &named].concat());
    let policy = policy_in(Path::new(&made));
    assert_eq!(policy.quorum_text(), "3 of (w0.example, w1.example, w2.example, w3.example, w4.example)");
    assert_eq!(policy.logs().len(), 2);
    let keys: Vec<_> = fs::read_dir(Path::new(&made).join("keys")).unwrap().map(|f| f.unwrap().file_name()).collect();
    assert!(!keys.iter().any(|name| name.to_str().unwrap().starts_with("witness")), "{keys:?}");
    let parsed = ::verify::read_policy(&Path::new(&made).join("policy.txt"), None).unwrap().0;
    assert_eq!(parsed.receipts.len(), 3);
    told(&[&init[..], &named, &["--quorum", "5"]].concat());
    assert!(policy_in(Path::new(&made)).quorum_text().starts_with("all of "));

    let both = ["--witness", url, "--witness", url, "--witness", url, "--witness-vkey", &vkeys[0], url];
    told(&[&init[..], &both].concat());
    assert_eq!(policy_in(Path::new(&made)).quorum_text(), "3 of (sponsor, cro, regulator, w0.example)");

    let log = policy_in(Path::new(&made)).logs()[0].key.to_string();
    let wrong = |flags: &[&str], what: &str| refuses(&[&init[..], flags].concat(), what);
    wrong(&["--witness-vkey", &vkeys[0], url, "--witness-vkey", &vkeys[0], url], "given twice");
    wrong(&["--witness-vkey", &log, url], "the key of a log");
    wrong(&["--witness-vkey", "w0.example", url], "not a verifier key");
    wrong(&["--witness-vkey", &vkeys[0], "w0.example"], "not a URL");
    wrong(&["--witness-vkey", &vkeys[0]], "2 values required");
    wrong(&["--witness-vkey", &vkeys[0], url, "--quorum", "2"], "the number of witnesses, 1");

    let list = at("w0/logs.txt");
    refuses(&["witness", "add-log", &vkeys[1], "--policy", &list], "the key of a witness");
    refuses(&["witness", "add-log", "nonsense", "--policy", &list], "not a verifier key");
    told(&["witness", "add-log", &log, "--policy", &list]);
    let other =
        SignerKey::from_seed("trial-8.example/chain", Algorithm::Ed25519, [9; 32]).unwrap().verifier().to_string();
    refuses(&["witness", "add-log", &other, "--policy", &list], "contains another key of the log");
    refuses(&["witness", "init", "--name", "other.example", "--keys", &at("w0")], "a witness keeps its key");
    refuses(&["witness", "init", "--name", "a b", "--keys", &at("w9")], "--name a b");
    refuses(&["witness", "--keys", &at("w0")], "--database");
}
