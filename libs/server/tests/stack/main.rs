//! What every call passes, with real connections.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

mod bounds;
mod drain;
mod health;
mod wire;
mod world;

use server::REQUEST_ID;
use std::time::Duration;
use tokio::time::timeout;
use tonic::Code;
use tonic_types::StatusExt;
use world::{ANSWER, HANG, PANIC, SECRET, World, call, metric};

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_fails_its_call_alone_says_nothing_and_is_counted() {
    let world = World::start(|parts| parts).await;
    let channel = world.channel().await;
    let before = metric("trialseal_server_panics_total");
    let status = call(&channel, PANIC).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert_eq!(status.get_details_error_info().unwrap().reason, "INTERNAL");
    assert!(!format!("{status:?}").contains(SECRET), "{status:?}");
    assert!(call(&channel, ANSWER).await.is_ok(), "the same connection goes on");
    let (head, body) = wire::get(world.address, "/checkpoint").await;
    assert!(head.starts_with("HTTP/1.1 500"), "{head}");
    assert!(body.starts_with("INTERNAL: ") && !body.contains(SECRET), "{body}");
    assert!(metric("trialseal_server_panics_total") >= before + 2.0);
    assert!(!telemetry::prometheus_text().contains(SECRET));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_is_not_served_is_not_found_and_as_a_grpc_call_not_implemented() {
    let world = World::start(|parts| parts).await;
    for path in ["/", "/nothing", "/nothing/at/all", "/no.such.v1.Service/Method", "/checkpoint/x", "/a.b/%7e"] {
        let (head, body) = wire::get(world.address, path).await;
        assert!(head.starts_with("HTTP/1.1 404 "), "{path}: {head}");
        assert!(!head.contains("application/grpc") && !head.contains("grpc-status"), "{path}: {head}");
        assert!(path == "/" || !body.contains(path), "{path}: {body}");
        for content_type in ["application/grpc", "application/grpc+proto", "Application/gRPC; a=b"] {
            let answer = wire::send(world.address, path, &[("content-type", content_type)]).await;
            assert_eq!((answer.status().as_u16(), &answer.headers()["grpc-status"]), (200, &"12".parse().unwrap()));
        }
        assert_eq!(wire::send(world.address, path, &[]).await.status(), 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_comes_back_and_only_one_that_names_nobody_is_taken_over() {
    let world = World::start(|parts| parts).await;
    for (sent, kept) in [
        (Some("01890a5d-ac96-774b-bcce-b302099a8057"), true),
        (Some("0af7651916cd43dd8448eb211c80319c"), true),
        (Some("anna.svensson"), false),
        (None, false),
    ] {
        let (name, headers) = (REQUEST_ID, sent);
        let headers: Vec<(&str, &str)> = headers.map(|id| (name.as_str(), id)).into_iter().collect();
        let answer = wire::post(world.address, ANSWER, &headers).await;
        let id = answer.headers().get(REQUEST_ID).unwrap().to_str().unwrap().to_owned();
        assert_eq!(Some(id.as_str()) == sent, kept, "{sent:?} {id}");
        assert!(kept || (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_has_the_time_its_caller_gives_it_and_the_handler_knows_how_much_remains() {
    let world = World::start(|parts| parts).await;
    let answer = wire::post(world.address, HANG, &[("grpc-timeout", "200m")]).await;
    assert_eq!(answer.headers().get("grpc-status").unwrap(), "4");
    world.running(0).await; // the handler was given up, not left behind
    let remaining = world.seen.remaining.lock().unwrap().unwrap();
    assert!(remaining <= Duration::from_millis(200), "{remaining:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_a_deadline_has_the_services_own() {
    let limits = server::Limits { deadline: Duration::from_millis(50), ..server::Limits::default() };
    let world = World::start(|parts| parts.limits(limits)).await;
    let channel = world.channel().await;
    let status = timeout(Duration::from_secs(60), call(&channel, HANG)).await.expect("given up at last").unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(status.get_details_error_info().unwrap().reason, "DEADLINE_EXCEEDED");
    world.running(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_measured_by_method_and_code_and_what_a_caller_makes_up_is_not_repeated() {
    let world = World::start(|parts| parts).await;
    call(&world.channel().await, ANSWER).await.unwrap();
    wire::get(world.address, &format!("/{SECRET}")).await;
    let text = telemetry::prometheus_text();
    let line = |words: [&str; 3]| text.lines().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(
        line(["trialseal_rpc_server_duration_seconds_count", "GetCheckpoint", "rpc_grpc_status_code=\"0\""]),
        "{text}"
    );
    assert!(line(["trialseal_rpc_server_duration_seconds_count", "_OTHER", "_OTHER"]), "{text}");
    assert!(!text.contains(SECRET));
}
