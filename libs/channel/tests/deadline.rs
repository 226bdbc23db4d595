//! A call knows how long its answer is of use, and the calls it makes know too.

#![allow(clippy::unwrap_used)]

mod support;

use channel::{Settings, with_deadline};
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use support::{Server, channel, check, hang, quick};
use tonic::{Code, Request};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

/// A server, and what time the calls that reached it were given.
fn noting() -> (Server, Arc<Mutex<Vec<Option<Duration>>>>) {
    let given = Arc::new(Mutex::new(Vec::new()));
    let noted = given.clone();
    let server = Server::start("127.0.0.1:0", move |_, metadata| {
        noted.lock().unwrap().push(channel::timeout(metadata.as_ref()));
        (0, Ok(()))
    });
    (server, given)
}

#[tokio::test]
async fn a_call_is_given_the_smaller_of_its_own_time_and_what_remains() {
    let (server, given) = noting();
    let mut client = HealthClient::new(channel(&server.url(), quick()));
    let seconds = Duration::from_secs;
    for (own, incoming) in
        [(None, None), (Some(50), None), (None, Some(40)), (Some(50), Some(40)), (Some(30), Some(40))]
    {
        let mut request = Request::new(HealthCheckRequest::default());
        if let Some(own) = own {
            request.set_timeout(seconds(own));
        }
        match incoming {
            Some(incoming) => with_deadline(Instant::now() + seconds(incoming), client.check(request)).await.unwrap(),
            None => client.check(request).await.unwrap(),
        };
        let most = own.into_iter().chain(incoming).min().map(seconds);
        let got = given.lock().unwrap().pop().unwrap();
        let fits = |most: Duration| got.is_some_and(|got| got <= most && got > most - seconds(20));
        assert!(most.map_or(got.is_none(), fits), "own {own:?}, incoming {incoming:?}: {got:?}");
    }
}

#[tokio::test]
async fn nobody_waits_after_the_deadline() {
    let (server, _) = noting();
    let mut client = HealthClient::new(channel(&server.url(), Settings::default()));
    let began = Instant::now();
    let late = with_deadline(began + Duration::from_millis(300), client.check(hang())).await.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded);
    assert!((300..10_000).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
}

#[tokio::test]
async fn after_the_deadline_nothing_is_sent() {
    let (server, _) = noting();
    let channel = channel(&server.url(), quick());
    let late = with_deadline(Instant::now(), check(&channel)).await.unwrap_err();
    assert_eq!((late.code(), server.calls()), (Code::DeadlineExceeded, 0));
}

#[tokio::test]
async fn the_trace_goes_along() {
    channel::propagate(|headers| drop(headers.insert("traceparent", "00-1-2-01".parse().unwrap())));
    let seen = Arc::new(Mutex::new(None));
    let noted = seen.clone();
    let server = Server::start("127.0.0.1:0", move |_, metadata| {
        *noted.lock().unwrap() = metadata.get("traceparent").map(|value| value.to_str().unwrap().to_owned());
        (0, Ok(()))
    });
    check(&channel(&server.url(), quick())).await.unwrap();
    assert_eq!(seen.lock().unwrap().as_deref(), Some("00-1-2-01"));
}
