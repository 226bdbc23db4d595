//! Reading an export back: an audit without any server.

use super::{
    FORMAT, Manifest,
    manifest::{NAME, digest},
};
use crate::audit::{self, Report, Source, Wanted};
use anyhow::{Context, Result, ensure};
use proto::journal::{Fact, ReadEntriesResponse};
use seal::{policy::Policy, receipt::Receipt, text::Base64};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    path::{Component, Path, PathBuf},
};

/// The largest line of a journal, in bytes: an envelope and the values of a form, in base64.
const MAX_LINE: u64 = 64 << 20;
/// The largest manifest, in bytes.
const MAX_MANIFEST: u64 = 256 << 20;

/// An entry of a journal as a line: the message of `ReadEntries`, bytes in base64.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    entry: Base64,
    #[serde(default, skip_serializing_if = "is_empty")]
    envelope: Base64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    datapoints: Vec<Base64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unreadable: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    redacted: Vec<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    set: Vec<(Base64, Base64)>,
}

fn is_empty(bytes: &Base64) -> bool {
    bytes.0.is_empty()
}

impl From<ReadEntriesResponse> for Line {
    fn from(message: ReadEntriesResponse) -> Self {
        Self {
            entry: Base64(message.entry),
            envelope: Base64(message.envelope),
            datapoints: message.datapoints.into_iter().map(Base64).collect(),
            unreadable: message.unreadable,
            redacted: message.redacted,
            set: message.set.into_iter().map(|fact| (Base64(fact.key), Base64(fact.fact))).collect(),
        }
    }
}

impl From<Line> for ReadEntriesResponse {
    fn from(line: Line) -> Self {
        Self {
            entry: line.entry.0,
            envelope: line.envelope.0,
            datapoints: line.datapoints.into_iter().map(|bytes| bytes.0).collect(),
            unreadable: line.unreadable,
            redacted: line.redacted,
            set: line.set.into_iter().map(|(key, fact)| Fact { key: key.0, fact: fact.0 }).collect(),
        }
    }
}

/// An export that was opened.
pub struct Export {
    root: PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
}

impl Export {
    /// Opens an export.
    pub fn open(root: &Path) -> Result<Self> {
        let text = bounded(&root.join(NAME), MAX_MANIFEST)?;
        let manifest: Manifest = serde_json::from_slice(&text).with_context(|| format!("{NAME}: not a manifest"))?;
        ensure!(manifest.format == FORMAT, "{NAME}: not in the format {FORMAT}: use a program that reads its format");
        Ok(Self { root: root.to_owned(), manifest })
    }

    /// Its own policy. Believe one that came another way.
    pub fn policy(&self) -> PathBuf {
        self.root.join("policy.txt")
    }

    /// Audits it with no server: the digests, the chain, the study, and whether these receipts were kept.
    pub async fn audit(&self, policy: &Policy, receipts: &[Receipt], progress: bool) -> Result<Report> {
        let mut report = audit::run(self, policy, (&[self.manifest.study], receipts), progress).await?;
        self.check_digests(&mut report)?;
        report.clean = report.found == 0;
        Ok(report)
    }

    /// Checks that there are the files of the manifest and no others, each with its digest.
    fn check_digests(&self, report: &mut Report) -> Result<()> {
        let mut present = BTreeSet::new();
        names(&self.root, &self.root, &mut present)?;
        present.remove(NAME);
        for (name, expected) in &self.manifest.files {
            if !present.remove(name) {
                report.find(None, None, None, format!("the file {name} is missing"));
            } else if digest(&self.root.join(name))? != *expected {
                report.find(None, None, None, format!("the file {name} has changed since the export"));
            }
            let document = name.strip_prefix("documents/");
            if document.is_some_and(|hash| hash != expected.0.to_hex()) {
                report.find(None, None, None, format!("the file {name} is not the document that its name says"));
            }
        }
        for name in present {
            report.find(None, None, None, format!("the file {name} does not belong to the export"));
        }
        Ok(())
    }
}

impl Source for Export {
    async fn checkpoints(&self) -> Result<Vec<String>> {
        let text = bounded(&self.root.join("chain/checkpoints.json"), MAX_MANIFEST)?;
        serde_json::from_slice(&text).context("chain/checkpoints.json: not a list of checkpoints")
    }

    async fn file(&self, name: &str, limit: usize) -> Result<Vec<u8>> {
        bounded(&self.root.join("chain").join(name), limit as u64)
    }

    async fn entries(&self, wanted: Wanted, mut each: impl FnMut(ReadEntriesResponse)) -> Result<()> {
        ensure!(wanted.study == self.manifest.study, "the export is of another study");
        let path = self.root.join(format!("journals/{}.jsonl", wanted.service));
        let mut lines = BufReader::new(File::open(&path).with_context(|| format!("{}", path.display()))?);
        let last = if wanted.limit == 0 { u64::MAX } else { wanted.from.saturating_add(wanted.limit) };
        for number in 0..last {
            let mut line = Vec::new();
            let read = lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
            if read.with_context(|| format!("{}", path.display()))? == 0 {
                return Ok(());
            }
            if number >= wanted.from {
                let line: Line = serde_json::from_slice(&line).with_context(|| {
                    format!("{}: line {} is not an entry", path.display(), number.saturating_add(1))
                })?;
                each(line.into());
            }
        }
        Ok(())
    }
}

/// The names of all files below a folder, as the manifest writes them.
fn names(root: &Path, folder: &Path, found: &mut BTreeSet<String>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
        let entry = entry.with_context(|| format!("{}", folder.display()))?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            names(root, &path, found)?;
            continue;
        }
        let below = path.strip_prefix(root).unwrap_or(&path).components();
        let parts: Vec<String> =
            below.map(|part: Component<'_>| part.as_os_str().to_string_lossy().into_owned()).collect();
        found.insert(parts.join("/"));
    }
    Ok(())
}

/// A file of at most `limit` bytes.
fn bounded(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let shown = || format!("{}", path.display());
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes)).with_context(shown)?;
    ensure!(bytes.len() as u64 <= limit, "{}: larger than it may be", path.display());
    Ok(bytes)
}
