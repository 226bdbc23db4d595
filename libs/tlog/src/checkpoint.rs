//! Checkpoints: the head of a log, as signed text (C2SP tlog-checkpoint).

use std::fmt;

use crate::{hash::Hash, text};

/// The head of a log: which log, how many entries, and the root over all of them.
///
/// Text form, each line ended by a newline: origin, decimal size, base64 root, extension lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The identity of the log; its key name should be the same.
    pub origin: String,
    /// The number of entries.
    pub size: u64,
    /// The root of the tree over them (RFC 6962 §2.1).
    pub root: Hash,
    /// Opaque further lines. Logs should not write any: ML-DSA-44 cosignatures do not cover them.
    pub extensions: Vec<String>,
}

/// Why a text is not a checkpoint: the line that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The text does not end in a newline, has a control character, or fewer than three lines.
    #[error("the checkpoint is not a text of three or more lines")]
    Text,
    /// The origin line is empty.
    #[error("the checkpoint has no origin")]
    Origin,
    /// The size is not a decimal without leading zero, up to 2^64 - 1.
    #[error("the checkpoint's size is not a plain decimal")]
    Size,
    /// The root is not 32 bytes in base64.
    #[error("the checkpoint's root is not 32 bytes in base64")]
    Root,
    /// An extension line is empty.
    #[error("the checkpoint has an empty extension line")]
    Extension,
}

impl Checkpoint {
    /// Reads the text of a note.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`] names the line that is wrong.
    pub fn parse(text: &str) -> Result<Checkpoint, CheckpointError> {
        if !text::is_plain(text) {
            return Err(CheckpointError::Text);
        }
        let body = text.strip_suffix('\n').ok_or(CheckpointError::Text)?;
        let mut lines = body.split('\n');
        let mut line = || lines.next().ok_or(CheckpointError::Text);
        let origin = Some(line()?).filter(|origin| !origin.is_empty());
        let origin = origin.ok_or(CheckpointError::Origin)?.to_owned();
        let size = text::decode_decimal(line()?).ok_or(CheckpointError::Size)?;
        let root = Hash::from_base64(line()?).ok_or(CheckpointError::Root)?;
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        if extensions.iter().any(String::is_empty) {
            return Err(CheckpointError::Extension);
        }
        Ok(Checkpoint { origin, size, root, extensions })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = self.root.to_base64();
        write!(f, "{}\n{}\n{root}\n", self.origin, self.size)?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}
