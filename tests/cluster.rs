//! A whole cluster on this machine: the story is told on it as on one process, and each process is restarted under load
//! without anybody noticing.

#![allow(clippy::unwrap_used)]

mod support;

use channel::{Channel, Settings};
use client::{Client, random};
use std::{
    path::Path,
    process::Command,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread::sleep,
    time::{Duration, Instant},
};
use support::{
    load::{Load, Plan},
    process::TRIALSEAL,
};
use testbed::cluster::Cluster;
use tls::Identity;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

/// Longer than any restart of eleven processes takes: the load ends when they have been restarted.
const UNTIL_RESTARTED: Duration = Duration::from_secs(900);

/// Longer than a check takes to find that the database is away or back.
const PATIENCE: Duration = Duration::from_secs(90);
/// Commands acknowledged between two restarts.
const BETWEEN: u64 = 20;

static RETRIES: AtomicU64 = AtomicU64::new(0);

#[tokio::test(flavor = "multi_thread")]
async fn the_story_is_told_on_a_cluster_restarts_go_unnoticed_and_a_lost_database_is_told() {
    channel::on_retry(|| {
        RETRIES.fetch_add(1, Relaxed);
    });
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("cluster");
    let mut cluster = Cluster::start(Path::new(TRIALSEAL), &place);

    let mut demo = Command::new(TRIALSEAL);
    demo.args(["demo", "--cluster"]).arg(&place).arg("--data").arg(folder.path().join("demo"));
    let told = demo.output().unwrap();
    let said = String::from_utf8_lossy(&told.stdout);
    assert!(told.status.success(), "{said}\n{}", String::from_utf8_lossy(&told.stderr));
    assert!(said.contains("13. An insider") && said.contains("the next capture for them is refused"), "{said}");

    let client = Client::new(&client::Endpoints::read(&place.join("endpoints.json")).unwrap()).unwrap();
    let seed = u64::from_be_bytes(random().unwrap());
    let plan = Plan { seed, studies: 2, participants: 4, clients: 8, rate: 3.0, lasting: UNTIL_RESTARTED };
    let load = Load::set_up(&client, plan, &folder.path().join("told")).await;
    let going_on = load.clone();
    let restarting = tokio::task::spawn_blocking(move || {
        for member in cluster.members.values_mut() {
            let ended = member.terminate().unwrap();
            assert!(ended.success(), "{}: {ended}", member.name);
            member.spawn();
            member.wait_until_up();
            let enough = going_on.acknowledged_so_far() + BETWEEN;
            while going_on.acknowledged_so_far() < enough {
                sleep(Duration::from_millis(20)); // between two looks; the load's progress is what is waited for
            }
        }
        going_on.stop();
        cluster
    });
    let figures = load.run(&client).await;
    let cluster = restarting.await.unwrap();
    println!("{figures}\nthe library tried {} calls again", RETRIES.load(Relaxed));
    assert_eq!((figures.again, figures.given_up), (0, 0), "calls failed: {:?}", figures.failures);
    assert!(figures.checkpoints > 0 && figures.reads > 0 && figures.by_kind.len() > 2, "a service was not called");

    let url = format!("https://{}", cluster.members["capture-1"].address);
    let identity = Identity::client(&place.join("pki/ca.pem"), None).unwrap();
    let health = HealthClient::new(Channel::new(&url, Some(identity), Settings::default()).unwrap());
    let told = |ready| {
        let health = health.clone();
        async move {
            for name in ["", "capture.database"] {
                told_to_be(health.clone(), name, ready).await;
            }
        }
    };
    told(ServingStatus::Serving).await;
    cluster.postgres.stop();
    told(ServingStatus::NotServing).await;
    cluster.postgres.resume_service();
    told(ServingStatus::Serving).await;
}

/// Asks until health tells so of `name`.
async fn told_to_be(mut health: HealthClient<Channel>, name: &str, expected: ServingStatus) {
    let until = Instant::now() + PATIENCE;
    loop {
        let request = HealthCheckRequest { service: name.to_owned() };
        let told = health.check(request).await.map(|answer| answer.into_inner().status());
        if matches!(&told, Ok(status) if *status == expected) {
            return;
        }
        assert!(Instant::now() < until, "{name:?}: {told:?} and not {expected:?}");
        tokio::time::sleep(Duration::from_millis(100)).await; // between two questions; the answer is what is waited for
    }
}
