//! What a server needs to accept callers: its certificate, and whom it believes.

use crate::{TlsError, name, provider};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::{NoServerSessionStorage, WebPkiClientVerifier},
    version::TLS13,
};
use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use x509_parser::prelude::{FromDer, X509Certificate};

/// What a server accepts callers with.
pub(crate) struct Accepting {
    pub(crate) config: Arc<ServerConfig>,
    /// The trust domain of its own certificate.
    pub(crate) trust_domain: Option<String>,
    /// Until when its own certificate is valid, Unix milliseconds.
    pub(crate) expires_ms: u64,
}

impl Accepting {
    /// By a certificate chain, the own certificate first, which must be valid now.
    pub(crate) fn new(
        roots: Arc<RootCertStore>,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, TlsError> {
        let (trust_domain, expires_ms) = own(chain.first().ok_or(TlsError::NoCertificate)?)?;
        Ok(Self { config: config(roots, chain, key)?, trust_domain, expires_ms })
    }
}

/// The trust domain of a server's own certificate, and until when it is valid, as it must be now.
fn own(certificate: &CertificateDer<'_>) -> Result<(Option<String>, u64), TlsError> {
    let (_, certificate) = X509Certificate::from_der(certificate).map_err(|_| TlsError::Period)?;
    let (from, until) = name::period(&certificate);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    if now < u128::from(from) || now >= u128::from(until) {
        return Err(TlsError::Period);
    }
    Ok((name::spiffe_id(&certificate).map(|(domain, _)| domain), until))
}

fn config(
    roots: Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).allow_unauthenticated().build();
    let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13]);
    let builder = builder.map_err(TlsError::Unfit)?;
    let builder = builder.with_client_cert_verifier(verifier.map_err(|_| TlsError::Authority)?);
    let mut config = builder.with_single_cert(chain, key).map_err(TlsError::Unfit)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // A resumed session would bring a certificate that is not checked again.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}
