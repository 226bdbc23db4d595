//! Real handshakes: who is let in and as whom, slow callers, certificates replaced while in use.

#![allow(clippy::unwrap_used)]

mod support;

use rustls::pki_types::ServerName;
use std::{fs, net::SocketAddr, os::unix::fs::PermissionsExt, path::Path, sync::Arc, time::Duration};
use support::{Certificate, Port, STUDY, ask, eventually, expired, foreign, plain};
use tls::{CertifiedName, Identity, Listener, TlsError, may_be_plain, pki};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::TlsConnector;

const SOON: Duration = Duration::from_millis(20);

fn made() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    pki::make(dir.path(), &[]).unwrap();
    dir
}

fn watch(dir: &Path, name: &str) -> Result<Identity, TlsError> {
    let file = |kind: &str| dir.join(format!("{name}.{kind}"));
    Identity::watch_every(SOON, &file("pem"), &file("key"), &dir.join("ca.pem"))
}

#[tokio::test]
async fn a_caller_is_whom_its_certificate_names() {
    let dir = made();
    pki::make_actor(dir.path(), "dr-lee", &[STUDY.to_owned()]).unwrap();
    let actor = CertifiedName::Actor { name: "dr-lee".to_owned(), studies: vec![STUDY.to_owned()] };
    let port = Port::open(watch(dir.path(), "capture").unwrap()).await;
    for (file, name) in [
        ("consent", CertifiedName::Service("consent".to_owned())),
        ("client", CertifiedName::Service("client".to_owned())),
        ("actor-dr-lee", actor.clone()),
    ] {
        let said = ask(port.address, watch(dir.path(), file).unwrap().rustls_client()).await.unwrap();
        assert_eq!(said, format!("tls {name:?} {}", name == actor));
    }
    let nobody = Identity::client(&dir.path().join("ca.pem"), None).unwrap();
    assert_eq!(ask(port.address, nobody.rustls_client()).await.unwrap(), "tls nobody");
}

#[tokio::test]
async fn who_presents_a_certificate_of_another_authority_or_an_expired_one_is_not_let_in() {
    let (dir, other) = (made(), made());
    let port = Port::open(watch(dir.path(), "capture").unwrap()).await;
    let client = |certificate: Certificate| support::client(&dir.path().join("ca.pem"), Some(certificate));
    let stranger = Certificate::read(other.path(), "consent");
    assert!(ask(port.address, client(stranger)).await.is_err());
    assert!(ask(port.address, client(expired(dir.path(), "consent"))).await.is_err());
    assert!(ask(port.address, client(Certificate::read(dir.path(), "consent"))).await.is_ok());
}

#[tokio::test]
async fn a_certificate_of_another_trust_domain_names_nobody() {
    let dir = made();
    let port = Port::open(watch(dir.path(), "capture").unwrap()).await;
    for uris in [
        vec!["spiffe://elsewhere.example/trialseal/consent"],
        vec!["spiffe://trialseal.example/trialseal/consent", "spiffe://trialseal.example/trialseal/capture"],
        vec!["spiffe://trialseal.example/other/consent"],
        vec!["spiffe://trialseal.example/trialseal/actor/"],
        vec!["spiffe://trialseal.example/trialseal/actor/dr-lee/study/"],
        vec!["spiffe://trialseal.example/trialseal/actor/dr-lee/study/*"],
        vec!["spiffe://trialseal.example/trialseal/consent/more"],
        vec!["https://trialseal.example/trialseal/consent"],
        vec![],
    ] {
        let client = support::client(&dir.path().join("ca.pem"), Some(foreign(dir.path(), &uris)));
        assert_eq!(ask(port.address, client).await.unwrap(), "tls unknown", "{uris:?}");
    }
}

#[test]
fn a_certificate_for_an_actor_without_a_study_is_not_made() {
    let dir = made();
    let twice = [STUDY.to_owned(), STUDY.to_owned()];
    for (actor, studies) in
        [("dr-lee", &[][..]), ("dr-lee", &["*".to_owned()]), ("dr-lee", &twice), ("dr lee", &twice[..1])]
    {
        assert!(matches!(pki::make_actor(dir.path(), actor, studies), Err(TlsError::Actor)), "{actor} {studies:?}");
    }
    assert!(!dir.path().join("actor-dr-lee.pem").exists());
}

