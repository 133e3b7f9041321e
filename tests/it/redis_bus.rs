//! Tests the bus over a real Redis, also while Redis is away, silent or talks nonsense.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::{Duration, Instant};

use botfleet::bus::redis::RedisBus;
use botfleet_actors::domain::ids::{BotId, ConfigSeq};
use botfleet_actors::domain::ownership::Incarnation;
use botfleet_actors::ports::bus::{Audience, Bus, BusMessage, Hint};
use botfleet_loadtest::servers::proxy::{Mode, TcpProxy, Way};
use botfleet_loadtest::servers::redis::Redis;
use secrecy::SecretString;
use tokio::sync::mpsc::Receiver;

const DEADLINE: Duration = Duration::from_secs(20);

fn bus(url: &str, prefix: &str) -> RedisBus {
    RedisBus::start(&SecretString::from(url.to_owned()), prefix).unwrap()
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let until = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < until, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn hint(bot: i64) -> BusMessage {
    BusMessage::Hints(vec![Hint::Bot(BotId(bot))])
}

async fn next(messages: &mut Receiver<BusMessage>) -> BusMessage {
    tokio::time::timeout(DEADLINE, messages.recv()).await.expect("a message in time").unwrap()
}

/// Publishes until one of the messages arrives: earlier ones may be lost while there is no connection.
async fn until_through(from: &RedisBus, to: Incarnation, messages: &mut Receiver<BusMessage>) {
    let until = Instant::now() + DEADLINE;
    loop {
        from.publish(Audience::Node(to), hint(99));
        if let Ok(Some(message)) = tokio::time::timeout(Duration::from_millis(50), messages.recv()).await {
            assert_eq!(message, hint(99));
            return;
        }
        assert!(Instant::now() < until, "nothing goes through");
    }
}

/// Two buses on one Redis, the second behind a link that can be disturbed, and the messages that the second hears.
struct Pair {
    redis: Redis,
    link: TcpProxy,
    near: RedisBus,
    far: RedisBus,
    heard: Receiver<BusMessage>,
}

const FAR: Incarnation = Incarnation(2);

impl Pair {
    async fn start() -> Self {
        let redis = Redis::start(None).await.unwrap();
        let link = TcpProxy::to_port(redis.port()).await.unwrap();
        let (near, far) = (bus(&redis.url(), "t"), bus(&Redis::url_through(link.port()), "t"));
        until("both are up", || near.is_up() && far.is_up()).await;
        let mut heard = far.subscribe(FAR).await;
        near.publish(Audience::Node(FAR), hint(1));
        assert_eq!(next(&mut heard).await, hint(1), "subscribed when subscribe returned");
        Self { redis, link, near, far, heard }
    }

    async fn works_again(&mut self) {
        until("both are up again", || self.near.is_up() && self.far.is_up()).await;
        until_through(&self.near, FAR, &mut self.heard).await;
    }
}

#[tokio::test]
async fn two_buses_talk_each_to_whom_it_means_and_fleets_differ_by_prefix() {
    let redis = Redis::start(None).await.unwrap();
    let (one, other, stranger) = (bus(&redis.url(), "t"), bus(&redis.url(), "t"), bus(&redis.url(), "u"));
    until("all are up", || [&one, &other, &stranger].into_iter().all(Bus::is_up)).await;
    let (mut ones, mut others) = (one.subscribe(Incarnation(1)).await, other.subscribe(FAR).await);
    let mut strangers = stranger.subscribe(FAR).await;
    one.publish(Audience::Node(FAR), hint(7));
    one.publish(Audience::Everybody, BusMessage::ConfigurationChanged(ConfigSeq(3)));
    let mut got = vec![next(&mut others).await, next(&mut others).await];
    got.sort_by_key(|message| matches!(message, BusMessage::Hints(_)));
    assert_eq!(got, [BusMessage::ConfigurationChanged(ConfigSeq(3)), hint(7)]);
    assert_eq!(next(&mut ones).await, BusMessage::ConfigurationChanged(ConfigSeq(3)), "its sender hears it too");
    stranger.publish(Audience::Everybody, hint(8));
    assert_eq!(next(&mut strangers).await, hint(8), "nothing of the other fleet came before");
}

#[tokio::test]
async fn garbage_on_a_channel_is_passed_over() {
    let mut pair = Pair::start().await;
    for garbage in ["nonsense", "{\"hints\":[{\"weather\":1}]}", "{}"] {
        pair.redis.command(&format!("PUBLISH t:node:2 '{}'", garbage.replace('"', "\\\""))).await.unwrap();
    }
    pair.redis.command(&format!("PUBLISH t:all {}", "x".repeat(40_000))).await.unwrap();
    pair.near.publish(Audience::Node(FAR), hint(5));
    assert_eq!(next(&mut pair.heard).await, hint(5));
    assert!(pair.far.is_up());
}

#[tokio::test]
async fn a_restart_of_redis_is_noticed_hinders_nobody_and_is_got_over() {
    let mut pair = Pair::start().await;
    pair.redis.kill_9().await.unwrap();
    until("its end is noticed", || !pair.near.is_up() && !pair.far.is_up()).await;
    for bot in 0..10_000 {
        pair.near.publish(Audience::Everybody, hint(bot));
    }
    pair.redis.restart().await.unwrap();
    pair.works_again().await;
}

#[tokio::test]
async fn a_flush_of_redis_loses_nothing() {
    let mut pair = Pair::start().await;
    pair.redis.flush_all().await.unwrap();
    pair.near.publish(Audience::Node(FAR), hint(6));
    assert_eq!(next(&mut pair.heard).await, hint(6));
}

#[tokio::test]
async fn a_redis_that_stands_still_is_down_until_it_goes_on() {
    let mut pair = Pair::start().await;
    pair.redis.stop().await.unwrap();
    until("its silence is noticed", || !pair.near.is_up() && !pair.far.is_up()).await;
    pair.redis.cont().await.unwrap();
    pair.works_again().await;
}

#[tokio::test]
async fn a_link_that_swallows_either_way_is_left_and_taken_up_again() {
    let mut pair = Pair::start().await;
    for way in [Way::ToClient, Way::ToServer, Way::Both] {
        pair.link.set(Mode::BlackHole(way));
        until("the black hole is noticed", || !pair.far.is_up()).await;
        assert!(pair.near.is_up(), "the other one is not behind it");
        pair.link.set(Mode::Pass);
        pair.works_again().await;
    }
}

#[tokio::test]
async fn a_link_that_is_cut_is_taken_up_again() {
    let mut pair = Pair::start().await;
    let before = pair.link.connections();
    pair.link.cut();
    until("it connects again", || pair.link.connections() > before).await;
    pair.works_again().await;
}

#[tokio::test]
async fn lost_messages_are_noticed_though_the_link_works() {
    let mut pair = Pair::start().await;
    pair.link.set(Mode::DropMessages);
    until("a bus that carries nothing is down", || !pair.far.is_up()).await;
    pair.link.set(Mode::Pass);
    pair.works_again().await;
}

#[tokio::test]
async fn without_redis_nobody_waits_and_nothing_fails() {
    let bus = bus("redis://127.0.0.1:1", "t");
    let mut heard = tokio::time::timeout(DEADLINE, bus.subscribe(FAR)).await.unwrap();
    bus.publish(Audience::Everybody, hint(1));
    assert!(!bus.is_up() && heard.try_recv().is_err());
}

#[test]
fn i12_an_address_that_is_none_is_not_repeated() {
    let error = RedisBus::start(&SecretString::from("s3cret:nowhere".to_owned()), "t").err().unwrap();
    assert!(!format!("{error} {error:?}").contains("s3cret"));
}
