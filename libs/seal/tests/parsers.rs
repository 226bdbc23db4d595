//! Every parser answers every input without panicking, and what it reads it writes back; DSSE by its public vector.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use seal::{
    Hash,
    block::{Block, MAX_ENTRIES},
    bundle::{Bundle, BundleError},
    command::RotateKey,
    datapoint::Datapoint,
    dsse::{Envelope, EnvelopeError, payload_type, pre_authentication_encoding, sign, sign_bytes},
    entry::{Entry, Head},
    fact::{self, Fact},
    id::{Name, StreamId, Uuid},
    key::{KeyId, PublicKey, SecretKey},
    policy::Policy,
    receipt::{Promise, Receipt, sign_group},
    sha256,
    verify::verify,
};
use std::str::FromStr;
use tlog::{
    key::{Algorithm, SignerKey},
    merkle,
};

const BUNDLE: &[u8] = include_bytes!("../../../docs/vectors/bundle.trialseal");
const POLICY: &str = include_str!("../../../docs/vectors/policy.txt");

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn hash() -> impl Strategy<Value = Hash> {
    any::<[u8; 32]>().prop_map(Hash)
}

fn a_name() -> impl Strategy<Value = Name> {
    "[ -~äß€]{1,20}".prop_filter_map("not a name", |text| text.parse().ok())
}

fn head() -> impl Strategy<Value = Head> {
    (hash(), any::<u64>(), hash()).prop_map(|(stream, number, hash)| Head { stream: StreamId(stream), number, hash })
}

fn entry() -> impl Strategy<Value = Entry> {
    let place = (hash(), any::<u64>(), hash(), any::<u64>());
    let rest =
        (any::<[u8; 16]>(), "[a-z-]{1,64}", hash(), prop::option::of(hash()), prop::collection::vec(head(), 0..=4));
    (place, rest).prop_map(|((stream, number, previous, time), (nonce, kind, envelope, state_root, basis))| Entry {
        stream: StreamId(stream),
        number,
        previous,
        time,
        nonce,
        kind,
        envelope,
        state_root,
        basis,
    })
}

fn block() -> impl Strategy<Value = Block> {
    let range = (any::<u64>(), 0..=u64::MAX - u64::from(MAX_ENTRIES), 1..=MAX_ENTRIES);
    (hash(), range, hash(), any::<u64>(), hash()).prop_map(|(stream, (number, first, count), root, time, previous)| {
        Block { stream: StreamId(stream), number, first, count, root, time, previous }
    })
}

fn datapoint() -> impl Strategy<Value = Datapoint> {
    let short = || "\\PC{0,30}";
    (any::<[u8; 16]>(), short(), short(), "(?s).{0,200}", short())
        .prop_map(|(nonce, item, repeat, value, unit)| Datapoint { nonce, item, repeat, value, unit })
}

seal::payload! {
    /// A command that no proof leads through: its kind and fields are those of the enrollment journal's first.
    "create-study" CreateStudy {
        /// The protocol's identifier.
        name: Name,
        /// The study's root key.
        root_key: PublicKey,
        /// The rules.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rules: Option<u32>,
    }
}

fn create_study() -> CreateStudy {
    let (study, request) = (Uuid([1; 16]), Uuid([2; 16]));
    let (name, root_key) = (name("STUDY-1"), key(1).public());
    CreateStudy { study, request, by: Name::root(), time: 5, name, root_key, rules: None }
}

fn sample_entry() -> Entry {
    Entry {
        stream: StreamId(sha256(&[b"stream"])),
        number: 4,
        previous: sha256(&[b"before"]),
        time: 99,
        nonce: [3; 16],
        kind: "submit-form".to_owned(),
        envelope: sha256(&[b"envelope"]),
        state_root: Some(sha256(&[b"state"])),
        basis: vec![Head { stream: StreamId(sha256(&[b"other"])), number: 8, hash: sha256(&[b"head"]) }],
    }
}

fn receipt_key() -> SignerKey {
    SignerKey::from_seed("parsers.test/receipts", Algorithm::Ed25519, [4; 32]).unwrap()
}

