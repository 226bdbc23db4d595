//! Who this process is to others, and whom it trusts.

#[cfg(feature = "server")]
use crate::accepting::Accepting;
use crate::{TlsError, material, provider, web::SYSTEM};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer},
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
    #[cfg(feature = "server")]
    server: Option<Accepting>,
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
    #[cfg(feature = "server")]
    pub fn expires_ms(&self) -> Option<u64> {
        self.0.current().server.as_ref().map(|server| server.expires_ms)
    }

    /// What a server needs, as of now, and the trust domain it belongs to.
    #[cfg(feature = "server")]
    pub(crate) fn server(&self) -> Result<(Arc<rustls::ServerConfig>, Option<String>), TlsError> {
        let loaded = self.0.current();
        let server = loaded.server.as_ref().ok_or(TlsError::NoCertificate)?;
        Ok((server.config.clone(), server.trust_domain.clone()))
    }
}

impl Loaded {
    fn parse(paths: &[PathBuf], contents: &Contents) -> Result<Self, TlsError> {
        let [ca, certificate_and_key @ ..] = paths else { return Err(TlsError::Authority) };
        let [authority, pair @ ..] = contents.as_slice() else { return Err(TlsError::Authority) };
        let roots = Arc::new(material::roots(ca, authority)?);
        let ([certificate_file, key_file], [certificate, key]) = (certificate_and_key, pair) else {
            return Ok(Self {
                authority: authority.clone(),
                pair: None,
                #[cfg(feature = "server")]
                server: None,
                client: client(&roots, None)?,
            });
        };
        let chain = material::certificates(certificate_file, certificate)?;
        let private = material::private_key(key_file, key)?;
        Ok(Self {
            authority: authority.clone(),
            pair: Some((certificate.clone(), Zeroizing::new(key.clone()))),
            client: client(&roots, Some((chain.clone(), private.clone_key())))?,
            #[cfg(feature = "server")]
            server: Some(Accepting::new(roots, chain, private)?),
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
