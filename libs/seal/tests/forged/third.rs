//! Rules 3: journals of a service that accepted what it should have refused. Its states are true, every hash, proof and
//! signature is in order; the verifier refuses each by the name of the link it breaks.

use super::{
    consent::{guardian, minor, own},
    link,
};
use crate::world::{
    START_MS, World, key,
    study::{Consent, DEVICE, FATHER, INVESTIGATOR, MOTHER, PARTICIPANT, SECOND, name, provision, terms, values},
};
use seal::{
    bundle::{Bundle, Withheld},
    command::{ActorKind, Capacity, Relation, Task, Terms},
    report::LinkName,
    sha256,
    text::Hex,
    verify::verify,
};
use std::{collections::BTreeMap, fs, path::Path};

const DAY: u64 = 86_400_000;
const LATER: u64 = START_MS + 1_000_000_000;

fn admitting() -> Terms {
    Terms { site_device: true, ..terms() }
}

fn on_device() -> Consent {
    Consent::by(Capacity::SiteDevice { device: name(DEVICE), evidence: Hex(sha256(&[b"drawn"])) }, &[DEVICE])
}

/// The bundle of a submission, after what `happened` once the document was published.
fn after(happened: impl FnOnce(&mut World)) -> Bundle {
    captured(World::third(), admitting(), happened)
}

fn captured(mut world: World, of: Terms, happened: impl FnOnce(&mut World)) -> Bundle {
    world.publish(Some(of));
    happened(&mut world);
    let submission = world.submit(None);
    world.bundle(submission, &values(), 0, None)
}

/// The bundle of a value that `by` and `second` took out.
fn redacted(prepare: impl FnOnce(&mut World), second: &'static str) -> Bundle {
    let mut world = World::third();
    prepare(&mut world);
    world.publish(Some(admitting()));
    world.consent(&own());
    let submission = world.submit(None);
    let mut redact = world.redaction(submission);
    redact.second = name(second);
    let entry = world.record(&redact, &[&key(INVESTIGATOR), &key(second)], Vec::new());
    let leaf = super::comment_leaf();
    world.bundle(submission, &values(), 1, Some(Withheld::Redacted { entry, leaf }))
}

fn everything(world: &mut World, given: u64) {
    world.withdraw(&[provision("data_collection")], given);
}

fn consented(world: &mut World, consent: &Consent) {
    world.consent(consent);
}

