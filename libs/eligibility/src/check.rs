//! Types every part of an expression, and refuses what has no type here.

use crate::{
    fault::{Kind, Problem},
    node::{Node, Operator},
    source::Located,
    value::Value,
};
use cel::{
    IdedExpr, Program,
    common::ast::{CallExpr, Expr, LiteralValue, operators as op},
};
use seal::text::is_day;
use vocabulary::command::{ItemDef, ItemType};

/// A part of an expression and its type.
struct Typed {
    kind: Kind,
    node: Node,
    at: usize,
}

struct Check<'a> {
    program: &'a Program,
    items: &'a [ItemDef],
}

pub(crate) fn check(program: &Program, items: &[ItemDef]) -> Result<Node, Located> {
    let typed = Check { program, items }.visit(program.expression())?;
    match typed.kind {
        Kind::Bool => Ok(typed.node),
        found => Err((typed.at, Problem::NotBoolean { found })),
    }
}

impl Check<'_> {
    fn at(&self, expr: &IdedExpr) -> usize {
        self.program.source_info().offset_for(expr.id).map_or(0, |(start, _)| start as usize)
    }

    fn visit(&self, expr: &IdedExpr) -> Result<Typed, Located> {
        let at = self.at(expr);
        let (kind, node) = match &expr.expr {
            Expr::Literal(literal) => constant(literal).map_err(|problem| (at, problem))?,
            Expr::Ident(name) => self.item(name).map_err(|problem| (at, problem))?,
            Expr::Call(call) => self.call(call, at)?,
            _ => return Err((at, Problem::Construct)),
        };
        Ok(Typed { kind, node, at })
    }

    fn item(&self, name: &str) -> Result<(Kind, Node), Problem> {
        let index = self.items.iter().position(|item| item.item.as_str() == name).ok_or(Problem::UnknownItem)?;
        let kind = match self.items[index].kind {
            ItemType::Text => Kind::Text,
            ItemType::Integer => Kind::Int,
            ItemType::Decimal => Kind::Double,
            ItemType::Boolean => Kind::Bool,
            ItemType::Date => Kind::Date,
            ItemType::PartialDatetime => return Err(Problem::UnusableItem),
        };
        Ok((kind, Node::Item(index)))
    }

    fn call(&self, call: &CallExpr, at: usize) -> Result<(Kind, Node), Located> {
        let operands: Vec<&IdedExpr> = call.target.as_deref().into_iter().chain(&call.args).collect();
        let member = call.target.is_some();
        match (call.func_name.as_str(), operands.as_slice()) {
            (op::LOGICAL_NOT, [inner]) => Ok((Kind::Bool, Node::Not(self.only(inner, &[Kind::Bool])?.boxed()))),
            (op::LOGICAL_AND, [left, right]) => Ok((Kind::Bool, Node::And(self.truths(left, right)?))),
            (op::LOGICAL_OR, [left, right]) => Ok((Kind::Bool, Node::Or(self.truths(left, right)?))),
            (op::CONDITIONAL, [condition, yes, no]) => self.conditional(condition, yes, no, at),
            (op::NEGATE, [inner]) => {
                let inner = self.only(inner, &[Kind::Int, Kind::Double])?;
                Ok((inner.kind, Node::Negate(inner.boxed())))
            }
            (op::IN, [needle, list]) => self.contained(needle, list),
            (op::INDEX | op::OPT_INDEX | op::OPT_SELECT, _) => Err((at, Problem::Construct)),
            ("size", [text]) => Ok((Kind::Int, Node::Size(self.only(text, &[Kind::Text])?.boxed()))),
            ("double", [number]) if !member => {
                Ok((Kind::Double, Node::Double(self.only(number, &[Kind::Int])?.boxed())))
            }
            (name, [left, right]) => match (operator(name), text_function(name)) {
                (Some(operator), _) => self.binary(operator, left, right, at),
                (None, Some(function)) if member => {
                    let sides = [self.only(left, &[Kind::Text])?.node, self.only(right, &[Kind::Text])?.node];
                    Ok((Kind::Bool, Node::Binary(function, Box::new(sides))))
                }
                _ => Err((at, Problem::UnknownFunction)),
            },
            _ => Err((at, Problem::UnknownFunction)),
        }
    }

    fn only(&self, expr: &IdedExpr, kinds: &[Kind]) -> Result<Typed, Located> {
        let typed = self.visit(expr)?;
        if kinds.contains(&typed.kind) { Ok(typed) } else { Err((typed.at, Problem::Operand { found: typed.kind })) }
    }

    fn truths(&self, left: &IdedExpr, right: &IdedExpr) -> Result<Box<[Node; 2]>, Located> {
        Ok(Box::new([self.only(left, &[Kind::Bool])?.node, self.only(right, &[Kind::Bool])?.node]))
    }

    fn conditional(
        &self,
        condition: &IdedExpr,
        yes: &IdedExpr,
        no: &IdedExpr,
        at: usize,
    ) -> Result<(Kind, Node), Located> {
        let condition = self.only(condition, &[Kind::Bool])?;
        let (yes, no) = (self.visit(yes)?, self.visit(no)?);
        if yes.kind != no.kind {
            return Err((at, Problem::Operands { left: yes.kind, right: no.kind }));
        }
        Ok((yes.kind, Node::If(Box::new([condition.node, yes.node, no.node]))))
    }

    fn contained(&self, needle: &IdedExpr, list: &IdedExpr) -> Result<(Kind, Node), Located> {
        let needle = self.visit(needle)?;
        let Expr::List(list) = &list.expr else { return Err((self.at(list), Problem::Construct)) };
        let element = |expr: &IdedExpr| {
            let element = self.visit(expr)?;
            self.comparable(&needle, &element).map_err(|problem| (element.at, problem))?;
            Ok(element.node)
        };
        let list = list.elements.iter().map(element).collect::<Result<_, Located>>()?;
        Ok((Kind::Bool, Node::In(needle.boxed(), list)))
    }

    fn binary(
        &self,
        operator: Operator,
        left: &IdedExpr,
        right: &IdedExpr,
        at: usize,
    ) -> Result<(Kind, Node), Located> {
        let (left, right) = (self.visit(left)?, self.visit(right)?);
        let operand = self.comparable(&left, &right).map_err(|problem| (at, problem))?;
        let kind = result(operator, operand).ok_or((at, Problem::Operand { found: operand }))?;
        Ok((kind, Node::Binary(operator, Box::new([left.node, right.node]))))
    }

    /// The one type of both, if they can be compared at all.
    fn comparable(&self, left: &Typed, right: &Typed) -> Result<Kind, Problem> {
        match (left.kind, right.kind) {
            (Kind::Text, Kind::Text) => {
                self.code(left, right).and_then(|()| self.code(right, left)).map(|()| Kind::Text)
            }
            (Kind::Date, Kind::Text) => date(right, left.kind, right.kind),
            (Kind::Text, Kind::Date) => date(left, left.kind, right.kind),
            (left, right) if left == right => Ok(left),
            (left, right) => Err(Problem::Operands { left, right }),
        }
    }

    /// A coded item is compared with one of its codes: a misspelt one would never be met, and nobody would see it.
    fn code(&self, item: &Typed, literal: &Typed) -> Result<(), Problem> {
        let (Node::Item(item), Node::Text(text)) = (&item.node, &literal.node) else { return Ok(()) };
        let codes = &self.items[*item].codes;
        if codes.is_empty() || codes.contains(text) { Ok(()) } else { Err(Problem::NotACode) }
    }
}

