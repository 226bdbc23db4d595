//! Redis is flushed, killed, stopped, trimmed and failed over in the middle: nothing hangs, and whoever listens either gets
//! the newest head or is told that something may have been missed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use bus::{Bus, Group, Job, News, Work};
use proptest::prelude::*;
use seal::id::{Service, StreamId};
use std::{collections::HashMap, time::Duration};
use support::{away, follower, heard, missed, moved, soon, swept, until};
use testbed::redis::{Redis, RedisCluster, Sentinel};

const STREAM: &str = "trialseal:{consent}:heads";
const GROUP: Group = Group::named("test");

fn connect(redis: &Redis) -> Bus {
    Bus::connect(&redis.url(), "test", None).unwrap()
}

async fn worker(bus: &Bus) -> Work {
    let mut work = bus.work(Service::Consent, GROUP);
    swept(&mut work).await;
    work
}

/// What is published now is heard and given out.
async fn works(bus: &Bus, following: &mut bus::Following, work: &mut Work, number: u64) {
    bus.publish(moved(1, number));
    soon(async { while heard(following).await.head.number != number {} }).await;
    soon(async {
        loop {
            match work.next().await {
                // The group may have been made after it was told: the sweep stands for it. From now on it is there.
                Job::Sweep => bus.publish(moved(1, number)),
                Job::Moved(delivery) => {
                    work.ack(&delivery).await;
                    if delivery.moved.head.number == number {
                        return;
                    }
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn after_a_flush_followers_and_workers_are_told() {
    let redis = Redis::start().unwrap();
    let bus = connect(&redis);
    let (mut following, mut work) = (follower(&bus).await, worker(&bus).await);
    works(&bus, &mut following, &mut work, 1).await;
    for number in 2..5 {
        redis.flush().unwrap();
        missed(&mut following).await;
        swept(&mut work).await;
        works(&bus, &mut following, &mut work, number).await;
    }
}

#[tokio::test]
async fn while_redis_is_dead_followers_know_it_and_workers_sweep_and_afterwards_the_newest_heads_come() {
    let mut redis = Redis::start().unwrap();
    let bus = connect(&redis);
    let (mut following, mut work) = (follower(&bus).await, worker(&bus).await);
    works(&bus, &mut following, &mut work, 1).await;
    redis.kill().unwrap();
    away(&mut following).await;
    swept(&mut work).await;
    swept(&mut work).await;
    for number in 2..=100 {
        bus.publish(moved(1, number));
        bus.publish(moved(2, number));
    }
    assert!(bus.figures().queued <= 2, "only the newest wait");
    redis.restart().unwrap();
    missed(&mut following).await;
    until("everything is told", || bus.figures().queued == 0).await;
    works(&bus, &mut following, &mut work, 101).await;
    assert!(bus.figures().coalesced >= 190);
    assert!(bus.figures().failures > 0);
}

#[tokio::test]
async fn a_redis_that_hangs_is_noticed() {
    let redis = Redis::start().unwrap();
    let bus = connect(&redis);
    let (mut following, mut work) = (follower(&bus).await, worker(&bus).await);
    redis.pause().unwrap();
    away(&mut following).await;
    swept(&mut work).await;
    redis.resume().unwrap();
    missed(&mut following).await;
    works(&bus, &mut following, &mut work, 1).await;
}

#[tokio::test]
async fn a_bus_can_be_begun_while_redis_is_away() {
    let mut redis = Redis::start().unwrap();
    redis.kill().unwrap();
    let bus = connect(&redis);
    let mut following = bus.follow(Service::Consent);
    let mut work = bus.work(Service::Consent, GROUP);
    bus.publish(moved(1, 1));
    away(&mut following).await;
    swept(&mut work).await;
    redis.restart().unwrap();
    missed(&mut following).await;
    works(&bus, &mut following, &mut work, 2).await;
}

/// Between two reads a head comes and goes, and another stays.
fn trim(redis: &Redis) {
    let bytes = "x".repeat(32);
    let lost = format!("XADD {STREAM} * lost 1\r\nXTRIM {STREAM} MAXLEN 0");
    let stays = format!("XADD {STREAM} * stream {bytes} number 1 hash {bytes}");
    redis.ask(&format!("MULTI\r\n{lost}\r\n{stays}\r\nEXEC")).unwrap();
}

#[tokio::test]
async fn a_follower_finds_out_by_itself_what_was_flushed_or_trimmed() {
    let redis = Redis::start().unwrap();
    let bus = connect(&redis);
    let mut following = follower(&bus).await;
    for _ in 0..2 {
        trim(&redis);
        missed(&mut following).await;
        redis.flush().unwrap();
        missed(&mut following).await;
    }
}

#[tokio::test]
async fn a_worker_finds_out_by_itself_what_was_flushed_or_trimmed() {
    let redis = Redis::start().unwrap();
    let bus = connect(&redis);
    let mut work = worker(&bus).await;
    for _ in 0..2 {
        trim(&redis);
        swept(&mut work).await;
        redis.flush().unwrap();
        swept(&mut work).await;
    }
}

/// Redis forgets everything, and in the same millisecond the stream begins anew: what is added gets the number that the
/// newest entry had.
fn begin_anew(redis: &Redis) {
    let script = "local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1][1] redis.call('DEL', KEYS[1]) \
                  redis.call('XADD', KEYS[1], last, 'sweep', '1') return 'anew'";
    let answer = redis.ask(&format!("EVAL \"{script}\" 1 {STREAM}")).unwrap();
    assert!(answer.contains("anew"), "{answer}");
}

#[tokio::test]
async fn another_entry_with_the_number_of_the_last_one_is_noticed() {
    let redis = Redis::start().unwrap();
    let bus = connect(&redis);
    let (mut following, mut work) = (follower(&bus).await, worker(&bus).await);
    begin_anew(&redis);
    missed(&mut following).await;
    swept(&mut work).await;
    works(&bus, &mut following, &mut work, 1).await;
}

#[tokio::test]
async fn the_stream_stays_bounded() {
    let redis = Redis::start().unwrap();
    let bus = connect(&redis);
    let mut number = 0;
    while bus.figures().published < 15_000 {
        number += 1;
        (0..=255).for_each(|stream| bus.publish(moved(stream, number)));
        until("the heads are told", || bus.figures().queued == 0).await;
    }
    let length = redis.ask(&format!("XLEN {STREAM}")).unwrap();
    let length: u64 = length.trim().trim_start_matches(':').parse().unwrap();
    assert!((10_000..11_000).contains(&length), "{length}");
}

#[tokio::test]
async fn an_entry_nobody_can_read_is_set_aside_and_everybody_is_told() {
    let redis = Redis::start().unwrap();
    let bus = connect(&redis);
    let (mut following, mut work) = (follower(&bus).await, worker(&bus).await);
    redis.ask(&format!("XADD {STREAM} * stream short \"\\xff\\x00\" 1")).unwrap();
    missed(&mut following).await;
    swept(&mut work).await;
    until("it is set aside", || bus.figures().poison == 1).await;
    let dead = redis.ask("XRANGE trialseal:{consent}:dead - +").unwrap();
    assert!(dead.contains("short") && dead.contains("group"), "{dead}");
    let pending = redis.ask(&format!("XPENDING {STREAM} test")).unwrap();
    assert!(pending.starts_with("*4\r\n:0\r\n"), "{pending}");
    works(&bus, &mut following, &mut work, 1).await;
}

#[tokio::test]
async fn nothing_but_heads_is_on_the_bus() {
    let redis = Redis::start().unwrap();
    let bus = connect(&redis);
    let (mut following, mut work) = (follower(&bus).await, worker(&bus).await);
    works(&bus, &mut following, &mut work, 1).await;
    let keys = redis.ask("KEYS *").unwrap();
    assert_eq!(keys, format!("*1\r\n${}\r\n{STREAM}\r\n", STREAM.len()));
    let newest = redis.ask(&format!("XREVRANGE {STREAM} + - COUNT 1")).unwrap();
    for field in ["stream", "number", "hash", "nonce"] {
        assert!(newest.contains(field));
    }
    assert!(newest.contains("*8\r\n"), "four fields: {newest}");
}

#[tokio::test]
async fn a_fail_over_under_sentinel_is_survived() {
    let mut sentinel = Sentinel::start().unwrap();
    let bus = Bus::connect(&sentinel.url(), "test", None).unwrap();
    let (mut following, mut work) = (follower(&bus).await, worker(&bus).await);
    works(&bus, &mut following, &mut work, 1).await;
    sentinel.fail_over().unwrap();
    bus.publish(moved(2, 1));
    missed(&mut following).await;
    swept(&mut work).await;
    works(&bus, &mut following, &mut work, 2).await;
}

#[tokio::test]
async fn a_flush_of_a_cluster_is_survived() {
    let cluster = RedisCluster::start().unwrap();
    let bus = Bus::connect(&cluster.url(), "test", None).unwrap();
    let (mut following, mut work) = (follower(&bus).await, worker(&bus).await);
    works(&bus, &mut following, &mut work, 1).await;
    cluster.flush().unwrap();
    missed(&mut following).await;
    swept(&mut work).await;
    works(&bus, &mut following, &mut work, 2).await;
}

#[tokio::test]
async fn a_slow_follower_in_the_process_is_told_what_it_missed() {
    let bus = Bus::in_process();
    let mut following = follower(&bus).await;
    for number in 1..10_000 {
        bus.publish(moved(1, number));
    }
    missed(&mut following).await;
}

#[tokio::test]
async fn a_slow_group_in_the_process_is_asked_to_sweep() {
    let bus = Bus::in_process();
    let mut work = worker(&bus).await;
    for number in 1..10_000 {
        bus.publish(moved(1, number));
    }
    soon(async {
        loop {
            match work.next().await {
                Job::Moved(delivery) => work.ack(&delivery).await,
                Job::Sweep => return,
            }
        }
    })
    .await;
}

#[tokio::test]
async fn without_a_bus_everybody_knows_it_and_workers_sweep_again_and_again() {
    let bus = Bus::absent();
    let mut following = bus.follow(Service::Consent);
    away(&mut following).await;
    let mut work = bus.work(Service::Consent, GROUP);
    bus.publish(moved(1, 1));
    for _ in 0..3 {
        assert_eq!(soon(work.next()).await, Job::Sweep);
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Publish(u8),
    Flush,
    Trim,
    Restart,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0_u8..5).prop_map(Step::Publish),
        1 => Just(Step::Flush),
        1 => Just(Step::Trim),
        1 => Just(Step::Restart),
        4 => (0_u64..40).prop_map(Step::Wait),
    ]
}

/// A follower that reads the journals when it is told that it missed something; gives what it knows in the end.
async fn follow_through(steps: &[Step]) -> (HashMap<StreamId, u64>, HashMap<StreamId, u64>) {
    let mut redis = Redis::start().unwrap();
    let bus = connect(&redis);
    let mut following = follower(&bus).await;
    let (mut journals, mut known, mut number) = (HashMap::new(), HashMap::new(), 0);
    for step in steps {
        match step {
            Step::Publish(stream) => {
                number += 1;
                journals.insert(moved(*stream, number).head.stream, number);
                bus.publish(moved(*stream, number));
            }
            Step::Flush => redis.flush().unwrap(),
            Step::Trim => drop(redis.ask(&format!("XTRIM {STREAM} MAXLEN 0")).unwrap()),
            Step::Restart => redis.restart().unwrap(),
            // The moment of the fault varies; nothing depends on its length.
            Step::Wait(millis) => tokio::time::sleep(Duration::from_millis(*millis)).await,
        }
    }
    soon(async {
        while known != journals {
            match following.next().await {
                News::Moved(moved) => {
                    let newest: &mut u64 = known.entry(moved.head.stream).or_default();
                    *newest = (*newest).max(moved.head.number);
                }
                News::Missed => known.clone_from(&journals),
                News::Away => {}
            }
        }
    })
    .await;
    (known, journals)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 8, ..ProptestConfig::default() })]
    #[test]
    fn whatever_is_dropped_the_newest_head_comes_or_a_miss_is_told(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (known, journals) = runtime.block_on(follow_through(&steps));
        prop_assert_eq!(known, journals);
    }
}
