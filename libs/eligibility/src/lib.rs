//! Evaluates a protocol's inclusion and exclusion criteria over a participant's answers.
//!
//! A criterion is an expression in a typed, bounded part of the Common Expression Language (CEL,
//! <https://github.com/google/cel-spec>, `doc/langdef.md`), true where the criterion is met. The accepted part, in that
//! document's sections:
//!
//! - *Syntax*: `?:`, `||`, `&&`, `!`, `==`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `+`, `-`, `*`, `/`, `%`, unary `-`,
//!   parentheses, calls and member calls; literals of `int`, `double`, `bool` and `string`. A string has no backslash, no
//!   prefix and no triple quotes; an expression has no comment.
//! - *Name resolution*: an identifier is an item. An item whose identifier is not a CEL identifier cannot be named.
//! - *Values*: an item of type integer is an `int`, decimal a `double`, boolean a `bool`, text and date a `string`. Dates
//!   compare with dates and with literals that are dates; ISO 8601 in full makes that the order of strings. Partial dates
//!   cannot be used.
//! - *Gradual type checking*: there is none, every type is known. Operands have the same type; `int` becomes `double` by
//!   `double(x)` only. Text is compared for equality, never for order.
//! - *List of standard definitions*: the operators above, without `+` of strings and lists; `in` with a list written out
//!   in place; `size`, `contains`, `startsWith`, `endsWith` of text; `double` of `int`.
//! - *Runtime errors*, *Logical operators*: `&&` and `||` absorb errors as the section says. An unanswered item is an
//!   error, and so are overflow and division by zero.
//!
//! One rule is stricter than CEL: a `double` that is not finite (IEEE 754) is an error, so that a ratio over zero meets
//! nothing. Macros, comprehensions, maps, messages, indexes, fields, bytes, `uint`, `null`, durations, timestamps and
//! regular expressions are refused. So the work of an evaluation is linear in the sizes of expressions and answers:
//! every part of an expression is evaluated at most once, and no value is longer than an answer or a literal.
//!
//! What this crate is *not*: it decides nothing about who may state criteria, and knows no participant, clock or unit.

mod answer;
mod check;
mod fault;
mod node;
mod source;

pub use answer::MAX_ANSWER_BYTES;
pub use fault::{Fault, Kind, Problem};
pub use source::{MAX_BRACKETS, MAX_SYMBOLS};

use answer::Answers;
use node::Node;
use seal::{datapoint::Datapoint, id::Name};
use std::collections::HashSet;
use vocabulary::{
    command::ItemDef,
    eligibility::{Criterion, CriterionOutcome, MAX_CRITERIA, MAX_EXPRESSION_BYTES, MAX_TEXT_BYTES, Outcome},
};

/// The most items criteria may be stated over.
pub const MAX_ITEMS: usize = 500;

/// Criteria that were found good, ready to be evaluated.
#[derive(Debug, Clone)]
pub struct Criteria {
    items: Vec<ItemDef>,
    criteria: Vec<(Name, Node)>,
}

impl Criteria {
    /// Checks criteria over items and prepares them. The first fault is reported, in the order of the criteria.
    pub fn compile(items: &[ItemDef], criteria: &[Criterion]) -> Result<Self, Fault> {
        if items.len() > MAX_ITEMS {
            return Err(Fault::TooManyItems(items.len()));
        }
        if criteria.len() > MAX_CRITERIA {
            return Err(Fault::TooManyCriteria(criteria.len()));
        }
        if let Some(item) = repeated(items.iter().map(|item| &item.item)) {
            return Err(Fault::RepeatedItem(item));
        }
        if let Some(criterion) = repeated(criteria.iter().map(|criterion| &criterion.criterion)) {
            return Err(Fault::RepeatedCriterion(criterion));
        }
        let compiled = criteria.iter().map(|criterion| Ok((criterion.criterion.clone(), compile(items, criterion)?)));
        Ok(Self { items: items.to_vec(), criteria: compiled.collect::<Result<_, Fault>>()? })
    }

    /// The outcome of every criterion, in the order they were compiled in. Answers to other items are ignored.
    ///
    /// An item is unanswered if it has no answer, an empty one, one that is not of its type or longer than
    /// [`MAX_ANSWER_BYTES`], several, or one in a repeating item group. The result depends on nothing but the arguments,
    /// and not on the order of the answers.
    pub fn evaluate(&self, answers: &[Datapoint]) -> Vec<CriterionOutcome> {
        let answers = Answers::new(&self.items, answers);
        let outcome = |(criterion, node): &(Name, Node)| CriterionOutcome {
            criterion: criterion.clone(),
            outcome: match node.truth(&answers, &mut 0) {
                Some(true) => Outcome::Met,
                Some(false) => Outcome::NotMet,
                None => Outcome::Undetermined,
            },
        };
        self.criteria.iter().map(outcome).collect()
    }
}

fn repeated<'a>(mut names: impl Iterator<Item = &'a Name>) -> Option<Name> {
    let mut seen = HashSet::new();
    names.find(|name| !seen.insert(*name)).cloned()
}

fn compile(items: &[ItemDef], criterion: &Criterion) -> Result<Node, Fault> {
    let fault = |at, problem| Fault::Criterion { criterion: criterion.criterion.clone(), at, problem };
    if criterion.text.len() > MAX_TEXT_BYTES {
        return Err(fault(0, Problem::TextTooLong(criterion.text.len())));
    }
    if criterion.expression.len() > MAX_EXPRESSION_BYTES {
        return Err(fault(0, Problem::ExpressionTooLong(criterion.expression.len())));
    }
    source::parse(&criterion.expression)
        .and_then(|program| check::check(&program, items))
        .map_err(|(at, problem)| fault(at, problem))
}

#[cfg(test)]
mod tests;
mod value;
