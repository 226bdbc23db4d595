//! A screening form and expressions over it, shared by the tests.

#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)] // each test uses its own part

use eligibility::{Criteria, Fault, Problem};
use proptest::prelude::*;
use seal::datapoint::Datapoint;
use vocabulary::{
    command::{ItemDef, ItemType},
    eligibility::{Criterion, CriterionKind, Outcome},
};

pub fn item(name: &str, kind: ItemType, codes: &[&str]) -> ItemDef {
    ItemDef {
        item: name.parse().unwrap(),
        kind,
        max_length: None,
        min: None,
        max: None,
        codes: codes.iter().map(|code| (*code).to_owned()).collect(),
        mandatory: false,
    }
}

pub fn items() -> Vec<ItemDef> {
    vec![
        item("AGE", ItemType::Integer, &[]),
        item("MMSE", ItemType::Integer, &[]),
        item("WEIGHT", ItemType::Decimal, &[]),
        item("HEIGHT", ItemType::Decimal, &[]),
        item("SMOKER", ItemType::Boolean, &[]),
        item("CONSENTED", ItemType::Boolean, &[]),
        item("PREG", ItemType::Text, &["POS", "NEG", "NA"]),
        item("DIAG", ItemType::Text, &[]),
        item("VISITDT", ItemType::Date, &[]),
        item("ONSETDT", ItemType::Date, &[]),
        item("STDTC", ItemType::PartialDatetime, &[]),
        item("size", ItemType::Integer, &[]),
        item("not-an-identifier", ItemType::Integer, &[]),
    ]
}

pub fn answer(item: &str, value: &str) -> Datapoint {
    Datapoint {
        nonce: [0; 16],
        item: item.to_owned(),
        repeat: String::new(),
        value: value.to_owned(),
        unit: String::new(),
    }
}

pub fn answers(given: &[(&str, &str)]) -> Vec<Datapoint> {
    given.iter().map(|(item, value)| answer(item, value)).collect()
}

pub fn criterion(name: &str, expression: &str) -> Criterion {
    Criterion {
        criterion: name.parse().unwrap(),
        kind: CriterionKind::Inclusion,
        text: "In words".to_owned(),
        expression: expression.to_owned(),
    }
}

pub fn compile(expression: &str) -> Result<Criteria, Fault> {
    Criteria::compile(&items(), &[criterion("INCL01", expression)])
}

/// What is wrong with an expression and where.
pub fn refusal(expression: &str) -> (usize, Problem) {
    match compile(expression) {
        Err(Fault::Criterion { at, problem, .. }) => (at, problem),
        other => panic!("{expression}: {other:?}"),
    }
}

pub fn outcome(expression: &str, given: &[(&str, &str)]) -> Outcome {
    compile(expression).unwrap_or_else(|fault| panic!("{expression}: {fault}")).evaluate(&answers(given))[0].outcome
}

/// Items and answers to them, some missing, empty or of the wrong type.
pub const ANSWERS: [(&str, &[&str]); 10] = [
    ("AGE", &["50", "-3", "85", "old", "", "007"]),
    ("MMSE", &["10", "23", "0", "-0", "999999999999999999", "9999999999999999999"]),
    ("WEIGHT", &["70.5", "0", "-0.0", "70", "1e3", ".5", "70.50"]),
    ("HEIGHT", &["1.75", "0.0", "170", "+1"]),
    ("SMOKER", &["true", "false", "yes", "TRUE"]),
    ("CONSENTED", &["true", "false", ""]),
    ("PREG", &["POS", "NEG", "NA", "other"]),
    ("DIAG", &["Alzheimer's", "é", "e\u{301}", "", "NEG", " "]),
    ("VISITDT", &["2024-02-29", "2023-02-29", "2024-01-31", "2024"]),
    ("ONSETDT", &["2024-02-28", "2019-12-31", "31.12.2019"]),
];

pub fn any_answers() -> impl Strategy<Value = Vec<Datapoint>> {
    let one = |(item, values): (&'static str, &'static [&'static str])| {
        prop::option::weighted(0.8, prop::sample::select(values))
            .prop_map(move |value| value.map(|value| answer(item, value)))
    };
    ANSWERS.map(one).to_vec().prop_map(|answers| answers.into_iter().flatten().collect())
}

fn any_of(texts: &'static [&'static str]) -> BoxedStrategy<String> {
    prop::sample::select(texts).prop_map(str::to_owned).boxed()
}

fn any_int(depth: u32) -> BoxedStrategy<String> {
    let leaf =
        any_of(&["AGE", "MMSE", "0", "1", "50", "-7", "9223372036854775807", "size(DIAG)", "DIAG.size()", "-AGE"]);
    leaf.prop_recursive(depth, 12, 2, |inner| {
        (inner.clone(), any_of(&["+", "-", "*", "/", "%"]), inner)
            .prop_map(|(left, operator, right)| format!("({left} {operator} {right})"))
    })
    .boxed()
}

/// `operators`: which arithmetic of doubles.
fn any_double(operators: &'static [&'static str]) -> BoxedStrategy<String> {
    let leaf = any_of(&["WEIGHT", "HEIGHT", "0.0", "70.5", "-1.5", "double(AGE)", "-WEIGHT"]);
    (leaf.clone(), any_of(operators), leaf)
        .prop_map(|(left, operator, right)| format!("({left} {operator} {right})"))
        .boxed()
}

/// Boolean expressions that compile; `operators`: which arithmetic of doubles.
pub fn any_expression(operators: &'static [&'static str]) -> BoxedStrategy<String> {
    let compare = || any_of(&["==", "!=", "<", "<=", ">", ">="]);
    let pair = |side: BoxedStrategy<String>, operator: BoxedStrategy<String>| {
        (side.clone(), operator, side).prop_map(|(left, operator, right)| format!("{left} {operator} {right}")).boxed()
    };
    let text = any_of(&["DIAG", "\"NEG\"", "'é'", "\"Alzheimer's\""]);
    let date = any_of(&["VISITDT", "ONSETDT", "(SMOKER ? VISITDT : ONSETDT)"]);
    let leaf = prop_oneof![
        any_of(&["SMOKER", "CONSENTED", "true", "false", "SMOKER == CONSENTED"]),
        pair(any_int(2), compare()),
        pair(any_double(operators), compare()),
        pair(text.clone(), any_of(&["==", "!="])),
        pair(date.clone(), compare()),
        (date, compare()).prop_map(|(date, operator)| format!("{date} {operator} \"2024-01-31\"")),
        (text.clone(), any_of(&["contains", "startsWith", "endsWith"]), text)
            .prop_map(|(left, function, right)| format!("{left}.{function}({right})")),
        any_of(&[
            "PREG in [\"NEG\", 'NA']",
            "AGE in [50, MMSE, 1 + 1]",
            "VISITDT in [ONSETDT, '2024-02-29']",
            "AGE in []"
        ]),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| format!("!({inner})")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left}) && ({right})")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left}) || ({right})")),
            (inner.clone(), inner.clone(), inner).prop_map(|(test, yes, no)| format!("({test}) ? ({yes}) : ({no})")),
        ]
    })
    .boxed()
}
