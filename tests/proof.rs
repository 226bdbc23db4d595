//! Bundles: any change is refused or changes nothing that is asserted; the vectors beside `docs/PROOF.md`.

#![allow(clippy::unwrap_used)]

mod support;

use seal::{
    bundle::Bundle,
    datapoint::Datapoint,
    fact::Subject,
    id::{Service, Uuid},
    policy::Policy,
    report::{LinkName, Report},
    text::{Base64, Hex},
    verify::verify,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs};
use support::{World, repository};
use tlog::Hash;

/// What a report asserts, apart from how many witnesses beyond the quorum cosigned.
fn asserted(report: &Report) -> (bool, Option<Value>) {
    let claim = report.claim.as_ref().map(|claim| {
        let mut claim = serde_json::to_value(claim).unwrap();
        claim["checkpoint"]["cosigned_by"] = Value::Null;
        claim
    });
    (report.verified, claim)
}

#[tokio::test(flavor = "multi_thread")]
async fn flipping_any_byte_fails_or_changes_nothing_asserted() {
    let world = World::new().await;
    let entry = world.capture("BASELINE", "120").await;
    let (bytes, policy) = (world.bundle(entry, "SYSBP").await, world.policy());
    world.deployment.stop().await;
    let good = verify(&bytes, &policy);
    assert!(good.verified, "{:?}", good.failure);
    assert_eq!(good.claim.as_ref().unwrap().checkpoint.cosigned_by.len(), 3);

    // As the file is: the digest in its first line finds every flip.
    use rayon::prelude::*;
    (0..bytes.len()).into_par_iter().for_each(|place| {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        assert!(!verify(&changed, &policy).verified, "byte {place}");
    });

    // As a forger would, with the digest made right again: now every other check is on its own.
    let json = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let survivors: Vec<usize> = (json..bytes.len())
        .into_par_iter()
        .filter(|place| {
            let mut changed = bytes[json..].to_vec();
            changed[place - json] ^= 1;
            let digest = tlog::sha256(&[&changed]).to_hex();
            let changed = [format!("trialseal/bundle@v1 sha256 {digest}\n").as_bytes(), &changed].concat();
            let report = verify(&changed, &policy);
            if !report.verified {
                return false;
            }
            assert_eq!(asserted(&report), asserted(&good), "byte {place}");
            assert!(report.claim.unwrap().checkpoint.cosigned_by.len() >= 2, "byte {place}");
            true
        })
        .collect();
    println!("{} bytes, {} flips change nothing that is asserted", bytes.len(), survivors.len());
    // What survives lies in a cosignature's key id or name: that witness is unknown then, and two are left.
    let checkpoint = bytes.windows(14).rposition(|part| part == b"\"checkpoint\":\"").unwrap();
    assert!(survivors.iter().all(|place| *place > checkpoint), "{survivors:?}");
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
        let lines: Vec<&str> = bundle.checkpoint.lines().collect();
        bundle.checkpoint = lines[..6].join("\n") + "\n";
    }),
    ("checkpoint-unsigned", LinkName::Checkpoint, |bundle| {
        let lines: Vec<&str> = bundle.checkpoint.lines().collect();
        bundle.checkpoint = [&lines[..4], &lines[5..]].concat().join("\n") + "\n";
    }),
    ("envelope-that-nothing-needs", LinkName::Leftovers, |bundle| {
        let bare = bundle.entries.iter_mut().find(|part| part.envelope.is_none());
        bare.unwrap().envelope = Some(Base64(b"{}".to_vec()));
    }),
];

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
    other.studies = policy.studies.keys().map(|study| (*study, client::new_key().unwrap().public())).collect();
    assert_eq!(verify(&bytes, &other).failure.map(|failure| failure.link), Some(LinkName::Signer));
}

