//! Calls go to whoever answers.

#![allow(clippy::unwrap_used)]

mod support;

use channel::{Channel, Settings};
use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use support::{Process, Server, channel, check, free, quick, serve_if_told};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Code, Status};

/// The server of [`Process`]; alone it proves nothing.
#[test]
fn a_process() {
    serve_if_told();
}

#[tokio::test]
async fn calls_are_spread_over_all_addresses() {
    let servers = [Server::good(), Server::good(), Server::good()];
    let urls = servers.iter().map(Server::url).collect::<Vec<_>>().join(",");
    let channel = channel(&urls, Settings::default());
    for _ in 0..300 {
        check(&channel).await.unwrap();
    }
    for server in &servers {
        assert!((50..200).contains(&server.calls()), "{} of 300", server.calls());
    }
    assert_eq!((channel.counts().calls, channel.counts().retries), (300, 0));
}

#[tokio::test]
async fn a_name_is_looked_up() {
    let server = Server::good();
    let channel = channel(&format!("http://localhost:{}", server.address.port()), quick());
    check(&channel).await.unwrap();
    assert_eq!(server.calls(), 1);
}

#[tokio::test]
async fn a_name_nobody_knows_is_a_service_that_is_away() {
    let channel = channel("http://nobody.invalid:1", quick());
    assert_eq!(check(&channel).await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn a_service_may_start_after_those_that_call_it() {
    let address = free();
    let channel = channel(&format!("http://{address}"), quick());
    let refused = check(&channel).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::Unavailable, "the service cannot be reached"));
    let server = Server::start(&address.to_string(), |_, _| (0, Ok(())));
    check(&channel).await.unwrap();
    assert_eq!(server.calls(), 1);
}

#[tokio::test]
async fn no_call_fails_when_one_of_two_is_killed_and_comes_back() {
    let (stays, dies) = (Server::good(), Server::good());
    let address = dies.address.to_string();
    let channel = channel(&format!("{},{}", stays.url(), dies.url()), quick());
    for _ in 0..50 {
        check(&channel).await.unwrap();
    }
    assert!(dies.calls() > 0);
    drop(dies);
    for _ in 0..200 {
        check(&channel).await.unwrap();
    }
    let back = Server::start(&address, |_, _| (0, Ok(())));
    let until = Instant::now() + Duration::from_secs(60);
    while back.calls() < 10 {
        check(&channel).await.unwrap();
        assert!(Instant::now() < until, "the one that came back is not used");
    }
}

#[tokio::test]
async fn calls_under_way_at_one_that_is_killed_are_answered_by_the_other() {
    let dies = Server::start("127.0.0.1:0", |_, _| {
        std::thread::sleep(Duration::from_millis(300)); // it is killed within this time
        (0, Ok(()))
    });
    let stays = Server::good();
    let channel = channel(&format!("{},{}", stays.url(), dies.url()), Settings::default());
    let calls: Vec<_> = (0..20)
        .map(|_| {
            tokio::spawn({
                let channel = channel.clone();
                async move { check(&channel).await }
            })
        })
        .collect();
    while dies.calls() == 0 {
        tokio::task::yield_now().await;
    }
    drop(dies);
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert!(channel.counts().retries > 0);
}

#[tokio::test]
async fn a_rolling_restart_fails_no_call() {
    let slow = |_, _: &_| {
        std::thread::sleep(Duration::from_millis(2)); // so that calls are under way whenever a server stops
        (0, Ok(()))
    };
    let mut servers = vec![Server::start("127.0.0.1:0", slow), Server::start("127.0.0.1:0", slow)];
    let channel = channel(&servers.iter().map(Server::url).collect::<Vec<_>>().join(","), quick());
    let stop = Arc::new(AtomicBool::new(false));
    let caller = async |channel: Channel, stop: Arc<AtomicBool>| {
        let mut calls = 0;
        while !stop.load(Ordering::SeqCst) {
            check(&channel).await.unwrap();
            calls += 1;
        }
        calls
    };
    let callers: Vec<_> = (0..8).map(|_| tokio::spawn(caller(channel.clone(), stop.clone()))).collect();
    for _ in 0..6 {
        let server = servers.remove(0);
        let (address, before) = (server.address.to_string(), servers[0].calls());
        server.stop().await;
        while servers[0].calls() < before + 20 {
            tokio::task::yield_now().await; // the other one has it all
        }
        servers.push(Server::start(&address, slow));
        while servers[1].calls() < 20 {
            tokio::task::yield_now().await; // and now they share again
        }
    }
    stop.store(true, Ordering::SeqCst);
    let mut calls = 0;
    for caller in callers {
        calls += caller.await.unwrap();
    }
    assert!(calls > 240, "{calls}");
}

