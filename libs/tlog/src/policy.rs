//! Trust policies: which logs to believe, and which witnesses must have seen a checkpoint
//! (C2SP tlog-policy).
//!
//! ```text
//! log <vkey> [url]
//! witness <name> <vkey> [url]
//! group <name> all|any|<k> <member>...
//! quorum <name>|none
//! ```
//!
//! Items are parted by spaces and tabs; empty lines and lines starting with `#` are skipped.

mod parse;
mod quorum;
mod verify;

pub use parse::LineProblem;
pub use verify::VerifiedCheckpoint;

use crate::key::VerifierKey;
use quorum::Quorum;

/// The largest policy read, in bytes.
pub const MAX_POLICY_BYTES: usize = 1024 * 1024;
/// The most logs, the most witnesses and the most groups, each.
pub const MAX_DEFINITIONS: usize = 128;
/// How deep groups nest.
pub const MAX_DEPTH: usize = 32;

/// A parsed policy. Every name it uses is defined, so that asking it cannot fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<LogLine>,
    witnesses: Vec<WitnessLine>,
    quorum: Quorum,
}

/// A `log` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// The log's key; its name is the origin of the log's checkpoints. Type 0x01 or 0x06.
    pub key: VerifierKey,
    /// Where to reach the log. What it means is for the application to say.
    pub url: Option<String>,
}

/// A `witness` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessLine {
    /// What this policy calls the witness; need not be the name of its key.
    pub name: String,
    /// The witness's key. Type 0x04 or 0x06.
    pub key: VerifierKey,
    /// Where to reach the witness: the submission prefix of C2SP tlog-witness.
    pub url: Option<String>,
}

/// Why a policy could not be read, or refused a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A line of the policy is wrong; the source says how.
    #[error("line {line} of the policy is wrong")]
    Line {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        problem: LineProblem,
    },
    /// The policy is larger than [`MAX_POLICY_BYTES`].
    #[error("the policy is too large")]
    TooLarge,
    /// The policy has no quorum line. Without witnesses it must say `quorum none`.
    #[error("the policy has no quorum line")]
    NoQuorum,
    /// The bytes are no signed note with a checkpoint.
    #[error("not a signed checkpoint")]
    Malformed,
    /// No log of the policy has this origin.
    #[error("no log of the policy has the origin {origin:?}")]
    Origin {
        /// The checkpoint's origin.
        origin: String,
    },
    /// The log's signature is missing or wrong.
    #[error("the log's signature is missing or wrong")]
    LogSignature,
    /// A cosignature by a known witness is wrong.
    #[error("the cosignature by {name} is wrong")]
    Signature {
        /// The name of the key.
        name: String,
    },
    /// Too few witnesses cosigned.
    #[error("the quorum {needed} is not reached: cosigned by [{}]", cosigned_by.join(", "))]
    Quorum {
        /// What is needed, as [`Policy::quorum_text`] tells it.
        needed: String,
        /// The policy's names of the witnesses that cosigned.
        cosigned_by: Vec<String>,
    },
}

impl Policy {
    /// The logs, in the order of their lines.
    pub fn logs(&self) -> &[LogLine] {
        &self.logs
    }

    /// The witnesses, in the order of their lines.
    pub fn witnesses(&self) -> &[WitnessLine] {
        &self.witnesses
    }

    /// All keys of the policy: logs, then witnesses.
    pub fn keys(&self) -> Vec<VerifierKey> {
        self.each_key().cloned().collect()
    }

    fn each_key(&self) -> impl Iterator<Item = &VerifierKey> + Clone {
        let logs = self.logs.iter().map(|log| &log.key);
        logs.chain(self.witnesses.iter().map(|witness| &witness.key))
    }

    /// True if cosignatures by these keys reach the quorum. Unknown and repeated keys add nothing.
    pub fn satisfied_by(&self, cosigners: &[VerifierKey]) -> bool {
        let cosigned = |witness: &WitnessLine| cosigners.contains(&witness.key);
        let cosigned: Vec<bool> = self.witnesses.iter().map(cosigned).collect();
        self.quorum.is_reached(&cosigned)
    }

    /// The quorum for people to read, such as `2 of (sponsor, cro, regulator)`; `none` without one.
    pub fn quorum_text(&self) -> String {
        self.quorum.text()
    }
}
