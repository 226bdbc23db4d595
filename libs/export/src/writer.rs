//! Writing the files of an export, and its manifest last.

use anyhow::{Context, Result};
use audit::{FORMAT, MANIFEST, Manifest};
use seal::{id::Uuid, text::Hex};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};
use tlog::Hash;

/// Writes the files of an export and remembers their digests.
pub(super) struct Writer {
    root: PathBuf,
    files: BTreeMap<String, Hex>,
}

impl Writer {
    /// In a new folder.
    pub(super) fn new(root: &Path) -> Result<Self> {
        owner::new_directory(root).with_context(|| format!("{}: cannot make the folder", root.display()))?;
        Ok(Self { root: root.to_owned(), files: BTreeMap::new() })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    pub(super) fn file(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let mut lines = self.lines(name)?;
        lines.bytes(bytes)?;
        lines.finish(self)
    }

    /// A file that is written bit by bit.
    pub(super) fn lines(&self, name: &str) -> Result<Lines> {
        let path = self.root.join(name);
        let folder = path.parent().unwrap_or(&self.root);
        let file = owner::make_directory(folder).and_then(|()| owner::new_file(&path));
        let file = file.with_context(|| format!("{}: cannot be made", path.display()))?;
        Ok(Lines { name: name.to_owned(), path, file: BufWriter::new(file), digest: Sha256::new() })
    }

    /// Writes the manifest: an export without one is not finished.
    pub(super) fn finish(self, study: Uuid, blocks: u64, exported: u64) -> Result<Manifest> {
        let path = self.root.join(MANIFEST);
        let manifest = Manifest { format: FORMAT.to_owned(), study, exported, blocks, files: self.files };
        let text = serde_json::to_string_pretty(&manifest)? + "\n";
        let mut file = owner::new_file(&path).with_context(|| format!("{}: cannot be made", path.display()))?;
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        written.with_context(|| format!("{}: cannot be written", path.display()))?;
        Ok(manifest)
    }
}

/// A file in the making.
pub(super) struct Lines {
    name: String,
    path: PathBuf,
    file: BufWriter<File>,
    digest: Sha256,
}

impl Lines {
    pub(super) fn line(&mut self, line: &impl Serialize) -> Result<()> {
        self.bytes(&serde_json::to_vec(line)?)?;
        self.bytes(b"\n")
    }

    pub(super) fn finish(mut self, writer: &mut Writer) -> Result<()> {
        let written = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        written.with_context(|| format!("{}: cannot be written", self.path.display()))?;
        writer.files.insert(self.name, Hex(Hash(self.digest.finalize().into())));
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.digest.update(bytes);
        self.file.write_all(bytes).with_context(|| format!("{}: cannot be written", self.path.display()))
    }
}
