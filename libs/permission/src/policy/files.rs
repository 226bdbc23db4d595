//! A directory of policies.

use super::{Policies, PolicyError};
use std::{
    ffi::OsStr,
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};
use watcher::Contents;

/// The most files of a directory.
pub(super) const MAX_FILES: usize = 64;
/// The largest file, in bytes.
const MAX_BYTES: u64 = 256 << 10;

/// The names and contents of the files `*.cedar` of a directory, in turn.
pub(super) fn read(directory: &Path) -> Result<Contents, PolicyError> {
    let failed = |source| PolicyError::File { path: directory.to_owned(), source };
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension() == Some(OsStr::new("cedar")) {
            paths.push(path);
        }
    }
    paths.sort();
    let mut contents = Contents::default();
    if paths.is_empty() || paths.len() > MAX_FILES {
        return Err(PolicyError::Files(directory.to_owned()));
    }
    for path in paths {
        contents.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned().into_bytes());
        contents.push(content(&path)?);
    }
    Ok(contents)
}

fn content(path: &Path) -> Result<Vec<u8>, PolicyError> {
    let mut content = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut content));
    let size = read.map_err(|source| PolicyError::File { path: path.to_owned(), source })?;
    if size as u64 > MAX_BYTES {
        return Err(PolicyError::Files(path.to_owned()));
    }
    Ok(content)
}

/// Reads what [`read`] found.
pub(super) fn parse(contents: &Contents) -> Result<Policies, PolicyError> {
    let mut files = Vec::with_capacity(contents.len() / 2);
    for pair in contents.chunks_exact(2) {
        let [name, content] = pair else { continue };
        let name = std::str::from_utf8(name).unwrap_or_default();
        let content = std::str::from_utf8(content)
            .map_err(|error| PolicyError::Syntax { file: name.to_owned(), source: error.into() })?;
        files.push((name, content));
    }
    Policies::parse(files)
}
