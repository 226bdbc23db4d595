//! What is refused when it is new, under rules 3: blank text, reasons that say nothing, dates in the future, names that look alike;
//! and the study events that definitions list.

#![allow(clippy::unwrap_used)]

use capture::domain::{
    Fault, Refusal, check_forms, check_header, check_new, check_new_erasure, check_new_forms, check_new_redaction,
    check_values,
};
use seal::{
    datapoint::{self, Datapoint},
    id::{Name, Uuid},
    key::SecretKey,
};
use vocabulary::{
    command::{
        DefineForms, EraseParticipant, EventDef, FormDef, FormInstance, ItemDef, ItemType, RedactValue, Submission,
    },
    fact::{Fact, Facts},
    subject,
};

/// 15 June 2026, noon in UTC.
const NOW: u64 = 1_781_524_800_000;
const STUDY: Uuid = Uuid([9; 16]);
/// Text in which nothing is visible.
const BLANK: [&str; 7] = ["   ", "\u{a0}", "\u{200b}", "\t", "\u{3000}\u{2028}", "\u{feff}\u{ad}", "\u{3164}"];

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn study(rules: Option<u32>) -> Facts {
    let root_key = SecretKey::from_seed(&[1; 32]).public();
    let fact = Fact::Study { name: name("STUDY-1"), root_key, rules, tokens: false };
    [(subject::study(), fact)].into_iter().collect()
}

fn value(item: &str, repeat: &str, value: &str, unit: &str) -> Datapoint {
    let [item, repeat, value, unit] = [item, repeat, value, unit].map(str::to_owned);
    Datapoint { nonce: [7; 16], item, repeat, value, unit }
}

fn header(values: &[Datapoint]) -> Submission {
    let datapoints: Vec<Vec<u8>> = values.iter().map(Datapoint::to_bytes).collect();
    Submission {
        study: STUDY,
        request: Uuid([8; 16]),
        by: name("ann"),
        time: NOW,
        site: name("701"),
        instance: FormInstance {
            participant: name("P-ABCDEFGHIJKLMNOP"),
            event: name("VISIT 1"),
            event_repeat: 0,
            form: name("CM"),
            form_repeat: 0,
        },
        forms_version: name("1"),
        root: datapoint::root(&datapoints).into(),
        count: u32::try_from(values.len()).unwrap(),
        collected: None,
        corrects: None,
        reason: None,
        provision: None,
        late: None,
    }
}

/// `CM`: `TERM` mandatory, `NOTE` not. `VS`: `TEMP`.
fn forms() -> DefineForms {
    let item = |item: &str, mandatory| ItemDef {
        item: name(item),
        kind: ItemType::Text,
        max_length: None,
        min: None,
        max: None,
        codes: Vec::new(),
        mandatory,
    };
    let form = |form: &str, items| FormDef { form: name(form), items, provision: None };
    DefineForms {
        study: STUDY,
        request: Uuid([8; 16]),
        by: Name::root(),
        time: NOW,
        version: name("1"),
        forms: vec![form("CM", vec![item("TERM", true), item("NOTE", false)]), form("VS", vec![item("TEMP", true)])],
        events: Vec::new(),
    }
}

fn refusal(field: &str, fault: Fault) -> Result<(), Refusal> {
    Err(Refusal::Field { field: field.to_owned(), fault })
}

/// Everything that is checked of a new submission's content.
fn accept(submission: &Submission, values: &[Datapoint], rules: Option<u32>) -> Result<(), Refusal> {
    let datapoints: Vec<Vec<u8>> = values.iter().map(Datapoint::to_bytes).collect();
    check_header(submission, &datapoints)?;
    check_values(submission, values, &forms())?;
    check_new(submission, values, &forms(), (&study(rules), NOW))
}