impl Typed {
    fn boxed(self) -> Box<Node> {
        Box::new(self.node)
    }
}

fn date(text: &Typed, left: Kind, right: Kind) -> Result<Kind, Problem> {
    match &text.node {
        Node::Text(text) if is_day(text) => Ok(Kind::Date),
        Node::Text(_) => Err(Problem::NotADate),
        _ => Err(Problem::Operands { left, right }),
    }
}

fn constant(literal: &LiteralValue) -> Result<(Kind, Node), Problem> {
    match literal {
        LiteralValue::Int(number) => Ok((Kind::Int, Node::Constant(Value::Int(*number.inner())))),
        LiteralValue::Double(number) if number.inner().is_finite() => {
            Ok((Kind::Double, Node::Constant(Value::Double(*number.inner()))))
        }
        LiteralValue::Boolean(truth) => Ok((Kind::Bool, Node::Constant(Value::Bool(*truth.inner())))),
        LiteralValue::String(text) => Ok((Kind::Text, Node::Text(text.inner().to_owned()))),
        _ => Err(Problem::Construct),
    }
}

fn operator(name: &str) -> Option<Operator> {
    Some(match name {
        op::EQUALS => Operator::Equal,
        op::NOT_EQUALS => Operator::NotEqual,
        op::LESS => Operator::Less,
        op::LESS_EQUALS => Operator::LessOrEqual,
        op::GREATER => Operator::Greater,
        op::GREATER_EQUALS => Operator::GreaterOrEqual,
        op::ADD => Operator::Add,
        op::SUBSTRACT => Operator::Subtract,
        op::MULTIPLY => Operator::Multiply,
        op::DIVIDE => Operator::Divide,
        op::MODULO => Operator::Remainder,
        _ => return None,
    })
}

fn text_function(name: &str) -> Option<Operator> {
    Some(match name {
        "contains" => Operator::Contains,
        "startsWith" => Operator::StartsWith,
        "endsWith" => Operator::EndsWith,
        _ => return None,
    })
}

/// The type of the result, if the operator takes operands of this type.
fn result(operator: Operator, operand: Kind) -> Option<Kind> {
    use Operator::{Add, Divide, Equal, Multiply, NotEqual, Remainder, Subtract};
    match (operator, operand) {
        (Equal | NotEqual, _) => Some(Kind::Bool),
        (Add | Subtract | Multiply | Divide, Kind::Int | Kind::Double) | (Remainder, Kind::Int) => Some(operand),
        (Add | Subtract | Multiply | Divide | Remainder, _) | (_, Kind::Text | Kind::Bool) => None,
        _ => Some(Kind::Bool),
    }
}
