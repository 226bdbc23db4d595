//! Why criteria are refused.

use seal::id::Name;
use std::fmt;

/// Why criteria were not compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// More items than [`crate::MAX_ITEMS`].
    #[error("{0} items are more than allowed")]
    TooManyItems(usize),
    /// More criteria than [`vocabulary::eligibility::MAX_CRITERIA`].
    #[error("{0} criteria are more than allowed")]
    TooManyCriteria(usize),
    /// Two items with one identifier.
    #[error("the item {0} is defined twice")]
    RepeatedItem(Name),
    /// Two criteria with one identifier.
    #[error("the criterion {0} is stated twice")]
    RepeatedCriterion(Name),
    /// A criterion cannot be used.
    #[error("the criterion {criterion}, byte {at} of its expression: {problem}")]
    Criterion {
        /// Which criterion.
        criterion: Name,
        /// Where in the expression, in bytes from its beginning. For a syntax error, where the parser noticed it.
        at: usize,
        /// What is wrong there.
        problem: Problem,
    },
}

/// What is wrong with a criterion. Literals are never quoted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The text is longer than [`vocabulary::eligibility::MAX_TEXT_BYTES`]; how long it is.
    #[error("the text has {0} bytes, more than allowed")]
    TextTooLong(usize),
    /// The expression is longer than [`vocabulary::eligibility::MAX_EXPRESSION_BYTES`]; how long it is.
    #[error("the expression has {0} bytes, more than allowed")]
    ExpressionTooLong(usize),
    /// More opening brackets than [`crate::MAX_BRACKETS`].
    #[error("too many brackets")]
    TooManyBrackets,
    /// More words and operator characters than [`crate::MAX_SYMBOLS`].
    #[error("too many words and operators")]
    TooManySymbols,
    /// A backslash or control character in a string, a prefix of a string, triple quotes, a comment, or a character
    /// that no accepted expression has outside strings.
    #[error("a character that is not accepted here")]
    Character,
    /// Not CEL.
    #[error("not an expression")]
    Syntax,
    /// An identifier that is no item.
    #[error("no such item")]
    UnknownItem,
    /// An item of a type that cannot be evaluated.
    #[error("an item of this type cannot be used")]
    UnusableItem,
    /// A function that is not accepted, or not with so many arguments.
    #[error("no such function")]
    UnknownFunction,
    /// A macro, comprehension, map, message, index, field, or list outside `in`; bytes, `uint`, `null`.
    #[error("this construct is not accepted")]
    Construct,
    /// An operand has the wrong type.
    #[error("the operand is {found}, which is not accepted here")]
    Operand {
        /// Its type.
        found: Kind,
    },
    /// The operands of one operator differ in type.
    #[error("the operands are {left} and {right}, and must be the same")]
    Operands {
        /// The type of the first.
        left: Kind,
        /// The type of the second.
        right: Kind,
    },
    /// A coded item is compared with text that is none of its codes.
    #[error("the literal is not a code of the item")]
    NotACode,
    /// A date is compared with text that is not a date, `YYYY-MM-DD`.
    #[error("the literal is not a date")]
    NotADate,
    /// The expression is not true or false.
    #[error("the expression is {found}, not bool")]
    NotBoolean {
        /// Its type.
        found: Kind,
    },
}

/// The type of a part of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `int`: a whole number of 64 bits.
    Int,
    /// `double`: IEEE 754 binary64.
    Double,
    /// `bool`.
    Bool,
    /// `string`.
    Text,
    /// `string`, known to be a date.
    Date,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Int => "int",
            Kind::Double => "double",
            Kind::Bool => "bool",
            Kind::Text => "string",
            Kind::Date => "date",
        })
    }
}