#[test]
fn blank_text_is_missing() {
    for blank in BLANK {
        let mandatory = [value("TERM", "", blank, "")];
        assert_eq!(
            accept(&header(&mandatory), &mandatory, Some(3)),
            refusal("datapoints[0].value", Fault::Missing),
            "{blank:?}"
        );
        let optional = [value("TERM", "", "aspirin", ""), value("NOTE", "", blank, "")];
        assert_eq!(
            accept(&header(&optional), &optional, Some(3)),
            refusal("datapoints[1].value", Fault::Blank),
            "{blank:?}"
        );
        let unit = [value("TERM", "", "aspirin", blank)];
        assert_eq!(accept(&header(&unit), &unit, Some(3)), refusal("datapoints[0].unit", Fault::Blank), "{blank:?}");
        let correction =
            |values: &[Datapoint]| Submission { corrects: Some(4), reason: Some("typo".to_owned()), ..header(values) };
        assert_eq!(
            accept(&correction(&mandatory), &mandatory, Some(3)),
            refusal("datapoints[0].value", Fault::Missing)
        );
        // As it was recorded under earlier rules, and as an audit takes what earlier programs recorded.
        assert_eq!(accept(&header(&mandatory), &mandatory, Some(2)), Ok(()));
        assert_eq!(check_values(&header(&mandatory), &mandatory, &forms()), Ok(()));
    }
    let whole = [value("TERM", "", " aspirin\u{a0}", "mg"), value("NOTE", "", ".", "")];
    assert_eq!(accept(&header(&whole), &whole, Some(3)), Ok(()));
    let taken_away = [value("NOTE", "", "", "")];
    let correction = Submission { corrects: Some(4), reason: Some("typo".to_owned()), ..header(&taken_away) };
    assert_eq!(accept(&correction, &taken_away, Some(3)), Ok(()));
}

#[test]
fn a_reason_is_stated_in_words() {
    let values = [value("NOTE", "", "x", "")];
    let because = |reason: &str| Submission { corrects: Some(4), reason: Some(reason.to_owned()), ..header(&values) };
    for blank in BLANK.into_iter().chain([".", "-", "?!", "\u{200b}."]) {
        assert_eq!(
            accept(&because(blank), &values, Some(3)),
            refusal("envelope.payload.reason", Fault::Reason),
            "{blank:?}"
        );
    }
    for reason in ["x", "Tippfehler", "\u{8aa4}\u{5b57}", "see note 3"] {
        assert_eq!(accept(&because(reason), &values, Some(3)), Ok(()), "{reason:?}");
    }
    for earlier in [None, Some(2)] {
        assert_eq!(accept(&because("\u{200b}"), &values, earlier), Ok(()), "what earlier studies accepted they accept");
    }
    let late = Submission { late: Some(name("\u{200b}")), ..header(&[value("TERM", "", "x", "")]) };
    assert_eq!(accept(&late, &[value("TERM", "", "x", "")], Some(3)), refusal("envelope.payload.late", Fault::Words));

    let (study_id, request, by, time) = (STUDY, Uuid([8; 16]), name("ann"), NOW);
    let (participant, site) = (name("P-ABCDEFGHIJKLMNOP"), name("701"));
    let redact = |reason: &str| RedactValue {
        study: study_id,
        request,
        by: by.clone(),
        time,
        participant: participant.clone(),
        site: site.clone(),
        entry: 4,
        index: 0,
        item: name("NOTE"),
        repeat: String::new(),
        reason: name(reason),
        second: name("bob"),
    };
    assert_eq!(
        check_new_redaction(&redact("\u{200b}"), &study(Some(3))),
        refusal("envelope.payload.reason", Fault::Words)
    );
    assert_eq!(check_new_redaction(&redact("a name"), &study(Some(3))), Ok(()));
    assert_eq!(check_new_redaction(&redact("\u{200b}"), &study(Some(2))), Ok(()));
    let erase = |order: &str, law: &str| EraseParticipant {
        study: study_id,
        request,
        by: by.clone(),
        time,
        participant: participant.clone(),
        site: site.clone(),
        entries: vec![4],
        order: name(order),
        law: name(law),
    };
    let erased = |order, law, rules| check_new_erasure(&erase(order, law), &study(Some(rules)));
    assert_eq!(erased("\u{200b}", "GDPR Art. 17", 3), refusal("envelope.payload.order", Fault::Words));
    assert_eq!(erased("the participant", "\u{2800}", 3), refusal("envelope.payload.law", Fault::Words));
    assert_eq!(erased("the participant", "GDPR Art. 17", 3), Ok(()));
    assert_eq!(erased("\u{200b}", "\u{2800}", 2), Ok(()));
}

#[test]
fn nothing_was_collected_in_the_future() {
    let values = [value("TERM", "", "x", "")];
    let on = |date: &str| Submission { collected: Some(date.to_owned()), ..header(&values) };
    for date in ["2099-01-01", "2027", "2026-06-17", "2026-06-15T12:06Z", "2026-06-15T14:06+02:00", "2026-06-01/2099"] {
        assert_eq!(accept(&on(date), &values, Some(3)), refusal("envelope.payload.collected", Fault::Future), "{date}");
        assert_eq!(accept(&on(date), &values, Some(2)), Ok(()), "{date}");
    }
    for date in [
        "2016-01-01",
        "2026",
        "2026-06",
        "2026-06-15",
        "2026-06-16",
        "2026-06-15T12:04Z",
        "--12-31",
        "2026---31",
        "0000",
    ] {
        assert_eq!(accept(&on(date), &values, Some(3)), Ok(()), "{date}");
    }
}

