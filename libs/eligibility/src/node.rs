//! A checked expression and its evaluation. Nothing stands for CEL's error: the answers do not suffice.

use crate::{answer::Answers, value::Value};
use std::cmp::Ordering;

/// An operator that needs both operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Contains,
    StartsWith,
    EndsWith,
}

/// A part of an expression whose types were checked.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Constant(Value<'static>),
    Text(String),
    Item(usize),
    Not(Box<Node>),
    Negate(Box<Node>),
    Double(Box<Node>),
    Size(Box<Node>),
    And(Box<[Node; 2]>),
    Or(Box<[Node; 2]>),
    If(Box<[Node; 3]>),
    In(Box<Node>, Vec<Node>),
    Binary(Operator, Box<[Node; 2]>),
}

impl Node {
    /// Whether the expression is true. Adds to `steps` what the work is proportional to: nodes, and bytes of text.
    pub(crate) fn truth(&self, answers: &Answers<'_>, steps: &mut u64) -> Option<bool> {
        match self.evaluate(answers, steps)? {
            Value::Bool(truth) => Some(truth),
            _ => None,
        }
    }

    fn evaluate<'a>(&'a self, answers: &Answers<'a>, steps: &mut u64) -> Option<Value<'a>> {
        let value = match self {
            Node::Constant(value) => Some(*value),
            Node::Text(text) => Some(Value::Text(text)),
            Node::Item(item) => answers.get(*item),
            Node::Not(inner) => inner.truth(answers, steps).map(|truth| Value::Bool(!truth)),
            Node::Negate(inner) => negate(inner.evaluate(answers, steps)?),
            Node::Double(inner) => double(inner.evaluate(answers, steps)?),
            Node::Size(inner) => size(inner.evaluate(answers, steps)?),
            Node::And(sides) => absorb(sides, false, answers, steps),
            Node::Or(sides) => absorb(sides, true, answers, steps),
            Node::If(parts) => choose(parts, answers, steps),
            Node::In(needle, list) => contained(needle, list, answers, steps),
            Node::Binary(operator, sides) => {
                let [left, right] = sides.as_ref();
                operator.apply(left.evaluate(answers, steps)?, right.evaluate(answers, steps)?)
            }
        };
        *steps += 1 + value.map_or(0, Value::bytes);
        value
    }
}

/// `&&` and `||`: the `decisive` value on either side decides, whatever the other side is.
fn absorb<'a>(sides: &[Node; 2], decisive: bool, answers: &Answers<'_>, steps: &mut u64) -> Option<Value<'a>> {
    let left = sides[0].truth(answers, steps);
    if left == Some(decisive) {
        return Some(Value::Bool(decisive));
    }
    match (left, sides[1].truth(answers, steps)) {
        (_, Some(right)) if right == decisive => Some(Value::Bool(decisive)),
        (Some(_), Some(right)) => Some(Value::Bool(right)),
        _ => None,
    }
}

fn choose<'a>(parts: &'a [Node; 3], answers: &Answers<'a>, steps: &mut u64) -> Option<Value<'a>> {
    let [condition, yes, no] = parts;
    if condition.truth(answers, steps)? { yes.evaluate(answers, steps) } else { no.evaluate(answers, steps) }
}

/// Every element is evaluated, because one that is an error makes the list an error.
fn contained<'a>(needle: &'a Node, list: &'a [Node], answers: &Answers<'a>, steps: &mut u64) -> Option<Value<'a>> {
    let needle = needle.evaluate(answers, steps)?;
    let elements: Option<Vec<Value<'a>>> = list.iter().map(|element| element.evaluate(answers, steps)).collect();
    Some(Value::Bool(elements?.contains(&needle)))
}

fn negate<'a>(value: Value<'a>) -> Option<Value<'a>> {
    match value {
        Value::Int(number) => number.checked_neg().map(Value::Int),
        Value::Double(number) => finite(-number),
        _ => None,
    }
}

/// The nearest double, ties to even.
fn double<'a>(value: Value<'a>) -> Option<Value<'a>> {
    match value {
        Value::Int(number) => finite(number as f64),
        _ => None,
    }
}

fn size<'a>(value: Value<'a>) -> Option<Value<'a>> {
    match value {
        Value::Text(text) => i64::try_from(text.chars().count()).ok().map(Value::Int),
        _ => None,
    }
}

fn finite<'a>(number: f64) -> Option<Value<'a>> {
    number.is_finite().then_some(Value::Double(number))
}

impl Operator {
    fn apply<'a>(self, left: Value<'a>, right: Value<'a>) -> Option<Value<'a>> {
        match (left, right) {
            _ if self == Operator::Equal => Some(Value::Bool(left == right)),
            _ if self == Operator::NotEqual => Some(Value::Bool(left != right)),
            (Value::Int(left), Value::Int(right)) => {
                self.int(left, right).map(Value::Int).or_else(|| self.order(left.cmp(&right)))
            }
            (Value::Double(left), Value::Double(right)) => match self.double(left, right) {
                Some(number) => finite(number),
                None => self.order(left.partial_cmp(&right)?),
            },
            (Value::Text(left), Value::Text(right)) => self.text(left, right),
            _ => None,
        }
    }

    fn order<'a>(self, order: Ordering) -> Option<Value<'a>> {
        let truth = match self {
            Operator::Less => order.is_lt(),
            Operator::LessOrEqual => order.is_le(),
            Operator::Greater => order.is_gt(),
            Operator::GreaterOrEqual => order.is_ge(),
            _ => return None,
        };
        Some(Value::Bool(truth))
    }

    fn int(self, left: i64, right: i64) -> Option<i64> {
        match self {
            Operator::Add => left.checked_add(right),
            Operator::Subtract => left.checked_sub(right),
            Operator::Multiply => left.checked_mul(right),
            Operator::Divide => left.checked_div(right),
            Operator::Remainder => left.checked_rem(right),
            _ => None,
        }
    }

    fn double(self, left: f64, right: f64) -> Option<f64> {
        match self {
            Operator::Add => Some(left + right),
            Operator::Subtract => Some(left - right),
            Operator::Multiply => Some(left * right),
            Operator::Divide => Some(left / right),
            _ => None,
        }
    }

    fn text<'a>(self, left: &str, right: &str) -> Option<Value<'a>> {
        match self {
            Operator::Contains => Some(Value::Bool(left.contains(right))),
            Operator::StartsWith => Some(Value::Bool(left.starts_with(right))),
            Operator::EndsWith => Some(Value::Bool(left.ends_with(right))),
            _ => self.order(left.cmp(right)),
        }
    }
}
