//! The consent journal, and the documents' files.

use crate::{Config, domain::Refusal};
use journal::Journal;
use seal::{Hash, sha256};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::PathBuf,
};

/// The journal as this service keeps it.
pub(crate) type Consent = Journal<Refusal>;

/// How the journal is opened.
pub(crate) fn journal(config: &Config) -> journal::Config {
    journal::Config {
        file: config.file.clone(),
        receipt_key: config.receipt_key.clone(),
        anchored_within_ms: config.anchored_within_ms,
        state_map: true,
    }
}

/// The documents' files: content-addressed, each durable before the command that names it is recorded.
#[derive(Clone)]
pub(crate) struct Files(PathBuf);

impl Files {
    /// The files in a folder, which is made if it does not exist.
    pub(crate) fn open(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }

    /// Keeps a file; keeping it again changes nothing.
    pub(crate) fn keep(&self, hash: &Hash, bytes: &[u8]) -> io::Result<()> {
        let (path, part) = (self.path(hash), self.0.join(format!("{}.part", hash.to_hex())));
        if self.get(hash)?.is_some() {
            return Ok(());
        }
        let mut file = File::create(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, &path)?;
        File::open(&self.0)?.sync_all()
    }

    /// A file, if it is kept and undamaged.
    pub(crate) fn get(&self, hash: &Hash) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.path(hash)) {
            Ok(bytes) => Ok(Some(bytes).filter(|bytes| sha256(&[bytes]) == *hash)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn path(&self, hash: &Hash) -> PathBuf {
        self.0.join(hash.to_hex())
    }
}
