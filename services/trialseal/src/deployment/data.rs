//! The data directory of a deployment: databases, the chain, keys.

use crate::keys::KeyDir;
use anyhow::{Context, Result, bail};
use database::{Database, Part};
use std::{
    fs::{self, File, TryLockError},
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// The content of the file `FORMAT`.
const FORMAT: &str = "trialseal/data@v1\n";

/// An open data directory. Only one process has it open.
pub struct DataDir {
    root: PathBuf,
    keys: KeyDir,
    _lock: File,
}

impl DataDir {
    /// Opens a data directory, making it if it does not exist. Only its owner reads it.
    pub fn open(root: &Path) -> Result<Self> {
        let shown = root.display();
        owner::directory(root, &["FORMAT"]).with_context(|| format!("{shown}: cannot make the data directory"))?;
        let format = root.join("FORMAT");
        match fs::read_to_string(&format) {
            Ok(found) if found == FORMAT => {}
            Ok(found) => bail!(
                "{shown}: the data directory has the format {:?}, this program supports {:?}: use the program that wrote it",
                found.trim_end(),
                FORMAT.trim_end()
            ),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                owner::write(&format, FORMAT.as_bytes()).with_context(|| format!("{shown}: cannot write there"))?;
            }
            Err(error) => return Err(error).with_context(|| format!("{}", format.display())),
        }
        let lock = root.join("lock");
        let lock = owner::file(&lock)
            .and_then(|()| File::create(&lock))
            .with_context(|| format!("{shown}: cannot write there"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { root: root.to_owned(), keys: KeyDir::open(root.join("keys"))?, _lock: lock }),
            Err(TryLockError::WouldBlock) => bail!("{shown}: another trialseal is running on this data directory"),
            Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("{shown}: cannot be locked")),
        }
    }

    /// Checks that no key of `files` is missing where there are databases already: whatever was made under the lost ones would be
    /// lost in silence.
    pub fn has_its_keys(&self, files: &[String]) -> Result<()> {
        let missing: Vec<&str> = files.iter().map(String::as_str).filter(|file| !self.keys.holds(file)).collect();
        if missing.is_empty() || !self.has_databases()? {
            return Ok(());
        }
        bail!(
            "{}: there are databases, and keys/ lacks {}. Nothing was made in their place: put the files back from where you keep \
             keys (docs/BACKUP.md, \"What there is\", says what each is for), then start again",
            self.root.display(),
            missing.join(", ")
        )
    }

    fn has_databases(&self) -> Result<bool> {
        let entries = fs::read_dir(&self.root).with_context(|| format!("{}", self.root.display()))?;
        Ok(entries.flatten().any(|entry| entry.path().extension().is_some_and(|end| end == "sqlite")))
    }

    /// A file of the directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The database in the file `name`.sqlite, made if it does not exist.
    pub async fn database(&self, name: &str, part: &Part) -> Result<Database> {
        let file = self.file(&format!("{name}.sqlite"));
        Database::open_file(&file, part).await.with_context(|| format!("{}", file.display()))
    }

    /// Writes a file that other programs of the owner read.
    pub fn publish(&self, name: &str, content: &[u8]) -> Result<()> {
        let (path, part) = (self.file(name), self.file(&format!("{name}.part")));
        let written = owner::write(&part, content).and_then(|()| fs::rename(&part, &path));
        written.with_context(|| format!("{}", path.display()))
    }

    /// The folder of the services' keys.
    pub fn keys(&self) -> &KeyDir {
        &self.keys
    }
}
