//! The manifest of an export: every file and its digest.

use super::ExportError;
use seal::{id::Uuid, text::Hex};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Write},
    path::Path,
};
use tlog::Hash;

/// The form of exports that this program writes and reads.
pub const FORMAT: &str = "trialseal/export@v1";
/// The manifest's own name in the folder.
pub const MANIFEST: &str = "manifest.json";

/// What is in an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// The study.
    pub study: Uuid,
    /// When it was exported, Unix milliseconds, by the exporter's clock.
    pub exported: u64,
    /// How many blocks the chain had.
    pub blocks: u64,
    /// Every other file, by its path, and its SHA-256.
    pub files: BTreeMap<String, Hex>,
}

/// The digest of a file.
pub(super) fn digest(path: &Path) -> Result<Hex, ExportError> {
    let mut digest = Sha256::new();
    let copied = File::open(path).and_then(|mut file| io::copy(&mut file, &mut Hasher(&mut digest)));
    copied.map_err(|source| ExportError::Unreadable { file: path.to_owned(), source })?;
    Ok(Hex(Hash(digest.finalize().into())))
}

struct Hasher<'a>(&'a mut Sha256);

impl Write for Hasher<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
