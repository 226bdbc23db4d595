//! Bundles: any change is refused or changes nothing that is asserted; the vectors beside `docs/PROOF.md`.

#![allow(clippy::unwrap_used)]

#[path = "proof/forgeries.rs"]
mod forgeries;
#[path = "proof/judged.rs"]
mod judged;
#[path = "proof/study.rs"]
mod study;
mod support;

use client::{entry_number, new_key, new_uuid, now_ms};
use seal::{
    bundle::Bundle,
    datapoint::Datapoint,
    dsse::sign,
    id::{Service, Uuid},
    policy::Policy,
    report::{LinkName, Report},
    text::{Base64, Hex},
    verify::verify,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::Path};
use study::{Bundles, bundles};
use support::{World, repository};
use tlog::Hash;
use vocabulary::{command::RotateKey, subject};

/// What a report claims, and how many witnesses it names.
fn claimed(report: &Report) -> (Value, usize) {
    let mut claim = match (&report.claim, &report.erasure) {
        (Some(claim), None) => serde_json::to_value(claim).unwrap(),
        (None, Some(erasure)) => serde_json::to_value(erasure).unwrap(),
        other => panic!("{other:?}"),
    };
    let cosigners = claim["checkpoint"]["cosigned_by"].take();
    (claim, cosigners.as_array().unwrap().len())
}

#[tokio::test(flavor = "multi_thread")]
async fn flipping_any_byte_fails_or_changes_nothing_asserted() {
    let world = World::new().await;
    let bundles = bundles(&world).await;
    let policy = world.policy();
    world.deployment.stop().await;
    use rayon::prelude::*;
    for name in ["plain", "value-redacted", "entry-erased"] {
        let bytes = &bundles[name];
        // As the file is: the digest in its first line finds every flip.
        (0..bytes.len()).into_par_iter().for_each(|place| {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            assert!(!verify(&changed, &policy).verified, "{name}, byte {place}");
        });
        let survivors = flipped_with_a_right_digest(name, bytes, &policy);
        println!("{name}: {} bytes, {} flips change nothing that is asserted", bytes.len(), survivors.len());
        // What survives lies in a cosignature's key id or name: that witness is unknown then, and two are left.
        let checkpoint = bytes.windows(14).rposition(|part| part == b"\"checkpoint\":\"").unwrap();
        assert!(survivors.iter().all(|place| *place > checkpoint), "{name}: {survivors:?}");
    }
}

/// Flips as a forger would, with the digest made right again: now every other check is on its own. Gives the places
/// where the bundle still verifies.
fn flipped_with_a_right_digest(name: &str, bytes: &[u8], policy: &Policy) -> Vec<usize> {
    use rayon::prelude::*;
    let good = verify(bytes, policy);
    assert!(good.verified, "{name}: {:?}", good.failure);
    let (claim, cosigners) = claimed(&good);
    assert_eq!(cosigners, 3);
    let json = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let verifies = |place: &usize| {
        let mut changed = bytes[json..].to_vec();
        changed[place - json] ^= 1;
        let digest = tlog::sha256(&[&changed]).to_hex();
        let report = verify(&[format!("{MAGIC}{digest}\n").as_bytes(), &changed].concat(), policy);
        if report.verified {
            let (still, cosigners) = claimed(&report);
            assert_eq!(still, claim, "{name}, byte {place}");
            assert!(cosigners >= 2, "{name}, byte {place}");
        }
        report.verified
    };
    (json..bytes.len()).into_par_iter().filter(verifies).collect()
}

const MAGIC: &str = "trialseal/bundle@v1 sha256 ";

