//! The folder that a measurement is made in: new, and removed afterwards.

use anyhow::{Context, Result, bail};
use std::{fs, io::ErrorKind, path::Path, thread, time::Duration};

/// How often a folder that is still written to is removed again, and the pause before each.
const REMOVALS: usize = 50;
const BETWEEN_REMOVALS: Duration = Duration::from_millis(100);

/// A folder that is not there yet.
pub fn new(folder: &Path) -> Result<&Path> {
    if folder.exists() {
        bail!("{}: exists already; choose a new folder with --data", folder.display());
    }
    Ok(folder)
}

/// What was measured, once the folder is gone. Writers may finish after their services stopped: what they leave is removed too.
pub fn removed<T>(folder: &Path, measured: Result<T>) -> Result<T> {
    let mut gone = fs::remove_dir_all(folder);
    for _ in 0..REMOVALS {
        match &gone {
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => thread::sleep(BETWEEN_REMOVALS),
            _ => break,
        }
        gone = fs::remove_dir_all(folder);
    }
    let measured = measured?;
    gone.map(|()| measured).with_context(|| format!("{}", folder.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_still_written_to_is_removed() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("bench");
        for attempt in 0..20 {
            fs::create_dir(&folder).unwrap();
            let (begun, writing) = (std::sync::mpsc::channel(), folder.clone());
            let writer = thread::spawn(move || {
                (0..2_000).take_while(|n| fs::write(writing.join(format!("{n}")), "x").is_ok()).for_each(|n| {
                    if n == 0 {
                        begun.0.send(()).unwrap();
                    }
                });
            });
            begun.1.recv().unwrap();
            let removed = removed(&folder, Ok(()));
            assert!(removed.is_ok() && !folder.exists(), "attempt {attempt}: {removed:?}");
            writer.join().unwrap();
        }
    }
}