/// The vectors are made once, by `TRIALSEAL_WRITE_VECTORS=1 cargo test --test proof vectors`, and never change: a bundle
/// written by an old version must verify for good.
#[tokio::test(flavor = "multi_thread")]
async fn the_published_vectors_give_their_stated_answers() {
    let folder = repository().join("docs/vectors");
    if std::env::var_os("TRIALSEAL_WRITE_VECTORS").is_some() {
        write_vectors().await;
    }
    let policy = Policy::parse(&fs::read_to_string(folder.join("policy.txt")).unwrap()).unwrap();
    let report = verify(&fs::read(folder.join("bundle.trialseal")).unwrap(), &policy);
    let expected: Value = serde_json::from_slice(&fs::read(folder.join("report.json")).unwrap()).unwrap();
    assert_eq!(serde_json::to_value(&report).unwrap()["claim"], expected["claim"]);
    assert!(report.verified);
    let expected: Value = serde_json::from_slice(&fs::read(folder.join("primitives.json")).unwrap()).unwrap();
    assert_eq!(primitives(), expected);
    let expected: BTreeMap<String, String> =
        serde_json::from_slice(&fs::read(folder.join("bad/expected.json")).unwrap()).unwrap();
    assert!(expected.len() >= FORGERIES.len());
    for (file, link) in expected {
        let report = verify(&fs::read(folder.join("bad").join(&file)).unwrap(), &policy);
        assert_eq!(report.failure.map(|failure| failure.link.to_string()), Some(link), "{file}");
    }
}

/// Results of the primitives for fixed inputs, as `docs/PROOF.md` defines them.
fn primitives() -> Value {
    let key = seal::key::SecretKey::from_seed(&[1; 32]).public();
    let study: Uuid = "00000000-0000-4000-8000-000000000000".parse().unwrap();
    let datapoint = Datapoint { nonce: [2; 16], ..trialseal::setup::value("SYSBP", "120") };
    let mut map = seal::map::Memory::default();
    map.set(&Hash([0x00; 32]), &Hash([3; 32]));
    map.set(&Hash([0x01; 32]), &Hash([4; 32]));
    json!({
        "key_of_seed_of_32_bytes_01": key,
        "key_id_of_that_key": key.id(),
        "study": study,
        "stream_of_its_capture_journal": Service::Capture.stream(study).0.to_hex(),
        "map_key_of_its_site_S01": Subject::Site("S01".parse().unwrap()).map_key(study).to_hex(),
        "datapoint_SYSBP_120_with_nonce_of_bytes_02": Base64(datapoint.to_bytes()),
        "leaf_of_that_datapoint": tlog::merkle::leaf_hash(&datapoint.to_bytes()).to_hex(),
        "map_root_of_keys_00_and_01_with_values_03_and_04": map.root().to_hex(),
        "pre_authentication_encoding_of_text_plain_hello":
            Base64(seal::dsse::pre_authentication_encoding("text/plain", b"hello")),
    })
}

async fn write_vectors() {
    let world = World::new().await;
    let entry = world.capture("BASELINE", "120").await;
    let bytes = world.bundle(entry, "SYSBP").await;
    let folder = repository().join("docs/vectors");
    fs::create_dir_all(folder.join("bad")).unwrap();
    fs::write(folder.join("bundle.trialseal"), &bytes).unwrap();
    fs::write(folder.join("policy.txt"), world.policy_text()).unwrap();
    let primitives = serde_json::to_string_pretty(&primitives()).unwrap();
    fs::write(folder.join("primitives.json"), primitives + "\n").unwrap();
    let report = serde_json::to_string_pretty(&verify(&bytes, &world.policy())).unwrap();
    fs::write(folder.join("report.json"), report + "\n").unwrap();
    let mut expected = BTreeMap::new();
    let mut damaged = bytes.clone();
    damaged[100] ^= 1;
    fs::write(folder.join("bad/damaged.trialseal"), damaged).unwrap();
    expected.insert("damaged.trialseal".to_owned(), LinkName::File.to_string());
    for (name, link, forge) in FORGERIES {
        let mut bundle = Bundle::parse(&bytes).unwrap();
        forge(&mut bundle);
        fs::write(folder.join(format!("bad/{name}.trialseal")), bundle.to_bytes()).unwrap();
        expected.insert(format!("{name}.trialseal"), link.to_string());
    }
    let expected = serde_json::to_string_pretty(&json!(expected)).unwrap();
    fs::write(folder.join("bad/expected.json"), expected + "\n").unwrap();
}
