//! Calls are sent again only where that is safe, allowed and asked for.

#![allow(clippy::unwrap_used)]

mod support;

use channel::{Once, Settings};
use std::{
    sync::Mutex,
    time::{Duration, Instant},
};
use support::{Server, channel, check, hang, quick};
use tokio_stream::{StreamExt, wrappers::ReceiverStream};
use tonic::{Code, Request, Status, body::Body};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_types::{ErrorDetails, StatusExt};
use tower::Service;

/// A server that refuses so a number of times.
fn refusing(times: usize, status: Status) -> Server {
    Server::start("127.0.0.1:0", move |call, _| (0, if call < times { Err(status.clone()) } else { Ok(()) }))
}

fn asking(code: Code, delay: Duration) -> Status {
    Status::with_error_details(code, "later", ErrorDetails::with_retry_info(Some(delay)))
}

#[tokio::test]
async fn only_codes_that_say_it_did_not_happen_are_tried_again() {
    for code in (1..17).map(Code::from_i32) {
        let server = refusing(1, Status::new(code, "no"));
        let channel = channel(&server.url(), quick());
        let answer = check(&channel).await;
        let again = matches!(code, Code::Unavailable | Code::Aborted);
        assert_eq!((answer.is_ok(), server.calls()), (again, if again { 2 } else { 1 }), "{code:?}");
        assert_eq!(channel.counts().retries, u64::from(again), "{code:?}");
    }
}

#[tokio::test]
async fn the_last_refusal_is_what_the_caller_is_told() {
    let server = refusing(usize::MAX, Status::unavailable("the database is away"));
    let refused = check(&channel(&server.url(), quick())).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::Unavailable, "the database is away"));
    assert_eq!(server.calls(), 4);
}

#[tokio::test]
async fn the_time_asked_for_is_waited() {
    let delay = Duration::from_millis(400);
    for code in [Code::ResourceExhausted, Code::Unavailable] {
        let server = refusing(1, asking(code, delay));
        let began = Instant::now();
        check(&channel(&server.url(), quick())).await.unwrap();
        assert_eq!(server.calls(), 2);
        assert!(began.elapsed() >= delay, "{code:?}: after {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn nobody_waits_longer_than_the_deadline() {
    let server = refusing(usize::MAX, asking(Code::Unavailable, Duration::from_secs(600)));
    let mut request = Request::new(HealthCheckRequest::default());
    request.set_timeout(Duration::from_secs(60));
    let began = Instant::now();
    let refused = HealthClient::new(channel(&server.url(), quick())).check(request).await.unwrap_err();
    assert_eq!((refused.code(), server.calls()), (Code::Unavailable, 1));
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_spent_budget_ends_it() {
    let server = refusing(usize::MAX, Status::unavailable("overloaded"));
    let channel = channel(&server.url(), Settings { reserve: 5, ..quick() });
    for _ in 0..100 {
        check(&channel).await.unwrap_err();
    }
    assert_eq!(server.calls(), 100 + 5 + 99 / 5); // the first call finds the reserve full
}

#[tokio::test]
async fn whoever_asks_again_by_themselves_is_not_helped() {
    let server = refusing(1, Status::unavailable("no"));
    let mut request = Request::new(HealthCheckRequest::default());
    request.extensions_mut().insert(Once);
    HealthClient::new(channel(&server.url(), quick())).check(request).await.unwrap_err();
    assert_eq!(server.calls(), 1);
}

#[tokio::test]
async fn a_request_still_being_made_is_sent_once() {
    let server = refusing(1, Status::unavailable("no"));
    let mut channel = channel(&server.url(), quick());
    let (pieces, body) = tokio::sync::mpsc::channel::<Result<&'static [u8], Status>>(1);
    let body = Body::new(axum::body::Body::from_stream(ReceiverStream::new(body)));
    let request = axum::http::Request::post("/grpc.health.v1.Health/Check").header("content-type", "application/grpc");
    let call = channel.call(request.body(body).unwrap());
    let call = tokio::spawn(call);
    pieces.send(Ok(&[0, 0])).await.unwrap();
    pieces.reserve().await.unwrap().send(Ok(&[0, 0, 0])); // once the first piece is taken; together an empty message
    drop(pieces);
    let answer = call.await.unwrap().unwrap();
    assert_eq!(answer.headers().get("grpc-status").unwrap(), "14");
    assert_eq!((server.calls(), channel.counts().retries), (1, 0));
}

#[tokio::test]
async fn a_stream_is_asked_for_again_before_its_first_message_and_never_after() {
    let before = refusing(1, Status::unavailable("no"));
    HealthClient::new(channel(&before.url(), quick())).watch(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(before.calls(), 2);

    let after = Server::start("127.0.0.1:0", |_, _| (1, Err(Status::unavailable("no"))));
    let mut client = HealthClient::new(channel(&after.url(), quick()));
    let messages: Vec<_> = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner().collect().await;
    assert!(matches!(&messages[..], [Ok(_), Err(status)] if status.code() == Code::Unavailable), "{messages:?}");
    assert_eq!(after.calls(), 1);
}

#[tokio::test]
async fn waits_before_trying_again_are_random() {
    let times = std::sync::Arc::new(Mutex::new(Vec::new()));
    let seen = times.clone();
    let server = Server::start("127.0.0.1:0", move |_, _| {
        seen.lock().unwrap().push(Instant::now());
        (0, Err(Status::unavailable("no")))
    });
    let settings = Settings { attempts: 2, backoff: Duration::from_millis(200), ..quick() };
    let channel = channel(&server.url(), settings);
    for _ in 0..12 {
        check(&channel).await.unwrap_err();
    }
    let times = times.lock().unwrap();
    let waits: Vec<Duration> = times.chunks(2).map(|pair| pair[1] - pair[0]).collect();
    let (least, most) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
    assert!(*most - *least > Duration::from_millis(40), "{waits:?}"); // all within a fifth: less than once in a million runs
}

#[tokio::test]
async fn no_more_calls_wait_for_their_answers_than_may() {
    let server = Server::good();
    let channel = channel(&server.url(), Settings { at_once: 1, ..quick() });
    let mut client = HealthClient::new(channel.clone());
    let mut hanging = Box::pin(client.check(hang()));
    tokio::select! {
        biased;
        answer = &mut hanging => panic!("{answer:?}"),
        answer = check(&channel) => panic!("it did not wait: {answer:?}"),
        () = tokio::time::sleep(Duration::from_millis(200)) => {}
    }
    assert_eq!(server.calls(), 0);
    drop(hanging);
    check(&channel).await.unwrap();
}
