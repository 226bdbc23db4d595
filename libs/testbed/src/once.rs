//! What is installed once and shared by all test processes.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

/// The root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("this crate is two folders below it")
}

/// A folder below `target/` filled once by `fill`, and again when `contents`, what it is filled from, has changed. Other
/// tests and other test processes that ask for it meanwhile wait.
pub(crate) fn filled(name: &str, contents: &[u8], fill: impl FnOnce(&Path)) -> PathBuf {
    let folder = repository().join("target").join(name);
    let _until_filled = alone(name);
    let ready = folder.with_extension("ready");
    if fs::read(&ready).ok().as_deref() != Some(contents) {
        let _first_time = fs::remove_file(&ready);
        fill(&folder);
        fs::write(&ready, contents).expect("target/ can be written");
    }
    folder
}

/// One holder at a time among all threads and processes, until the file is dropped.
pub(crate) fn alone(name: &str) -> File {
    let target = repository().join("target");
    fs::create_dir_all(&target).expect("target/ can be written");
    let lock = File::create(target.join(name).with_extension("lock")).expect("target/ can be written");
    lock.lock().expect("the file system has locks");
    lock
}