fn receipt() -> Receipt {
    let entries: Vec<Vec<u8>> = (0..5).map(|number| Entry { number, ..sample_entry() }.to_bytes()).collect();
    let leaves: Vec<Hash> = entries.iter().map(|bytes| merkle::leaf_hash(bytes)).collect();
    let tree = merkle::Tree::new(&leaves);
    let note = sign_group(&tree, 1_000, &receipt_key()).unwrap();
    Receipt { entry: entries[2].clone(), index: 2, path: tree.path(2), note }
}

fn promised(receipt: &Receipt) -> Option<Promise> {
    receipt.verify(&[receipt_key().verifier()]).ok()
}

/// Valid input of every parser.
fn samples() -> Vec<Vec<u8>> {
    let site = Fact::Site(fact::Site { open: true, changed: 3, state: None, newest: None });
    let value = Datapoint {
        nonce: [5; 16],
        item: "SYSBP".to_owned(),
        repeat: String::new(),
        value: "120".to_owned(),
        unit: "mmHg".to_owned(),
    };
    let stream = StreamId(sha256(&[b"stream"]));
    let (root, previous) = (sha256(&[b"root"]), Hash::ZERO);
    let texts = [
        POLICY.to_owned(),
        Uuid([0xab; 16]).to_string(),
        key(1).public().to_string(),
        key(1).public().id().to_string(),
        key(1).to_secret_text().to_string(),
        receipt().note,
    ];
    let records = [
        BUNDLE.to_vec(),
        sign(&create_study(), &[&key(1), &key(2)]),
        site.to_bytes(),
        value.to_bytes(),
        sample_entry().to_bytes(),
        Block { stream, number: 3, first: 9, count: 2, root, time: 7, previous }.to_bytes(),
    ];
    texts.into_iter().map(String::into_bytes).chain(records).collect()
}

fn with_digest(json: &[u8]) -> Vec<u8> {
    [format!("trialseal/bundle@v1 sha256 {}\n", sha256(&[json]).to_hex()).as_bytes(), json].concat()
}

/// Gives these bytes to every parser, and back what was read.
fn parse_all(bytes: &[u8]) {
    if let Ok(value) = Datapoint::parse(bytes) {
        assert_eq!(value.to_bytes(), bytes);
    }
    if let Ok(entry) = Entry::parse(bytes) {
        assert_eq!(entry.to_bytes(), bytes);
    }
    if let Ok(block) = Block::parse(bytes) {
        assert_eq!(block.to_bytes(), bytes);
        let _ = block.index_of(u64::MAX);
    }
    if let Some(fact) = Fact::parse(bytes) {
        assert_eq!(Fact::parse(&fact.to_bytes()), Some(fact));
    }
    if let Ok(envelope) = Envelope::parse_strict(bytes) {
        assert!(Envelope::parse(bytes).is_ok(), "what is accepted opens");
        if envelope.payload_strict::<CreateStudy>().is_ok() {
            assert!(envelope.payload::<CreateStudy>().is_ok() && envelope.any_payload().is_ok());
        }
    }
    if let Ok(envelope) = Envelope::parse(bytes) {
        let _ = (envelope.verify(&key(1).public()), envelope.payload::<CreateStudy>());
    }
    let policy = Policy::parse(POLICY).unwrap();
    // As it is, and as a bundle's JSON behind a digest that is right: else no damage would get past the digest.
    for bytes in [bytes.to_vec(), with_digest(bytes), with_digest(bytes.splitn(2, |b| *b == b'\n').last().unwrap())] {
        if let Ok(bundle) = Bundle::parse(&bytes) {
            assert_eq!(Bundle::parse(&bundle.to_bytes()), Ok(bundle));
        }
        let report = verify(&bytes, &policy);
        assert_eq!((report.verified, !report.verified), (report.claim.is_some(), report.failure.is_some()));
    }
    let text = String::from_utf8_lossy(bytes);
    let _ = Policy::parse(&text);
    same_text::<Uuid>(&text);
    same_text::<Name>(&text);
    same_text::<PublicKey>(&text);
    same_text::<KeyId>(&text);
    if let Ok(secret) = SecretKey::from_secret_text(&text) {
        assert_eq!(secret.to_secret_text().trim_end(), text.trim_end());
    }
    let good = receipt();
    for changed in
        [Receipt { entry: bytes.to_vec(), ..good.clone() }, Receipt { note: text.into_owned(), ..good.clone() }]
    {
        assert!(promised(&changed).is_none_or(|promise| Some(promise) == promised(&good)));
    }
}

