//! Actors whom an identity provider vouches for, in a real study: read by services of their own, as processes; shut out when
//! their key is revoked.

#![allow(clippy::unwrap_used)]

mod support;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use caller::ServiceToken;
use channel::{Channel, Settings};
use client::{new_key, new_uuid, now_ms};
use facts::{FactSource, RemoteFacts};
use proto::capture::{LookupReceiptsRequest, capture_service_client::CaptureServiceClient};
use seal::{
    id::{Name, Service},
    key::SecretKey,
};
use serde_json::json;
use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};
use support::{World, process::TRIALSEAL};
use synthetic::Actor;
use tonic::{Code, Request};
use vocabulary::command::{RevokeKey, RotateKey};

const ISSUER: &str = "https://id.example.org";

/// A capture service of its own beside a running deployment.
struct Process {
    child: Child,
    url: String,
}

impl Process {
    /// Starts it with an identity provider that signs by `provider`.
    fn start(world: &World, provider: &SecretKey) -> Self {
        let folder = world.folder.path();
        let key = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "1", "x": text(provider.public().as_bytes()) });
        fs::write(folder.join("jwks.json"), json!({ "keys": [key] }).to_string()).unwrap();
        let oidc = format!("[[provider]]\nissuer = \"{ISSUER}\"\naudience = \"trialseal\"\njwks = \"jwks.json\"\n");
        fs::write(folder.join("oidc.toml"), oidc).unwrap();
        let at = |name: &str| folder.join(name).display().to_string();
        let mut command = Command::new(TRIALSEAL);
        command.args(["capture", "--listen", "127.0.0.1:0", "--keys", &at("keys"), "--oidc", &at("oidc.toml")]);
        command.args(["--database", &format!("sqlite://{}", at("capture-2.sqlite"))]);
        command.args(["--vault-database", &format!("sqlite://{}", at("vault.sqlite"))]);
        command.args(["--enrollment", &world.deployment.endpoints.enrollment]);
        command.args(["--consent", &world.deployment.endpoints.consent]);
        let mut child = command.env("RUST_LOG", "error").stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let address = lines.find_map(|line| line.strip_prefix("listening on ").map(str::to_owned)).unwrap();
        std::thread::spawn(move || lines.for_each(drop)); // keeps the pipe open and empty
        Self { child, url: format!("http://{address}") }
    }

    /// Asks something that any actor of the study may, with a token.
    async fn ask(&self, world: &World, token: &str) -> Result<(), Code> {
        let study = world.study.id.to_string();
        let mut request = Request::new(LookupReceiptsRequest { study, requests: Vec::new() });
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        let mut client = CaptureServiceClient::new(channel(&self.url));
        client.lookup_receipts(request).await.map(drop).map_err(|status| status.code())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _already_waited_for = self.child.wait();
    }
}

fn channel(url: &str) -> Channel {
    Channel::new(url, None, Settings::default()).unwrap()
}

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token of the provider for an account.
fn token(provider: &SecretKey, account: &str) -> String {
    let claims = json!({ "iss": ISSUER, "aud": "trialseal", "sub": account, "exp": now_ms() / 1_000 + 300 });
    let header = json!({ "alg": "EdDSA", "kid": "1" });
    let message = format!("{}.{}", text(header.to_string().as_bytes()), text(claims.to_string().as_bytes()));
    format!("{message}.{}", text(&provider.sign(message.as_bytes())))
}

async fn rotate(world: &World, actor: &Actor, key: &SecretKey) {
    let (study, request, by, time) = (world.study.id, new_uuid().unwrap(), actor.name.clone(), now_ms());
    let rotate = RotateKey { study, request, by, time, key: key.public(), confirmed: None };
    world.client.record(&rotate, &[&actor.key, key]).await.unwrap();
}

async fn revoke(world: &World, by: &Actor, key: &SecretKey) {
    let (study, request, time) = (world.study.id, new_uuid().unwrap(), now_ms());
    let reason = "left the site".parse().unwrap();
    let revoke = RevokeKey { study, request, by: by.name.clone(), time, key: key.public().id(), reason };
    world.client.record(&revoke, &[&by.key]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_provider_vouches_for_reads_while_their_key_is_valid() {
    let (world, provider) = (World::new().await, new_key().unwrap());
    let process = Process::start(&world, &provider);
    let (coordinator, root) = (&world.study.coordinator, &world.study.root);
    let good = token(&provider, coordinator.name.as_str());
    assert_eq!(process.ask(&world, &good).await, Ok(()));
    assert_eq!(process.ask(&world, &token(&provider, world.participants[0].name.as_str())).await, Ok(()));
    assert_eq!(process.ask(&world, &token(&provider, "stranger")).await, Err(Code::Unauthenticated));
    assert_eq!(process.ask(&world, &token(&provider, root.name.as_str())).await, Err(Code::Unauthenticated));
    let forged = token(&new_key().unwrap(), coordinator.name.as_str());
    assert_eq!(process.ask(&world, &forged).await, Err(Code::Unauthenticated));
    let next = new_key().unwrap();
    rotate(&world, coordinator, &next).await;
    assert_eq!(process.ask(&world, &good).await, Ok(()));
    revoke(&world, root, &next).await;
    assert_eq!(process.ask(&world, &good).await, Err(Code::Unauthenticated));
}

#[tokio::test(flavor = "multi_thread")]
async fn services_learn_which_key_is_valid_through_rotation_and_revocation() {
    let world = World::new().await;
    let services = ServiceToken::new(&world.deployment.data().keys().secret("service.token").unwrap());
    let at = channel(&world.deployment.endpoints.enrollment);
    let facts = RemoteFacts::new(Service::Enrollment, at.clone(), services);
    let found = async |name: &Name| facts.key_of(world.study.id, name).await.unwrap();
    let investigator = &world.study.investigator;
    let mut key = investigator.key.public().id();
    assert_eq!(found(&investigator.name).await, Some(key));
    let mut holder = Actor { name: investigator.name.clone(), key: investigator.key.clone() };
    for _ in 0..3 {
        let next = new_key().unwrap();
        rotate(&world, &holder, &next).await;
        (key, holder.key) = (next.public().id(), next);
        assert_eq!(found(&investigator.name).await, Some(key));
    }
    revoke(&world, &world.study.root, &holder.key).await;
    assert_eq!(found(&investigator.name).await, None);
    let participant = &world.participants[0];
    assert_eq!(found(&participant.name).await, Some(participant.key.public().id()));
    assert_eq!(found(&"stranger".parse().unwrap()).await, None);
    assert_eq!(facts.key_of(new_uuid().unwrap(), &participant.name).await.unwrap(), None, "no such study");
    // Nobody else learns it.
    let outsider = RemoteFacts::new(Service::Enrollment, at, ServiceToken::absent());
    assert!(outsider.key_of(world.study.id, &participant.name).await.is_err());
}