/// The coordinator replaces their key so often. Gives the last command and the number of its entry.
async fn rotate(world: &mut World, times: usize) -> (Vec<u8>, u64) {
    let mut last = (Vec::new(), 0);
    for _ in 0..times {
        let (actor, key) = (&world.study.coordinator, new_key().unwrap());
        let (study, request, by, time) = (world.study.id, new_uuid().unwrap(), actor.name.clone(), now_ms());
        let rotate = RotateKey { study, request, by, time, key: key.public(), confirmed: None };
        let receipt = world.client.record(&rotate, &[&actor.key, &key]).await.unwrap();
        last = (sign(&rotate, &[&actor.key, &key]), entry_number(&receipt).unwrap());
        world.study.coordinator.key = key;
    }
    last
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_and_a_command_under_many_key_rotations_are_proven_with_no_part_too_many() {
    const TIMES: usize = 25;
    let mut world = World::new().await;
    let (envelope, number) = rotate(&mut world, TIMES).await;
    let entry = world.capture("BASELINE", "120").await;
    let of_value = world.bundle(entry, "SYSBP").await;
    let of_command = world.client.prove_record(world.study.id, (Service::Enrollment, number), &envelope).await.unwrap();
    let policy = world.policy();
    world.deployment.stop().await;
    for bytes in [of_value, of_command] {
        let report = verify(&bytes, &policy); // refuses a part that nothing rests on
        assert!(report.verified, "{:?}", report.failure);
        let bundle = Bundle::parse(&bytes).unwrap();
        let commands = bundle.entries.iter().filter(|part| part.envelope.is_some()).count();
        let bounds = TIMES..TIMES + 20;
        assert!(bounds.contains(&commands) && bounds.contains(&bundle.facts.len()), "{commands}");
        assert!(bundle.entries.len() < TIMES + 40, "{}", bundle.entries.len());
    }
}

/// A forgery: its name, the link that must fail, and how it is made.
type Forgery = (&'static str, LinkName, fn(&mut Bundle));

const FORGERIES: &[Forgery] = &[
    ("value-changed", LinkName::Datapoint, |bundle| *bundle.datapoint.0.last_mut().unwrap() ^= 1),
    ("index-of-another", LinkName::Datapoint, |bundle| bundle.index = 1),
    ("index-past-the-end", LinkName::Datapoint, |bundle| bundle.index = u64::MAX),
    ("path-with-a-hash-more", LinkName::Datapoint, |bundle| bundle.path.push(Hex(Hash::ZERO))),
    ("path-with-a-hash-less", LinkName::Datapoint, |bundle| bundle.path.truncate(bundle.path.len() - 1)),
    ("another-submission", LinkName::Submission, |bundle| bundle.submission += 1),
    ("envelope-changed", LinkName::Submission, |bundle| change_envelope(bundle, "capture")),
    ("consent-envelope-changed", LinkName::Consent, |bundle| change_envelope(bundle, "consent")),
    ("head-changed", LinkName::Submission, |bundle| {
        let head = bundle.entries.iter().position(|part| part.service.name() == "consent").unwrap();
        let last = bundle.entries[head].entry.0.len() - 1;
        bundle.entries[head].entry.0[last] ^= 1;
    }),
    ("fact-changed", LinkName::Signer, |bundle| *bundle.facts[0].salt.0.last_mut().unwrap() ^= 1),
    ("fact-missing", LinkName::Signer, |bundle| drop(bundle.facts.remove(0))),
    ("fact-sibling-changed", LinkName::Signer, |bundle| bundle.facts[0].siblings[0] = Hex(Hash::ZERO)),
    ("entry-in-another-place", LinkName::Block, |bundle| bundle.entries[0].path.push(Hex(Hash::ZERO))),
    ("block-changed", LinkName::Chain, |bundle| *bundle.blocks[0].block.0.last_mut().unwrap() ^= 1),
    ("block-with-a-lying-count", LinkName::Block, |bundle| {
        let count = bundle.blocks[0].block.0.len() - 32 - 8 - 32 - 1;
        bundle.blocks[0].block.0[count] ^= 0xff;
    }),
    ("block-at-another-place", LinkName::Chain, |bundle| bundle.blocks[0].index += 1),
    ("block-past-the-end", LinkName::Chain, |bundle| bundle.blocks[0].index = u64::MAX),
    ("chain-path-changed", LinkName::Chain, |bundle| bundle.blocks[0].path[0] = Hex(Hash::ZERO)),
    ("checkpoint-of-another-size", LinkName::Checkpoint, |bundle| change_line(bundle, 1, "1")),
    ("checkpoint-with-one-witness", LinkName::Checkpoint, |bundle| {
        let mut witnesses = 0;
        keep_lines(bundle, |line| {
            witnesses += usize::from(line.contains("/witness/"));
            !line.contains("/witness/") || witnesses == 1
        });
    }),
    ("checkpoint-unsigned", LinkName::Checkpoint, |bundle| keep_lines(bundle, |line| !line.contains("/chain "))),
    ("envelope-that-nothing-needs", LinkName::Leftovers, |bundle| {
        let bare = bundle.entries.iter_mut().find(|part| part.envelope.is_none());
        bare.unwrap().envelope = Some(Base64(b"{}".to_vec()));
    }),
];

/// Keeps of the checkpoint's signatures those that are told.
fn keep_lines(bundle: &mut Bundle, mut keeps: impl FnMut(&str) -> bool) {
    let (text, signatures) = bundle.checkpoint.split_once("\n\n").unwrap();
    let kept = signatures.lines().filter(|line| keeps(line)).map(|line| format!("{line}\n"));
    bundle.checkpoint = format!("{text}\n\n{}", kept.collect::<String>());
}

fn change_envelope(bundle: &mut Bundle, service: &str) {
    let part = bundle.entries.iter_mut().find(|part| part.service.name() == service && part.envelope.is_some());
    let envelope = &mut part.unwrap().envelope.as_mut().unwrap().0;
    let last = envelope.len() - 10;
    envelope[last] = if envelope[last] == b'A' { b'B' } else { b'A' };
}

fn change_line(bundle: &mut Bundle, place: usize, text: &str) {
    let mut lines: Vec<&str> = bundle.checkpoint.lines().collect();
    lines[place] = text;
    bundle.checkpoint = lines.join("\n") + "\n";
}

#[tokio::test(flavor = "multi_thread")]
async fn every_forgery_fails_at_the_link_it_breaks() {
    let world = World::new().await;
    let entry = world.capture("BASELINE", "120").await;
    let (bytes, policy) = (world.bundle(entry, "SYSBP").await, world.policy());
    world.deployment.stop().await;
    for (name, link, forge) in FORGERIES {
        let mut bundle = Bundle::parse(&bytes).unwrap();
        forge(&mut bundle);
        let report = verify(&bundle.to_bytes(), &policy);
        assert_eq!(report.failure.map(|failure| failure.link), Some(*link), "{name}");
    }
    let mut other = Policy { studies: BTreeMap::new(), ..policy.clone() };
    assert_eq!(verify(&bytes, &other).failure.map(|failure| failure.link), Some(LinkName::Policy));
    other.studies = policy.studies.keys().map(|study| (*study, new_key().unwrap().public())).collect();
    assert_eq!(verify(&bytes, &other).failure.map(|failure| failure.link), Some(LinkName::Signer));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_consent_and_to_take_values_out_is_proven_and_every_forgery_of_it_refused() {
    let world = World::new().await;
    let bundles = bundles(&world).await;
    let policy = world.policy();
    world.deployment.stop().await;
    for (name, bytes) in &bundles {
        let report = verify(bytes, &policy);
        assert!(report.verified, "{name}: {:?}", report.failure);
    }
    for (name, link, of, forge) in forgeries::FORGERIES {
        let mut bundle = Bundle::parse(&bundles[of]).unwrap();
        forge(&mut bundle, &bundles);
        let report = verify(&bundle.to_bytes(), &policy);
        assert_eq!(report.failure.map(|failure| failure.link), Some(*link), "{name}");
    }
}

/// The vectors of the first version. They were made once and never change: what an old version wrote verifies for good.
#[test]
fn the_first_vectors_give_their_stated_answers() {
    let folder = repository().join("docs/vectors");
    let policy = read_policy(&folder);
    let report = verify(&fs::read(folder.join("bundle.trialseal")).unwrap(), &policy);
    assert!(report.verified);
    let stored = read(&folder.join("report.json"));
    assert_eq!(as_before(outcome(&report), &stored)["claim"], stored["claim"]);
    assert_eq!(primitives(), read(&folder.join("primitives.json")));
    assert!(refused_as_expected(&folder.join("bad"), &policy) > FORGERIES.len());
}

/// Further vectors. They are made once too, by `TRIALSEAL_WRITE_VECTORS=1 cargo test --test proof vectors`.
#[tokio::test(flavor = "multi_thread")]
async fn the_further_vectors_give_their_stated_answers() {
    let folder = repository().join("docs/vectors/rules-2");
    if std::env::var_os("TRIALSEAL_WRITE_VECTORS").is_some() {
        write_vectors(&folder).await;
    }
    let policy = read_policy(&folder);
    let expected: BTreeMap<String, Value> = serde_json::from_value(read(&folder.join("good/expected.json"))).unwrap();
    assert_eq!(expected.len(), files(&folder.join("good")).len());
    for (file, expected) in expected {
        let report = verify(&fs::read(folder.join("good").join(&file)).unwrap(), &policy);
        assert_eq!(as_before(outcome(&report), &expected), expected, "{file}");
        assert!(report.verified);
    }
    assert_eq!(refused_as_expected(&folder.join("bad"), &policy), forgeries::FORGERIES.len());
}

fn read(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

fn read_policy(folder: &Path) -> Policy {
    Policy::parse(&fs::read_to_string(folder.join("policy.txt")).unwrap()).unwrap()
}

/// The bundles of a folder.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.filter(|file| file.extension().is_some_and(|end| end == "trialseal")).collect()
}

/// The number of bundles of a folder, each refused at the link that its `expected.json` states.
fn refused_as_expected(folder: &Path, policy: &Policy) -> usize {
    let expected: BTreeMap<String, String> = serde_json::from_value(read(&folder.join("expected.json"))).unwrap();
    assert_eq!(expected.len(), files(folder).len());
    for (file, link) in &expected {
        let report = verify(&fs::read(folder.join(file)).unwrap(), policy);
        assert_eq!(report.failure.map(|failure| failure.link.to_string()).as_ref(), Some(link), "{file}");
    }
    expected.len()
}

/// What is proven, without what reports did not state yet when `stored` was written; it must be there.
fn as_before(mut proven: Value, stored: &Value) -> Value {
    const ADDED: [&str; 5] = ["signed", "late", "rules", "given", "provision"];
    match (&mut proven, stored) {
        (Value::Object(fields), Value::Object(stored)) => {
            fields.retain(|field, _| stored.contains_key(field) || !ADDED.contains(&field.as_str()));
            for (field, value) in fields {
                *value = as_before(value.take(), stored.get(field).unwrap_or(&Value::Null));
            }
        }
        (Value::Array(values), Value::Array(stored)) => {
            for (value, stored) in values.iter_mut().zip(stored) {
                *value = as_before(value.take(), stored);
            }
        }
        _ => {}
    }
    proven
}

/// What is proven, as vectors state it.
fn outcome(report: &Report) -> Value {
    json!({ "claim": report.claim, "erasure": report.erasure })
}

/// Results of the primitives for fixed inputs, as `docs/PROOF.md` defines them.
fn primitives() -> Value {
    let key = seal::key::SecretKey::from_seed(&[1; 32]).public();
    let study: Uuid = "00000000-0000-4000-8000-000000000000".parse().unwrap();
    let datapoint = Datapoint { nonce: [2; 16], ..synthetic::value("SYSBP", "120") };
    let mut map = seal::map::Memory::default();
    map.set(&Hash([0x00; 32]), &Hash([3; 32]));
    map.set(&Hash([0x01; 32]), &Hash([4; 32]));
    json!({
        "key_of_seed_of_32_bytes_01": key,
        "key_id_of_that_key": key.id(),
        "study": study,
        "stream_of_its_capture_journal": Service::Capture.stream(study).0.to_hex(),
        "map_key_of_its_site_S01": subject::site(&"S01".parse().unwrap()).map_key(study).to_hex(),
        "datapoint_SYSBP_120_with_nonce_of_bytes_02": Base64(datapoint.to_bytes()),
        "leaf_of_that_datapoint": tlog::merkle::leaf_hash(&datapoint.to_bytes()).to_hex(),
        "map_root_of_keys_00_and_01_with_values_03_and_04": map.root().to_hex(),
        "pre_authentication_encoding_of_text_plain_hello":
            Base64(seal::dsse::pre_authentication_encoding("text/plain", b"hello")),
    })
}

async fn write_vectors(folder: &Path) {
    let world = World::new().await;
    let bundles: Bundles = bundles(&world).await;
    let policy = world.policy();
    for folder in [folder.join("good"), folder.join("bad")] {
        fs::create_dir_all(folder).unwrap();
    }
    fs::write(folder.join("policy.txt"), world.policy_text()).unwrap();
    let mut expected = BTreeMap::new();
    for (name, bytes) in &bundles {
        fs::write(folder.join(format!("good/{name}.trialseal")), bytes).unwrap();
        expected.insert(format!("{name}.trialseal"), outcome(&verify(bytes, &policy)));
    }
    write(&folder.join("good/expected.json"), &json!(expected));
    let mut expected = BTreeMap::new();
    for (name, link, of, forge) in forgeries::FORGERIES {
        let mut bundle = Bundle::parse(&bundles[of]).unwrap();
        forge(&mut bundle, &bundles);
        fs::write(folder.join(format!("bad/{name}.trialseal")), bundle.to_bytes()).unwrap();
        expected.insert(format!("{name}.trialseal"), link.to_string());
    }
    write(&folder.join("bad/expected.json"), &json!(expected));
}

fn write(file: &Path, json: &Value) {
    fs::write(file, serde_json::to_string_pretty(json).unwrap() + "\n").unwrap();
}
