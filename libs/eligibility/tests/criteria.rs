//! What is accepted, what it means, and what is refused.

#![allow(clippy::unwrap_used)]

mod trial;

use eligibility::{Criteria, Fault, Kind, MAX_ANSWER_BYTES, MAX_BRACKETS, MAX_ITEMS, MAX_SYMBOLS, Problem};
use trial::*;
use vocabulary::{
    command::ItemType,
    eligibility::{
        MAX_CRITERIA, MAX_EXPRESSION_BYTES, MAX_TEXT_BYTES,
        Outcome::{self, *},
    },
};

const FULL: [(&str, &str); 8] = [
    ("AGE", "67"),
    ("MMSE", "18"),
    ("WEIGHT", "70.5"),
    ("HEIGHT", "1.75"),
    ("SMOKER", "false"),
    ("PREG", "NA"),
    ("DIAG", "Alzheimer's disease"),
    ("VISITDT", "2024-02-29"),
];

#[test]
fn typical_criteria_are_met_or_not() {
    let table: &[(&str, Outcome)] = &[
        ("AGE >= 50 && AGE <= 85", Met),
        ("MMSE >= 10 && MMSE <= 23", Met),
        ("MMSE in [10, 11, 12]", NotMet),
        ("PREG == \"NEG\" || PREG == 'NA'", Met),
        ("!(PREG in [\"POS\", \"NEG\"])", Met),
        ("WEIGHT / (HEIGHT * HEIGHT) < 30.0", Met),
        ("WEIGHT / (HEIGHT * HEIGHT) < 23.0", NotMet),
        ("double(MMSE) / double(AGE) > 0.25", Met),
        ("SMOKER", NotMet),
        ("DIAG.startsWith(\"Alzheimer's\") && size(DIAG) > 3 && DIAG.size() < 1000", Met),
        ("VISITDT >= \"2024-01-01\" && \"2024-03-01\" > VISITDT", Met),
        ("AGE < 60 ? MMSE >= 20 : MMSE >= 10", Met),
        ("AGE - -1 == 68 && 7 / -2 == -3 && -7 % 2 == -1", Met),
        ("VISITDT == VISITDT\n  &&\ttrue", Met),
    ];
    for (expression, expected) in table {
        assert_eq!(outcome(expression, &FULL), *expected, "{expression}");
    }
}

#[test]
fn an_unanswered_item_leaves_undetermined_what_needs_it() {
    let table: &[(&str, Outcome)] = &[
        ("ONSETDT < VISITDT", Undetermined),
        ("CONSENTED || AGE > 50", Met),
        ("AGE > 50 || CONSENTED", Met),
        ("CONSENTED && AGE < 50", NotMet),
        ("AGE < 50 && CONSENTED", NotMet),
        ("CONSENTED || AGE < 50", Undetermined),
        ("CONSENTED && AGE > 50", Undetermined),
        ("!CONSENTED", Undetermined),
        ("CONSENTED == CONSENTED", Undetermined),
        ("CONSENTED ? true : true", Undetermined),
        ("AGE > 50 ? true : CONSENTED", Met),
        ("67 in [AGE, size]", Undetermined),
    ];
    for (expression, expected) in table {
        assert_eq!(outcome(expression, &FULL), *expected, "{expression}");
    }
}

#[test]
fn an_answer_that_is_not_of_its_type_is_no_answer() {
    let long = "x".repeat(MAX_ANSWER_BYTES);
    let longer = format!("{long}x");
    let table: &[(&str, &str, &[&str], &[&str])] = &[
        (
            "AGE == AGE",
            "AGE",
            &["0", "-1", "007", "999999999999999999"],
            &["", " 1", "1 ", "+1", "1.0", "9999999999999999999"],
        ),
        ("WEIGHT == WEIGHT", "WEIGHT", &["0", "-0.5", "70.50"], &["", ".5", "5.", "1e3", "NaN", "inf", "1,5", "--1"]),
        ("SMOKER == SMOKER", "SMOKER", &["true", "false"], &["", "TRUE", "1", "yes"]),
        ("VISITDT == VISITDT", "VISITDT", &["2024-02-29"], &["", "2023-02-29", "2024", "2024-02", "24-02-2024"]),
        ("DIAG == DIAG", "DIAG", &[" ", "é", &long], &["", &longer]),
    ];
    for (expression, item, good, bad) in table {
        for value in *good {
            assert_eq!(outcome(expression, &[(item, value)]), Met, "{item} {value}");
        }
        for value in *bad {
            assert_eq!(outcome(expression, &[(item, value)]), Undetermined, "{item} {value}");
        }
    }
}

#[test]
fn an_item_answered_twice_or_in_a_repeating_group_has_no_one_answer() {
    assert_eq!(outcome("AGE > 1", &[("AGE", "5"), ("AGE", "5")]), Undetermined);
    let mut repeated = answer("AGE", "5");
    repeated.repeat = "1".to_owned();
    assert_eq!(compile("AGE > 1").unwrap().evaluate(&[repeated])[0].outcome, Undetermined);
}

