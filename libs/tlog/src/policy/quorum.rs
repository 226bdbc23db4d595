//! Groups of witnesses, and whether enough of them cosigned.

use super::{MAX_DEFINITIONS, MAX_DEPTH, parse::LineProblem};

/// The witnesses and groups of a policy, in the order of their lines, and which one is required.
///
/// Members are indices of earlier definitions, so there are no circles, and nobody is the member of
/// two groups, so that each witness counts in one way only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Quorum {
    definitions: Vec<Definition>,
    /// `None` before the quorum line.
    required: Option<Required>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Required {
    Nobody,
    Definition(usize),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Definition {
    name: String,
    rule: Rule,
    depth: usize,
    is_member: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    /// The index of the witness among the policy's witnesses.
    Witness(usize),
    Group {
        threshold: usize,
        members: Vec<usize>,
    },
}

/// The threshold as a group line writes it.
pub(super) enum Threshold {
    All,
    Any,
    Count(u64),
}

impl Quorum {
    pub(super) fn define_witness(&mut self, name: &str, witness: usize) -> Result<(), LineProblem> {
        self.define(name, Rule::Witness(witness), 0)
    }

    pub(super) fn define_group<'p>(
        &mut self,
        name: &str,
        threshold: &Threshold,
        member_names: impl Iterator<Item = &'p str>,
    ) -> Result<(), LineProblem> {
        let is_group = |definition: &&Definition| matches!(definition.rule, Rule::Group { .. });
        if self.definitions.iter().filter(is_group).count() >= MAX_DEFINITIONS {
            return Err(LineProblem::TooMany);
        }
        let mut members = Vec::new();
        let mut depth = 0;
        for member in member_names {
            let (index, member_depth) = self.take_member(member)?;
            members.push(index);
            depth = depth.max(member_depth + 1);
        }
        if depth > MAX_DEPTH {
            return Err(LineProblem::TooDeep);
        }
        let threshold = threshold.of(members.len()).ok_or(LineProblem::Threshold)?;
        self.define(name, Rule::Group { threshold, members }, depth)
    }

    /// Marks a definition as the member of a group.
    fn take_member(&mut self, name: &str) -> Result<(usize, usize), LineProblem> {
        let index = self.find(name)?;
        let definition = self.definitions.get_mut(index).ok_or(LineProblem::Undefined)?;
        if definition.is_member {
            return Err(LineProblem::AlreadyMember);
        }
        definition.is_member = true;
        Ok((index, definition.depth))
    }

    fn define(&mut self, name: &str, rule: Rule, depth: usize) -> Result<(), LineProblem> {
        if name == "none" {
            return Err(LineProblem::ReservedName);
        }
        if self.find(name).is_ok() {
            return Err(LineProblem::DuplicateName);
        }
        self.definitions.push(Definition { name: name.to_owned(), rule, depth, is_member: false });
        Ok(())
    }

    fn find(&self, name: &str) -> Result<usize, LineProblem> {
        let found = self.definitions.iter().position(|definition| definition.name == name);
        found.ok_or(LineProblem::Undefined)
    }

    pub(super) fn require(&mut self, name: &str) -> Result<(), LineProblem> {
        if self.is_required() {
            return Err(LineProblem::SecondQuorum);
        }
        self.required = Some(match name {
            "none" => Required::Nobody,
            name => Required::Definition(self.find(name)?),
        });
        Ok(())
    }

    pub(super) fn is_required(&self) -> bool {
        self.required.is_some()
    }

    /// Whether the quorum is reached, given for each witness whether it cosigned.
    pub(super) fn is_reached(&self, cosigned: &[bool]) -> bool {
        let required = match self.required {
            Some(Required::Nobody) => return true,
            Some(Required::Definition(index)) => index,
            None => return false,
        };
        // Members come before their group: one pass in order, no recursion.
        let mut reached: Vec<bool> = Vec::with_capacity(self.definitions.len());
        for definition in &self.definitions {
            let holds = |set: &[bool], index: &usize| set.get(*index) == Some(&true);
            reached.push(match &definition.rule {
                Rule::Witness(witness) => holds(cosigned, witness),
                Rule::Group { threshold, members } => {
                    members.iter().filter(|member| holds(&reached, member)).count() >= *threshold
                }
            });
        }
        reached.get(required) == Some(&true)
    }

    pub(super) fn text(&self) -> String {
        match self.required {
            Some(Required::Definition(index)) => self.text_of(index),
            _ => "none".to_owned(),
        }
    }

    /// Recursion ends: members come earlier, and no deeper than [`MAX_DEPTH`].
    fn text_of(&self, index: usize) -> String {
        let Some(definition) = self.definitions.get(index) else { return String::new() };
        match &definition.rule {
            Rule::Witness(_) => definition.name.clone(),
            Rule::Group { threshold, members } => {
                let texts: Vec<String> = members.iter().map(|member| self.text_of(*member)).collect();
                match (texts.as_slice(), *threshold) {
                    ([only], _) => only.clone(),
                    (many, k) if k == many.len() => format!("all of ({})", many.join(", ")),
                    (many, 1) => format!("any of ({})", many.join(", ")),
                    (many, k) => format!("{k} of ({})", many.join(", ")),
                }
            }
        }
    }
}

impl Threshold {
    /// The threshold for `n` members; `None` unless it is 1 to `n`.
    fn of(&self, n: usize) -> Option<usize> {
        let threshold = match self {
            Threshold::All => n,
            Threshold::Any => 1,
            Threshold::Count(k) => usize::try_from(*k).ok()?,
        };
        (1..=n).contains(&threshold).then_some(threshold)
    }
}
