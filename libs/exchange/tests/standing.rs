//! How the provisions of somebody's FHIR R4 Consent stand at a time: never more than the resource says.

#![allow(clippy::unwrap_used)]

mod examples;

use exchange::{
    fhir::{self, ImportError, MAX_DEPTH, PROVISION_SYSTEM, Standing, State, import_r4},
    record::{ProvisionState, Status},
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const COLLECTION: &str = "data_collection";
const IMAGING: &str = "data_collection:imaging";
const GENETICS: &str = "genetics";

/// 1 July 2020.
fn now() -> i64 {
    ms("2020-07-01T00:00:00Z")
}

fn ms(time: &str) -> i64 {
    time.parse::<Timestamp>().unwrap().as_millisecond()
}

fn active(provision: Value) -> Value {
    let mut consent = json!({
        "resourceType": "Consent",
        "status": "active",
        "scope": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "research" }] },
        "category": [{ "text": "any" }],
        "policyRule": { "text": "any" },
    });
    consent["provision"] = provision;
    consent
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        other => panic!("no object: {other}"),
    }
}

/// A rule in the codes of one of our provisions.
fn rule(kind: &str, name: &str, more: Value) -> Value {
    let (purpose, action, class) = match name {
        GENETICS => ("CLINTRCH", "use", Some("MolecularSequence")),
        name if name.starts_with(IMAGING) => ("CLINTRCH", "collect", Some("ImagingStudy")),
        COLLECTION => ("CLINTRCH", "collect", None),
        _ => ("HRESCH", "use", None),
    };
    let mut rule = object(json!({
        "type": kind,
        "purpose": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": purpose }],
        "action": [{ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/consentaction", "code": action }] }],
        "code": [{ "coding": [{ "system": PROVISION_SYSTEM, "code": name }] }],
    }));
    if let Some(class) = class {
        rule.insert("class".to_owned(), json!([{ "system": "http://hl7.org/fhir/resource-types", "code": class }]));
    }
    rule.extend(object(more));
    rule.into()
}

fn period(start: &str, end: &str) -> Value {
    let bound = |text: &str| Some(text).filter(|text| !text.is_empty()).map(str::to_owned);
    let mut period = Map::new();
    period.extend(bound(start).map(|start| ("start".to_owned(), start.into())));
    period.extend(bound(end).map(|end| ("end".to_owned(), end.into())));
    if period.is_empty() { json!({}) } else { json!({ "period": period }) }
}

/// The rule and what is nested in it.
fn around(mut rule: Value, nested: Vec<Value>) -> Value {
    rule.as_object_mut().unwrap().insert("provision".to_owned(), nested.into());
    rule
}

fn standings(resource: &Value, now_ms: i64) -> Vec<Standing> {
    import_r4(resource.to_string().as_bytes()).unwrap().standings(now_ms)
}

fn standing(resource: &Value, name: &str) -> Standing {
    standings(resource, now()).into_iter().find(|standing| standing.provision == name).unwrap()
}

/// A root with one period, and one permission in it with another.
fn nested(root: Value, own: Value) -> Value {
    active(around(root, vec![rule("permit", COLLECTION, own)]))
}

#[test]
fn the_narrower_of_all_periods_around_a_provision_counts() {
    use State::{Ended, NotPermitted, NotYet, Permitted};
    let day = |day: &str| Some(ms(&format!("{day}T00:00:00Z")));
    let at = |time: &str| Some(ms(time));
    for (root, own, state, from, until) in [
        (("", ""), ("", ""), Permitted, None, None),
        (("2019", ""), ("", ""), Permitted, day("2019-01-01"), None),
        (("", "2021-03"), ("", ""), Permitted, None, day("2021-04-01")),
        (("", ""), ("2020-02", "2020-10-31"), Permitted, day("2020-02-01"), day("2020-11-01")),
        (("2019-01-01", "2020-12-31"), ("2020-01-01", "2020-08-31"), Permitted, day("2020-01-01"), day("2020-09-01")),
        (("2020-01-01", "2020-08-31"), ("2019-01-01", "2030"), Permitted, day("2020-01-01"), day("2020-09-01")),
        (("2020-01-01", ""), ("", "2020-08-31"), Permitted, day("2020-01-01"), day("2020-09-01")),
        (("2019", "2020-03"), ("2020-02", "2021"), Ended, day("2020-02-01"), day("2020-04-01")),
        (("2019", "2019"), ("2020-06", "2020-08"), NotPermitted, None, None),
        (("2019-01-01", "2020-01-01"), ("2019-01-01", "2020-01-01"), Ended, day("2019-01-01"), day("2020-01-02")),
        (("2019-01-01", "2020-01-01"), ("", ""), Ended, day("2019-01-01"), day("2020-01-02")),
        (("", ""), ("2020-08", ""), NotYet, day("2020-08-01"), None),
        (("2020-07", "2020-08"), ("2020-08", "2020-09"), NotYet, day("2020-08-01"), day("2020-09-01")),
        (("", "2020"), ("", ""), Permitted, None, day("2021-01-01")),
        (("", "2020-06"), ("", ""), Ended, None, day("2020-07-01")),
        (("", "2020-06-30"), ("", ""), Ended, None, day("2020-07-01")),
        (("", "2020-06-30T23:59:58Z"), ("", ""), Ended, None, at("2020-06-30T23:59:58.001Z")),
        (("", "2020-07-01T00:00:00Z"), ("", ""), Permitted, None, at("2020-07-01T00:00:00.001Z")),
        (("", "2020-06-30T23:59:59.999Z"), ("", ""), Ended, None, at("2020-07-01T00:00:00Z")),
        (("", "2020-07-01T01:30:00+02:00"), ("", ""), Ended, None, at("2020-06-30T23:30:00.001Z")),
        (("", "2020-06-30T23:30:00-02:00"), ("", ""), Permitted, None, at("2020-07-01T01:30:00.001Z")),
        (("2020-07-01", ""), ("", ""), Permitted, day("2020-07-01"), None),
        (("2020-07-01T00:00:00.0001Z", ""), ("", ""), NotYet, at("2020-07-01T00:00:00.001Z"), None),
    ] {
        let found = standing(&nested(period(root.0, root.1), period(own.0, own.1)), COLLECTION);
        assert_eq!((found.state, found.from_ms, found.until_ms), (state, from, until), "{root:?} {own:?}");
        assert_eq!(found.rules, ["provision.provision[0]"]);
    }
}

/// The most rules around one with codes: these are two levels, and the root's parent one.
const DEEP: usize = MAX_DEPTH - 3;

#[test]
fn every_level_up_to_the_bound_narrows() {
    for narrow in 0..DEEP {
        let level = |n: usize| {
            let mut level = object(if n == narrow { period("", "2020-06-30") } else { period("2019", "2021") });
            level.insert("type".to_owned(), json!("permit"));
            Value::from(level)
        };
        let inner = rule("permit", COLLECTION, period("", "2022"));
        let provision = (0..DEEP).rev().fold(inner, |inner, n| around(level(n), vec![inner]));
        let found = standings(&active(provision), now());
        assert_eq!((found[0].state, found[0].until_ms), (State::Ended, Some(now())), "level {narrow}");
    }
}

#[test]
fn a_period_that_ends_before_it_begins_is_refused_with_its_path() {
    let reversed = period("2020-06-15", "2020-05");
    let (deep, path) =
        (around(json!({}), vec![rule("permit", COLLECTION, reversed.clone())]), "provision.provision[0].period");
    for (provision, path) in [(deep.clone(), path), (reversed, "provision.period")] {
        let refused = import_r4(active(provision).to_string().as_bytes());
        assert_eq!(refused, Err(ImportError::Time { path: path.to_owned() }));
    }
    let data = json!({ "dataPeriod": { "start": "2020", "end": "2019-12-31T23:59:59Z" } });
    let refused = import_r4(active(around(json!({}), vec![rule("permit", COLLECTION, data)])).to_string().as_bytes());
    assert_eq!(refused, Err(ImportError::Time { path: "provision.provision[0].dataPeriod".to_owned() }));
}

/// Deny and permit the other way round, at every level.
#[test]
fn what_is_denied_anywhere_around_or_beside_is_not_permitted() {
    let permit = |name| rule("permit", name, json!({}));
    let deny = |name, more| rule("deny", name, more);
    let unknown = json!({ "type": "deny", "securityLabel": [{ "code": "R" }] });
    let only = |more: Value| {
        let mut other = object(unknown.clone());
        other.extend(object(more));
        Value::from(other)
    };
    let action = |code: &str| json!({ "action": [{ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/consentaction", "code": code }] }] });
    let refused: [(&str, Value); 12] = [
        ("root denies", around(json!({ "type": "deny" }), vec![permit(COLLECTION)])),
        ("root denies in other words", around(deny(COLLECTION, json!({})), vec![permit(IMAGING)])),
        ("root denies something else", around(deny(GENETICS, json!({})), vec![permit(COLLECTION)])),
        ("root permits, nested denies", around(json!({ "type": "permit" }), vec![deny(COLLECTION, json!({}))])),
        ("the same is denied inside", around(permit(COLLECTION), vec![deny(COLLECTION, json!({}))])),
        ("the same is denied beside", around(json!({}), vec![permit(COLLECTION), deny(COLLECTION, json!({}))])),
        ("the same is denied before", around(json!({}), vec![deny(COLLECTION, json!({})), permit(COLLECTION)])),
        ("a part is denied inside, we know not which", around(permit(COLLECTION), vec![unknown.clone()])),
        ("something is denied beside, we know not what", around(json!({}), vec![permit(COLLECTION), unknown.clone()])),
        ("collecting something is denied", around(json!({}), vec![permit(COLLECTION), only(action("collect"))])),
        (
            "an exception without a type",
            around(permit(COLLECTION), vec![json!({ "securityLabel": [{ "code": "R" }] })]),
        ),
        ("everything is denied beside", around(json!({}), vec![permit(COLLECTION), json!({ "type": "deny" })])),
    ];
    for (what, provision) in refused {
        let found = standings(&active(provision), now());
        assert!(!found.is_empty() && found.iter().all(|found| found.state == State::NotPermitted), "{what}: {found:?}");
        assert!(found.iter().all(|found| (found.from_ms, found.until_ms) == (None, None)), "{what}: {found:?}");
    }
    let permitted: [(&str, Value); 5] = [
        ("something else is denied", around(json!({}), vec![permit(COLLECTION), deny(GENETICS, json!({}))])),
        (
            "a part of its own is denied",
            around(json!({}), vec![around(permit(COLLECTION), vec![deny(IMAGING, json!({}))])]),
        ),
        ("disclosing is denied", around(json!({}), vec![permit(COLLECTION), only(action("disclose"))])),
        (
            "an exception to a denial",
            around(json!({}), vec![around(deny(COLLECTION, json!({})), vec![permit(IMAGING)])]),
        ),
        ("the denial has ended", around(json!({}), vec![permit(COLLECTION), deny(COLLECTION, period("", "2020-06"))])),
    ];
    for (what, provision) in permitted {
        let found = standings(&active(provision), now());
        assert!(found.iter().any(|found| found.state == State::Permitted), "{what}: {found:?}");
    }
}

#[test]
fn a_denial_that_comes_later_ends_the_permission() {
    let denied = rule("deny", COLLECTION, period("2020-09", "2020-10"));
    let found = standing(&active(around(json!({}), vec![rule("permit", COLLECTION, json!({})), denied])), COLLECTION);
    assert_eq!(
        (found.state, found.from_ms, found.until_ms),
        (State::Permitted, None, Some(ms("2020-09-01T00:00:00Z")))
    );
    assert_eq!(found.rules, ["provision.provision[0]", "provision.provision[1]"]);
}

#[test]
fn nothing_is_permitted_while_the_status_is_not_active_or_before_it_was_made() {
    for status in ["draft", "proposed", "inactive", "rejected", "entered-in-error"] {
        let mut resource = nested(json!({}), json!({}));
        resource["status"] = json!(status);
        assert_eq!(standing(&resource, COLLECTION).state, State::NotActive, "{status}");
    }
    let mut resource = nested(json!({}), json!({}));
    resource["dateTime"] = json!("2020-07-02");
    let found = standing(&resource, COLLECTION);
    assert_eq!((found.state, found.from_ms), (State::NotYet, Some(ms("2020-07-02T00:00:00Z"))));
    let mut resource = nested(period("", "2020-05"), json!({}));
    resource["dateTime"] = json!("2020-06-15");
    let found = standing(&resource, COLLECTION);
    assert_eq!((found.state, found.until_ms), (State::Ended, Some(ms("2020-06-01T00:00:00Z"))), "made after its end");
}

#[test]
fn periods_of_data_and_bounds_that_are_not_told_permit_nothing() {
    let data =
        active(around(json!({}), vec![rule("permit", COLLECTION, json!({ "dataPeriod": { "start": "2019" } }))]));
    assert!(standings(&data, now()).is_empty());
    let request = import_r4(data.to_string().as_bytes()).unwrap();
    assert!(request.unmapped.contains(&"provision.provision[0].dataPeriod".to_owned()), "{:?}", request.unmapped);
    let untold =
        json!({ "period": { "start": "2019", "_end": { "extension": [{ "url": "urn:x", "valueCode": "masked" }] } } });
    let masked = nested(untold, json!({}));
    assert_eq!(standing(&masked, COLLECTION).state, State::NotPermitted);
    let request = import_r4(masked.to_string().as_bytes()).unwrap();
    assert!(request.unmapped.contains(&"provision.period._end".to_owned()), "{:?}", request.unmapped);
    let mut patient = nested(json!({}), json!({}));
    patient["patient"] = json!({ "identifier": { "system": "urn:x", "value": "7", "period": { "end": "2019" } } });
    let request = import_r4(patient.to_string().as_bytes()).unwrap();
    assert!(request.unmapped.contains(&"patient.identifier.period".to_owned()), "{:?}", request.unmapped);
}

#[test]
fn a_resource_has_ended_when_its_root_or_all_that_it_permitted_has() {
    let ended = |resource: &Value| {
        let request = import_r4(resource.to_string().as_bytes()).unwrap();
        request.has_ended(&request.standings(now()), now())
    };
    let two =
        |one, other| active(around(json!({}), vec![rule("permit", COLLECTION, one), rule("permit", GENETICS, other)]));
    assert!(ended(&nested(period("", "2020-06"), json!({}))));
    assert!(ended(&active(period("", "2020-06"))), "even if nothing in it is ours");
    assert!(ended(&two(period("", "2020-06"), period("", "2019"))));
    assert!(!ended(&two(period("", "2020-06"), json!({}))));
    assert!(!ended(&two(period("", "2020-06"), period("2021", ""))));
    assert!(!ended(&active(json!({ "type": "permit" }))));
}

#[test]
fn our_own_exports_stand_as_we_recorded_them() {
    for (name, consent) in examples::all() {
        let ours = |given: &Standing| {
            let own = consent.provisions.iter().find(|own| own.name == given.provision).unwrap();
            consent.status == Status::Active && own.state == ProvisionState::Given
        };
        let after = i64::try_from(consent.recorded_ms).unwrap() + 3_600_000;
        for found in standings(&fhir::r4(&consent), after) {
            assert_eq!(found.state == State::Permitted, ours(&found), "{name}: {found:?}");
            let own = consent.provisions.iter().find(|own| own.name == found.provision).unwrap();
            if ours(&found) && own.until_ms.is_some() {
                assert_eq!(
                    found.until_ms,
                    own.until_ms.map(|until| i64::try_from(until).unwrap()),
                    "{name}: {found:?}"
                );
            }
        }
    }
}

/// The same resource, evaluated level by level: what it decides about `name` at `at`, if anything. Exceptions win over what
/// they are nested in, and among them a denial.
fn naive(rule: &Value, name: &str, at: i64) -> Option<bool> {
    let own = rule.pointer("/code/0/coding/0/code").and_then(Value::as_str);
    let strange = rule.get("securityLabel").is_some();
    let covers =
        own.is_none_or(|own| name.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with(':')));
    if !covers || !contains(rule.get("period"), at) {
        return None;
    }
    let inside = rule.get("provision").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let exceptions: Vec<bool> = inside.iter().filter_map(|inner| naive(inner, name, at)).collect();
    let exception = (!exceptions.is_empty()).then(|| exceptions.iter().all(|permits| *permits));
    let said = match rule.get("type").and_then(Value::as_str) {
        Some("permit") if own == Some(name) && !strange => Some(true),
        Some("deny") => Some(false),
        _ => None,
    };
    exception.or(said)
}

/// Dates are compared as text: a time is within a date if it begins with it.
fn contains(period: Option<&Value>, at: i64) -> bool {
    let time = Timestamp::from_millisecond(at).unwrap();
    let text = format!("{time:.3}");
    let bound = |name| period.and_then(|period| period.get(name)).and_then(Value::as_str);
    let after = |start: &str| match start.contains('T') {
        true => time >= start.parse().unwrap(),
        false => &text[..start.len()] >= start,
    };
    let before = |end: &str| match end.contains('T') {
        true => time <= end.parse().unwrap(),
        false => &text[..end.len()] <= end,
    };
    bound("start").is_none_or(after) && bound("end").is_none_or(before)
}

const BOUNDS: [&str; 10] = [
    "2019",
    "2019-06",
    "2020-02",
    "2020-02-29",
    "2020-03-01T00:30:00.000+01:00",
    "2020-06-30",
    "2020-06-30T23:59:59.999Z",
    "2020-07-01T00:00:00.001Z",
    "2020-12-31T23:00:00.500-05:00",
    "2021",
];

fn times() -> impl Strategy<Value = Value> {
    let bound =
        || prop_oneof![2 => Just(String::new()), 3 => prop::sample::select(&BOUNDS[..]).prop_map(str::to_owned)];
    (bound(), bound()).prop_map(|(start, end)| period(&start, &end))
}

fn rules() -> impl Strategy<Value = Value> {
    let names = vec![Some(COLLECTION), Some(IMAGING), Some("data_collection:imaging:brain"), Some(GENETICS), None];
    let one = (prop::sample::select(vec!["permit", "permit", "deny"]), prop::sample::select(names), times());
    let one = one.prop_flat_map(|(kind, name, times)| {
        prop_oneof![9 => Just(false), 1 => Just(true)].prop_map(move |strange| {
            let mut made = match name {
                Some(name) => object(rule(kind, name, times.clone())),
                None => object(json!({ "type": kind })).into_iter().chain(object(times.clone())).collect(),
            };
            if strange {
                made.insert("securityLabel".to_owned(), json!([{ "code": "R" }]));
            }
            Value::from(made)
        })
    });
    one.boxed().prop_recursive(4, 12, 3, |inner| {
        let outer =
            (prop::sample::select(vec!["permit", "deny"]), prop::sample::select(vec![None, Some(COLLECTION)]), times());
        (outer, prop::collection::vec(inner, 1..3)).prop_map(|((kind, name, times), nested)| match name {
            Some(name) => around(rule(kind, name, times), nested),
            None => around(
                object(json!({ "type": kind })).into_iter().chain(object(times)).collect::<Map<_, _>>().into(),
                nested,
            ),
        })
    })
}

/// Every time at which something could change, with the milliseconds beside it.
fn moments() -> Vec<i64> {
    let edges = |bound: &&str| match bound.len() {
        4 => vec![format!("{bound}-01-01T00:00:00Z"), format!("{bound}-12-31T23:59:59.999Z")],
        7 => (28..=31)
            .map(|day| format!("{bound}-{day}T23:59:59.999Z"))
            .chain([format!("{bound}-01T00:00:00Z")])
            .collect(),
        10 => vec![format!("{bound}T00:00:00Z"), format!("{bound}T23:59:59.999Z")],
        _ => vec![(*bound).to_owned()],
    };
    let edges = BOUNDS.iter().flat_map(edges).filter_map(|edge| edge.parse::<Timestamp>().ok());
    let mut all: Vec<i64> = edges
        .flat_map(|edge| (-1..=1).map(move |off| edge + SignedDuration::from_millis(off)))
        .map(|t| t.as_millisecond())
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    /// What is read never permits at a time at which the resource does not, evaluated naively, level by level; and where
    /// every rule is understood, it permits exactly then.
    #[test]
    fn what_is_read_never_permits_more_than_the_resource(
        nested in prop::collection::vec(rules(), 1..4), times in times(), denies in prop::bool::weighted(0.1),
    ) {
        let mut root = object(times);
        if denies {
            root.insert("type".to_owned(), json!("deny"));
        }
        let root = around(root.into(), nested);
        let request = match import_r4(active(root.clone()).to_string().as_bytes()) {
            Err(ImportError::Time { .. }) => return Ok(()),
            other => other.unwrap(),
        };
        let plain = !denies && request.provisions.iter().skip(1).all(|rule| rule.provision.is_some());
        for now in moments() {
            for found in request.standings(now) {
                let permits = found.state == State::Permitted;
                let really = naive(&root, &found.provision, now) == Some(true);
                prop_assert!(really || !permits, "{} at {now}: {found:?} in {root}", found.provision);
                prop_assert!(!plain || really == permits, "{} at {now}: {found:?} in {root}", found.provision);
                let until = found.until_ms.unwrap_or(i64::MAX);
                for at in moments().into_iter().filter(|at| permits && *at >= now && *at < until) {
                    prop_assert_eq!(naive(&root, &found.provision, at), Some(true), "{} at {}: {:?}", &root, at, &found);
                }
            }
        }
    }
}
