//! Proof bundles: everything needed to check one datapoint offline, in one file.
//!
//! First line `trialseal/bundle@v1 sha256 <SHA-256 of the rest, hexadecimal>`, then JSON. The digest tells a file damaged
//! on its way from a forged one; it proves nothing more.

use crate::{
    entry::MAX_ENTRY_BYTES,
    id::{Service, Uuid},
    json,
    text::{Base64, Hex},
};
use serde::{Deserialize, Serialize};
use tlog::sha256;

const MAGIC: &str = "trialseal/bundle@v1 sha256 ";

/// The largest bundle, in bytes.
pub const MAX_BUNDLE_BYTES: usize = 8 << 20;
/// The most entries, facts or blocks of a bundle.
pub const MAX_PARTS: usize = 1_024;
/// The most hashes of a path.
pub const MAX_PATH: usize = 256;
/// The longest fact, in bytes.
pub const MAX_FACT_BYTES: usize = 1 << 20;

/// Why a file is not a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Larger than [`MAX_BUNDLE_BYTES`].
    #[error("larger than {MAX_BUNDLE_BYTES} bytes")]
    TooLarge,
    /// The first line is not that of a bundle of this version.
    #[error("not a bundle of version 1: the first line is not `{MAGIC}<64 hexadecimal digits>`")]
    Format,
    /// The digest in the first line is not that of the rest.
    #[error("the file is damaged: its content does not have the digest its first line states")]
    Damaged,
    /// The JSON is not a bundle's.
    #[error("the content cannot be read: line {line}, column {column}")]
    Json {
        /// Line of the JSON, from 1.
        line: usize,
        /// Column of the JSON.
        column: usize,
    },
    /// More parts, longer paths, or longer entries or facts than allowed.
    #[error("{0} holds more than is allowed")]
    Bounds(&'static str),
}

/// A bundle's content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// The study.
    pub study: Uuid,
    /// The number of the capture entry that recorded the submission.
    pub submission: u64,
    /// The datapoint's bytes.
    pub datapoint: Base64,
    /// The datapoint's place in the submission.
    pub index: u64,
    /// The hashes from the datapoint to the submission's root, leaf side first.
    pub path: Vec<Hex>,
    /// The entries the proof rests on.
    pub entries: Vec<EntryPart>,
    /// The facts relied on, each with the proof of its place in the state map.
    pub facts: Vec<FactPart>,
    /// The blocks that hold the entries.
    pub blocks: Vec<BlockPart>,
    /// The checkpoint, a signed note with its cosignatures.
    pub checkpoint: String,
    /// For a bundle about a command as such, and not about a datapoint: whose journal recorded it, at number `submission`.
    /// Datapoint, index and path are empty then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Service>,
    /// If the value is no longer there: what became of it. The datapoint is empty then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withheld: Option<Withheld>,
}

/// What became of a value that is no longer there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Withheld {
    /// It was taken out.
    Redacted {
        /// The number of the capture entry that took it out.
        entry: u64,
        /// The leaf hash of the datapoint it was.
        leaf: Hex,
    },
    /// Its participant was erased: the submission cannot be read either. Path and index are empty too.
    Erased {
        /// The number of the capture entry that erased them.
        entry: u64,
    },
}

/// One entry, with the signed envelope where the proof needs it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryPart {
    /// Whose journal.
    pub service: Service,
    /// The entry's number.
    pub number: u64,
    /// The entry's bytes.
    pub entry: Base64,
    /// The signed envelope's bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope: Option<Base64>,
    /// The hashes from the entry to its block's root, leaf side first.
    pub path: Vec<Hex>,
}

/// One fact in the state after an entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactPart {
    /// Whose journal.
    pub service: Service,
    /// The number of the entry whose state root the proof leads to.
    pub number: u64,
    /// The key in the state map.
    pub key: Hex,
    /// The fact's bytes.
    pub fact: Base64,
    /// The fact's salt, 16 bytes.
    pub salt: Base64,
    /// The hashes beside the way, from the root downwards.
    pub siblings: Vec<Hex>,
}

/// One block and its place on the chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockPart {
    /// The block's bytes.
    pub block: Base64,
    /// The block's place on the chain.
    pub index: u64,
    /// The hashes from the block to the checkpoint's root, leaf side first.
    pub path: Vec<Hex>,
}

impl Bundle {
    /// The content of a bundle file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let json = serde_json::to_vec(self).unwrap_or_default();
        let mut bytes = format!("{MAGIC}{}\n", sha256(&[&json]).to_hex()).into_bytes();
        bytes.extend_from_slice(&json);
        bytes
    }

    /// Reads a bundle file. Says nothing yet about whether it proves anything.
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.len() > MAX_BUNDLE_BYTES {
            return Err(BundleError::TooLarge);
        }
        let rest = bytes.strip_prefix(MAGIC.as_bytes()).ok_or(BundleError::Format)?;
        let (digest, rest) = rest.split_at_checked(64).ok_or(BundleError::Format)?;
        let json = rest.strip_prefix(b"\n").ok_or(BundleError::Format)?;
        if sha256(&[json]).to_hex().as_bytes() != digest {
            return Err(BundleError::Damaged);
        }
        #[cfg(test)]
        crate::verify::counted::count_bundle(bytes.len());
        let bundle: Bundle = json::read(json).map_err(|e| BundleError::Json { line: e.line(), column: e.column() })?;
        bundle.check_bounds().map(|()| bundle)
    }

    fn check_bounds(&self) -> Result<(), BundleError> {
        let paths = [&self.path].into_iter();
        let paths = paths.chain(self.entries.iter().map(|part| &part.path));
        let paths = paths.chain(self.facts.iter().map(|part| &part.siblings));
        let mut paths = paths.chain(self.blocks.iter().map(|part| &part.path));
        let parts = [("entries", self.entries.len()), ("facts", self.facts.len()), ("blocks", self.blocks.len())];
        if let Some((name, _)) = parts.into_iter().find(|(_, count)| *count > MAX_PARTS) {
            return Err(BundleError::Bounds(name));
        }
        if paths.any(|path| path.len() > MAX_PATH) {
            return Err(BundleError::Bounds("a path"));
        }
        if self.entries.iter().any(|part| part.entry.0.len() > MAX_ENTRY_BYTES) {
            return Err(BundleError::Bounds("an entry"));
        }
        let long = self.facts.iter().any(|part| part.fact.0.len() > MAX_FACT_BYTES);
        if long { Err(BundleError::Bounds("a fact")) } else { Ok(()) }
    }
}
