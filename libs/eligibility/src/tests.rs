#![allow(clippy::unwrap_used)]

use super::*;
use vocabulary::{command::ItemType, eligibility::CriterionKind};

const TEXT: &str = "T";

fn items() -> Vec<ItemDef> {
    let one = |(item, kind): (&str, ItemType)| ItemDef {
        item: item.parse().unwrap(),
        kind,
        max_length: None,
        min: None,
        max: None,
        codes: Vec::new(),
        mandatory: false,
    };
    [(TEXT, ItemType::Text), ("N", ItemType::Integer), ("B", ItemType::Boolean)].map(one).to_vec()
}

fn steps(expression: &str, text: &str) -> u64 {
    let criterion = Criterion {
        criterion: "C".parse().unwrap(),
        kind: CriterionKind::Inclusion,
        text: String::new(),
        expression: expression.to_owned(),
    };
    let answers = [(TEXT, text), ("N", "5"), ("B", "false")].map(|(item, value)| Datapoint {
        nonce: [0; 16],
        item: item.to_owned(),
        repeat: String::new(),
        value: value.to_owned(),
        unit: String::new(),
    });
    let criteria = Criteria::compile(&items(), &[criterion]).unwrap();
    let mut steps = 0;
    criteria.criteria[0].1.truth(&Answers::new(&criteria.items, &answers), &mut steps);
    steps
}

/// The shapes that would double or square the work if anything did.
fn worst() -> Vec<String> {
    let fill = |unit: &str, last: &str, limit: usize| format!("{}{last}", unit.repeat(limit / unit.len()));
    let nested = (0..45).fold("B".to_owned(), |inner, _| format!("(B?B:{inner})"));
    vec![
        fill("B||", "B", 380),
        fill("T==T&&", "B", 378),
        fill("T.contains(T)&&", "B", MAX_BRACKETS * 15),
        format!("{} > 0", fill("size(T)+", "1", MAX_BRACKETS * 8)),
        format!("N in [{}]", fill("N,", "N", 750)),
        format!("T in [{}]", fill("T,", "T", 750)),
        format!("T in [{}]", fill("'aaaaaaaaaa',", "T", 2_000)),
        nested,
    ]
}

#[test]
fn the_work_is_at_most_the_expressions_size_times_an_answers() {
    for expression in worst() {
        for bytes in [1, 64, MAX_ANSWER_BYTES] {
            let (steps, bound) = (steps(&expression, &"a".repeat(bytes)), expression.len() * (1 + bytes));
            assert!(steps <= bound as u64, "{steps} steps of at most {bound}: {expression}");
        }
    }
}

#[test]
fn the_work_grows_no_faster_than_the_answer() {
    for expression in worst() {
        let (once, tenfold) = (steps(&expression, &"a".repeat(400)), steps(&expression, &"a".repeat(4_000)));
        assert!(tenfold <= 10 * once, "{once} to {tenfold}: {expression}");
    }
}

#[test]
fn the_worst_expression_costs_no_more_for_each_byte_than_a_simple_one() {
    let rate = |expression: &str| steps(expression, "a") as f64 / expression.len() as f64;
    let simple = rate("N>=50&&N<=85||B");
    for expression in worst() {
        assert!(rate(&expression) <= 3.0 * simple, "{} against {simple}: {expression}", rate(&expression));
    }
}
