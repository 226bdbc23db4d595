//! The rules of capture: the signed header, who may capture, corrections, form definitions, values and their history.

#![allow(clippy::unwrap_used)]

use capture::domain::{
    Change, Current, Fault, FormFold, FormState, History, Recorded, Refusal, admit, check_forms, check_header,
    check_values, fits, needs, sets,
};
use proptest::prelude::*;
use seal::{
    Hash,
    datapoint::{self, Datapoint, MAX_DATAPOINTS},
    dsse::{Envelope, sign},
    entry::Entry,
    id::{Name, Service, Uuid},
    key::SecretKey,
    sha256,
};
use std::collections::BTreeSet;
use vocabulary::{
    authority::Unauthorised,
    command::{DefineForms, FormDef, FormInstance, ItemDef, ItemType, State, Submission, Task},
    fact::{self, Fact, Facts},
    subject::{self, Subject},
};

const NOW: u64 = 1_000_000;
const PARTICIPANT: &str = "P-ABCDEFGHIJKLMNOP";
const STUDY: Uuid = Uuid([9; 16]);

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// The key of an actor in these tests.
fn key(actor: &str) -> SecretKey {
    SecretKey::from_seed(&sha256(&[actor.as_bytes()]).0)
}

fn value(item: &str, repeat: &str, value: &str) -> Datapoint {
    let (item, repeat, value) = (item.to_owned(), repeat.to_owned(), value.to_owned());
    Datapoint { nonce: [7; 16], item, repeat, value, unit: String::new() }
}

fn bytes(values: &[Datapoint]) -> Vec<Vec<u8>> {
    values.iter().map(Datapoint::to_bytes).collect()
}

/// The header of a first submission of these datapoints by `ann`.
fn header(datapoints: &[Vec<u8>]) -> Submission {
    Submission {
        provision: None,
        study: STUDY,
        request: Uuid([8; 16]),
        by: name("ann"),
        time: NOW,
        site: name("701"),
        instance: FormInstance {
            participant: name(PARTICIPANT),
            event: name("BASELINE"),
            event_repeat: 0,
            form: name("VS"),
            form_repeat: 0,
        },
        forms_version: name("1"),
        root: datapoint::root(datapoints).into(),
        count: u32::try_from(datapoints.len()).unwrap(),
        collected: None,
        corrects: None,
        reason: None,
        late: None,
    }
}

fn correction(datapoints: &[Vec<u8>], entry: u64) -> Submission {
    Submission { corrects: Some(entry), reason: Some("misread".to_owned()), ..header(datapoints) }
}

fn refuses<T: std::fmt::Debug>(result: Result<T, Refusal>, field: &str, fault: Fault) {
    assert_eq!(result.map(|_| ()), Err(Refusal::Field { field: field.to_owned(), fault }));
}

#[test]
fn the_header_signs_count_and_root() {
    let values = [value("SYSBP", "", "120"), value("DIABP", "", "80")];
    let data = bytes(&values);
    assert_eq!(check_header(&header(&data), &data), Ok(values.to_vec()));
    for count in [0, 1, 3, u32::MAX] {
        let lie = Submission { count, ..header(&data) };
        refuses(check_header(&lie, &data), "datapoints", Fault::RootMismatch);
    }
    refuses(check_header(&header(&[]), &[]), "datapoints", Fault::RootMismatch);
    let many = vec![data[0].clone(); MAX_DATAPOINTS + 1];
    refuses(check_header(&header(&many), &many), "datapoints", Fault::RootMismatch);
    assert!(check_header(&header(&many[1..]), &many[1..]).is_ok());

    let root = "envelope.payload.root";
    let lie = Submission { root: Hash::ZERO.into(), ..header(&data) };
    refuses(check_header(&lie, &data), root, Fault::RootMismatch);
    let swapped = [data[1].clone(), data[0].clone()];
    refuses(check_header(&header(&data), &swapped), root, Fault::RootMismatch);
    let mut changed = data.clone();
    changed[1].push(b'0');
    refuses(check_header(&header(&data), &changed), root, Fault::RootMismatch);
}

#[test]
fn a_correction_states_its_reason_and_a_first_submission_none() {
    let data = bytes(&[value("SYSBP", "", "120")]);
    let longest = "x".repeat(4_096);
    for reason in ["misread", "x", " x ", &longest] {
        let good = Submission { reason: Some(reason.to_owned()), ..correction(&data, 3) };
        assert!(check_header(&good, &data).is_ok(), "{reason:?}");
    }
    let longer = format!("{longest}x");
    for reason in [None, Some(""), Some("  \t"), Some(&longer)] {
        let bad = Submission { reason: reason.map(str::to_owned), ..correction(&data, 3) };
        refuses(check_header(&bad, &data), "envelope.payload.reason", Fault::Reason);
    }
    for reason in ["misread", ""] {
        let bad = Submission { reason: Some(reason.to_owned()), ..header(&data) };
        refuses(check_header(&bad, &data), "envelope.payload.reason", Fault::Reason);
    }
}