/// One value has one spelling.
fn same_text<T: FromStr + ToString>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string(), text);
    }
}

#[derive(Debug, Clone)]
enum Mutation {
    Replace(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    Insert(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Repeat(prop::sample::Index, prop::sample::Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    // Half of the bytes are ones that the formats give a meaning to.
    let byte = prop_oneof![any::<u8>(), prop::sample::select(b"\n \t+=-./09\"{}[]:,\\\0\xff".to_vec())];
    let at = any::<prop::sample::Index>;
    prop_oneof![
        (at(), byte.clone()).prop_map(|(at, byte)| Mutation::Replace(at, byte)),
        at().prop_map(Mutation::Remove),
        (at(), byte).prop_map(|(at, byte)| Mutation::Insert(at, byte)),
        at().prop_map(Mutation::Cut),
        (at(), at()).prop_map(|(from, to)| Mutation::Repeat(from, to)),
    ]
}

impl Mutation {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let length = bytes.len();
        match self {
            Mutation::Replace(at, byte) => bytes[at.index(length)] = *byte,
            Mutation::Remove(at) => drop(bytes.remove(at.index(length))),
            Mutation::Insert(at, byte) => bytes.insert(at.index(length), *byte),
            Mutation::Cut(at) => bytes.truncate(at.index(length)),
            Mutation::Repeat(from, to) => {
                let (from, to) = (from.index(length), to.index(length));
                let piece = bytes[from.min(to)..from.max(to)].to_vec();
                bytes.extend(piece);
            }
        }
    }
}

proptest! {
    #[test]
    fn parsers_are_total_on_random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400), like in any::<prop::sample::Index>()) {
        parse_all(&bytes);
        // Behind the first line, or the first bytes, of something valid.
        let samples = samples();
        let sample = &samples[like.index(samples.len())];
        let start = sample.iter().position(|byte| *byte == b'\n').map_or(sample.len().min(20), |end| end + 1);
        parse_all(&[&sample[..start], &bytes].concat());
    }

    #[test]
    fn parsers_are_total_on_mutated_valid_input(
        like in any::<prop::sample::Index>(), mutations in prop::collection::vec(mutation(), 1..4),
    ) {
        let samples = samples();
        let mut bytes = samples[like.index(samples.len())].clone();
        mutations.iter().for_each(|mutation| mutation.apply(&mut bytes));
        parse_all(&bytes);
    }

    #[test]
    fn records_are_read_as_written(entry in entry(), block in block(), datapoint in datapoint()) {
        let mut streams: Vec<_> = entry.basis.iter().map(|head| head.stream).collect();
        streams.sort_unstable();
        prop_assume!(streams.windows(2).all(|pair| pair[0] != pair[1]));
        prop_assert_eq!(Entry::parse(&entry.to_bytes()), Ok(entry));
        prop_assert_eq!(Block::parse(&block.to_bytes()), Ok(block));
        prop_assert_eq!(Datapoint::parse(&datapoint.to_bytes()), Ok(datapoint));
    }

    #[test]
    fn texts_are_read_as_written(bytes in any::<[u8; 16]>(), seed in any::<[u8; 32]>(), name in a_name()) {
        let secret = SecretKey::from_seed(&seed);
        prop_assert_eq!(Uuid(bytes).to_string().parse(), Ok(Uuid(bytes)));
        prop_assert_eq!(name.to_string().parse(), Ok(name));
        prop_assert_eq!(secret.public().to_string().parse(), Ok(secret.public()));
        prop_assert_eq!(secret.public().id().to_string().parse(), Ok(secret.public().id()));
        let read = SecretKey::from_secret_text(&secret.to_secret_text()).unwrap();
        prop_assert_eq!(read.public(), secret.public());
    }

