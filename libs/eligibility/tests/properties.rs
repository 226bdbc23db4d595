//! Random expressions, random bytes, and the `cel` crate's own evaluator as a second opinion.

#![allow(clippy::unwrap_used)]

mod trial;

use cel::{Context, Program, Value};
use eligibility::{Criteria, MAX_BRACKETS, MAX_SYMBOLS};
use proptest::prelude::*;
use seal::datapoint::Datapoint;
use trial::*;
use vocabulary::{
    command::ItemType,
    eligibility::{MAX_EXPRESSION_BYTES, Outcome},
};

/// What the `cel` crate's evaluator says, given the answers that are of their type.
fn second_opinion(expression: &str, answers: &[Datapoint]) -> Outcome {
    let mut context = Context::default();
    for answer in answers {
        let kind = items().into_iter().find(|item| item.item.as_str() == answer.item).unwrap().kind;
        let probe = if kind == ItemType::Boolean { "X || !X" } else { "X == X" };
        let alone = Criteria::compile(&[item("X", kind, &[])], &[criterion("C", probe)]).unwrap();
        let renamed = Datapoint { item: "X".to_owned(), ..answer.clone() };
        if alone.evaluate(&[renamed])[0].outcome != Outcome::Met {
            continue;
        }
        let text = &answer.value;
        let value = match kind {
            ItemType::Integer => Value::Int(text.parse().unwrap()),
            ItemType::Decimal => Value::Float(text.parse().unwrap()),
            ItemType::Boolean => Value::Bool(text.parse().unwrap()),
            _ => Value::String(text.clone().into()),
        };
        context.add_variable_from_value(answer.item.clone(), value);
    }
    match Program::compile(expression).unwrap().execute(&context) {
        Ok(Value::Bool(true)) => Outcome::Met,
        Ok(Value::Bool(false)) => Outcome::NotMet,
        Ok(other) => panic!("{expression} is {other:?}"),
        Err(_) => Outcome::Undetermined,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_cel_crates_evaluator_agrees(expression in any_expression(&["+", "-", "*"]), answers in any_answers()) {
        if let Ok(criteria) = compile(&expression) {
            prop_assert_eq!(criteria.evaluate(&answers)[0].outcome, second_opinion(&expression, &answers), "{}", expression);
        }
    }

    #[test]
    fn the_order_of_answers_does_not_matter(
        expression in any_expression(&["+", "-", "*", "/"]),
        (answers, shuffled) in any_answers().prop_flat_map(|answers| (Just(answers.clone()), Just(answers).prop_shuffle())),
    ) {
        if let Ok(criteria) = compile(&expression) {
            let first = criteria.evaluate(&answers);
            prop_assert_eq!(&first, &criteria.evaluate(&answers));
            prop_assert_eq!(&first, &criteria.evaluate(&shuffled));
            prop_assert_eq!(&first, &compile(&expression).unwrap().evaluate(&shuffled));
        }
    }

    #[test]
    fn no_text_panics(expression in any::<String>(), answers in any_answers()) {
        let _ = compile(&expression).map(|criteria| criteria.evaluate(&answers));
    }

    #[test]
    fn no_sequence_of_tokens_panics(
        tokens in prop::collection::vec(prop::sample::select(vec![
            "(", ")", "[", "]", "{", "}", ",", ".", "?", ":", "!", "-", "+", "*", "/", "%", "==", "<", ">=", "&&", "||", "=",
            " in ", "AGE", "WEIGHT", "SMOKER", "DIAG", "VISITDT", "1", "1.5", "'a'", "\"", "'", "\\", "//", "true", "null", "has",
            "all", "map", "size", "x", "é", "\n", "0x", "e5", "u", "`", "#", "@", "\u{0}",
        ]), 0..60),
        answers in any_answers(),
    ) {
        let _ = compile(&tokens.concat()).map(|criteria| criteria.evaluate(&answers));
    }

    #[test]
    fn no_answer_panics(given in prop::collection::vec((any::<String>(), any::<String>()), 0..8), value in any::<String>()) {
        let mut answers: Vec<_> = given.iter().map(|(item, value)| answer(item, value)).collect();
        answers.push(answer("DIAG", &value));
        answers.push(answer("WEIGHT", &value));
        let criteria = compile("DIAG.contains('a') || WEIGHT > 1.0 || VISITDT > '2024-01-01' || AGE > 1 || SMOKER").unwrap();
        criteria.evaluate(&answers);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn most_random_expressions_compile(expressions in prop::collection::vec(any_expression(&["/"]), 50)) {
        let good = expressions.iter().filter(|expression| compile(expression).is_ok()).count();
        prop_assert!(good >= 25, "{good} of 50");
    }
}

/// Rust's threads have 2 MiB; half of it must do for anything within the bounds, and for refusing the rest.
#[test]
fn nesting_does_not_exhaust_half_of_a_threads_stack() {
    let shapes = [
        ("(", "true", ")"),
        ("!(", "true", ")"),
        ("-(", "1", ")"),
        ("[", "1", "]"),
        ("1 in [", "1", "]"),
        ("{1:", "1", "}"),
        ("size(", "DIAG", ")"),
        ("DIAG.contains(", "DIAG", ")"),
        ("x{y:", "1", "}"),
        ("x[", "1", "]"),
        ("true?true:", "true", ""),
        ("(true?", "true", ":true)"),
        ("1+", "1", ""),
        ("1<", "1", ""),
        ("!", "true", ""),
        ("-", "1", ""),
        ("", "a", ".b"),
        ("", "a", "[1]"),
        ("", "a", ".f()"),
        ("1 in ", "1", ""),
        ("true||", "true", ""),
        ("true&&", "true", ""),
        ("[1].all(x,", "true", ")"),
        ("(1+1+1+1+1+1+1+", "1", ")"),
        ("((", "", ""),
        ("(a<b,", "", ")"),
    ];
    let counts =
        [10, MAX_BRACKETS, MAX_BRACKETS + 1, 95, MAX_SYMBOLS / 2, MAX_SYMBOLS - 1, MAX_SYMBOLS, MAX_EXPRESSION_BYTES];
    let all = move || {
        for (open, inner, close) in shapes {
            for count in counts {
                let mut expression = format!("{}{inner}{}", open.repeat(count), close.repeat(count));
                expression.truncate(MAX_EXPRESSION_BYTES);
                for expression in [format!("{expression} == 1"), format!("1+1+1+1+1 < {expression}"), expression] {
                    let _ = compile(&expression).map(|criteria| criteria.evaluate(&[]));
                }
            }
        }
    };
    std::thread::Builder::new().stack_size(1 << 20).spawn(all).unwrap().join().unwrap();
}
