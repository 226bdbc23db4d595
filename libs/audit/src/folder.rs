//! Reading an export: an audit without any server.

use super::{
    Audit, AuditError, FORMAT, MANIFEST, Manifest, Progress, Report, Source, StoredEntry, Wanted, manifest::digest,
};
use seal::{policy::Policy, receipt::Receipt};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    path::{Component, Path, PathBuf},
    pin::pin,
    task::{Context, Poll, Waker},
};

/// The largest line of a journal, in bytes: an envelope and the values of a form, in base64.
const MAX_LINE: u64 = 64 << 20;
/// The largest manifest, in bytes.
const MAX_MANIFEST: u64 = 256 << 20;

/// Why an export cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A file cannot be read.
    #[error("{}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file is larger than it may be.
    #[error("{}: larger than it may be", .0.display())]
    TooLarge(PathBuf),
    /// A file is not what its name says.
    #[error("{name}: not {what}")]
    Malformed {
        /// The file, and where in it.
        name: String,
        /// What it should be.
        what: &'static str,
        /// Why it is not.
        source: serde_json::Error,
    },
    /// The export has a format that this program does not read.
    #[error("{MANIFEST}: not in the format {FORMAT}: use a program that reads its format")]
    OtherFormat,
    /// The export is of another study than the one that is audited.
    #[error("the export is of another study")]
    OtherStudy,
}

/// An export that was opened.
pub struct Export {
    root: PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
}

impl Export {
    /// Opens an export.
    ///
    /// # Errors
    ///
    /// The folder has no manifest that this program reads.
    pub fn open(root: &Path) -> Result<Self, ExportError> {
        let text = bounded(&root.join(MANIFEST), MAX_MANIFEST)?;
        let manifest: Manifest = parsed(&text, || MANIFEST.to_owned(), "a manifest")?;
        if manifest.format != FORMAT {
            return Err(ExportError::OtherFormat);
        }
        Ok(Self { root: root.to_owned(), manifest })
    }

    /// Its own policy. Believe one that came another way.
    pub fn policy(&self) -> PathBuf {
        self.root.join("policy.txt")
    }

    /// Audits it with no server: the digests, the chain, the study, and whether these receipts were kept. `now_ms` is the
    /// auditor's clock, Unix milliseconds.
    ///
    /// # Errors
    ///
    /// A file cannot be read. What is wrong with what was read is a finding.
    pub fn audit(
        &self,
        policy: &Policy,
        receipts: &[Receipt],
        now_ms: u64,
        progress: &impl Progress,
    ) -> Result<Report, AuditError> {
        let audit = Audit { policy, studies: &[self.manifest.study], receipts, now_ms };
        let mut report = at_once(audit.run(self, progress))?;
        self.check_digests(&mut report).map_err(AuditError::of::<Self>)?;
        report.clean = report.found == 0;
        Ok(report)
    }

    /// Checks that there are the files of the manifest and no others, each with its digest.
    fn check_digests(&self, report: &mut Report) -> Result<(), ExportError> {
        let mut present = BTreeSet::new();
        names(&self.root, &self.root, &mut present)?;
        present.remove(MANIFEST);
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
    type Error = ExportError;

    async fn checkpoints(&self) -> Result<Vec<String>, ExportError> {
        let name = "chain/checkpoints.json";
        parsed(&bounded(&self.root.join(name), MAX_MANIFEST)?, || name.to_owned(), "a list of checkpoints")
    }

    async fn file(&self, name: &str, limit: usize) -> Result<Vec<u8>, ExportError> {
        bounded(&self.root.join("chain").join(name), limit as u64)
    }

    async fn entries(&self, wanted: Wanted, mut each: impl FnMut(StoredEntry)) -> Result<(), ExportError> {
        if wanted.study != self.manifest.study {
            return Err(ExportError::OtherStudy);
        }
        let path = self.root.join(format!("journals/{}.jsonl", wanted.service));
        let unreadable = |source| ExportError::Unreadable { file: path.clone(), source };
        let mut lines = BufReader::new(File::open(&path).map_err(unreadable)?);
        let last = if wanted.limit == 0 { u64::MAX } else { wanted.from.saturating_add(wanted.limit) };
        for number in 0..last {
            let mut line = Vec::new();
            if lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).map_err(unreadable)? == 0 {
                return Ok(());
            }
            if number >= wanted.from {
                let place = || format!("{}: line {}", path.display(), number.saturating_add(1));
                each(parsed(&line, place, "an entry")?);
            }
        }
        Ok(())
    }
}

/// The outcome of what never waits, as nothing does that reads an export.
fn at_once<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(outcome) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return outcome;
        }
    }
}

fn parsed<T: serde::de::DeserializeOwned>(
    text: &[u8],
    name: impl Fn() -> String,
    what: &'static str,
) -> Result<T, ExportError> {
    serde_json::from_slice(text).map_err(|source| ExportError::Malformed { name: name(), what, source })
}

/// The names of all files below a folder, as the manifest writes them.
fn names(root: &Path, folder: &Path, found: &mut BTreeSet<String>) -> Result<(), ExportError> {
    let unreadable = |source| ExportError::Unreadable { file: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(unreadable)?);
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
fn bounded(path: &Path, limit: u64) -> Result<Vec<u8>, ExportError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes));
    read.map_err(|source| ExportError::Unreadable { file: path.to_owned(), source })?;
    if bytes.len() as u64 > limit {
        return Err(ExportError::TooLarge(path.to_owned()));
    }
    Ok(bytes)
}