    #[test]
    fn a_receipt_holds_for_its_entry_in_its_place_only(index in 0_u64..6, at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let good = receipt();
        let promise = promised(&good).unwrap();
        prop_assert_eq!(promise.anchored_by, 1_000);
        prop_assert_eq!(promised(&Receipt { index, ..good.clone() }).is_some(), index == good.index);
        let mut changed = good.clone();
        let place = at.index(changed.entry.len());
        changed.entry[place] ^= 1 << bit;
        prop_assert_eq!(promised(&changed), None);
        let mut changed = good.clone();
        let place = at.index(changed.path.len() * 32);
        changed.path[place / 32].0[place % 32] ^= 1 << bit;
        prop_assert_eq!(promised(&changed), None);
        let short = Receipt { path: good.path[1..].to_vec(), ..good.clone() };
        prop_assert_eq!(promised(&short), None);
    }
}

#[test]
fn the_samples_are_valid() {
    assert!(verify(BUNDLE, &Policy::parse(POLICY).unwrap()).verified);
    let bundle = Bundle::parse(BUNDLE).unwrap();
    assert_eq!(Bundle::parse(&bundle.to_bytes()), Ok(bundle));
    assert_eq!(promised(&receipt()).unwrap().entry.number, 2);
    assert!(samples().iter().any(|sample| Fact::parse(sample).is_some()));
}

