//! No more at once than the process handles well, and no more of one caller than they are allowed.

use crate::{
    wire,
    world::{ANSWER, COSTLY, HANG, World, call, eventually, metric, token},
};
use caller::Member;
use proto::anchoring::{GetBundleRequest, GetCheckpointRequest, anchoring_service_client::AnchoringServiceClient};
use seal::key::SecretKey;
use server::{Allowance, Limits, Parts, ServeError, bind, serve};
use std::{
    future::{Future, pending, ready},
    pin::Pin,
    sync::{Arc, Mutex, atomic::Ordering::SeqCst},
    time::Duration,
};
use tls::Identity;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tonic::{Code, Request, Status, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};
use tonic_types::StatusExt;

fn reason(status: &Status) -> String {
    status.get_details_error_info().unwrap().reason
}

/// Asks for a datapoint's proof with a token of the actor who has that key.
fn bundle_for(seed: [u8; 32]) -> Request<GetBundleRequest> {
    let study = seal::id::Uuid::from_random([1; 16]);
    let token = token::issue(&"dr-lee".parse().unwrap(), study, &SecretKey::from_seed(&seed), clock::now_ms());
    let mut request = Request::new(GetBundleRequest { study: study.to_string(), ..GetBundleRequest::default() });
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn who_finds_no_room_is_told_to_come_back_and_health_is_always_told() {
    let limits = Limits { calls: 1, waiting: 1, patience: Duration::from_millis(300), ..Limits::default() };
    let world = World::start(|parts| parts.limits(limits)).await;
    let before = metric("trialseal_server_shed_total");
    let channel = world.channel().await;
    let busy = tokio::spawn({
        let channel = channel.clone();
        async move { call(&channel, HANG).await }
    });
    world.running(1).await;
    let calls = (0..8).map(|_| {
        let channel = channel.clone();
        tokio::spawn(async move { call(&channel, ANSWER).await })
    });
    for refused in calls.collect::<Vec<_>>() {
        let status = refused.await.unwrap().unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "OVERLOADED"));
        assert_eq!(status.get_details_retry_info().unwrap().retry_delay, Some(Duration::from_millis(600)));
    }
    assert!(metric("trialseal_server_shed_total") >= before + 8.0);
    let (head, _) = wire::get(world.address, "/checkpoint").await;
    assert!(head.starts_with("HTTP/1.1 503") && head.contains("retry-after: 1"), "{head}");
    let request = HealthCheckRequest { service: String::new() };
    let health = world.health().await.check(request).await.unwrap().into_inner();
    assert_eq!(health.status(), ServingStatus::Serving);

    let waiting = tokio::spawn({
        let channel = channel.clone();
        async move { call(&channel, ANSWER).await }
    });
    world.seen.released.notify_one();
    assert!(busy.await.unwrap().is_ok());
    drop(waiting.await.unwrap()); // it found room, or its patience ended first: the machine decides
    assert!(call(&channel, ANSWER).await.is_ok(), "there is room again");
}

