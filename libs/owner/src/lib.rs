//! Files and directories that only their owner reads, whatever the process's umask.
//!
//! New directories have the mode 0700, new files 0600. A directory that exists and is open to others is narrowed to that if
//! it is empty or known to be ours: an upgrade must not stop a deployment, and nobody else was meant to read it. Any other
//! one is refused: narrowing a home directory or `/tmp`, named by mistake, would lock others out of what is theirs.
//!
//! What this crate is *not*: it encrypts nothing, and knows no access control lists.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

const DIRECTORY: u32 = 0o700;
const FILE: u32 = 0o600;
const OTHERS: u32 = 0o077;

/// Makes a directory that must not exist.
pub fn new_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(DIRECTORY).create(path)
}

/// Makes a directory and those above it that are missing. One that exists stays as it is.
pub fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIRECTORY).create(path)
}

/// The same, for a directory of our own: one that exists and is open to others is narrowed if it is empty or holds one of
/// `marks`, and refused otherwise.
pub fn directory(path: &Path, marks: &[&str]) -> io::Result<()> {
    make_directory(path)?;
    if fs::metadata(path)?.permissions().mode() & OTHERS == 0 {
        return Ok(());
    }
    let ours = marks.iter().any(|mark| path.join(mark).exists()) || fs::read_dir(path)?.next().is_none();
    if ours {
        return narrow(path);
    }
    let what = "others may open this directory, and it holds something else: chmod 700 it, or name a new one";
    Err(io::Error::new(ErrorKind::PermissionDenied, what))
}

/// Takes every right of others to a file or directory away.
pub fn narrow(path: &Path) -> io::Result<()> {
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & OTHERS == 0 {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(mode & 0o7777 & !OTHERS)).map_err(|error| {
        io::Error::new(error.kind(), format!("others may open it, and its mode cannot be changed ({error})"))
    })
}

/// Makes a file that must not exist, to be written.
pub fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(FILE).open(path)
}

/// Makes an empty file if there is none; narrows one that exists.
pub fn file(path: &Path) -> io::Result<()> {
    match new_file(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => narrow(path),
        made => made.map(drop),
    }
}

/// Writes a file, in place of one that exists.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE).open(path)?;
    if file.metadata()?.is_file() {
        narrow(path)?;
    }
    file.write_all(content)
}

/// Reads a secret. A file of our own is refused if anybody else may open it; one of somebody else's, such as a secret that is
/// mounted for our group, if everybody may.
pub fn read_secret(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    let ours = fs::metadata("/proc/self").map_or(true, |own| own.uid() == metadata.uid());
    let others = if ours { OTHERS } else { OTHERS & 0o007 };
    if metadata.is_file() && metadata.permissions().mode() & others != 0 {
        let what = "others may read this secret: chmod 600 it, and replace it if they may have";
        return Err(io::Error::new(ErrorKind::PermissionDenied, what));
    }
    let mut content = Vec::new();
    file.read_to_end(&mut content)?;
    Ok(content)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("master.key");
        write(&secret, b"secret").unwrap();
        assert_eq!(read_secret(&secret).unwrap(), b"secret");
        for mode in [0o640, 0o604, 0o620, 0o666] {
            fs::set_permissions(&secret, Permissions::from_mode(mode)).unwrap();
            let refused = read_secret(&secret).unwrap_err();
            assert!(refused.to_string().contains("chmod 600"), "{mode:o}: {refused}");
        }
        fs::set_permissions(&secret, Permissions::from_mode(0o400)).unwrap();
        assert_eq!(read_secret(&secret).unwrap(), b"secret");
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn open_to_all(path: &Path) {
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn what_is_new_is_its_owners() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("above/data");
        directory(&place, &[]).unwrap();
        write(&place.join("a"), b"1").unwrap();
        file(&place.join("b")).unwrap();
        drop(new_file(&place.join("c")).unwrap());
        new_directory(&place.join("d")).unwrap();
        assert!(new_directory(&place.join("d")).is_err() && new_file(&place.join("c")).is_err());
        let modes = ["", "..", "a", "b", "c", "d"].map(|name| mode(&place.join(name)));
        assert_eq!(modes, [0o700, 0o700, 0o600, 0o600, 0o600, 0o700]);
    }

    #[test]
    fn what_is_ours_and_open_is_narrowed() {
        let folder = tempfile::tempdir().unwrap();
        for mark in [None, Some("FORMAT")] {
            open_to_all(folder.path());
            if let Some(mark) = mark {
                fs::write(folder.path().join(mark), "").unwrap();
            }
            directory(folder.path(), &["FORMAT"]).unwrap();
            assert_eq!(mode(folder.path()), 0o700);
        }
        let kept = folder.path().join("FORMAT");
        fs::set_permissions(&kept, Permissions::from_mode(0o644)).unwrap();
        file(&kept).unwrap();
        assert_eq!(mode(&kept), 0o600);
        fs::set_permissions(&kept, Permissions::from_mode(0o644)).unwrap();
        write(&kept, b"2").unwrap();
        assert_eq!((mode(&kept), fs::read(&kept).unwrap()), (0o600, b"2".to_vec()));
    }

    #[test]
    fn what_is_somebody_elses_and_open_is_refused_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("letter"), "").unwrap();
        open_to_all(folder.path());
        let refused = directory(folder.path(), &["FORMAT"]).unwrap_err();
        assert_eq!((refused.kind(), mode(folder.path())), (ErrorKind::PermissionDenied, 0o755));
        fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
        directory(folder.path(), &["FORMAT"]).unwrap();
    }
}