#[test]
fn the_collection_date_has_any_precision_and_datapoints_are_readable() {
    let data = bytes(&[value("SYSBP", "", "120")]);
    let collected = |date: &str| Submission { collected: Some(date.to_owned()), ..header(&data) };
    for date in ["2014", "2014-01", "2014-01-16", "2014-01-16T13:17:59"] {
        assert!(check_header(&collected(date), &data).is_ok(), "{date}");
    }
    for date in ["", "yesterday", "2014-13", "2023-02-29", "16.01.2014"] {
        refuses(check_header(&collected(date), &data), "envelope.payload.collected", Fault::WrongType);
    }
    let cut = data[0][..data[0].len() - 1].to_vec();
    for bad in [Vec::new(), b"SYSBP=120".to_vec(), cut] {
        let data = vec![data[0].clone(), bad];
        refuses(check_header(&header(&data), &data), "datapoints[1]", Fault::Malformed);
    }
}

/// The enrollment facts under which `ann` captures at the open site `701`, where the participant is enrolled.
fn enrollment() -> Facts {
    let registered =
        Fact::Key(fact::Key { actor: name("ann"), key: key("ann").public(), registered: 1, ended: None, steps: None });
    [
        (
            subject::study(),
            Fact::Study { rules: None, name: name("STUDY-1"), root_key: key("root").public(), tokens: false },
        ),
        (subject::key(key("ann").public().id()), registered),
        delegation(None),
        (subject::site(&name("701")), Fact::Site(fact::Site { state: None, open: true, changed: 3, newest: None })),
        (
            subject::participant(&name(PARTICIPANT)),
            Fact::Participant(fact::Participant { stage: None, site: name("701"), enrolled: 4, withdrawn: None }),
        ),
    ]
    .into_iter()
    .collect()
}

fn delegation(ended: Option<u64>) -> (Subject, Fact) {
    let fact = Fact::Delegation(fact::Delegation { granted: 2, from: NOW, until: NOW + 10, ended });
    (subject::delegation(&name("ann"), Task::Capture.name(), &name("*")), fact)
}

/// Decides on the facts a submission needs; that all the facts would lead to the same decision is checked each time.
fn decide(submission: &Submission, signer: &SecretKey, facts: &Facts, time: u64) -> Result<(), Refusal> {
    let envelope = Envelope::parse(&sign(submission, &[signer])).unwrap();
    let needed = needs(submission, &envelope).into_iter();
    let needed: Facts = needed.filter_map(|subject| Some((subject.clone(), facts.find(&subject)?.clone()))).collect();
    let decided = admit(submission, &envelope, &needed, time);
    assert_eq!(decided, admit(submission, &envelope, facts, time));
    decided
}

