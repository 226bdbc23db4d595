//! Verification of proof bundles for inspectors: a bundle file against a policy, offline, and the report as people read it.
//!
//! The checks are those of `seal::verify`; what is here reads files, asks how old a checkpoint is, and prints. It knows no
//! server and no network. `trialseal verify` and the program of this crate, `trialseal-verify`, give the same reports and
//! exit codes.

mod fresh;
mod policy;
mod readable;

pub use fresh::{demand_fresh, fresh};
pub use policy::{keys_beside, read_policy};
pub use readable::{readable, time};

use seal::{
    bundle::MAX_BUNDLE_BYTES,
    policy::{Policy, PolicyError},
    report::Report,
};
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("{file}: {source}", file = file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is larger than a bundle may be.
    #[error("{file}: larger than {MAX_BUNDLE_BYTES} bytes, so not a bundle", file = .0.display())]
    TooLarge(PathBuf),
    /// It is no policy, or no file of keys.
    #[error("{file}: {source}", file = file.display())]
    Policy {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: PolicyError,
    },
}

/// Verifies a bundle file. The report says whether every link holds.
///
/// # Errors
///
/// The file cannot be read, or is larger than [`MAX_BUNDLE_BYTES`].
pub fn verify(bundle: &Path, policy: &Policy) -> Result<Report, FileError> {
    let most = MAX_BUNDLE_BYTES as u64;
    let unreadable = |source| FileError::Unreadable { file: bundle.to_owned(), source };
    let (mut bytes, file) = (Vec::new(), File::open(bundle).map_err(unreadable)?);
    // One byte more than a bundle may have, however large the file says it is, or grows while it is read.
    file.take(most + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > most {
        return Err(FileError::TooLarge(bundle.to_owned()));
    }
    Ok(seal::verify::verify(&bytes, policy))
}
