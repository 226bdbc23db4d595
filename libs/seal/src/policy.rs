//! What a verifier relies on, in a file of a page: a C2SP tlog-policy (the chain's key, the witnesses' keys, the quorum)
//! with lines of our own for the root keys of studies and the receipt keys of recording services.

use crate::{id::Uuid, key::PublicKey};
use std::collections::BTreeMap;
use tlog::key::{Algorithm, VerifierKey};

/// The largest policy file, in bytes.
pub const MAX_POLICY_BYTES: usize = 64 << 10;

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
    /// Parses a policy file.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        if text.len() > MAX_POLICY_BYTES {
            return Err(PolicyError::TooLarge);
        }
        let (mut studies, mut receipts, mut rest) = (BTreeMap::new(), Vec::new(), String::new());
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
        Ok(Self { tlog: tlog::policy::Policy::parse(&rest)?, studies, receipts })
    }
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
