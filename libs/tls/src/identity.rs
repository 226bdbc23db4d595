//! Who this process is to others, and whom it trusts.

use crate::{
    TlsError,
    material::{self, Own},
    provider,
    web::SYSTEM,
};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::{NoServerSessionStorage, WebPkiClientVerifier},
    version::TLS13,
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::sync::watch;
use tonic::transport::{Certificate, ClientTlsConfig};
use watcher::{Contents, POLL, Watched};
use zeroize::Zeroizing;

/// A certificate with its key, and the authority others are checked against. Read again when the files change, without a
/// restart. Cheap to clone.
#[derive(Clone)]
pub struct Identity(Arc<Watched<Loaded>>);

struct Loaded {
    authority: Vec<u8>,
    pair: Option<(Vec<u8>, Zeroizing<Vec<u8>>)>,
    server: Option<(Arc<ServerConfig>, Own)>,
    client: Arc<ClientConfig>,
}

impl Identity {
    /// Loads `certificate` (a chain, the own certificate first), its `key` and the authority `ca`, all in PEM, and looks at
    /// them again every few seconds. Needs a tokio runtime.
    pub fn watch(certificate: &Path, key: &Path, ca: &Path) -> Result<Self, TlsError> {
        Self::watch_every(POLL, certificate, key, ca)
    }

    /// The same, looking again every `every`.
    pub fn watch_every(every: Duration, certificate: &Path, key: &Path, ca: &Path) -> Result<Self, TlsError> {
        Self::start(every, vec![ca.to_owned(), certificate.to_owned(), key.to_owned()])
    }

    /// A client that checks servers against the authority `ca` and presents the certificate and key `own`, if it has any.
    /// All in PEM, and looked at again like a service's.
    pub fn client(ca: &Path, own: Option<(&Path, &Path)>) -> Result<Self, TlsError> {
        let own = own.into_iter().flat_map(|(certificate, key)| [certificate, key]);
        Self::start(POLL, std::iter::once(ca).chain(own).map(Path::to_owned).collect())
    }

    fn start(every: Duration, paths: Vec<PathBuf>) -> Result<Self, TlsError> {
        let read = paths.clone();
        Watched::start("certificates", every, move || material::read(&read), move |found| Loaded::parse(&paths, found))
            .map(Self)
    }

    /// What a gRPC client needs, as of now.
    pub fn client_config(&self) -> ClientTlsConfig {
        let loaded = self.0.current();
        let config = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&loaded.authority));
        match &loaded.pair {
            Some((certificate, key)) => {
                config.identity(tonic::transport::Identity::from_pem(certificate, key.as_slice()))
            }
            None => config,
        }
    }

    /// What a client of plain HTTPS needs, as of now: for tiles and for witnesses. These are run by other organisations as
    /// well, and what they say is signed; so the authorities the system trusts are believed beside the deployment's. It names
    /// no protocol (ALPN): a client of HTTP adds its own.
    pub fn rustls_client(&self) -> Arc<ClientConfig> {
        self.0.current().client.clone()
    }

    /// Tells every change of the files by counting it.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.0.changed()
    }

    /// Until when the own certificate is valid, Unix milliseconds; nothing without one.
    pub fn expires_ms(&self) -> Option<u64> {
        self.0.current().server.as_ref().map(|(_, own)| own.expires_ms)
    }

    /// What a server needs, as of now, and the trust domain it belongs to.
    pub(crate) fn server(&self) -> Result<(Arc<ServerConfig>, Option<String>), TlsError> {
        let loaded = self.0.current();
        let (config, own) = loaded.server.as_ref().ok_or(TlsError::NoCertificate)?;
        Ok((config.clone(), own.trust_domain.clone()))
    }
}

impl Loaded {
    fn parse(paths: &[PathBuf], contents: &Contents) -> Result<Self, TlsError> {
        let [ca, certificate_and_key @ ..] = paths else { return Err(TlsError::Authority) };
        let [authority, pair @ ..] = contents.as_slice() else { return Err(TlsError::Authority) };
        let roots = Arc::new(material::roots(ca, authority)?);
        let ([certificate_file, key_file], [certificate, key]) = (certificate_and_key, pair) else {
            let client = client(&roots, None)?;
            return Ok(Self { authority: authority.clone(), pair: None, server: None, client });
        };
        let chain = material::certificates(certificate_file, certificate)?;
        let own = material::own(chain.first().ok_or(TlsError::NoCertificate)?)?;
        let private = material::private_key(key_file, key)?;
        Ok(Self {
            authority: authority.clone(),
            pair: Some((certificate.clone(), Zeroizing::new(key.clone()))),
            client: client(&roots, Some((chain.clone(), private.clone_key())))?,
            server: Some((server(roots, chain, private)?, own)),
        })
    }
}

type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn client(authorities: &RootCertStore, pair: Option<Pair>) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = authorities.clone();
    roots.extend(SYSTEM.roots.iter().cloned());
    let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13]);
    let builder = builder.map_err(TlsError::Unfit)?.with_root_certificates(roots);
    let config = match pair {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(TlsError::Unfit)?,
        None => builder.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

fn server(
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
