//! Bundles about a command as such: what was signed is shown as it was written, and what says two things is refused.

use super::link;
use crate::published::{Vector, folder_holds, published};
use crate::world::{
    World, key, policy_of,
    study::{INVESTIGATOR, SECOND, provision, terms, values},
};
use seal::{
    bundle::{Bundle, Withheld},
    dsse,
    id::Service,
    report::LinkName,
    text::{Base64, Hex},
};

const DAY: u64 = 86_400_000;

/// The bundle of a command of any text, in the capture journal, with all its parts.
fn of_text(mut world: World, text: impl FnOnce(&World) -> String) -> Bundle {
    world.publish(Some(terms()));
    let time = world.time;
    let text = text(&world);
    let usual = with("\"x\":0")(&world);
    let mut record = |text: String| {
        world.time = time;
        let envelope = dsse::sign_bytes(&dsse::payload_type(KIND), text.into_bytes(), &[&key(INVESTIGATOR)]);
        world.record_bytes(Service::Capture, KIND, envelope, Vec::new())
    };
    let (usual, number) = (record(usual), record(text));
    let model = moved(world.record_bundle(Service::Capture, usual), usual, number);
    world.with_the_parts_of(&Bundle { submission: number, ..model })
}

/// A kind of command that is not known yet.
const KIND: &str = "future-kind";

/// The bundle with another capture entry in the place of one.
fn moved(mut bundle: Bundle, from: u64, to: u64) -> Bundle {
    let parts = bundle.entries.iter_mut().filter(|part| part.service == Service::Capture && part.number == from);
    parts.for_each(|part| part.number = to);
    bundle
}

/// The text of a command with these further fields.
fn with(fields: &str) -> impl FnOnce(&World) -> String {
    let fields = fields.to_owned();
    move |world| {
        let World { study, time, .. } = world;
        format!("{{\"study\":\"{study}\",\"by\":\"{INVESTIGATOR}\",\"time\":{time},{fields}}}")
    }
}

fn second(fields: &str) -> Bundle {
    of_text(World::new(), with(fields))
}

fn third(fields: &str) -> Bundle {
    of_text(World::third(), with(fields))
}

fn nested(depth: usize) -> String {
    // The command itself is the first level.
    format!("\"x\":{}{}", "[".repeat(depth - 1), "]".repeat(depth - 1))
}