#[test]
fn arithmetic_without_a_result_leaves_undetermined() {
    let given = [("AGE", "0"), ("WEIGHT", "0"), ("MMSE", "999999999999999999")];
    for expression in [
        "1 / AGE > 0",
        "1 % AGE > 0",
        "MMSE * MMSE > 0",
        "-9223372036854775808 - 1 < MMSE",
        "(-9223372036854775807 - 1) / (AGE - 1) > 0",
        "1.0 / WEIGHT > 0.0",
        "WEIGHT / WEIGHT == WEIGHT / WEIGHT",
        "1e300 * 1e300 > 1.0",
    ] {
        assert_eq!(outcome(expression, &given), Undetermined, "{expression}");
    }
}

#[test]
fn doubles_compare_as_ieee_754_says() {
    let given = [("WEIGHT", "0.1"), ("HEIGHT", "0.2")];
    assert_eq!(outcome("WEIGHT + HEIGHT == 0.3", &given), NotMet);
    assert_eq!(outcome("WEIGHT + HEIGHT == 0.30000000000000004", &given), Met);
    assert_eq!(outcome("0.0 == -0.0", &given), Met);
    assert_eq!(outcome("double(9007199254740993) == 9007199254740992.0", &given), Met);
}

#[test]
fn every_forbidden_construct_is_refused() {
    let table: &[(&str, Problem)] = &[
        ("[1].all(x, x > 0)", Problem::Construct),
        ("[1].exists(x, x > 0)", Problem::Construct),
        ("[1].exists_one(x, x > 0)", Problem::Construct),
        ("[1].map(x, x) == [1]", Problem::Construct),
        ("[1].filter(x, true) == [1]", Problem::Construct),
        ("[[1].map(x, x)].all(y, true)", Problem::Construct),
        ("has(AGE.x)", Problem::Construct),
        ("DIAG.x == 'a'", Problem::Construct),
        ("[1, 2] == [1, 2]", Problem::Construct),
        ("[1] + [2] == [1, 2]", Problem::Construct),
        ("AGE in [1] + [2]", Problem::Construct),
        ("AGE in DIAG", Problem::Construct),
        ("[1][0] == 1", Problem::Construct),
        ("AGE in [[1]]", Problem::Construct),
        ("{1: true}[1]", Problem::Construct),
        ("1 in {1: 2}", Problem::Construct),
        ("Thing{x: 1} == 1", Problem::Construct),
        ("1u == 1u", Problem::Construct),
        ("null == null", Problem::Construct),
        ("DIAG + DIAG == 'aa'", Problem::Operand { found: Kind::Text }),
        ("DIAG < 'b'", Problem::Operand { found: Kind::Text }),
        ("SMOKER < true", Problem::Operand { found: Kind::Bool }),
        ("WEIGHT % 2.0 == 0.0", Problem::Operand { found: Kind::Double }),
        ("VISITDT.startsWith('2024')", Problem::Operand { found: Kind::Date }),
        ("AGE && true", Problem::Operand { found: Kind::Int }),
        ("-DIAG == 'a'", Problem::Operand { found: Kind::Text }),
        ("WEIGHT > 1", Problem::Operands { left: Kind::Double, right: Kind::Int }),
        ("AGE == '1'", Problem::Operands { left: Kind::Int, right: Kind::Text }),
        ("VISITDT == DIAG", Problem::Operands { left: Kind::Date, right: Kind::Text }),
        ("(SMOKER ? 1 : 1.0) == 1", Problem::Operands { left: Kind::Int, right: Kind::Double }),
        ("DIAG.matches('a+')", Problem::UnknownFunction),
        ("matches(DIAG, 'a')", Problem::UnknownFunction),
        ("contains(DIAG, 'a')", Problem::UnknownFunction),
        ("timestamp('2024-01-01T00:00:00Z') == timestamp('2024-01-01T00:00:00Z')", Problem::UnknownFunction),
        ("duration('1s') == duration('1s')", Problem::UnknownFunction),
        ("string(AGE) == '1'", Problem::UnknownFunction),
        ("int(WEIGHT) == 1", Problem::UnknownFunction),
        ("type(AGE) == int", Problem::UnknownFunction),
        ("dyn(AGE) == 1", Problem::UnknownFunction),
        ("now() == 1", Problem::UnknownFunction),
        ("size(DIAG, DIAG) == 1", Problem::UnknownFunction),
        ("AGE.double() == 1.0", Problem::UnknownFunction),
        (".size(DIAG) == 1", Problem::UnknownFunction),
        ("UNKNOWN == 1", Problem::UnknownItem),
        (".AGE == 1", Problem::UnknownItem),
        ("int == int", Problem::UnknownItem),
        ("STDTC == '2024'", Problem::UnusableItem),
        ("PREG == 'NEGATIVE'", Problem::NotACode),
        ("PREG in ['NEG', 'N/A']", Problem::NotACode),
        ("'negative' != PREG", Problem::NotACode),
        ("VISITDT > '2024-1-5'", Problem::NotADate),
        ("VISITDT in ['2023-02-29']", Problem::NotADate),
        ("AGE", Problem::NotBoolean { found: Kind::Int }),
        ("'true'", Problem::NotBoolean { found: Kind::Text }),
        ("DIAG == 'a\\x41'", Problem::Character),
        ("DIAG == r'a'", Problem::Character),
        ("DIAG == b'a'", Problem::Character),
        ("DIAG == '''a'''", Problem::Character),
        ("DIAG == ''''", Problem::Character),
        ("DIAG == 'a\nb'", Problem::Character),
        ("DIAG == 'a", Problem::Character),
        ("true // comment", Problem::Character),
        ("é == 1", Problem::Character),
        ("`AGE` == 1", Problem::Character),
        ("true;", Problem::Character),
        ("AGE = 1", Problem::Syntax),
        ("AGE.?x == 1", Problem::Syntax),
        ("not-an-identifier == 1 and true", Problem::Syntax),
        ("for == 1", Problem::Syntax),
        ("9223372036854775808 > AGE", Problem::Syntax),
        ("1e400 > WEIGHT", Problem::Syntax),
        ("true &&", Problem::Syntax),
        ("", Problem::Syntax),
    ];
    for (expression, expected) in table {
        assert_eq!(refusal(expression).1, *expected, "{expression}");
    }
}

