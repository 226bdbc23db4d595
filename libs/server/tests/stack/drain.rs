//! How a port stops.

use crate::world::{ANSWER, HANG, World, call, eventually};
use server::Limits;
use std::time::{Duration, Instant};
use tokio::{net::TcpStream, time::timeout};
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};
use tonic_types::StatusExt;

#[tokio::test(flavor = "multi_thread")]
async fn a_running_call_finishes_an_endless_one_ends_and_nobody_new_is_taken() {
    let world =
        World::start(|parts| parts.limits(Limits { drain: Duration::from_secs(60), ..Limits::default() })).await;
    let channel = world.channel().await;
    let running = tokio::spawn(async move { call(&channel, HANG).await });
    world.running(1).await;
    let request = HealthCheckRequest { service: String::new() };
    let mut watch = world.health().await.watch(request).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::Serving);

    world.stop.notify_one();
    let mut last = timeout(Duration::from_secs(60), watch.message()).await.unwrap();
    if let Ok(Some(told)) = &last {
        assert_eq!(told.status(), ServingStatus::NotServing);
        last = timeout(Duration::from_secs(60), watch.message()).await.expect("an answer without an end ends");
    }
    let status = last.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.get_details_error_info().unwrap().reason, "STOPPING");
    eventually("the port to close", async || TcpStream::connect(world.address).await.err()).await;
    assert!(!world.served.is_finished(), "a call still runs");

    world.seen.released.notify_one();
    assert!(running.await.unwrap().is_ok());
    world.served.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn during_the_notice_health_says_no_and_calls_are_still_taken() {
    let world =
        World::start(|parts| parts.limits(Limits { notice: Duration::from_secs(600), ..Limits::default() })).await;
    let mut health = world.health().await;
    world.stop.notify_one();
    eventually("health to say no", async || {
        let answer = health.check(HealthCheckRequest { service: String::new() }).await.unwrap().into_inner();
        (answer.status() == ServingStatus::NotServing).then_some(())
    })
    .await;
    assert!(call(&world.channel().await, ANSWER).await.is_ok());
    world.served.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_never_ends_is_cut_off() {
    let world =
        World::start(|parts| parts.limits(Limits { drain: Duration::from_millis(100), ..Limits::default() })).await;
    let channel = world.channel().await;
    let running = tokio::spawn(async move { call(&channel, HANG).await });
    world.running(1).await;
    let start = Instant::now();
    world.stop.notify_one();
    world.served.await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(30), "well before the call's own deadline");
    assert!(running.await.unwrap().is_err());
}
