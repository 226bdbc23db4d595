//! Certificates and keys from PEM files (RFC 7468).

use crate::TlsError;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};
use watcher::Contents;
use zeroize::Zeroizing;

/// More than any chain of certificates takes, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// The contents of `paths`, in their order.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Contents, TlsError> {
    let mut contents = Zeroizing::new(Vec::with_capacity(paths.len()));
    for path in paths {
        contents.push(read_one(path)?);
    }
    Ok(contents)
}

fn read_one(path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |source| TlsError::File { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    if size > MAX_FILE {
        return Err(TlsError::TooLarge(path.to_owned()));
    }
    // The whole capacity at once: growing would leave copies of a key behind.
    let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or_default().saturating_add(1));
    file.take(MAX_FILE).read_to_end(&mut content).map_err(failed)?;
    Ok(content)
}

/// Certificates from a file's content, one or more.
pub(crate) fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let wrong = || TlsError::Pem { path: path.to_owned(), what: "certificate" };
    found.ok().filter(|found| !found.is_empty()).ok_or_else(wrong)
}

/// A private key from a file's content.
pub(crate) fn private_key(path: &Path, pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| TlsError::Pem { path: path.to_owned(), what: "private key" })
}

/// The authorities of a file's content.
pub(crate) fn roots(path: &Path, pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, pem)? {
        roots.add(certificate).map_err(|_| TlsError::Authority)?;
    }
    Ok(roots)
}