/// A bundle of a registration, a consent and a submission.
fn of_each_journal() -> [(&'static str, Bundle); 3] {
    let mut world = World::new();
    let rotated = world.rotate(INVESTIGATOR, "new key");
    world.publish(Some(terms()));
    let given = world.consent(&super::own());
    let withdrawn = world.withdraw(&[provision("data_collection")], given);
    let submission = world.submission(None);
    let submitted = world.record(&submission, &[&key("new key")], Vec::new());
    [
        ("of-the-enrollment-journal", world.record_bundle(Service::Enrollment, rotated)),
        ("of-the-consent-journal", world.record_bundle(Service::Consent, withdrawn)),
        ("of-the-capture-journal", world.record_bundle(Service::Capture, submitted)),
    ]
}

fn changed(change: fn(&mut Bundle)) -> Bundle {
    let mut bundle = second("\"x\":1");
    change(&mut bundle);
    bundle
}

fn signed_by(signer: &str) -> Bundle {
    let mut world = World::new();
    world.publish(Some(terms()));
    let envelope = dsse::sign(&world.submission(None), &[&key(signer)]);
    let number = world.record_bytes(Service::Capture, "submit-form", envelope, Vec::new());
    world.record_bundle(Service::Capture, number)
}

fn aged(world: World, fields: &str, age: u64) -> Bundle {
    let fields = fields.to_owned();
    of_text(world, move |world| {
        let time = world.time + 1_000 - age;
        format!("{{\"study\":\"{}\",\"by\":\"{INVESTIGATOR}\",\"time\":{time},{fields}}}", world.study)
    })
}

fn good() -> Vec<Vector> {
    let spelled = "\"x\":[18446744073709551616,-0,1e400,1.50,0.1E+01,-0.0,340282366920938463463374607431768211456]";
    let mut vectors: Vec<Vector> = of_each_journal().into_iter().map(|(name, bundle)| (name, None, bundle)).collect();
    vectors.extend([
        ("numbers-as-they-are-spelled", None, second(spelled)),
        ("fields-as-they-are-written", None, {
            of_text(World::new(), |world| {
                format!(
                    "\n {{ \"z\" : \"\\u00e9\\/é\" ,\t\"by\":\"dr\\u002dimani\",\"a\":{{}},\"study\":\"{}\",\"time\": {} }} \n",
                    world.study, world.time
                )
            })
        }),
        ("nested-as-deep-as-may-be", None, second(&nested(127))),
        ("without-a-time", None, of_text(World::new(), |world| {
            format!("{{\"study\":\"{}\",\"by\":\"{INVESTIGATOR}\"}}", world.study)
        })),
        ("with-a-time-that-is-no-number", None, of_text(World::new(), |world| {
            format!("{{\"study\":\"{}\",\"by\":\"{INVESTIGATOR}\",\"time\":18446744073709551616}}", world.study)
        })),
        ("under-rules-3", None, third("\"x\":-0")),
        ("under-rules-3-of-30-days", None, aged(later(), "\"x\":0", 30 * DAY)),
    ]);
    vectors
}

fn later() -> World {
    let mut world = World::third();
    world.time += 40 * DAY;
    world
}

fn bad() -> Vec<Vector> {
    let (submission, signer) = (Some(LinkName::Submission), Some(LinkName::Signer));
    let stranger: fn(&mut Bundle) = |bundle| bundle.study.0[15] ^= 1;
    let mut vectors = vec![
        ("field-twice", submission, second("\"x\":1,\"x\":1")),
        ("field-twice-by-an-escape", submission, second("\"x\":1,\"\\u0078\":1")),
        ("field-twice-deep-inside", submission, second("\"x\":[{\"y\":{\"z\":1,\"a\":2,\"z\":3}}]")),
        ("time-twice", submission, second("\"time\":0")),
        ("nested-too-deep", submission, second(&nested(128))),
        ("nested-too-deep-in-objects", submission, {
            second(&format!("\"x\":{}0{}", "{\"a\":".repeat(127), "}".repeat(127)))
        }),
        ("unpaired-surrogate", submission, second("\"x\":\"\\ud800\"")),
        ("unpaired-surrogate-in-a-name", submission, second("\"x\":{\"\\udc00\\ud800\":0}")),
        ("number-of-another-notation", submission, second("\"x\":0x10")),
        ("number-with-a-leading-zero", submission, second("\"x\":-01")),
        ("not-a-number", submission, second("\"x\":NaN")),
        ("something-follows", submission, of_text(World::new(), |world| with("\"x\":1")(world) + "0")),
        (
            "array-for-the-command",
            submission,
            of_text(World::new(), |world| format!("[\"{}\",\"{INVESTIGATOR}\",{}]", world.study, world.time)),
        ),
        (
            "of-another-study",
            submission,
            of_text(World::new(), |_| {
                format!("{{\"study\":\"{}\",\"by\":\"{INVESTIGATOR}\",\"time\":0}}", World::third().study)
            }),
        ),
        ("by-nobody", submission, of_text(World::new(), |world| format!("{{\"study\":\"{}\",\"by\":7}}", world.study))),
        ("of-another-kind-than-its-entry", submission, {
            let mut world = World::new();
            world.publish(Some(terms()));
            let usual = world.submit(None);
            let envelope = dsse::sign(&world.submission(None), &[&key(INVESTIGATOR)]);
            let number = world.record_bytes(Service::Capture, KIND, envelope, Vec::new());
            let model = moved(world.record_bundle(Service::Capture, usual), usual, number);
            world.with_the_parts_of(&Bundle { submission: number, ..model })
        }),
        ("the-first-entry", submission, World::new().record_bundle(Service::Enrollment, 0)),
        (
            "with-something-withheld",
            submission,
            changed(|bundle| bundle.withheld = Some(Withheld::Erased { entry: 1 })),
        ),
        (
            "with-a-datapoint",
            Some(LinkName::Datapoint),
            changed(|bundle| bundle.datapoint = Base64(values()[0].to_bytes())),
        ),
        ("with-an-index", Some(LinkName::Datapoint), changed(|bundle| bundle.index = 1)),
        ("with-a-path", Some(LinkName::Datapoint), changed(|bundle| bundle.path = vec![Hex(seal::sha256(&[]))])),
        ("of-a-study-that-the-policy-does-not-name", Some(LinkName::Policy), changed(stranger)),
        ("signed-by-somebody-else", signer, signed_by(SECOND)),
        ("with-an-entry-too-many", Some(LinkName::Leftovers), {
            let mut world = World::new();
            world.publish(Some(terms()));
            let number = world.submit(None);
            let mut bundle = world.record_bundle(Service::Capture, number);
            let before = seal::verify::Demand::Entry { service: Service::Enrollment, number: 2, envelope: false };
            world.supply(&mut bundle, before);
            world.anchor_in(&mut bundle, &Service::ALL.map(|service| (service, 0..world.next(service) as usize)));
            bundle
        }),
        ("under-rules-3-of-more-than-30-days", signer, aged(later(), "\"x\":0", 30 * DAY + 1)),
        (
            "under-rules-3-without-a-time",
            signer,
            of_text(World::third(), |world| format!("{{\"study\":\"{}\",\"by\":\"{INVESTIGATOR}\"}}", world.study)),
        ),
        (
            "under-rules-3-with-a-time-that-is-no-number",
            signer,
            of_text(World::third(), |world| {
                format!("{{\"study\":\"{}\",\"by\":\"{INVESTIGATOR}\",\"time\":1e12}}", world.study)
            }),
        ),
    ];
    vectors.push((
        "under-rules-3-signed-ahead",
        signer,
        of_text(World::third(), |world| {
            let time = world.time + 1_000 + 300_001;
            format!("{{\"study\":\"{}\",\"by\":\"{INVESTIGATOR}\",\"time\":{time}}}", world.study)
        }),
    ));
    vectors
}

/// The vectors of `docs/vectors/record`, made by `TRIALSEAL_WRITE_VECTORS=1 cargo test -p seal --test forged records`.
#[test]
fn the_vectors_of_commands_as_such_are_these() {
    let policy = policy_of(&[&World::new(), &World::third()]);
    let good = good();
    let reports = published("record/good", &policy, &good);
    published("record/bad", &policy, &bad());
    let shown = good.iter().zip(&reports).map(|((name, ..), report)| {
        let record = report.record.as_ref().unwrap();
        (format!("{name}.json"), (serde_json::to_string_pretty(record).unwrap() + "\n").into_bytes())
    });
    folder_holds("record/reports", &shown.collect::<Vec<_>>());
}

#[test]
fn a_report_shows_what_was_signed_with_its_digits() {
    let signed = "\"x\":[18446744073709551616,-0,1e400,1.50]";
    let report = World::new().verify(&second(signed));
    assert_eq!(link(&report), None);
    let shown = serde_json::to_string_pretty(&report).unwrap();
    assert!(shown.contains("[18446744073709551616,-0,1e400,1.50]"), "{shown}");
    assert!(report.record.unwrap().command.as_str().ends_with("[18446744073709551616,-0,1e400,1.50]}"));
}

#[test]
fn whatever_is_accepted_can_be_shown_as_a_record() {
    let mut world = World::new();
    world.publish(Some(terms()));
    for number in 0..world.next(Service::Enrollment) {
        let bundle = world.record_bundle(Service::Enrollment, number);
        assert_eq!(link(&world.verify(&bundle)).is_none(), number > 0, "{number}");
    }
}
