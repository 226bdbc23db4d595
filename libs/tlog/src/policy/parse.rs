//! Reading a policy line by line.

use std::str::SplitAsciiWhitespace;

use super::{
    LogLine, MAX_DEFINITIONS, MAX_POLICY_BYTES, Policy, PolicyError, WitnessLine,
    quorum::{Quorum, Threshold},
};
use crate::{
    key::{Algorithm, KeyError, VerifierKey},
    text,
};

/// What is wrong with a line of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineProblem {
    /// The line begins with none of `log`, `witness`, `group` and `quorum`.
    #[error("unknown kind of line")]
    Kind,
    /// An item is missing or left over.
    #[error("an item is missing or left over")]
    Items,
    /// A control character other than tab and newline.
    #[error("control character")]
    ControlCharacter,
    /// The key cannot be read; the source says why.
    #[error("the key is not valid")]
    Key(#[source] KeyError),
    /// The key's signature type is not one for logs or for witnesses.
    #[error("the key's signature type does not fit its role")]
    Algorithm,
    /// An earlier line has the same public key, under whatever name.
    #[error("an earlier line has the same public key")]
    DuplicateKey,
    /// An earlier witness or group has this name.
    #[error("the name is already defined")]
    DuplicateName,
    /// `none` means "no quorum" and names nobody.
    #[error("the name is reserved")]
    ReservedName,
    /// No earlier line defines the name.
    #[error("the name is not defined on an earlier line")]
    Undefined,
    /// The witness or group is already a member.
    #[error("the name is already the member of a group")]
    AlreadyMember,
    /// The threshold is neither `all`, `any` nor a decimal from 1 to the number of members.
    #[error("the threshold is not from 1 to the number of members")]
    Threshold,
    /// There is a quorum line already.
    #[error("there is an earlier quorum line")]
    SecondQuorum,
    /// More logs, witnesses or groups than [`MAX_DEFINITIONS`].
    #[error("too many definitions")]
    TooMany,
    /// Groups nest deeper than [`super::MAX_DEPTH`].
    #[error("groups nest too deep")]
    TooDeep,
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    ///
    /// [`PolicyError::Line`] with the line's number, [`PolicyError::TooLarge`] or
    /// [`PolicyError::NoQuorum`].
    pub fn parse(text: &str) -> Result<Policy, PolicyError> {
        if text.len() > MAX_POLICY_BYTES {
            return Err(PolicyError::TooLarge);
        }
        let quorum = Quorum::default();
        let mut policy = Policy { logs: Vec::new(), witnesses: Vec::new(), quorum };
        for (line, number) in text.split('\n').zip(1..) {
            let read = policy.read(line);
            read.map_err(|problem| PolicyError::Line { line: number, problem })?;
        }
        if policy.quorum.is_required() { Ok(policy) } else { Err(PolicyError::NoQuorum) }
    }

    fn read(&mut self, line: &str) -> Result<(), LineProblem> {
        if line.bytes().any(|b| b.is_ascii_control() && b != b'\t') {
            return Err(LineProblem::ControlCharacter);
        }
        // Of ASCII white space only space and tab are left.
        let mut items = line.split_ascii_whitespace();
        match items.next() {
            None => Ok(()),
            Some(comment) if comment.starts_with('#') => Ok(()),
            Some("log") => self.read_log(items),
            Some("witness") => self.read_witness(items),
            Some("group") => self.read_group(items),
            Some("quorum") => self.read_quorum(items),
            Some(_) => Err(LineProblem::Kind),
        }
    }

    fn read_log(&mut self, mut items: SplitAsciiWhitespace<'_>) -> Result<(), LineProblem> {
        let roles = [Algorithm::Ed25519, Algorithm::CosignatureMlDsa44];
        let key = self.read_key(items.next(), roles, self.logs.len())?;
        let url = last(items)?;
        self.logs.push(LogLine { key, url });
        Ok(())
    }

    fn read_witness(&mut self, mut items: SplitAsciiWhitespace<'_>) -> Result<(), LineProblem> {
        let name = items.next().ok_or(LineProblem::Items)?;
        let roles = [Algorithm::CosignatureEd25519, Algorithm::CosignatureMlDsa44];
        let key = self.read_key(items.next(), roles, self.witnesses.len())?;
        let url = last(items)?;
        self.quorum.define_witness(name, self.witnesses.len())?;
        self.witnesses.push(WitnessLine { name: name.to_owned(), key, url });
        Ok(())
    }

    fn read_key(&self, item: Option<&str>, roles: [Algorithm; 2], defined: usize) -> Result<VerifierKey, LineProblem> {
        if defined >= MAX_DEFINITIONS {
            return Err(LineProblem::TooMany);
        }
        let key = item.ok_or(LineProblem::Items)?.parse::<VerifierKey>();
        let key = key.map_err(LineProblem::Key)?;
        if !roles.contains(&key.algorithm()) {
            return Err(LineProblem::Algorithm);
        }
        // Names and types do not make two keys of one: compare what signs.
        if self.each_key().any(|known| known.public_key() == key.public_key()) {
            return Err(LineProblem::DuplicateKey);
        }
        Ok(key)
    }

    fn read_group(&mut self, mut items: SplitAsciiWhitespace<'_>) -> Result<(), LineProblem> {
        let name = items.next().ok_or(LineProblem::Items)?;
        let threshold = match items.next().ok_or(LineProblem::Items)? {
            "all" => Threshold::All,
            "any" => Threshold::Any,
            k => Threshold::Count(text::decode_decimal(k).ok_or(LineProblem::Threshold)?),
        };
        self.quorum.define_group(name, &threshold, items)
    }

    fn read_quorum(&mut self, mut items: SplitAsciiWhitespace<'_>) -> Result<(), LineProblem> {
        let name = items.next().ok_or(LineProblem::Items)?;
        if items.next().is_some() {
            return Err(LineProblem::Items);
        }
        self.quorum.require(name)
    }
}

/// The optional last item of a line.
fn last(mut items: SplitAsciiWhitespace<'_>) -> Result<Option<String>, LineProblem> {
    let url = items.next().map(str::to_owned);
    if items.next().is_none() { Ok(url) } else { Err(LineProblem::Items) }
}
