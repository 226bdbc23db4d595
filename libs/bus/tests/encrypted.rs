//! The bus on a Redis that speaks TLS and asks for certificates.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use bus::{Bus, News, Trust};
use seal::id::Service;
use std::path::Path;
use support::{follower, heard, moved, soon};
use testbed::redis::Redis;

fn trust(folder: &Path) -> Trust {
    let identity = (folder.join("capture.pem"), folder.join("capture.key"));
    Trust { ca: Some(folder.join("ca.pem")), identity: Some(identity) }
}

#[tokio::test]
async fn news_travel_encrypted_between_those_with_certificates_and_to_nobody_else() {
    let (ours, strange) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    tls::pki::make(ours.path(), &[]).unwrap();
    tls::pki::make(strange.path(), &[]).unwrap();
    let (_redis, url) = Redis::start_tls(ours.path()).unwrap();

    let good = trust(ours.path());
    let bus = Bus::connect(&url, "one", Some(&good)).unwrap();
    let mut following = follower(&bus).await;
    bus.publish(moved(1, 1));
    assert_eq!(heard(&mut following).await, moved(1, 1));

    let anonymous = Trust { identity: None, ..good.clone() };
    let stranger = Trust { identity: trust(strange.path()).identity, ..good.clone() };
    let deceived = Trust { ca: trust(strange.path()).ca, ..good };
    for trust in [anonymous, stranger, deceived] {
        let bus = Bus::connect(&url, "two", Some(&trust)).unwrap();
        assert_eq!(soon(bus.follow(Service::Consent).next()).await, News::Away, "{trust:?}");
    }
}

#[tokio::test]
async fn certificates_are_read_anew_for_every_connection() {
    let folder = tempfile::tempdir().unwrap();
    tls::pki::make(folder.path(), &[]).unwrap();
    let (mut redis, url) = Redis::start_tls(folder.path()).unwrap();
    let bus = Bus::connect(&url, "one", Some(&trust(folder.path()))).unwrap();
    let mut following = follower(&bus).await;
    redis.kill().unwrap();
    // Another authority and other certificates under the same names.
    std::fs::remove_file(folder.path().join("ca.pem")).unwrap();
    std::fs::remove_file(folder.path().join("ca.key")).unwrap();
    tls::pki::make(folder.path(), &[]).unwrap();
    redis.restart().unwrap();
    bus.publish(moved(1, 1));
    support::missed(&mut following).await;
    bus.publish(moved(1, 2));
    soon(async { while heard(&mut following).await != moved(1, 2) {} }).await;
}
