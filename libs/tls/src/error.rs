//! What is wrong with certificates.

use std::{io, path::PathBuf};

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("{}: cannot be read or written", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is larger than any certificate chain.
    #[error("{}: too large for a certificate or key", .0.display())]
    TooLarge(PathBuf),
    /// A file does not hold what it should, in PEM.
    #[error("{}: no {what} in PEM", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// The certificate is not valid now.
    #[error("the certificate is expired or not yet valid")]
    Period,
    /// Key, certificate and authority do not fit each other.
    #[error("key, certificate and authority do not match")]
    Unfit(#[source] rustls::Error),
    /// The authority cannot be used to check callers.
    #[error("the authority's certificates cannot be used")]
    Authority,
    /// Only a client is possible without a certificate of its own.
    #[error("a server needs its own certificate")]
    NoCertificate,
    /// No certificate can name this actor with these studies.
    #[error(
        "an actor's certificate needs a name of A-Z a-z 0-9 . _ - and 1 to 32 different studies, UUIDs in lower case"
    )]
    Actor,
    /// The development authority cannot make a certificate.
    #[cfg(feature = "pki")]
    #[error("the certificate cannot be made")]
    Make(#[source] rcgen::Error),
}
