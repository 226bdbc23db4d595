//! What keeps a service from running.

use std::{io, net::SocketAddr};

/// Why a service does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The port cannot be had.
    #[error("cannot listen on {address}: is another program using that port?")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Reflection cannot be built from the descriptors.
    #[error("the service descriptors cannot be read")]
    Descriptors,
    /// The built-in policies cannot be used.
    #[error("the built-in policies cannot be used")]
    Policies(#[source] permission::policy::PolicyError),
    /// The certificate cannot be used.
    #[error("the certificate cannot be used")]
    Tls(#[from] tls::TlsError),
    /// A port is open to others and has no TLS.
    #[error("{0} is not a loopback address, so TLS is required (--tls-cert, --tls-key, --tls-ca)")]
    Plain(SocketAddr),
    /// The port is gone.
    #[error("the port is gone")]
    Serve(#[source] io::Error),
}