#[test]
fn capture_takes_a_signer_with_the_task_an_open_site_and_a_participant_of_it() {
    let first = header(&bytes(&[value("SYSBP", "", "120")]));
    let with = |subject: Subject, fact: Fact| {
        let mut facts = enrollment();
        facts.set(subject, fact);
        decide(&first, &key("ann"), &facts, NOW)
    };
    assert_eq!(decide(&first, &key("ann"), &enrollment(), NOW), Ok(()));
    assert_eq!(decide(&first, &key("ann"), &Facts::default(), NOW), Err(Refusal::StudyUnknown));

    let (actor, task) = (name("ann"), Task::Capture);
    let unknown = Unauthorised::UnknownKey(actor.clone());
    assert_eq!(decide(&first, &key("eve"), &enrollment(), NOW), Err(unknown.into()));
    let ended = Fact::Key(fact::Key {
        actor: actor.clone(),
        key: key("ann").public(),
        registered: 1,
        ended: Some(5),
        steps: None,
    });
    let refused = with(subject::key(key("ann").public().id()), ended);
    assert_eq!(refused, Err(Unauthorised::KeyEnded(actor.clone()).into()));
    for time in [NOW - 1, NOW + 10] {
        let outside = Unauthorised::OutsidePeriod { actor: actor.clone(), task };
        assert_eq!(decide(&first, &key("ann"), &enrollment(), time), Err(outside.into()));
    }
    let (subject, fact) = delegation(Some(5));
    assert_eq!(with(subject, fact), Err(Unauthorised::DelegationEnded { actor: actor.clone(), task }.into()));
    let mut none: Facts = enrollment();
    let owned =
        Fact::Key(fact::Key { actor: name("bob"), key: key("bob").public(), registered: 1, ended: None, steps: None });
    none.set(subject::key(key("bob").public().id()), owned);
    let by_bob = Submission { by: name("bob"), ..first.clone() };
    let missing = Unauthorised::NoDelegation { actor: name("bob"), task, site: name("701") };
    assert_eq!(decide(&by_bob, &key("bob"), &none, NOW), Err(missing.into()));
    // Signed by the right key, but not this header.
    let other = sign(&Submission { time: NOW + 1, ..first.clone() }, &[&key("ann")]);
    let (own, other) = (String::from_utf8(sign(&first, &[&key("ann")])).unwrap(), String::from_utf8(other).unwrap());
    let signature = |json: &str| json.rsplit("\"sig\":\"").next().unwrap().split('"').next().unwrap().to_owned();
    let forged = Envelope::parse(own.replace(&signature(&own), &signature(&other)).as_bytes()).unwrap();
    assert_eq!(admit(&first, &forged, &enrollment(), NOW), Err(Unauthorised::BadSignature(actor).into()));

    let site = subject::site(&name("701"));
    assert_eq!(
        with(site, Fact::Site(fact::Site { state: None, open: false, changed: 5, newest: None })),
        Err(Refusal::SiteNotOpen)
    );
    for (state, outcome) in [(State::Paused, Ok(())), (State::Closed, Err(Refusal::StudyClosed))] {
        assert_eq!(with(subject::study_state(), Fact::StudyState { state, changed: 9, newest: None }), outcome);
    }
    let participant = subject::participant(&name(PARTICIPANT));
    for (site, withdrawn) in [("702", None), ("701", Some(6))] {
        let fact = Fact::Participant(fact::Participant { stage: None, site: name(site), enrolled: 4, withdrawn });
        assert_eq!(with(participant.clone(), fact), Err(Refusal::NotEnrolled));
    }
}

#[test]
fn a_form_instance_is_captured_once_then_corrected_at_its_latest_entry() {
    let data = bytes(&[value("SYSBP", "", "120")]);
    assert_eq!(fits(&header(&data), None), Ok(()));
    assert_eq!(fits(&header(&data), Some(4)), Err(Refusal::FormExists(4)));
    assert_eq!(fits(&correction(&data, 4), Some(4)), Ok(()));
    for stale in [3, 5] {
        assert_eq!(fits(&correction(&data, stale), Some(4)), Err(Refusal::CorrectionStale(Some(4))));
    }
    assert_eq!(fits(&correction(&data, 4), None), Err(Refusal::CorrectionStale(None)));
}

fn item(item: &str, kind: ItemType, mandatory: bool) -> ItemDef {
    ItemDef { item: name(item), kind, max_length: None, min: None, max: None, codes: Vec::new(), mandatory }
}

/// `VS`: `SYSBP` mandatory, `DIABP` and `COMMENT` not. `DM`: `AGE`.
fn forms() -> DefineForms {
    let pressures = [item("SYSBP", ItemType::Integer, true), item("DIABP", ItemType::Integer, false)];
    let vital_signs = [pressures.as_slice(), &[item("COMMENT", ItemType::Text, false)]].concat();
    let demographics = vec![item("AGE", ItemType::Integer, true)];
    DefineForms {
        study: STUDY,
        request: Uuid([8; 16]),
        by: Name::root(),
        time: NOW,
        version: name("1"),
        forms: vec![
            FormDef { provision: None, form: name("VS"), items: vital_signs },
            FormDef { provision: None, form: name("DM"), items: demographics },
        ],
        events: Vec::new(),
    }
}

