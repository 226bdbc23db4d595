//! Certificates: loaded, replaced while in use, accepted, and made for development.
//!
//! TLS 1.3 (RFC 8446) only, by aws-lc-rs only. Who presents a certificate is named by one URI in its subject alternative
//! names: `spiffe://<trust domain>/trialseal/<service>` or `spiffe://<trust domain>/trialseal/actor/<name>/study/<uuid>`
//! (SPIFFE-ID, X.509-SVID). A caller without a certificate is let in and is nobody: what nobody may do is not decided here.

#[cfg(feature = "server")]
mod accepting;
mod error;
mod identity;
#[cfg(feature = "server")]
mod listener;
mod material;
#[cfg(feature = "server")]
mod name;
#[cfg(feature = "pki")]
pub mod pki;
#[cfg(feature = "server")]
mod stream;
mod web;

pub use error::TlsError;
pub use identity::Identity;
#[cfg(feature = "server")]
pub use listener::{Listener, Peer, Transport};
#[cfg(feature = "server")]
pub use name::{CertifiedName, Presented};
#[cfg(feature = "server")]
pub use stream::Stream;
pub use web::web;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use std::{net::SocketAddr, sync::Arc};

/// The cryptography of every connection. The first use makes it the process's default as well, so that libraries that
/// ask for the default find one.
pub fn provider() -> Arc<CryptoProvider> {
    let _installed_before = aws_lc_rs::default_provider().install_default();
    CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(aws_lc_rs::default_provider()))
}

/// Whether a service may listen at `address`, or call there, without TLS: only where nobody else can listen in.
pub fn may_be_plain(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}