#[tokio::test(flavor = "multi_thread")]
async fn outsiders_who_fill_their_room_leave_the_services_theirs() {
    let folder = tempfile::tempdir().unwrap();
    tls::pki::make(folder.path(), &[]).unwrap();
    let identity = |name: &str| {
        let file = |kind: &str| folder.path().join(format!("{name}.{kind}"));
        Identity::watch(&file("pem"), &file("key"), &folder.path().join("ca.pem")).unwrap()
    };
    let limits = Limits { calls: 1, waiting: 0, ..Limits::default() };
    let world = World::start_with(Some(identity("anchoring")), |parts| parts.limits(limits)).await;
    let client = |name: &str| {
        let settings = channel::Settings { attempts: 1, ..channel::Settings::default() };
        let url = format!("https://{}", world.address);
        AnchoringServiceClient::new(channel::Channel::new(&url, Some(identity(name)), settings).unwrap())
    };
    let (mut outsider, mut service) = (client("client"), client("capture"));
    let busy = tokio::spawn({
        let mut outsider = outsider.clone();
        async move { outsider.get_checkpoint(GetCheckpointRequest { at_most: HANG }).await }
    });
    world.running(1).await;
    let refused = outsider.get_bundle(bundle_for([1; 32])).await.unwrap_err();
    assert_eq!(reason(&refused), "OVERLOADED");
    service.get_bundle(bundle_for([1; 32])).await.unwrap();
    world.seen.released.notify_one();
    assert!(busy.await.unwrap().is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_has_no_more_calls_at_once_than_it_may() {
    let world = World::start(|parts| parts.limits(Limits { streams: 2, ..Limits::default() })).await;
    let (one, other) = (world.channel().await, world.channel().await);
    let call_on = |channel: &Channel| {
        let channel = channel.clone();
        tokio::spawn(async move { call(&channel, HANG).await })
    };
    let calls: Vec<_> = (0..3).map(|_| call_on(&one)).collect();
    world.running(2).await;
    let elsewhere = call_on(&other);
    world.running(3).await; // another connection is not held up; the third call of the first one still is
    eventually("all answered", async || {
        world.seen.released.notify_waiters();
        calls.iter().all(|call| call.is_finished()).then_some(())
    })
    .await;
    assert_eq!(world.seen.most.load(SeqCst), 3);
    assert!(elsewhere.await.unwrap().is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn large_messages_find_only_so_much_room_and_small_ones_go_on() {
    let world = World::start(|parts| parts.limits(Limits { messages: 2 << 20, ..Limits::default() })).await;
    let mut client = AnchoringServiceClient::new(world.channel().await);
    let mut bring = async |bytes: usize| {
        let mut request = bundle_for([1; 32]);
        request.get_mut().item = "x".repeat(bytes);
        client.get_bundle(request).await.map(drop)
    };
    bring(1 << 20).await.unwrap();
    let announce = || tokio::spawn(wire::announce(world.address, 3 << 19));
    let mut announced = announce();
    let refused = eventually("no room", async || {
        if announced.is_finished() {
            announced = announce(); // the other one had come first, and it was refused
        }
        bring(1 << 20).await.err()
    })
    .await;
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::ResourceExhausted, "OVERLOADED"));
    assert!(refused.get_details_retry_info().is_some());
    bring(1 << 10).await.unwrap();
    announced.abort();
    eventually("room again", async || bring(1 << 20).await.ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_larger_than_they_may_be_get_nowhere() {
    let world = World::start(|parts| parts.limits(Limits { header_bytes: 16 << 10, ..Limits::default() })).await;
    let large = "x".repeat(64 << 10);
    let answer = wire::try_post(world.address, ANSWER, &[("x-large", &large)]).await;
    assert!(answer.is_none_or(|answer| !answer.status().is_success()));
    assert!(wire::try_post(world.address, ANSWER, &[("x-small", "x")]).await.is_some());
}

#[tokio::test]
async fn beyond_loopback_a_port_without_certificates_is_not_served() {
    let listener = bind("0.0.0.0:0".parse().unwrap()).await.unwrap();
    let served = serve(listener, Parts::of(Member::Anchoring), pending());
    let refused = timeout(Duration::from_secs(60), served).await.expect("it is served");
    assert!(matches!(refused, Err(ServeError::Plain(_))), "{refused:?}");
}

#[derive(Default)]
struct Ledger {
    keys: Mutex<Vec<[u8; 32]>>,
    owed: Mutex<Vec<([u8; 32], u32)>>,
    wait: Option<Duration>,
}

impl Allowance for Ledger {
    fn take(&self, key: [u8; 32]) -> Pin<Box<dyn Future<Output = Result<(), Duration>> + Send + '_>> {
        self.keys.lock().unwrap().push(key);
        Box::pin(ready(self.wait.map_or(Ok(()), Err)))
    }

    fn owe(&self, key: [u8; 32], calls: u32) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.owed.lock().unwrap().push((key, calls));
        Box::pin(ready(()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_calls_too_often_is_told_when_to_come_back() {
    let ledger = Arc::new(Ledger { wait: Some(Duration::from_secs(7)), ..Ledger::default() });
    let world = World::start(|parts| parts.allowance(Some(ledger.clone()))).await;
    let channel = world.channel().await;
    let status = call(&channel, ANSWER).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "RATE_LIMITED"));
    assert_eq!(status.get_details_retry_info().unwrap().retry_delay, Some(Duration::from_secs(7)));
    let (head, _) = wire::get(world.address, "/checkpoint").await;
    assert!(head.starts_with("HTTP/1.1 429") && head.contains("retry-after: 7"), "{head}");
    let request = HealthCheckRequest { service: String::new() };
    assert!(world.health().await.check(request).await.is_ok());
    assert_eq!(ledger.keys.lock().unwrap().len(), 2, "health is not counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_is_counted_by_their_key_and_apart_from_others() {
    let ledger = Arc::new(Ledger::default());
    let world = World::start(|parts| parts.allowance(Some(ledger.clone()))).await;
    let mut client = AnchoringServiceClient::new(world.channel().await);
    for seed in [1, 1, 2] {
        client.get_bundle(bundle_for([seed; 32])).await.unwrap();
    }
    call(&world.channel().await, ANSWER).await.unwrap();
    let keys = ledger.keys.lock().unwrap().clone();
    let [one, again, other, nobody] = keys[..] else { panic!("{} calls were counted", keys.len()) };
    assert_eq!(one, again);
    assert!(one != other && one != nobody && other != nobody);
    let request = token().attach(Request::new(GetBundleRequest::default()));
    let _permitted_or_not = client.get_bundle(request).await;
    assert_eq!(ledger.keys.lock().unwrap().len(), 4, "services of the deployment are not counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_costly_work_is_charged_more_as_whom_they_were_let_in() {
    let ledger = Arc::new(Ledger::default());
    let world = World::start(|parts| parts.allowance(Some(ledger.clone()))).await;
    let mut client = AnchoringServiceClient::new(world.channel().await);
    client.get_bundle(bundle_for([1; 32])).await.unwrap();
    call(&world.channel().await, COSTLY).await.unwrap(); // by nobody: counted where they call from
    let signed = bundle_for([1; 32]).map(|_| GetCheckpointRequest { at_most: COSTLY });
    client.get_checkpoint(signed).await.unwrap();
    let (keys, owed) = (ledger.keys.lock().unwrap().clone(), ledger.owed.lock().unwrap().clone());
    assert_eq!(keys.len(), 3);
    assert!(keys[0] == keys[2] && keys[0] != keys[1]);
    assert_eq!(owed, [(keys[1], 7), (keys[2], 7)]);
    let request = token().attach(Request::new(GetCheckpointRequest { at_most: COSTLY }));
    let _permitted_or_not = client.get_checkpoint(request).await;
    assert_eq!(ledger.owed.lock().unwrap().len(), 2, "services of the deployment owe nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_does_not_say_what_it_speaks_is_closed() {
    let limits = Limits { keep_alive_timeout: Duration::from_millis(200), ..Limits::default() };
    let world = World::start(|parts| parts.limits(limits)).await;
    for said in [&b""[..], b"PRI * HTTP"] {
        let mut connection = TcpStream::connect(world.address).await.unwrap();
        connection.write_all(said).await.unwrap();
        let read = timeout(Duration::from_secs(60), connection.read_to_end(&mut Vec::new())).await;
        assert!(read.is_ok(), "it stays open after {said:?}");
    }
    assert!(call(&world.channel().await, ANSWER).await.is_ok());
}