#[test]
fn definitions_do_not_contradict_themselves() {
    assert_eq!(check_forms(&forms()), Ok(()));
    let none = DefineForms { forms: Vec::new(), ..forms() };
    refuses(check_forms(&none), "envelope.payload.forms", Fault::Definition);
    let form = |number: usize| FormDef {
        provision: None,
        form: name(&format!("F{number}")),
        items: forms().forms[1].items.clone(),
    };
    let many = DefineForms { forms: (0..1_025).map(form).collect(), ..forms() };
    refuses(check_forms(&many), "envelope.payload.forms", Fault::Definition);

    let changed = |change: fn(&mut FormDef)| {
        let mut forms = forms();
        change(&mut forms.forms[0]);
        check_forms(&forms)
    };
    refuses(changed(|form| form.form = name("DM")), "envelope.payload.forms[DM]", Fault::Definition);
    refuses(changed(|form| form.items.clear()), "envelope.payload.forms[VS]", Fault::Definition);
    let numbered = |number: usize| item(&format!("I{number}"), ItemType::Text, false);
    let mut wide = forms();
    wide.forms[0].items = (0..=MAX_DATAPOINTS).map(numbered).collect();
    refuses(check_forms(&wide), "envelope.payload.forms[VS]", Fault::Definition);

    let twice = changed(|form| form.items[1].item = name("SYSBP"));
    refuses(twice, "envelope.payload.forms[VS].items[SYSBP]", Fault::Definition);
    let diastolic = "envelope.payload.forms[VS].items[DIABP]";
    refuses(changed(|form| form.items[1].max_length = Some(0)), diastolic, Fault::Definition);
    refuses(changed(|form| form.items[1].max_length = Some((64 << 10) + 1)), diastolic, Fault::Definition);
    let crossed = changed(|form| (form.items[1].min, form.items[1].max) = (Some(2.0), Some(1.0)));
    refuses(crossed, diastolic, Fault::Definition);
    assert_eq!(changed(|form| (form.items[1].min, form.items[1].max) = (Some(1.0), Some(1.0))), Ok(()));
}

#[test]
fn values_are_those_of_the_form_and_mandatory_ones_are_there() {
    let check = |values: &[Datapoint]| check_values(&header(&bytes(values)), values, &forms());
    let systolic = value("SYSBP", "", "120");
    assert_eq!(check(&[systolic.clone(), value("COMMENT", "1", "a"), value("COMMENT", "2", "a")]), Ok(()));
    refuses(check(&[value("DIABP", "", "80")]), "datapoints[SYSBP]", Fault::Missing);
    refuses(check(&[systolic.clone(), value("AGE", "", "40")]), "datapoints[1].item", Fault::ItemUnknown);
    refuses(check(&[systolic.clone(), systolic.clone()]), "datapoints[1].item", Fault::ItemRepeated);
    refuses(check(&[systolic.clone(), value("DIABP", "", "low")]), "datapoints[1].value", Fault::WrongType);
    for item in ["SYSBP", "DIABP", "COMMENT"] {
        refuses(check(&[value(item, "", "")]), "datapoints[0].value", Fault::WrongType);
    }
    let mut unknown = header(&bytes(std::slice::from_ref(&systolic)));
    unknown.instance.form = name("AE");
    let unknown = check_values(&unknown, &[systolic], &forms());
    refuses(unknown, "envelope.payload.instance.form", Fault::ItemUnknown);
}

#[test]
fn a_correction_names_what_changes_and_takes_nothing_mandatory_away() {
    let check = |values: &[Datapoint]| check_values(&correction(&bytes(values), 4), values, &forms());
    assert_eq!(check(&[value("DIABP", "", "81")]), Ok(()), "the mandatory value stays as it was");
    assert_eq!(check(&[value("DIABP", "", ""), value("COMMENT", "", "")]), Ok(()));
    refuses(check(&[value("SYSBP", "", "")]), "datapoints[0].value", Fault::Missing);
    refuses(check(&[value("SYSBP", "", "x")]), "datapoints[0].value", Fault::WrongType);
    let twice = [value("DIABP", "", ""), value("DIABP", "", "80")];
    refuses(check(&twice), "datapoints[1].item", Fault::ItemRepeated);
}

/// Submissions of a few items, each at most once per submission, as the rules leave them.
fn submissions() -> impl Strategy<Value = Vec<Recorded>> {
    let item = (0_usize..3, 0_usize..2, 0_u8..4);
    prop::collection::vec(prop::collection::vec(item, 1..6), 0..12).prop_map(|submissions| {
        let mut number = 0;
        let record = |items: Vec<(usize, usize, u8)>| {
            let mut seen = BTreeSet::new();
            let values: Vec<Datapoint> = items
                .into_iter()
                .filter(|(item, repeat, _)| seen.insert((*item, *repeat)))
                .map(|(item, repeat, new)| Datapoint {
                    unit: ["", "mmHg"][usize::from(new % 2)].to_owned(),
                    ..value(ITEMS[item], REPEATS[repeat], &"x".repeat(usize::from(new / 2)))
                })
                .collect();
            number += 3; // other form instances have entries in between
            let redacted = (0..u32::try_from(number % 4).unwrap()).collect();
            Recorded { redacted, entry: entry(number), header: header(&bytes(&values)), datapoints: values }
        };
        submissions.into_iter().map(record).collect()
    })
}