#[test]
fn repeats_of_an_item_are_told_apart_by_who_reads_them() {
    let values = |repeat: &str| [value("TERM", "1", "x", ""), value("TERM", repeat, "y", "")];
    for repeat in ["1\u{200b}", " 1", "1\u{a0}"] {
        assert_eq!(
            accept(&header(&values(repeat)), &values(repeat), Some(3)),
            refusal("datapoints[1].item", Fault::ItemRepeated)
        );
    }
    assert_eq!(accept(&header(&values("2")), &values("2"), Some(3)), Ok(()));
    assert_eq!(accept(&header(&values("1\u{200b}")), &values("1\u{200b}"), Some(2)), Ok(()));
}

fn event(event: &str, forms: &[&str]) -> EventDef {
    EventDef { event: name(event), forms: forms.iter().map(|form| name(form)).collect() }
}

#[test]
fn a_study_that_lists_its_events_has_no_others() {
    let forms = DefineForms { events: vec![event("VISIT 1", &["CM"]), event("VISIT 2", &[])], ..forms() };
    assert_eq!(check_forms(&forms), Ok(()));
    let at = |event: &str, form: &str| {
        let values = [value(if form == "VS" { "TEMP" } else { "TERM" }, "", "x", "")];
        let mut submission = header(&values);
        (submission.instance.event, submission.instance.form) = (name(event), name(form));
        check_values(&submission, &values, &forms)
    };
    for (event, form) in [("VISIT 1", "CM"), ("VISIT 2", "CM"), ("VISIT 2", "VS")] {
        assert_eq!(at(event, form), Ok(()), "{event} {form}");
    }
    for event in ["Visit 1", "VISIT  1", "VISIT\u{a0}1", "VIS1T 1", "VISIT 1\u{200b}", "VISIT 3", "visit 1"] {
        assert_eq!(at(event, "CM"), refusal("envelope.payload.instance.event", Fault::EventUnknown), "{event:?}");
    }
    assert_eq!(at("VISIT 1", "VS"), refusal("envelope.payload.instance.form", Fault::FormElsewhere));
}

#[test]
fn names_that_are_defined_are_told_apart_by_who_reads_them() {
    let with = |events: Vec<EventDef>| check_forms(&DefineForms { events, ..forms() });
    let alike = [event("VISIT 1", &[]), event("VISIT\u{a0}1", &[])];
    assert_eq!(with(alike.to_vec()), refusal("envelope.payload.events[VISIT\u{a0}1]", Fault::Alike));
    assert_eq!(with(vec![event("V1", &["AE"])]), refusal("envelope.payload.events[V1].forms[AE]", Fault::Definition));
    assert_eq!(
        with(vec![event("V1", &["CM", "CM"])]),
        refusal("envelope.payload.events[V1].forms[CM]", Fault::Definition)
    );
    let many = (0..4_097).map(|number| event(&format!("DAY {number}"), &[])).collect();
    assert_eq!(with(many), refusal("envelope.payload.events", Fault::Definition));

    let changed = |change: fn(&mut DefineForms), rules| {
        let mut forms = forms();
        change(&mut forms);
        assert_eq!(check_forms(&forms), Ok(()), "as an audit takes what earlier programs recorded");
        check_new_forms(&forms, &study(rules))
    };
    let form = |forms: &mut DefineForms| forms.forms[1].form = name("cm\u{200b}");
    assert_eq!(changed(form, Some(3)), refusal("envelope.payload.forms[cm\u{200b}]", Fault::Alike));
    assert_eq!(changed(form, Some(2)), Ok(()));
    let item = |forms: &mut DefineForms| forms.forms[0].items[1].item = name("Term");
    assert_eq!(changed(item, Some(3)), refusal("envelope.payload.forms[CM].items[Term]", Fault::Alike));
    let events = |forms: &mut DefineForms| forms.events = vec![event("V1", &[])];
    assert_eq!(changed(events, Some(3)), Ok(()));
    for earlier in [None, Some(1), Some(2)] {
        assert_eq!(changed(events, earlier), Err(Refusal::RulesOutdated));
    }
}