// The vector of the DSSE protocol, https://github.com/secure-systems-lab/dsse/blob/v1.0.0/protocol.md.
#[test]
fn the_pre_authentication_encoding_is_that_of_dsse() {
    let encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world");
    assert_eq!(encoded, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    assert_eq!(pre_authentication_encoding("", b""), b"DSSEv1 0  0 ");
    // Lengths count bytes, not characters.
    assert_eq!(pre_authentication_encoding("ß", "€".as_bytes()), "DSSEv1 2 ß 3 €".as_bytes());
}

#[test]
fn an_envelope_is_verified_by_the_keys_that_signed_it() {
    let bytes = sign(&create_study(), &[&key(1), &key(2)]);
    let envelope = Envelope::parse(&bytes).unwrap();
    assert_eq!(envelope.payload(), Ok(create_study()));
    assert_eq!(envelope.key_ids().collect::<Vec<_>>(), [key(1).public().id(), key(2).public().id()]);
    assert_eq!(envelope.verify(&key(2).public()), Ok(()));
    let missing = key(3).public();
    assert_eq!(envelope.verify(&missing), Err(EnvelopeError::Signature(missing.id())));
    assert!(matches!(envelope.payload::<RotateKey>(), Err(EnvelopeError::PayloadType { .. })));
    // The type is signed with the payload.
    let other = String::from_utf8(bytes).unwrap().replace("create-study", "delete-study");
    let other = Envelope::parse(other.as_bytes()).unwrap();
    assert_eq!(other.verify(&key(1).public()), Err(EnvelopeError::Signature(key(1).public().id())));
}

#[test]
fn envelopes_with_a_key_or_a_field_twice_or_unknown_are_refused() {
    let json = String::from_utf8(sign(&create_study(), &[&key(1)])).unwrap();
    let signature = json.split_once("\"signatures\":[").unwrap().1.strip_suffix("]}").unwrap();
    let malformed = |json: String| match Envelope::parse(json.as_bytes()) {
        Err(EnvelopeError::Malformed(what)) => what,
        other => panic!("{other:?}"),
    };
    assert!(malformed(json.replace(signature, &format!("{signature},{signature}"))).contains("a key signed twice"));
    assert!(malformed(json.replace(signature, "")).contains("signatures are needed"));
    let field = json.replacen('{', "{\"payloadType\":\"x\",", 1);
    assert!(malformed(field).contains("duplicate field"));
    assert!(malformed(json.replacen('{', "{\"extra\":1,", 1)).contains("unknown field"));
    assert!(malformed(json.replace("\"sig\":", "\"x\":0,\"sig\":")).contains("unknown field"));
    assert!(malformed(format!("{json} {json}")).contains("line 1"));
    assert_eq!(Envelope::parse(&vec![b' '; (1 << 20) + 1]), Err(EnvelopeError::TooLarge));
}

#[test]
fn what_was_stored_with_arrays_for_objects_opens_and_is_accepted_no_more() {
    let signed = sign(&create_study(), &[&key(1)]);
    let json: serde_json::Value = serde_json::from_slice(&signed).unwrap();
    let whole = serde_json::json!([json["payloadType"], json["payload"], json["signatures"]]).to_string();
    let signature = &json["signatures"][0];
    let mut inside = json.clone();
    inside["signatures"] = serde_json::json!([[signature["keyid"], signature["sig"]]]);
    for stored in [whole, inside.to_string()] {
        let envelope = Envelope::parse(stored.as_bytes()).unwrap();
        assert_eq!(envelope.verify(&key(1).public()), Ok(()));
        assert_eq!(envelope.payload(), Ok(create_study()));
        assert!(matches!(Envelope::parse_strict(stored.as_bytes()), Err(EnvelopeError::Malformed(_))), "{stored}");
    }

    let payload = serde_json::to_value(create_study()).unwrap();
    let fields = ["study", "request", "by", "time", "name", "root_key", "rules"];
    let array: Vec<_> = fields.iter().filter_map(|field| payload.get(field).cloned()).collect();
    let array = serde_json::to_vec(&array).unwrap();
    let envelope = sign_bytes(&payload_type("create-study"), array, &[&key(1)]);
    let envelope = Envelope::parse_strict(&envelope).unwrap();
    assert!(envelope.payload::<CreateStudy>().is_ok(), "as it was read before");
    assert!(matches!(envelope.payload_strict::<CreateStudy>(), Err(EnvelopeError::Payload(_))));
    assert!(matches!(envelope.any_payload(), Err(EnvelopeError::Payload(_))));
}

#[test]
fn payloads_facts_and_bundles_with_a_field_twice_or_unknown_are_refused() {
    let payload = serde_json::to_string(&create_study()).unwrap();
    for (extra, what) in [("\"time\":5,", "duplicate field"), ("\"extra\":5,", "unknown field")] {
        let json = payload.replacen('{', &format!("{{{extra}"), 1);
        let bytes = sign_bytes(&payload_type("create-study"), json.into_bytes(), &[&key(1)]);
        let read = Envelope::parse(&bytes).unwrap().payload::<CreateStudy>();
        assert!(matches!(&read, Err(EnvelopeError::Payload(said)) if said.contains(what)), "{read:?}");
    }
    assert!(Fact::parse(br#"{"site":{"open":true,"changed":1}}"#).is_some());
    for bad in [
        &br#"{"site":{"open":true,"open":true,"changed":1}}"#[..],
        br#"{"site":{"open":true,"changed":1,"extra":1}}"#,
        br#"{"site":{"open":true,"changed":1},"site":{"open":true,"changed":1}}"#,
    ] {
        assert_eq!(Fact::parse(bad), None);
    }
    let given = r#"{"given":1,"document":"D","version":"1","language":"en","withdrawn":null}"#;
    let consent =
        |provisions: &str| Fact::parse(format!(r#"{{"consent":{{"provisions":{{{provisions}}}}}}}"#).as_bytes());
    let once = format!(r#""data_collection":{given}"#);
    assert!(consent(&once).is_some());
    assert_eq!(consent(&format!("{once},{once}")), None);

    let json = BUNDLE.splitn(2, |byte| *byte == b'\n').last().unwrap();
    let json = std::str::from_utf8(json).unwrap();
    for extra in ["{\"submission\":1,", "{\"extra\":1,"] {
        let changed = with_digest(json.replacen('{', extra, 1).as_bytes());
        assert!(matches!(Bundle::parse(&changed), Err(BundleError::Json { .. })), "{extra}");
    }
    assert_eq!(Bundle::parse(&[BUNDLE, b" "].concat()), Err(BundleError::Damaged));
}