const ITEMS: [&str; 3] = ["SYSBP", "DIABP", "COMMENT"];
const REPEATS: [&str; 2] = ["", "1"];

fn entry(number: u64) -> Entry {
    Entry {
        stream: Service::Capture.stream(STUDY),
        number,
        previous: Hash::ZERO,
        time: NOW,
        nonce: [0; 16],
        kind: "submit-form".to_owned(),
        envelope: Hash::ZERO,
        state_root: None,
        basis: Vec::new(),
    }
}

/// The items as they stand, by the definition: each submission replaces what those before it set.
fn current(submissions: &[Recorded]) -> Vec<Current> {
    let mut items: Vec<Current> = Vec::new();
    for submission in submissions {
        for datapoint in &submission.datapoints {
            let collected = submission.header.collected.clone();
            let item = Current { datapoint: datapoint.clone(), entry: submission.entry.number, collected };
            let same = |known: &&mut Current| {
                known.datapoint.item == datapoint.item && known.datapoint.repeat == datapoint.repeat
            };
            match items.iter_mut().find(same) {
                Some(known) => *known = item,
                None => items.push(item),
            }
        }
    }
    items
}

fn folded(submissions: &[Recorded]) -> Option<FormState> {
    let mut fold = FormFold::default();
    submissions.iter().rev().for_each(|submission| fold.add(submission.clone()));
    fold.finish()
}

/// The changes of an item, and the places of the submissions that made them.
fn history(submissions: &[Recorded], item: &str, repeat: &str) -> Vec<(usize, Change)> {
    let mut history = History::new(item, repeat);
    submissions.iter().enumerate().filter_map(|(by, submission)| Some((by, history.add(submission)?))).collect()
}

proptest! {
    #[test]
    fn an_item_stands_as_its_history_left_it(submissions in submissions()) {
        let form = folded(&submissions);
        prop_assert_eq!(form.is_none(), submissions.is_empty());
        let items = form.as_ref().map(|form| form.items.clone()).unwrap_or_default();
        prop_assert_eq!(&items, &current(&submissions), "the fold is the definition");
        if let Some(form) = form {
            let (first, entries) = (&submissions[0], submissions.iter().map(|submission| submission.entry.number));
            prop_assert_eq!(&form.header, &first.header);
            prop_assert_eq!(form.entries, entries.collect::<Vec<_>>());
            let taken = |submission: &Recorded| {
                let number = submission.entry.number;
                submission.redacted.clone().into_iter().map(move |place| (number, place))
            };
            prop_assert_eq!(form.redacted, submissions.iter().flat_map(taken).collect::<Vec<_>>());
        }
        let mut captured = Vec::new();
        for datapoint in submissions.iter().flat_map(|submission| &submission.datapoints) {
            let place = (datapoint.item.clone(), datapoint.repeat.clone());
            if !captured.contains(&place) {
                captured.push(place);
            }
        }
        let places: Vec<_> = items.iter().map(|i| (i.datapoint.item.clone(), i.datapoint.repeat.clone())).collect();
        prop_assert_eq!(&places, &captured, "each once, in the order of first capture");

        for (item, repeat) in ITEMS.iter().flat_map(|item| REPEATS.iter().map(move |repeat| (*item, *repeat))) {
            let changes = history(&submissions, item, repeat);
            let stands = items.iter().find(|i| (i.datapoint.item.as_str(), i.datapoint.repeat.as_str()) == (item, repeat));
            let last = changes.last().map(|(by, change)| (change.new.clone(), submissions[*by].entry.number));
            prop_assert_eq!(stands.map(|stands| (stands.datapoint.value.clone(), stands.entry)), last);
            let newest = submissions.iter().rev().find_map(|submission| sets(submission.clone(), item, repeat));
            prop_assert_eq!(newest.as_ref(), stands);

            let mut before = (String::new(), String::new());
            let mut expected = Vec::new();
            for (by, submission) in submissions.iter().enumerate() {
                for datapoint in submission.datapoints.iter().filter(|d| (d.item.as_str(), d.repeat.as_str()) == (item, repeat)) {
                    let (new, new_unit) = (datapoint.value.clone(), datapoint.unit.clone());
                    let (old, old_unit) = std::mem::replace(&mut before, (new.clone(), new_unit.clone()));
                    expected.push((by, Change { old, new, old_unit, new_unit }));
                }
            }
            prop_assert_eq!(changes, expected);
        }
    }
}