#[tokio::test]
async fn a_client_does_not_talk_to_a_server_of_another_authority_or_name() {
    let (dir, other) = (made(), made());
    let port = Port::open(watch(dir.path(), "capture").unwrap()).await;
    let stranger = watch(other.path(), "consent").unwrap();
    assert!(ask(port.address, stranger.rustls_client()).await.is_err());
    let connector = TlsConnector::from(watch(dir.path(), "consent").unwrap().rustls_client());
    let tcp = TcpStream::connect(port.address).await.unwrap();
    assert!(connector.connect(ServerName::try_from("elsewhere.example").unwrap(), tcp).await.is_err());
}

#[tokio::test]
async fn older_tls_is_not_spoken() {
    let dir = made();
    let port = Port::open(watch(dir.path(), "capture").unwrap()).await;
    let roots = support::roots(&dir.path().join("ca.pem"));
    let builder = rustls::ClientConfig::builder_with_provider(tls::provider());
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS12]).unwrap();
    let old = Arc::new(builder.with_root_certificates(roots).with_no_client_auth());
    assert!(ask(port.address, old).await.is_err());
}

#[tokio::test]
async fn both_versions_of_http_are_offered() {
    let dir = made();
    let port = Port::open(watch(dir.path(), "capture").unwrap()).await;
    for protocol in ["h2", "http/1.1"] {
        let mut config = (*watch(dir.path(), "client").unwrap().rustls_client()).clone();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let tcp = TcpStream::connect(port.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol.as_bytes()));
    }
}

#[tokio::test]
async fn callers_who_never_finish_a_handshake_hold_nobody_up_and_are_dropped() {
    let dir = made();
    let port = Port::open(watch(dir.path(), "capture").unwrap()).await;
    let mut slow = Vec::new();
    for _ in 0..100 {
        slow.push(TcpStream::connect(port.address).await.unwrap());
    }
    let nobody = Identity::client(&dir.path().join("ca.pem"), None).unwrap();
    assert_eq!(ask(port.address, nobody.rustls_client()).await.unwrap(), "tls nobody");
    let mut byte = [0];
    let ended = timeout(Duration::from_secs(60), slow[0].read(&mut byte)).await.unwrap();
    assert!(!matches!(ended, Ok(read) if read > 0));
}

#[tokio::test]
async fn a_certificate_is_replaced_without_a_restart() {
    let dir = made();
    let identity = watch(dir.path(), "capture").unwrap();
    let (port, mut changes) = (Port::open(identity.clone()).await, identity.changed());
    let before = port.served(dir.path()).await;
    pki::make(dir.path(), &[]).unwrap();
    changes.changed().await.unwrap();
    let renewed = Certificate::read(dir.path(), "capture").chain;
    eventually("the new certificate is served", async || port.served(dir.path()).await == renewed[0]).await;
    assert_ne!(before, renewed[0]);
}

#[tokio::test]
async fn a_mounted_secret_is_followed_through_its_links() {
    let (dir, next) = (made(), made());
    for name in ["ca.pem", "capture.pem", "capture.key"] {
        fs::copy(next.path().join(name), dir.path().join(format!("new-{name}"))).unwrap();
    }
    // As Kubernetes mounts secrets: files link into `..data`, a link to a directory that is swapped as a whole.
    let mount = tempfile::tempdir().unwrap();
    let link = |to: &Path, at: &str| std::os::unix::fs::symlink(to, mount.path().join(at)).unwrap();
    link(dir.path(), "..data");
    for name in ["ca.pem", "capture.pem", "capture.key"] {
        link(&Path::new("..data").join(name), name);
    }
    let identity = watch(mount.path(), "capture").unwrap();
    let mut changes = identity.changed();
    link(next.path(), "..next");
    fs::rename(mount.path().join("..next"), mount.path().join("..data")).unwrap();
    changes.changed().await.unwrap();
    let port = Port::open(identity).await;
    assert_eq!(port.served(next.path()).await, Certificate::read(next.path(), "capture").chain[0]);
}

