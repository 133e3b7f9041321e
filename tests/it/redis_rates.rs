//! Tests rates that nodes count together in a real Redis, also while Redis is away or silent.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use botfleet::bus::redis::RedisBus;
use botfleet_actors::ports::bus::Bus as _;
use botfleet_actors::ports::rates::{Counted, Rate, Rates as _};
use botfleet_loadtest::servers::proxy::{Mode, TcpProxy, Way};
use botfleet_loadtest::servers::redis::Redis;
use secrecy::SecretString;

const DEADLINE: Duration = Duration::from_secs(20);

fn bus(url: &str, prefix: &str) -> RedisBus {
    RedisBus::start(&SecretString::from(url.to_owned()), prefix).unwrap()
}

fn rate(a_minute: u32) -> Rate {
    Rate::per_minute(NonZeroU32::new(a_minute).unwrap())
}

async fn until_up(buses: &[&RedisBus]) {
    let until = Instant::now() + DEADLINE;
    while !buses.iter().all(|bus| bus.is_up()) {
        assert!(Instant::now() < until, "never up");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Counts until the fleet's count is known: on a busy machine an answer may come too late, and is counted all the same.
async fn counted(bus: &RedisBus, key: &str, rate: Rate) -> Counted {
    let until = Instant::now() + DEADLINE;
    loop {
        match bus.count(key, rate).await {
            Counted::Unknown => assert!(Instant::now() < until, "Redis never answers in time"),
            known => return known,
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn two_nodes_share_a_rate_and_fleets_and_keys_do_not() {
    let redis = Redis::start(None).await.unwrap();
    let (one, other, stranger) = (bus(&redis.url(), "t"), bus(&redis.url(), "t"), bus(&redis.url(), "u"));
    until_up(&[&one, &other, &stranger]).await;
    let mut within = 0;
    for _ in 0..10 {
        for node in [&one, &other] {
            within += u32::from(counted(node, "key:1", rate(10)).await == Counted::Within);
        }
    }
    assert!((1..=12).contains(&within), "ten, and one more each six seconds: {within}");
    for node in [&one, &other] {
        let Counted::Beyond(wait) = counted(node, "key:1", rate(10)).await else { panic!("both are refused") };
        assert!(wait <= Duration::from_secs(6), "{wait:?}");
        assert_eq!(counted(node, "key:2", rate(10)).await, Counted::Within, "another key");
    }
    assert_eq!(counted(&stranger, "key:1", rate(10)).await, Counted::Within, "another fleet");
    let kept = redis.command("PTTL t:rate:key:1").await.unwrap();
    let kept: i64 = kept.trim().trim_start_matches(':').parse().unwrap_or_else(|_| panic!("{kept}"));
    assert!((1..=60_000).contains(&kept), "forgotten once it is of no use: {kept}");
}

#[tokio::test]
async fn a_count_that_no_rate_can_have_led_to_keeps_nobody_out_for_long() {
    let redis = Redis::start(None).await.unwrap();
    let node = bus(&redis.url(), "t");
    until_up(&[&node]).await;
    redis.command("SET t:rate:key:1 9000000000000000").await.unwrap();
    let Counted::Beyond(wait) = counted(&node, "key:1", rate(600)).await else { panic!("the rate is used up") };
    assert!(wait <= Duration::from_millis(100), "{wait:?}");
    redis.command("SET t:rate:key:2 nonsense").await.unwrap();
    assert_eq!(node.count("key:2", rate(600)).await, Counted::Unknown, "what cannot be read is not known");
}

#[tokio::test]
async fn a_redis_that_is_away_or_silent_costs_a_request_next_to_nothing() {
    let redis = Redis::start(None).await.unwrap();
    let link = TcpProxy::to_port(redis.port()).await.unwrap();
    let node = bus(&Redis::url_through(link.port()), "t");
    until_up(&[&node]).await;
    counted(&node, "key:1", rate(1_000)).await;
    let cost = async || {
        let began = Instant::now();
        for _ in 0..1_000 {
            assert_eq!(node.count("key:1", rate(1_000)).await, Counted::Unknown);
        }
        began.elapsed()
    };
    link.set(Mode::BlackHole(Way::Both));
    let silent = cost().await;
    assert!(silent < Duration::from_millis(500), "three wait for 5 ms each, the others not at all: {silent:?}");
    link.set(Mode::Pass);
    until_up(&[&node]).await;
    counted(&node, "key:1", rate(1_000)).await;
    drop(redis);
    let until = Instant::now() + DEADLINE;
    while node.is_up() {
        assert!(Instant::now() < until, "its end is not noticed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let away = cost().await;
    assert!(away < Duration::from_millis(100), "{away:?}");
}