type Vector = (&'static str, Option<LinkName>, Bundle);

fn vectors() -> Vec<Vector> {
    let (consent, document) = (Some(LinkName::Consent), Some(LinkName::Document));
    let of_age = Some(LATER);
    let parents = Consent { majority: of_age, ..minor(&[MOTHER, FATHER], &[MOTHER, FATHER, PARTICIPANT]) };
    let represented = |second: Option<&'static str>, until| {
        let mut world = World::third();
        let relation = Relation::LegalRepresentative;
        world.represent_with("R-EEEEEEEEEEEEEEEE", (PARTICIPANT, "701"), (relation, relation), (second, until));
        let capacity = Capacity::Representative { actor: name("R-EEEEEEEEEEEEEEEE") };
        let consent = Consent::by(capacity, &["R-EEEEEEEEEEEEEEEE"]);
        captured(world, admitting(), move |world| consented(world, &consent))
    };
    let elsewhere = {
        let mut world = World::third();
        world.register_of("tablet-8", ActorKind::Device, Some(name("702")), "tablet-8");
        let evidence = Hex(sha256(&[b"drawn"]));
        let consent = Consent::by(Capacity::SiteDevice { device: name("tablet-8"), evidence }, &["tablet-8"]);
        captured(world, admitting(), move |world| consented(world, &consent))
    };
    let kept_delegation = {
        let mut world = World::third();
        let ended = Some(Hex(sha256(&[b"the command that ended it"])));
        world.delegate_by("root", &[], (INVESTIGATOR, Task::Capture), ended);
        captured(world, admitting(), |world| consented(world, &own()))
    };
    let squatted = {
        let mut world = World::third();
        world.register_of("dr-novak", ActorKind::Person, None, SECOND);
        world.delegate("dr-novak", Task::ObtainConsent);
        captured(world, admitting(), |world| consented(world, &Consent { by: "dr-novak", ..own() }))
    };
    vec![
        ("own", None, after(|world| consented(world, &own()))),
        ("parents", None, after(|world| consented(world, &parents))),
        ("guardian", None, after(|world| consented(world, &guardian()))),
        ("on-a-device-of-the-site", None, after(|world| consented(world, &on_device()))),
        (
            "given-again-on-the-newest-state",
            None,
            after(|world| {
                let given = world.consent(&own());
                everything(world, given);
                world.consent(&own());
            }),
        ),
        (
            "late-by-who-may",
            None,
            after(|world| {
                world.delegate(INVESTIGATOR, Task::RecordLate);
                world.time += 10 * DAY;
                world.kept_back_ms = 5 * DAY;
                world.consent(&Consent { late: Some(name("no network")), ..own() });
                world.kept_back_ms = 0;
            }),
        ),
        (
            "kept-copy-after-a-withdrawal",
            consent,
            after(|world| {
                let given = world.consent(&own());
                everything(world, given);
                world.consent(&Consent { kept: true, ..own() });
            }),
        ),
        (
            "consent-signed-long-ago",
            consent,
            after(|world| {
                world.time += 400 * DAY;
                world.kept_back_ms = 400 * DAY - 100_000;
                world.consent(&own());
                world.kept_back_ms = 0;
            }),
        ),
        (
            "late-by-who-may-not",
            consent,
            after(|world| {
                world.time += 10 * DAY;
                world.kept_back_ms = 5 * DAY;
                world.consent(&Consent { late: Some(name("no network")), ..own() });
                world.kept_back_ms = 0;
            }),
        ),
        (
            "consent-before-its-document",
            document,
            after(|world| {
                world.delegate(INVESTIGATOR, Task::RecordLate);
                world.time += DAY;
                world.kept_back_ms = DAY - 1_000 + 400_000;
                world.consent(&Consent { late: Some(name("no network")), ..own() });
                world.kept_back_ms = 0;
            }),
        ),
        ("submission-signed-long-ago", Some(LinkName::Signer), {
            let mut world = World::third();
            world.publish(Some(admitting()));
            world.consent(&own());
            world.time += 3 * DAY;
            world.kept_back_ms = 2 * DAY;
            let submission = world.submit(None);
            world.bundle(submission, &values(), 0, None)
        }),
        ("kept-copy-of-a-delegation", Some(LinkName::Delegation), kept_delegation),
        ("key-of-somebody-else", consent, squatted),
        ("device-alone", consent, {
            let mut world = World::third();
            world.delegate(DEVICE, Task::ObtainConsent);
            captured(world, admitting(), |world| {
                consented(world, &Consent { by: DEVICE, signers: Vec::new(), ..on_device() });
            })
        }),
        ("device-of-another-site", consent, elsewhere),
        ("device-not-admitted", document, captured(World::third(), terms(), |world| consented(world, &on_device()))),
        ("minor-as-an-adult", consent, after(|world| consented(world, &Consent { majority: of_age, ..own() }))),
        ("guardian-of-a-minor", consent, after(|world| consented(world, &Consent { majority: of_age, ..guardian() }))),
        (
            "majority-put-off",
            consent,
            after(|world| consented(world, &Consent { majority: Some(START_MS + 10_000), ..parents.clone() })),
        ),
        ("representative-by-one-person", consent, represented(None, Some(LATER))),
        ("representative-whose-time-is-over", consent, represented(Some(SECOND), Some(START_MS + 10_000))),
        ("redaction-by-two-persons", None, redacted(|_| (), SECOND)),
        (
            "redaction-with-ones-own-device",
            Some(LinkName::Redaction),
            redacted(|world| _ = world.delegate_by(INVESTIGATOR, &["root"], (DEVICE, Task::Redact), None), DEVICE),
        ),
        (
            "redaction-with-ones-own-delegate",
            Some(LinkName::Redaction),
            redacted(
                |world| {
                    world.register_of("nurse", ActorKind::Person, None, "nurse");
                    world.delegate_by(INVESTIGATOR, &["root"], ("nurse", Task::Redact), None);
                },
                "nurse",
            ),
        ),
    ]
}

/// The vectors of `docs/vectors/rules-3`, made by `TRIALSEAL_WRITE_VECTORS=1 cargo test -p seal --test forged third`.
#[test]
fn the_vectors_of_rules_3_are_these() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/vectors/rules-3");
    let vectors = vectors();
    let policy = World::third().policy();
    let expected: BTreeMap<String, Option<String>> = vectors
        .iter()
        .map(|(name, link, _)| (format!("{name}.trialseal"), link.map(|link| link.to_string())))
        .collect();
    let expected = serde_json::to_string_pretty(&expected).unwrap() + "\n";
    let mut files = vec![("policy.txt".to_owned(), World::third().policy_text().into_bytes())];
    files.push(("expected.json".to_owned(), expected.into_bytes()));
    files.extend(vectors.iter().map(|(name, _, bundle)| (format!("{name}.trialseal"), bundle.to_bytes())));
    for (name, expected, bundle) in &vectors {
        let report = verify(&bundle.to_bytes(), &policy);
        assert_eq!(link(&report), *expected, "{name}: {:?}", report.failure);
        assert!(report.claim.is_none_or(|claim| claim.rules == 3), "{name}");
    }
    if std::env::var_os("TRIALSEAL_WRITE_VECTORS").is_some() {
        fs::create_dir_all(&folder).unwrap();
        files.iter().for_each(|(file, bytes)| fs::write(folder.join(file), bytes).unwrap());
    }
    for (file, bytes) in &files {
        assert!(fs::read(folder.join(file)).unwrap() == *bytes, "{file} is not as it is made");
    }
}

#[test]
fn a_policy_tells_by_which_rules_a_study_is_judged() {
    // The same journals under an identifier that is not bound to the root key are judged by the rules before.
    let mut world = World::third();
    assert_eq!(world.study.rules(&world.root.public()), Some(3));
    world.study.0[5] ^= 1;
    assert_eq!(world.study.rules(&world.root.public()), None);
}
