//! Rate limits on real Redis.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use bus::Bus;
use rate_limits::{Rate, RateLimits};
use seal::Hash;
use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};
use testbed::redis::{Redis, RedisCluster};
use tokio::time::timeout;

/// Nothing takes longer, on the slowest machine.
const DEADLINE: Duration = Duration::from_secs(60);
const CALLER: Hash = Hash([9; 32]);

fn rate(per_second: u32, burst: u32, processes: u32) -> Rate {
    let [per_second, burst, processes] = [per_second, burst, processes].map(|number| NonZeroU32::new(number).unwrap());
    Rate { per_second, burst, processes }
}

fn limits(url: &str, instance: &str, rate: Rate) -> RateLimits {
    RateLimits::new(Bus::connect(url, instance, None).unwrap(), "test", rate)
}

/// Asks until the answer came from Redis: at the beginning there may be no connection in time.
async fn warm(limits: &RateLimits) {
    for stranger in 1..=255 {
        let before = limits.decided_here();
        let _any = limits.take(Hash([stranger; 32])).await;
        if limits.decided_here() == before {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await; // between two questions; Redis's answer is what is waited for
    }
    panic!("Redis never decided");
}

async fn two_processes_share_a_limit(url: &str) {
    let slow = rate(1, 10, 2);
    let (one, two) = (limits(url, "one", slow), limits(url, "two", slow));
    warm(&one).await;
    warm(&two).await;
    let (began, mut allowed, mut refused) = (Instant::now(), 0, Vec::new());
    for _ in 0..20 {
        for limits in [&one, &two] {
            match limits.take(CALLER).await {
                Ok(()) => allowed += 1,
                Err(wait) => refused.push(wait),
            }
        }
    }
    let (one_here, two_here) = (one.decided_here(), two.decided_here());
    let regained = began.elapsed().as_secs() + 1;
    assert!((10..=10 + regained).contains(&allowed), "{allowed}; decided here: {one_here}, {two_here}");
    assert!(refused.iter().all(|wait| !wait.is_zero() && *wait <= Duration::from_secs(1)), "{refused:?}");
    assert_eq!(one.take(Hash([8; 32])).await, Ok(()), "another caller");
}

#[tokio::test]
async fn two_processes_share_a_limit_on_redis() {
    let redis = Redis::start().unwrap();
    two_processes_share_a_limit(&redis.url()).await;
    let keys = redis.ask(&format!("TTL trialseal:rate:test:{}", CALLER.to_hex())).unwrap();
    let seconds: i64 = keys.trim().trim_start_matches(':').parse().unwrap();
    assert!((0..=11).contains(&seconds), "what is used up is forgotten when it is regained: {keys}");
}

#[tokio::test]
async fn what_a_caller_owes_one_process_they_wait_for_at_another() {
    let redis = Redis::start().unwrap();
    let slow = rate(1, 10, 2);
    let (one, two) = (limits(&redis.url(), "one", slow), limits(&redis.url(), "two", slow));
    warm(&one).await;
    warm(&two).await;
    one.owe(CALLER, 30).await;
    let wait = two.take(CALLER).await.unwrap_err();
    assert!(wait > Duration::from_secs(15) && wait <= Duration::from_secs(21), "{wait:?}");
}

#[tokio::test]
async fn two_processes_share_a_limit_on_a_cluster() {
    let cluster = RedisCluster::start().unwrap();
    two_processes_share_a_limit(&cluster.url()).await;
}

#[tokio::test]
async fn without_redis_a_process_limits_alone_and_no_call_fails_or_hangs() {
    let mut redis = Redis::start().unwrap();
    // Divided among two: one in 100 s.
    let limits = limits(&redis.url(), "one", rate(1, 10, 2));
    warm(&limits).await;
    redis.pause().unwrap();
    let began = Instant::now();
    let mut allowed = 0;
    for _ in 0..200 {
        allowed += u32::from(limits.take(CALLER).await.is_ok());
    }
    assert!(began.elapsed() < Duration::from_secs(20), "a hanging Redis is left alone");
    assert!((5..10).contains(&allowed), "{allowed}");
    redis.kill().unwrap();
    assert!(limits.take(CALLER).await.is_err());
    assert_eq!(limits.take(Hash([8; 32])).await, Ok(()));
    assert!(limits.decided_here() > 200);
    redis.restart().unwrap();
    timeout(DEADLINE, warm(&limits)).await.expect("Redis decides again");
}
