//! What a verifier relies on, in two files of a page: a C2SP tlog-policy (the chain's keys, the witnesses' keys, the
//! quorum), and beside it the keys of Trialseal's own: the root keys of studies and the receipt keys of recording services.
//!
//! Other tools read the first file; they refuse one that holds lines of ours. The older form, in which one file holds both
//! kinds of line, is read as well.

use crate::{id::Uuid, key::PublicKey};
use std::collections::BTreeMap;
use tlog::key::{Algorithm, VerifierKey};

/// The largest policy file, and the largest file of keys, in bytes: more than the most logs and witnesses that a policy may
/// have, all with ML-DSA-44 keys.
pub const MAX_POLICY_BYTES: usize = tlog::policy::MAX_POLICY_BYTES;

/// Why text is not a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Larger than [`MAX_POLICY_BYTES`].
    #[error("the policy is larger than {MAX_POLICY_BYTES} bytes")]
    TooLarge,
    /// A `study` line that is not `study <uuid> ed25519:<base64>`, or a study named twice.
    #[error("line {0}: not `study <uuid> ed25519:<base64 public key>`, or the study is named twice")]
    Study(usize),
    /// A control character other than tab in a line of ours.
    #[error("line {0}: holds a control character")]
    Control(usize),
    /// A `receipt` line that is not `receipt <verifier key>`, of type Ed25519 (0x01).
    #[error("line {0}: not `receipt <verifier key of type Ed25519>`")]
    Receipt(usize),
    /// A line in the file of keys that is none of ours.
    #[error("line {0}: neither a `study` nor a `receipt` line")]
    Kind(usize),
    /// The rest is not a tlog-policy.
    #[error("the log, witness, group or quorum lines are not a policy")]
    Tlog(#[from] tlog::policy::PolicyError),
}

/// A parsed policy.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The chain, its witnesses and the quorum.
    pub tlog: tlog::policy::Policy,
    /// The root key of each study.
    pub studies: BTreeMap<Uuid, PublicKey>,
    /// The keys recording services sign receipts with.
    pub receipts: Vec<VerifierKey>,
}

impl Policy {
    /// Parses a policy file. It may hold `study` and `receipt` lines itself, as policies of the older form do.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let (mut studies, mut receipts) = (BTreeMap::new(), Vec::new());
        let rest = read_keys(text, &mut studies, &mut receipts)?;
        Ok(Self { tlog: tlog::policy::Policy::parse(&rest)?, studies, receipts })
    }

    /// Adds the keys of the file beside the policy: `study` and `receipt` lines, blank lines and comments.
    ///
    /// # Errors
    ///
    /// A line of any other kind, one that is malformed, and a study that has a line already.
    pub fn with_keys(mut self, text: &str) -> Result<Self, PolicyError> {
        let rest = read_keys(text, &mut self.studies, &mut self.receipts)?;
        for (index, line) in rest.lines().enumerate() {
            if line.chars().any(|c| c.is_ascii_control() && c != '\t') {
                return Err(PolicyError::Control(index + 1));
            }
            if line.split_ascii_whitespace().next().is_some_and(|word| !word.starts_with('#')) {
                return Err(PolicyError::Kind(index + 1));
            }
        }
        Ok(self)
    }
}

/// Parts the text of a policy of either form into a pure tlog-policy and the lines of the file of keys beside it.
pub fn part(text: &str) -> (String, String) {
    let (mut policy, mut keys) = (String::new(), String::new());
    for line in text.lines() {
        let first = line.split_ascii_whitespace().next();
        let of = if matches!(first, Some("study" | "receipt")) { &mut keys } else { &mut policy };
        of.push_str(line);
        of.push('\n');
    }
    (policy, keys)
}

/// Takes the `study` and `receipt` lines out of a text; gives the rest, with an empty line in the place of each.
fn read_keys(
    text: &str,
    studies: &mut BTreeMap<Uuid, PublicKey>,
    receipts: &mut Vec<VerifierKey>,
) -> Result<String, PolicyError> {
    if text.len() > MAX_POLICY_BYTES {
        return Err(PolicyError::TooLarge);
    }
    let mut rest = String::new();
    for (index, line) in text.lines().enumerate() {
        let mut words = line.split_ascii_whitespace();
        let first = words.next();
        if matches!(first, Some("study" | "receipt")) && line.chars().any(|c| c.is_ascii_control() && c != '\t') {
            return Err(PolicyError::Control(index + 1));
        }
        match first {
            Some("study") => {
                let (study, key) = study(words).ok_or(PolicyError::Study(index + 1))?;
                if studies.insert(study, key).is_some() {
                    return Err(PolicyError::Study(index + 1));
                }
            }
            Some("receipt") => {
                receipts.push(receipt(words).ok_or(PolicyError::Receipt(index + 1))?);
            }
            _ => rest.push_str(line),
        }
        rest.push('\n'); // keeps the line numbers of the other parser
    }
    Ok(rest)
}

fn study<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<(Uuid, PublicKey)> {
    let (study, key) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    words.next().is_none().then_some((study, key))
}

/// Cosignature keys do not cover all of a receipt, so only a plain Ed25519 key will do.
fn receipt<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<VerifierKey> {
    let key: VerifierKey = words.next()?.parse().ok()?;
    (words.next().is_none() && key.algorithm() == Algorithm::Ed25519).then_some(key)
}