#[tokio::test]
async fn a_broken_file_changes_nothing() {
    let dir = made();
    let identity = watch(dir.path(), "capture").unwrap();
    let (port, before) = (Port::open(identity.clone()).await, Certificate::read(dir.path(), "capture").chain);
    let (file, good) = (dir.path().join("capture.pem"), fs::read(dir.path().join("consent.pem")).unwrap());
    let late = expired(dir.path(), "capture").pem;
    for broken in [b"nonsense".to_vec(), Vec::new(), good, late.into_bytes()] {
        fs::write(&file, broken).unwrap();
        tokio::time::sleep(SOON * 5).await; // what must not happen has this long to happen
        assert_eq!(port.served(dir.path()).await, before[0]);
        assert_eq!(*identity.changed().borrow(), 0);
    }
    fs::remove_file(&file).unwrap();
    tokio::time::sleep(SOON * 5).await; // the same
    assert_eq!(port.served(dir.path()).await, before[0]);
}

#[tokio::test]
async fn what_cannot_be_used_is_said_at_the_start() {
    let dir = made();
    fs::write(dir.path().join("capture.key"), fs::read(dir.path().join("consent.key")).unwrap()).unwrap();
    assert!(matches!(watch(dir.path(), "capture"), Err(TlsError::Unfit(_))));
    fs::write(dir.path().join("capture.key"), "nothing").unwrap();
    assert!(matches!(watch(dir.path(), "capture"), Err(TlsError::Pem { .. })));
    fs::write(dir.path().join("capture.key"), vec![0; (1 << 20) + 1]).unwrap();
    assert!(matches!(watch(dir.path(), "capture"), Err(TlsError::TooLarge(_))));
    assert!(matches!(watch(dir.path(), "nobody"), Err(TlsError::File { .. })));
    let nobody = Identity::client(&dir.path().join("ca.pem"), None).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    assert!(matches!(Listener::tls(listener, nobody), Err(TlsError::NoCertificate)));
}

#[tokio::test]
async fn the_authority_stays_and_keys_are_their_owners_alone() {
    let dir = made();
    let read = |name: &str| fs::read(dir.path().join(name)).unwrap();
    let (authority, certificate) = (read("ca.pem"), read("capture.pem"));
    pki::make(dir.path(), &["example.org".to_owned(), ".trialseal.svc".to_owned(), "10.0.0.7".to_owned()]).unwrap();
    assert_eq!(read("ca.pem"), authority);
    assert_ne!(read("capture.pem"), certificate);
    for name in pki::NAMES.iter().chain(&["ca"]) {
        let key = fs::metadata(dir.path().join(format!("{name}.key"))).unwrap();
        assert_eq!(key.permissions().mode() & 0o777, 0o600, "{name}");
    }
    let port = Port::open(watch(dir.path(), "capture").unwrap()).await;
    let connector = TlsConnector::from(Identity::client(&dir.path().join("ca.pem"), None).unwrap().rustls_client());
    for (name, good) in [
        ("example.org", true),
        ("capture.trialseal.svc", true),
        ("consent.trialseal.svc", false),
        ("10.0.0.7", true),
        ("10.0.0.8", false),
        ("capture", true),
        ("127.0.0.1", true),
    ] {
        let tcp = TcpStream::connect(port.address).await.unwrap();
        let answer = connector.connect(ServerName::try_from(name).unwrap(), tcp).await;
        assert_eq!(answer.is_ok(), good, "{name}");
    }
}

#[tokio::test]
async fn without_tls_a_connection_says_so() {
    let port = plain().await;
    let mut stream = TcpStream::connect(port).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("loopback"), "{answer}");
}

#[test]
fn plaintext_stays_on_this_machine() {
    for (address, may) in [
        ("127.0.0.1:1", true),
        ("127.8.9.1:1", true),
        ("[::1]:1", true),
        ("[::ffff:127.0.0.1]:1", true),
        ("0.0.0.0:1", false),
        ("[::]:1", false),
        ("10.0.0.1:1", false),
        ("192.168.1.1:1", false),
        ("[fe80::1]:1", false),
        ("[::ffff:10.0.0.1]:1", false),
        ("203.0.113.1:1", false),
    ] {
        assert_eq!(may_be_plain(address.parse::<SocketAddr>().unwrap()), may, "{address}");
    }
}
