//! TLS: the authority decides who is called, and certificates are replaced while in use.

#![allow(clippy::unwrap_used)]

mod support;

use axum::{Router, http::StatusCode, routing::get};
use channel::{
    Channel, Settings,
    http::{Http, HttpError},
};
use std::{
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};
use support::{check, free, quick};
use tls::{Identity, Listener, Peer, pki};
use tokio::{net::TcpListener, task::JoinHandle};
use tonic::{Code, service::Routes};

const LOOK: Duration = Duration::from_millis(20);

fn identity(dir: &Path, name: &str) -> Identity {
    let file = |kind: &str| dir.join(format!("{name}.{kind}"));
    Identity::watch_every(LOOK, &file("pem"), &file("key"), &dir.join("ca.pem")).unwrap()
}

/// Health and a file over TLS, by the certificates in `dir`.
async fn serve(address: SocketAddr, dir: &Path) -> JoinHandle<()> {
    let listener = Listener::tls(TcpListener::bind(address).await.unwrap(), identity(dir, "capture")).unwrap();
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("", tonic_health::ServingStatus::Serving).await;
    let file = Router::new().route("/file", get(|| async { "content" }));
    let file = file.route("/other", get(|| async { StatusCode::NOT_FOUND }));
    let router = Routes::new(health).prepare().into_axum_router().merge(file);
    let service = router.into_make_service_with_connect_info::<Peer>();
    tokio::spawn(async move { axum::serve(listener, service).await.unwrap() })
}

fn channel(url: &str, identity: Identity) -> Channel {
    Channel::new(url, Some(identity), Settings { attempts: 1, ..quick() }).unwrap()
}

#[tokio::test]
async fn a_server_of_another_authority_is_not_called() {
    let (ours, others) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    pki::make(ours.path(), &[]).unwrap();
    pki::make(others.path(), &[]).unwrap();
    let address = free();
    let _server = serve(address, ours.path()).await;
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("https://{host}:{}", address.port());
        check(&channel(&url, identity(ours.path(), "client"))).await.unwrap();
        check(&channel(&url, Identity::client(&ours.path().join("ca.pem"), None).unwrap())).await.unwrap();
        let refused = check(&channel(&url, identity(others.path(), "client"))).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable);
    }
}

#[tokio::test]
async fn replaced_certificates_are_taken_into_use() {
    let (client_dir, old, new) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    pki::make(old.path(), &[]).unwrap();
    pki::make(new.path(), &[]).unwrap();
    let install = |from: &Path| {
        for name in ["client.pem", "client.key", "ca.pem"] {
            let part = client_dir.path().join("part");
            std::fs::copy(from.join(name), &part).unwrap();
            std::fs::rename(part, client_dir.path().join(name)).unwrap();
        }
    };
    install(old.path());
    let address = free();
    let url = format!("https://{address}");
    let own = identity(client_dir.path(), "client");
    let (channel, http) = (channel(&url, own.clone()), Http::new(Some(own)).unwrap());
    let _first = serve(address, old.path()).await;
    check(&channel).await.unwrap();
    assert_eq!(http.fetch(&format!("{url}/file"), 100).await.unwrap(), b"content");

    // Another authority's server takes over; what the client holds is for the old one.
    let second = free();
    let _second = serve(second, new.path()).await;
    let url = format!("https://{second}");
    let moved = self::channel(&url, identity(client_dir.path(), "client"));
    check(&moved).await.unwrap_err();
    http.fetch(&format!("{url}/file"), 100).await.unwrap_err();
    install(new.path());
    let until = Instant::now() + Duration::from_secs(60);
    while check(&moved).await.is_err() || http.fetch(&format!("{url}/file"), 100).await.is_err() {
        assert!(Instant::now() < until, "the new certificates are not used");
        tokio::time::sleep(LOOK).await; // between two questions; the answer is what is waited for
    }
    // And connections made with the old ones are not used any more.
    while check(&channel).await.is_ok() {
        assert!(Instant::now() < until, "the old connection is still used");
        tokio::time::sleep(LOOK).await;
    }
}

#[tokio::test]
async fn what_is_fetched_is_bounded_and_its_failures_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    pki::make(dir.path(), &[]).unwrap();
    let address = free();
    let _server = serve(address, dir.path()).await;
    let http = Http::new(Some(identity(dir.path(), "client"))).unwrap();
    let fetch = async |path: &str, limit| http.fetch(&format!("https://{address}/{path}"), limit).await;
    assert_eq!(fetch("file", 7).await.unwrap(), b"content");
    assert!(matches!(fetch("file", 6).await.unwrap_err(), HttpError::TooLarge(_)));
    assert!(matches!(fetch("other", 100).await.unwrap_err(), HttpError::Status { status: 404, .. }));
    assert!(matches!(http.fetch("no url", 1).await.unwrap_err(), HttpError::Address(_)));
    assert!(matches!(http.fetch(&format!("http://{}", free()), 1).await.unwrap_err(), HttpError::Unreachable(_)));
    let stranger = Http::new(None).unwrap().fetch(&format!("https://{address}/file"), 100).await;
    assert!(matches!(stranger.unwrap_err(), HttpError::Unreachable(_)));
}
