//! A port that says who called, and callers with certificates of every kind.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)] // a test may panic

use axum::{Router, extract::ConnectInfo, routing::get};
use rcgen::{CertificateParams, Issuer, KeyPair, SanType, date_time_ymd};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use std::{fs, io, net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tls::{CertifiedName, Identity, Listener, Peer, Presented, Transport};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep},
};
use tokio_rustls::TlsConnector;

/// A study.
pub const STUDY: &str = "01234567-89ab-4def-8123-456789abcdef";

/// A running server.
pub struct Port {
    pub address: SocketAddr,
}

impl Port {
    /// Serves with the certificate of `identity`.
    pub async fn open(identity: Identity) -> Self {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        serve(Listener::tls(tcp, identity).unwrap());
        Self { address }
    }

    /// The certificate served now.
    pub async fn served(&self, dir: &Path) -> CertificateDer<'static> {
        let connector = TlsConnector::from(client(&dir.join("ca.pem"), None));
        let tcp = TcpStream::connect(self.address).await.unwrap();
        let stream = connector.connect(ServerName::try_from("localhost").unwrap(), tcp).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
    }
}

/// Serves without TLS.
pub async fn plain() -> SocketAddr {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    serve(Listener::plain(tcp).unwrap());
    address
}

fn serve(listener: Listener) {
    let router = Router::new().route("/", get(|ConnectInfo(peer): ConnectInfo<Peer>| async move { said(&peer) }));
    let service = router.into_make_service_with_connect_info::<Peer>();
    tokio::spawn(async move { axum::serve(listener, service).await });
}

fn said(peer: &Peer) -> String {
    match &peer.transport {
        Transport::Loopback => "loopback".to_owned(),
        Transport::Plain => "plain".to_owned(),
        Transport::Tls(None) => "tls nobody".to_owned(),
        Transport::Tls(Some(Presented { name: None, .. })) => "tls unknown".to_owned(),
        Transport::Tls(Some(Presented { name: Some(name), .. })) => {
            format!(
                "tls {name:?} {}",
                matches!(name, CertifiedName::Actor { name, studies } if name == "dr-lee" && studies == &[STUDY])
            )
        }
    }
}

/// What the server says to a client.
pub async fn ask(address: SocketAddr, config: Arc<ClientConfig>) -> io::Result<String> {
    let tcp = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(config).connect(name, tcp).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
    if head.starts_with("HTTP/1.1 200") { Ok(body.to_owned()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// A client's certificate and key.
pub struct Certificate {
    pub pem: String,
    pub chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Certificate {
    /// The one in `dir` under `name`.
    pub fn read(dir: &Path, name: &str) -> Self {
        let read = |kind: &str| fs::read_to_string(dir.join(format!("{name}.{kind}"))).unwrap();
        Self::new(read("pem"), &read("key"))
    }

    fn new(pem: String, key: &str) -> Self {
        let chain = CertificateDer::pem_slice_iter(pem.as_bytes()).map(Result::unwrap).collect();
        Self { chain, key: PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(), pem }
    }
}

/// A certificate of the authority in `dir`, expired, with the key that is in `dir` under `name`.
pub fn expired(dir: &Path, name: &str) -> Certificate {
    let mut params = named(&[&format!("spiffe://trialseal.example/trialseal/{name}")]);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2021, 1, 1);
    issued(dir, &params, &fs::read_to_string(dir.join(format!("{name}.key"))).unwrap())
}

/// A certificate of the authority in `dir` with these URIs.
pub fn foreign(dir: &Path, uris: &[&str]) -> Certificate {
    issued(dir, &named(uris), &KeyPair::generate().unwrap().serialize_pem())
}

fn named(uris: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())).collect();
    params
}

fn issued(dir: &Path, params: &CertificateParams, key: &str) -> Certificate {
    let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
    let authority = KeyPair::from_pem(&read("ca.key")).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&read("ca.pem"), authority).unwrap();
    let certificate = params.signed_by(&KeyPair::from_pem(key).unwrap(), &issuer).unwrap();
    Certificate::new(certificate.pem(), key)
}

/// A client that trusts `ca`, with a certificate or without.
pub fn client(ca: &Path, certificate: Option<Certificate>) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(tls::provider());
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots(ca));
    Arc::new(match certificate {
        Some(Certificate { chain, key, .. }) => builder.with_client_auth_cert(chain, key).unwrap(),
        None => builder.with_no_client_auth(),
    })
}

/// The authority in a file.
pub fn roots(ca: &Path) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&fs::read(ca).unwrap()).unwrap()).unwrap();
    roots
}

/// Waits until `is` true; gives up after a time no healthy machine needs.
pub async fn eventually(what: &str, mut is: impl AsyncFnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !is().await {
        assert!(Instant::now() < until, "{what}: not within a minute");
        sleep(Duration::from_millis(20)).await; // between two questions; the answer is what is waited for
    }
}