#[test]
fn a_fault_says_where_in_bytes() {
    assert_eq!(refusal("true &&\n AGE > UNKNOWN"), (15, Problem::UnknownItem));
    assert_eq!(refusal("DIAG == 'é' && WEIGHT > 1"), (23, Problem::Operands { left: Kind::Double, right: Kind::Int }));
    assert_eq!(refusal("DIAG == 'é'\n && 'éé' = DIAG"), (24, Problem::Syntax));
    assert_eq!(refusal("true && #"), (8, Problem::Character));
    assert_eq!(refusal("PREG in ['NEG', 'N']"), (16, Problem::NotACode));
}

#[test]
fn everything_is_bounded() {
    let text = "x".repeat(MAX_TEXT_BYTES + 1);
    let mut long = criterion("INCL01", "true");
    long.text = text[1..].to_owned();
    assert!(Criteria::compile(&[], std::slice::from_ref(&long)).is_ok());
    long.text = text;
    let fault = Criteria::compile(&[], &[long]).unwrap_err();
    assert!(matches!(fault, Fault::Criterion { problem: Problem::TextTooLong(1_025), .. }), "{fault}");

    let padded = |length: usize| format!("{}true", " ".repeat(length - 4));
    assert!(compile(&padded(MAX_EXPRESSION_BYTES)).is_ok());
    assert_eq!(refusal(&padded(MAX_EXPRESSION_BYTES + 1)).1, Problem::ExpressionTooLong(2_049));

    let nested = |depth: usize| format!("{}true{}", "(".repeat(depth), ")".repeat(depth));
    assert!(compile(&nested(MAX_BRACKETS)).is_ok());
    assert_eq!(refusal(&nested(MAX_BRACKETS + 1)), (MAX_BRACKETS, Problem::TooManyBrackets));

    let chain = |terms: usize| format!("1{} > 0", "+1".repeat(terms));
    assert!(compile(&chain(MAX_SYMBOLS - 1)).is_ok());
    assert_eq!(refusal(&chain(MAX_SYMBOLS)).1, Problem::TooManySymbols);

    let many = |count: usize| (0..count).map(|n| item(&format!("I{n}"), ItemType::Text, &[])).collect::<Vec<_>>();
    assert!(Criteria::compile(&many(MAX_ITEMS), &[]).is_ok());
    assert_eq!(Criteria::compile(&many(MAX_ITEMS + 1), &[]).unwrap_err(), Fault::TooManyItems(501));
    let many = |count: usize| (0..count).map(|n| criterion(&format!("C{n}"), "true")).collect::<Vec<_>>();
    assert!(Criteria::compile(&[], &many(MAX_CRITERIA)).is_ok());
    assert_eq!(Criteria::compile(&[], &many(MAX_CRITERIA + 1)).unwrap_err(), Fault::TooManyCriteria(201));
}

#[test]
fn names_are_unique() {
    let twice = [criterion("INCL01", "true"), criterion("INCL01", "false")];
    assert_eq!(Criteria::compile(&[], &twice).unwrap_err(), Fault::RepeatedCriterion("INCL01".parse().unwrap()));
    let twice = [item("AGE", ItemType::Integer, &[]), item("AGE", ItemType::Text, &[])];
    assert_eq!(Criteria::compile(&twice, &[]).unwrap_err(), Fault::RepeatedItem("AGE".parse().unwrap()));
}

#[test]
fn a_fault_never_quotes_a_literal() {
    let fault = compile("PREG == 'SECRET'").unwrap_err();
    assert_eq!(
        fault.to_string(),
        "the criterion INCL01, byte 5 of its expression: the literal is not a code of the item"
    );
}
