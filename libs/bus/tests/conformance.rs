//! What every kind of bus promises, demanded of each: in the process, on one Redis, under Sentinel, on a Cluster.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use bus::{Bus, Group, Job};
use seal::id::Service;
use std::{collections::BTreeSet, time::Duration};
use support::{follower, given, heard, heard_all, moved, of, soon, swept, until};
use testbed::redis::{Redis, RedisCluster, Sentinel};

#[tokio::test]
async fn in_process() {
    let bus = Bus::in_process();
    conforms(&bus, &bus).await;
}

#[tokio::test]
async fn on_redis() {
    let redis = Redis::start().unwrap();
    conforms_at(&redis.url()).await;
}

#[tokio::test]
async fn under_sentinel() {
    let sentinel = Sentinel::start().unwrap();
    conforms_at(&sentinel.url()).await;
}

#[tokio::test]
async fn on_a_cluster() {
    let cluster = RedisCluster::start().unwrap();
    conforms_at(&cluster.url()).await;
}

async fn conforms_at(url: &str) {
    conforms(&Bus::connect(url, "one", None).unwrap(), &Bus::connect(url, "two", None).unwrap()).await;
}

/// `one` and `two` are the same bus in two processes.
async fn conforms(one: &Bus, two: &Bus) {
    heads_of_a_journal_come_in_order_and_the_newest_comes(one, two).await;
    everybody_hears_everything(one, two).await;
    a_follower_hears_one_service(one, two).await;
    the_trace_travels(one, two).await;
    a_group_shares_its_messages_and_another_group_gets_them_too(one, two).await;
    what_a_dead_worker_had_goes_to_another(one, two).await;
    what_nobody_can_deal_with_is_set_aside(one, two).await;
}

async fn heads_of_a_journal_come_in_order_and_the_newest_comes(one: &Bus, two: &Bus) {
    let mut following = follower(two).await;
    for number in 1..=500 {
        one.publish(moved(1, number));
    }
    let mut last = 0;
    while last < 500 {
        let next = heard(&mut following).await;
        assert!(next.head.number > last, "{} after {last}", next.head.number);
        assert_eq!(next, moved(1, next.head.number));
        last = next.head.number;
    }
}

async fn everybody_hears_everything(one: &Bus, two: &Bus) {
    let mut followers = [follower(one).await, follower(one).await, follower(two).await];
    let heads: Vec<_> = (10..40).map(|stream| moved(stream, 1)).collect();
    for head in &heads {
        one.publish(head.clone());
    }
    for following in &mut followers {
        let often = heard_all(following, &heads).await;
        assert_eq!(often.len(), heads.len());
    }
}

async fn a_follower_hears_one_service(one: &Bus, two: &Bus) {
    let mut following = follower(two).await;
    one.publish(of(Service::Capture, 50, 1));
    one.publish(of(Service::Enrollment, 51, 1));
    one.publish(moved(52, 1));
    assert_eq!(heard(&mut following).await, moved(52, 1));
}

async fn the_trace_travels(one: &Bus, two: &Bus) {
    let mut following = follower(two).await;
    let mut traced = moved(60, 1);
    traced.trace = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap());
    one.publish(traced.clone());
    assert_eq!(heard(&mut following).await, traced);
}

async fn a_group_shares_its_messages_and_another_group_gets_them_too(one: &Bus, two: &Bus) {
    let (shared, other) = (Group::named("shared"), Group::named("other"));
    let mut first = one.work(Service::Consent, shared);
    let mut second = two.work(Service::Consent, shared);
    let mut alone = two.work(Service::Consent, other);
    for worker in [&mut first, &mut second, &mut alone] {
        swept(worker).await;
    }
    let heads: BTreeSet<_> = (70..120).map(|stream| moved(stream, 1).head.stream).collect();
    for stream in 70..120 {
        one.publish(moved(stream, 1));
    }
    let mut seen = BTreeSet::new();
    while seen.len() < heads.len() {
        let job = soon(async {
            tokio::select! { job = first.next() => (&first, job), job = second.next() => (&second, job) }
        });
        let (worker, Job::Moved(delivery)) = job.await else { continue };
        assert!(seen.insert(delivery.moved.head.stream), "given to two workers");
        worker.ack(&delivery).await;
    }
    assert_eq!(seen, heads);
    let mut seen = BTreeSet::new();
    while seen.len() < heads.len() {
        let delivery = given(&mut alone).await;
        assert!(seen.insert(delivery.moved.head.stream), "given twice");
        alone.ack(&delivery).await;
    }
    assert_eq!(seen, heads);
}

async fn what_a_dead_worker_had_goes_to_another(one: &Bus, two: &Bus) {
    let group = Group { name: "heirs", idle: Duration::from_millis(300), deliveries: 100 };
    let mut dead = one.work(Service::Consent, group);
    swept(&mut dead).await;
    one.publish(moved(130, 4));
    assert_eq!(given(&mut dead).await.moved, moved(130, 4));
    let mut heir = two.work(Service::Consent, group);
    drop(dead);
    let delivery = given(&mut heir).await;
    assert_eq!(delivery.moved, moved(130, 4));
    heir.ack(&delivery).await;
    assert!(two.figures().claimed > 0);
}

async fn what_nobody_can_deal_with_is_set_aside(one: &Bus, two: &Bus) {
    let group = Group { name: "helpless", idle: Duration::from_millis(200), deliveries: 2 };
    let mut worker = two.work(Service::Consent, group);
    swept(&mut worker).await;
    let before = two.figures().poison;
    one.publish(moved(140, 1));
    given(&mut worker).await;
    given(&mut worker).await;
    until("the message is set aside", || two.figures().poison == before + 1).await;
    one.publish(moved(141, 1));
    let delivery = given(&mut worker).await;
    assert_eq!(delivery.moved, moved(141, 1), "what was set aside does not come again");
    worker.ack(&delivery).await;
}