#[tokio::test]
async fn another_attempt_goes_elsewhere() {
    let (busy, free) = (Server::start("127.0.0.1:0", |_, _| (0, Err(Status::aborted("busy")))), Server::good());
    let channel = channel(&format!("{},{}", busy.url(), free.url()), Settings { attempts: 2, ..quick() });
    for _ in 0..50 {
        check(&channel).await.unwrap();
    }
    assert!(busy.calls() > 0 && free.calls() == 50, "{} {}", busy.calls(), free.calls());
}

#[tokio::test]
async fn a_stopped_process_is_noticed_by_the_time_an_attempt_takes() {
    stopped(Settings { ping: Duration::from_secs(600), ..quick() }).await;
}

#[tokio::test]
async fn a_stopped_process_is_noticed_by_its_silence() {
    let soon = Duration::from_millis(250);
    stopped(Settings { attempt: Duration::from_secs(600), ping: soon, ping_timeout: soon, ..quick() }).await;
}

/// Stops one of two, and has it go on: no call fails, and few take long.
async fn stopped(settings: Settings) {
    let (stays, stops) = (Server::good(), Process::start());
    let channel = channel(&format!("{},{}", stays.url(), stops.url()), settings);
    for _ in 0..20 {
        check(&channel).await.unwrap();
    }
    stops.signal("STOP");
    let mut slow = 0;
    for _ in 0..200 {
        let began = Instant::now();
        check(&channel).await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(20), "held hostage for {:?}", began.elapsed());
        slow += usize::from(began.elapsed() > Duration::from_millis(200));
    }
    assert!((1..20).contains(&slow), "{slow} of 200 calls waited for the one that is stopped");
    stops.signal("CONT");
    let before = stays.calls();
    let (until, mut calls) = (Instant::now() + Duration::from_secs(60), 0);
    while stays.calls() - before == calls {
        check(&channel).await.unwrap();
        calls += 1;
        assert!(Instant::now() < until, "the one that goes on is not used");
    }
}

#[tokio::test]
async fn an_address_that_accepts_and_says_nothing_is_left_alone() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in silent.incoming().flatten() {
            std::thread::spawn(move || drop((&connection).read_to_end(&mut Vec::new())));
        }
    });
    let server = Server::good();
    let channel = channel(&format!("http://{address},{}", server.url()), quick());
    let began = Instant::now();
    for _ in 0..100 {
        check(&channel).await.unwrap();
    }
    assert_eq!(server.calls(), 100);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_address_nobody_listens_at_costs_no_retry() {
    let server = Server::good();
    let urls = format!("http://{},{}", free(), server.url());
    let channel = channel(&urls, Settings { reserve: 0, attempts: 1, ..quick() });
    for _ in 0..20 {
        check(&channel).await.unwrap();
    }
    assert_eq!((server.calls(), channel.counts().retries), (20, 0));
}

#[tokio::test]
async fn an_address_that_breaks_off_is_left_alone() {
    let breaks = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = breaks.local_addr().unwrap();
    std::thread::spawn(move || breaks.incoming().for_each(drop));
    let server = Server::good();
    let channel = channel(&format!("http://{address},{}", server.url()), quick());
    for _ in 0..200 {
        check(&channel).await.unwrap();
    }
    assert!(channel.counts().retries < 40, "{:?}", channel.counts());
}

#[tokio::test]
async fn alone_and_silent_it_is_waited_for_until_the_patience_ends() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let patience = Duration::from_secs(1);
    let settings = Settings { patience, ..quick() };
    let channel = channel(&format!("http://{}", silent.local_addr().unwrap()), settings);
    let began = Instant::now();
    assert_eq!(check(&channel).await.unwrap_err().code(), Code::DeadlineExceeded);
    assert!((patience..patience * 10).contains(&began.elapsed()), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_refusal_names_the_address_and_what_is_there() {
    let found = async |url: String| {
        let refused = check(&channel(&url, quick())).await.unwrap_err();
        let found = refused.metadata().get(channel::FOUND).map(|found| found.to_str().unwrap().to_owned());
        (refused.code(), found.unwrap_or_default())
    };
    let nobody = format!("http://{}", free());
    let (code, what) = found(nobody.clone()).await;
    assert_eq!(code, Code::Unavailable);
    assert!(what.starts_with(&format!("{nobody}/: ")) && what.contains("refused"), "{what}");

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = format!("http://{}", listener.local_addr().unwrap());
    let serving = tonic::transport::Server::builder().add_routes(tonic::service::Routes::default());
    tokio::spawn(serving.serve_with_incoming(TcpListenerStream::new(listener)));
    let (code, what) = found(other.clone()).await;
    assert_eq!((code, what), (Code::Unimplemented, format!("{other}/: does not serve grpc.health.v1.Health")));

    let web = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("http://{}", web.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in web.incoming() {
            stream.unwrap().write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").unwrap();
        }
    });
    let (code, what) = found(at.clone()).await;
    assert!(code == Code::Unavailable && what.starts_with(&at), "{code:?} {what}");
}
