//! The data directory of a deployment: databases, the chain, keys.

use anyhow::{Context, Result, bail};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};
use tlog::key::{Algorithm, SignerKey};
use zeroize::Zeroizing;

/// The content of the file `FORMAT`.
const FORMAT: &str = "trialseal/data@v1\n";

/// An open data directory. Only one process has it open.
pub struct DataDir {
    root: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Opens a data directory, making it if it does not exist.
    pub fn open(root: &Path) -> Result<Self> {
        let shown = root.display();
        fs::create_dir_all(root.join("keys")).with_context(|| format!("{shown}: cannot make the data directory"))?;
        let format = root.join("FORMAT");
        match fs::read_to_string(&format) {
            Ok(found) if found == FORMAT => {}
            Ok(found) => bail!(
                "{shown}: the data directory has the format {:?}, this program knows {:?}: use the program that wrote it",
                found.trim_end(),
                FORMAT.trim_end()
            ),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                fs::write(&format, FORMAT).with_context(|| format!("{shown}: cannot write there"))?;
            }
            Err(error) => return Err(error).with_context(|| format!("{}", format.display())),
        }
        let lock = File::create(root.join("lock")).with_context(|| format!("{shown}: cannot write there"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { root: root.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => bail!("{shown}: another trialseal is running on this data directory"),
            Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("{shown}: cannot be locked")),
        }
    }

    /// A file of the directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Writes a file for others to read.
    pub fn publish(&self, name: &str, content: &[u8]) -> Result<()> {
        let (path, part) = (self.file(name), self.file(&format!("{name}.part")));
        fs::write(&part, content).and_then(|()| fs::rename(&part, &path)).with_context(|| format!("{}", path.display()))
    }

    /// A secret of 32 bytes, made at the first start.
    pub fn secret(&self, name: &str) -> Result<Zeroizing<[u8; 32]>> {
        let path = self.root.join("keys").join(name);
        if !path.exists() {
            write_secret(&path, &*Zeroizing::new(client::random::<32>()?))?;
        }
        let bytes = Zeroizing::new(fs::read(&path).with_context(|| format!("{}", path.display()))?);
        let bytes: [u8; 32] =
            bytes.as_slice().try_into().with_context(|| format!("{}: not 32 bytes", path.display()))?;
        Ok(Zeroizing::new(bytes))
    }

    /// A key that signs notes, made at the first start.
    pub fn signer(&self, file: &str, name: &str, algorithm: Algorithm) -> Result<SignerKey> {
        let path = self.root.join("keys").join(format!("{file}.key"));
        if !path.exists() {
            let key = SignerKey::from_seed(name, algorithm, *Zeroizing::new(client::random::<32>()?))?;
            write_secret(&path, format!("{}\n", key.to_secret_text().as_str()).as_bytes())?;
        }
        let text = Zeroizing::new(fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?);
        text.trim_end().parse().with_context(|| format!("{}: not a signer key", path.display()))
    }
}

/// Writes a new file that only its owner reads; never replaces one.
pub fn write_secret(path: &Path, content: &[u8]) -> Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("{}: cannot make the file", path.display()))?;
    file.write_all(content)
        .and_then(|()| file.sync_all())
        .with_context(|| format!("{}: cannot be written", path.display()))
}
