//! How the provisions of somebody's Consent stand at a time.
//!
//! Never more than the resource says: a provision stands only while a rule permits it within the periods of all rules
//! around that rule, and no rule denies it. A rule that is not understood permits nothing, and denies whatever it could touch.
//! A rule is overruled only by one nested in it that permits a part of what it denies. A root that denies is never overruled.

use super::{
    concept::Concept,
    period::Span,
    request::{Decision, Request, RequestStatus, Requested},
};
use std::collections::BTreeMap;

/// How one provision stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Our provision.
    pub provision: String,
    /// How it stands.
    pub state: State,
    /// Since or from when it is permitted, Unix milliseconds. None: not limited, or never.
    pub from_ms: Option<i64>,
    /// Before when it is permitted, Unix milliseconds: not at this time any more. None: not limited, or never.
    pub until_ms: Option<i64>,
    /// The paths of the rules about exactly this provision.
    pub rules: Vec<String>,
}

/// How a provision stands at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is permitted.
    Permitted,
    /// It will be permitted.
    NotYet,
    /// It was permitted.
    Ended,
    /// It is permitted at no time: denied, or the periods around it have no time in common.
    NotPermitted,
    /// Whatever it says: the status of the resource is not `active`.
    NotActive,
}

impl Request {
    /// How every provision that the resource names stands at `now_ms` (Unix milliseconds), in the order of their names.
    pub fn standings(&self, now_ms: i64) -> Vec<Standing> {
        let mut rules: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, rule) in self.provisions.iter().enumerate() {
            if let Some(name) = &rule.provision {
                rules.entry(name).or_default().push(index);
            }
        }
        rules.into_iter().map(|(name, rules)| self.standing(name, &rules, now_ms)).collect()
    }

    /// Whether the resource was in force before `now_ms` and will not be again: the period of its root is over, or all
    /// that it permitted is. `standings` are those at that time.
    pub fn has_ended(&self, standings: &[Standing], now_ms: i64) -> bool {
        let some = |state| standings.iter().any(|standing| standing.state == state);
        let over = some(State::Ended) && !some(State::Permitted) && !some(State::NotYet);
        over || self.provisions.first().is_some_and(|root| root.times.narrow.until <= now_ms)
    }

    fn standing(&self, name: &str, rules: &[usize], now_ms: i64) -> Standing {
        let path = |index: &usize| self.provisions.get(*index).map(|rule| rule.path.clone());
        let (state, span) = match self.status {
            RequestStatus::Active => at(&self.made_by(self.permitted(name, rules), now_ms), now_ms),
            _ => (State::NotActive, Span::ALWAYS),
        };
        Standing {
            provision: name.to_owned(),
            state,
            from_ms: Some(span.from).filter(|from| *from != i64::MIN),
            until_ms: Some(span.until).filter(|until| *until != i64::MAX),
            rules: rules.iter().filter_map(path).collect(),
        }
    }

    /// The same times, but for those before the resource is made, if that is later than now.
    fn made_by(&self, mut spans: Vec<Span>, now_ms: i64) -> Vec<Span> {
        if now_ms < self.made.from {
            spans = spans.into_iter().map(|span| span.within(self.made)).filter(|span| !span.is_empty()).collect();
        }
        spans
    }

    /// When a provision is permitted by the rules about it: spans in order that do not touch each other.
    fn permitted(&self, name: &str, rules: &[usize]) -> Vec<Span> {
        let action = Concept::of(name).action;
        let denies = |(index, rule): &(usize, &Requested)| {
            denies(*index, rule) && !rule.times.wide.is_empty() && rule.about.touches(name, action)
        };
        let mut denials: Vec<(usize, &Requested)> = self.provisions.iter().enumerate().filter(denies).collect();
        denials.sort_by_key(|(_, denial)| denial.times.wide);
        let permits = rules.iter().filter_map(|index| Some((*index, self.provisions.get(*index)?)));
        let spans = permits.filter(|(_, rule)| rule.decision == Decision::Permit).flat_map(|(permit, rule)| {
            let counts = |(index, denial): &&(usize, &Requested)| !overrules(permit, *index, denial);
            without(rule.times.narrow, denials.iter().filter(counts).map(|(_, denial)| denial.times.wide))
        });
        joined(spans.collect())
    }
}

/// A rule that says nothing is an exception to what is around it, and that may be a permission: but for the root.
fn denies(index: usize, rule: &Requested) -> bool {
    match rule.decision {
        Decision::Permit => false,
        Decision::Deny => true,
        Decision::Unstated => index > 0,
    }
}

/// Whether a rule that permits is an exception to one that denies: nested in it, and about a part of its provision.
fn overrules(permit: usize, index: usize, denial: &Requested) -> bool {
    index > 0 && denial.provision.is_some() && index < permit && permit < denial.next
}

/// What of a span is outside all others, which come in order.
fn without(span: Span, others: impl Iterator<Item = Span>) -> Vec<Span> {
    let (mut left, mut from) = (Vec::new(), span.from);
    for other in others {
        left.push(Span { from, until: span.until.min(other.from) });
        from = from.max(other.until);
    }
    left.push(Span { from, until: span.until });
    left.retain(|span| !span.is_empty());
    left
}

/// The same times in spans that do not touch each other, in order.
fn joined(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut joined: Vec<Span> = Vec::new();
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.from <= last.until => last.until = last.until.max(span.until),
            _ => joined.push(span),
        }
    }
    joined
}

/// How what is permitted in these spans stands at a time, and which span says so.
fn at(spans: &[Span], now_ms: i64) -> (State, Span) {
    match spans.iter().find(|span| now_ms < span.until).or(spans.last()) {
        None => (State::NotPermitted, Span::ALWAYS),
        Some(span) if span.until <= now_ms => (State::Ended, *span),
        Some(span) if now_ms < span.from => (State::NotYet, *span),
        Some(span) => (State::Permitted, *span),
    }
}
