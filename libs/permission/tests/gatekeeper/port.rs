//! A service behind the gatekeeper, which says whom it saw; and how it is asked.

use axum::{Router, extract::Request, response::IntoResponse};
use caller::{Caller, Member};
use facts::{FactError, FactSource};
use permission::{GateLayer, Gatekeeper};
use seal::{
    entry::Head,
    id::{Name, Uuid},
    key::{KeyId, SecretKey},
};
use std::{
    collections::HashMap,
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use tls::{Identity, Listener, Peer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, pki_types::ServerName},
};
use tonic::{
    Code, Status,
    codegen::http::{HeaderMap, HeaderName, HeaderValue},
};
use tonic_types::StatusExt;
use vocabulary::{
    fact::{self, Fact, Facts},
    subject::{self, Subject},
};

pub const SUBMIT: &str = "/trialseal.capture.v1.CaptureService/SubmitForm";
pub const READ: &str = "/trialseal.capture.v1.CaptureService/GetForm";
pub const DECIDE: &str = "/trialseal.consent.v1.ConsentService/Decide";
pub const FACTS: &str = "/trialseal.journal.v1.JournalService/ReadFacts";
pub const ENTRIES: &str = "/trialseal.journal.v1.JournalService/ReadEntries";
pub const HEALTH: &str = "/grpc.health.v1.Health/Check";

/// The study everything is about, and another.
pub fn study() -> Uuid {
    Uuid::from_random([1; 16])
}
pub fn other_study() -> Uuid {
    Uuid::from_random([2; 16])
}

pub fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// The keys of actors: `dr-lee` has a valid one in both studies, `dr-gone` a revoked one.
pub fn key_of(actor: &str) -> SecretKey {
    let mut seed = [0; 32];
    seed[..actor.len()].copy_from_slice(actor.as_bytes());
    SecretKey::from_seed(&seed)
}

struct People(HashMap<KeyId, Fact>);

impl People {
    fn new() -> Self {
        let known = [("dr-lee", None), ("dr-gone", Some(7))].map(|(name, ended)| {
            let key = key_of(name).public();
            (key.id(), Fact::Key(fact::Key { actor: name.parse().unwrap(), key, registered: 1, ended, steps: None }))
        });
        Self(known.into())
    }
}

#[tonic::async_trait]
impl FactSource for People {
    async fn facts(&self, _: Uuid, subjects: &[Subject]) -> Result<(Option<Head>, Facts), FactError> {
        let known = self.0.iter().map(|(key, fact)| (subject::key(*key), fact.clone()));
        Ok((None, known.filter(|(subject, _)| subjects.contains(subject)).collect()))
    }

    async fn key_of(&self, _: Uuid, actor: &Name) -> Result<Option<KeyId>, FactError> {
        let valid = |(key, fact): (&KeyId, &Fact)| match fact {
            Fact::Key(fact::Key { actor: owner, ended: None, .. }) if owner == actor => Some(*key),
            _ => None,
        };
        Ok(self.0.iter().find_map(valid))
    }
}

/// What the service answers: what the caller is, and who in the study and in the other.
async fn says(request: Request) -> impl IntoResponse {
    let (_, extensions, _) = tonic::Request::from_http(request).into_parts();
    let caller = Caller::of(&tonic::metadata::MetadataMap::new(), &extensions);
    let (people, mut said) = (People::new(), caller.kind().name().to_owned());
    for study in [study(), other_study()] {
        let who = access::actor(&caller, study, &people, now_ms()).await;
        said += &format!(" {}", who.map_or("-".to_owned(), |name| name.to_string()));
    }
    said
}

fn router(gate: GateLayer) -> Router {
    Router::new().fallback(says).layer(gate)
}

/// A service with TLS.
pub async fn open(gatekeeper: &Gatekeeper, at: Member, identity: Identity) -> SocketAddr {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    serve(gatekeeper, at, tcp.local_addr().unwrap(), Listener::tls(tcp, identity).unwrap())
}

/// A service without TLS, listening where `address` says.
pub async fn open_plain(gatekeeper: &Gatekeeper, at: Member, address: &str) -> SocketAddr {
    let tcp = TcpListener::bind(address).await.unwrap();
    let port = tcp.local_addr().unwrap().port();
    serve(gatekeeper, at, SocketAddr::from(([127, 0, 0, 1], port)), Listener::plain(tcp).unwrap())
}

fn serve(gatekeeper: &Gatekeeper, at: Member, address: SocketAddr, listener: Listener) -> SocketAddr {
    let service = router(gatekeeper.layer(at)).into_make_service_with_connect_info::<Peer>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

/// The identity of the file `name` in `dir`.
pub fn identity(dir: &Path, name: &str) -> Identity {
    let file = |kind: &str| dir.join(format!("{name}.{kind}"));
    Identity::watch(&file("pem"), &file("key"), &dir.join("ca.pem")).unwrap()
}

/// The refusal as its code, reason and metadata.
pub type Refused = (Code, String, HashMap<String, String>);

/// Asks over TLS; `Err(None)` if there was no answer at all.
pub async fn ask(
    address: SocketAddr,
    config: Arc<ClientConfig>,
    path: &str,
    headers: &[(&str, String)],
) -> Result<String, Option<Refused>> {
    let tcp = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(config).connect(name, tcp).await.map_err(|_| None)?;
    talk(stream, path, headers).await
}

/// Asks without TLS.
pub async fn ask_plain(address: SocketAddr, path: &str, headers: &[(&str, String)]) -> Result<String, Option<Refused>> {
    talk(TcpStream::connect(address).await.unwrap(), path, headers).await
}

async fn talk(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    path: &str,
    headers: &[(&str, String)],
) -> Result<String, Option<Refused>> {
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/grpc\r\ncontent-length: 0\r\n"
    );
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    let sent = stream.write_all(format!("{request}\r\n").as_bytes()).await;
    let mut answer = String::new();
    sent.and(stream.read_to_string(&mut answer).await.map(drop)).map_err(|_| None)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(None)?;
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    let fields: HeaderMap = fields
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()))
        .collect();
    match Status::from_header_map(&fields) {
        Some(status) => {
            let info = status.get_details_error_info().map(|info| (info.reason, info.metadata));
            let (reason, metadata) = info.unwrap_or_default();
            Err(Some((status.code(), reason, metadata)))
        }
        None if head.starts_with("HTTP/1.1 200") => Ok(body.to_owned()),
        None => Err(None),
    }
}

pub fn bearer(token: &str) -> [(&'static str, String); 1] {
    [("authorization", format!("Bearer {token}"))]
}

/// What somebody is told who must show who they are, or shows something bad.
pub fn unauthenticated() -> Option<Refused> {
    Some((Code::Unauthenticated, "CREDENTIALS_INVALID".to_owned(), HashMap::new()))
}

/// What somebody is told who is known and may not.
pub fn denied(kind: &str) -> Option<Refused> {
    let caller = HashMap::from([("caller".to_owned(), kind.to_owned())]);
    Some((Code::PermissionDenied, "CALLER_NOT_PERMITTED".to_owned(), caller))
}
