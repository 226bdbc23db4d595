//! cel-python, which shares no code with the `cel` crate, gives the same outcomes.

#![allow(clippy::unwrap_used)]

mod trial;

use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};
use seal::datapoint::Datapoint;
use serde_json::{Map, Value, json};
use testbed::judges;
use trial::*;

const TRIAL: [&str; 14] = [
    "AGE >= 50 && AGE <= 85",
    "MMSE >= 10 && MMSE <= 23",
    "PREG == \"NEG\" || PREG == \"NA\"",
    "SMOKER || PREG in ['NEG', 'NA']",
    "!(PREG in [\"POS\"])",
    "!(DIAG in [\"A\", \"B\"])",
    "HEIGHT > 0.5 && WEIGHT / (HEIGHT * HEIGHT) < 30.0",
    "double(MMSE) / 30.0 >= 0.5",
    "VISITDT >= '2024-01-01' && VISITDT < '2024-03-01'",
    "ONSETDT <= VISITDT",
    "DIAG.contains('Alz') && DIAG.startsWith(\"Alz\") && !DIAG.endsWith('x') && size(DIAG) == 11",
    "AGE < 60 ? MMSE >= 20 : MMSE >= 10",
    "AGE / 0 > 1 || SMOKER",
    "AGE % 7 == 1 || -AGE * 2 > 3",
];

/// Random expressions over random answers, always the same ones.
fn cases() -> Vec<(String, Vec<Datapoint>)> {
    let mut runner = TestRunner::deterministic();
    let expressions = any_expression(&["+", "-", "*"]);
    let mut cases = Vec::new();
    while cases.len() < 1_000 {
        let given = any_answers().new_tree(&mut runner).unwrap().current();
        let random = expressions.new_tree(&mut runner).unwrap().current();
        let fixed = TRIAL[cases.len() % TRIAL.len()].to_owned();
        let good = [fixed, random].into_iter().filter(|expression| compile(expression).is_ok());
        cases.extend(good.map(|expression| (expression, given.clone())));
    }
    cases
}

#[test]
fn cel_python_agrees() {
    let items: Map<String, Value> =
        items().iter().map(|item| (item.item.to_string(), serde_json::to_value(item.kind).unwrap())).collect();
    let case = |(expression, given): &(String, Vec<Datapoint>)| {
        let outcome = compile(expression).unwrap().evaluate(given)[0].outcome;
        let answers: Vec<_> = given.iter().map(|answer| (&answer.item, &answer.value)).collect();
        json!({ "expression": expression, "answers": answers, "outcome": outcome })
    };
    let cases: Vec<Value> = cases().iter().map(case).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    serde_json::to_writer(&file, &json!({ "items": items, "cases": cases })).unwrap();
    let judged: Value = serde_json::from_str(&judges::run(judges::python("eligibility.py").arg(file.path()))).unwrap();
    let count = |outcome: &str| judged[outcome].as_u64().unwrap();
    assert_eq!(count("met") + count("not_met") + count("undetermined"), cases.len() as u64);
    for outcome in ["met", "not_met", "undetermined"] {
        assert!(count(outcome) > 100, "{judged}");
    }
}
