//! Tests that the launcher tells the cluster of deaths: at once when it can, later when it must, and without waiting.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::{Duration, Instant};

use botfleet::bus::redis::RedisBus;
use botfleet::cli::launcher::graves::Graves;
use botfleet::cli::launcher::registry::opener;
use botfleet::config::settings::Config;
use botfleet::store::postgres::PgStore;
use botfleet::store::postgres::migrations::Schema;
use botfleet::store::settings::{Backend, StoreSettings};
use botfleet_actors::domain::ownership::{Incarnation, NewNode, NodeReport, NodeRole, NodeState};
use botfleet_actors::ports::bus::{Bus as _, BusMessage, Hint};
use botfleet_actors::ports::cluster::Cluster as _;
use botfleet_loadtest::servers::postgres::{Postgres, PostgresOptions};
use botfleet_loadtest::servers::redis::Redis;
use secrecy::SecretString;

use crate::fleet_stage::DEADLINE;
use crate::postgres::{address, database, server, store};

fn config(url: &str) -> Config {
    let mut config = Config::default();
    config.store.backend = Backend::Postgres;
    config.store.url = Some(url.to_owned());
    config
}

fn node(name: &str, launch: i64) -> NewNode {
    NewNode {
        name: name.to_owned(),
        role: NodeRole::Worker,
        address: None,
        version: "test".to_owned(),
        launch: Some(launch),
    }
}

async fn until_only(store: &PgStore, left: &[Incarnation]) {
    let until = Instant::now() + DEADLINE;
    loop {
        let nodes = store.nodes().await;
        if nodes.as_ref().is_ok_and(|nodes| nodes.iter().map(|node| node.incarnation).eq(left.iter().copied())) {
            return;
        }
        assert!(Instant::now() < until, "{nodes:?} and not {left:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_worker_that_ended_is_dead_for_all_and_others_are_told() {
    let (name, redis) = (database().await, Redis::start(None).await.unwrap());
    // A node that is declared dead has its sessions ended, so another one looks.
    let (dying, store) = (store(&name).await, store(&name).await);
    let (ends, stays) = (dying.join(&node("ends", 7)).await.unwrap(), dying.join(&node("stays", 8)).await.unwrap());
    let mut config = config(&server().await.url(&name));
    config.redis.url = Some(SecretString::from(redis.url()));
    let listener = RedisBus::start(config.redis.url.as_ref().unwrap(), &config.redis.prefix).unwrap();
    let mut messages = listener.subscribe(stays).await;

    let graves = Graves::start(opener(&config));
    // A launcher's connections stand long before its worker dies; here the hint shows that they do.
    let until = Instant::now() + DEADLINE;
    loop {
        graves.bury(99);
        match tokio::time::timeout(Duration::from_millis(100), messages.recv()).await {
            Ok(message) => break assert_eq!(message, Some(BusMessage::Hints(vec![Hint::Nodes]))),
            Err(_) => assert!(Instant::now() < until, "no hint goes through"),
        }
    }
    until_only(&store, &[ends, stays]).await;

    graves.bury(7);
    until_only(&store, &[stays]).await;
    let answer = store.beat(ends, &NodeReport::default()).await.unwrap();
    assert_eq!(answer.state, NodeState::Dead, "it never revives");
    store.join(&node("ends", 9)).await.expect("its name is free for the next start");
    graves.close(DEADLINE).await;
}

#[tokio::test]
async fn an_end_that_could_not_be_told_is_told_when_the_database_is_back() {
    let server = Postgres::start(None, PostgresOptions::default()).await.unwrap();
    let url = server.create_database("fleet").await.unwrap();
    Schema::connect(&address(&url)).await.unwrap().up("test", false).await.unwrap();
    let settings = StoreSettings::default();
    let store = PgStore::open(&settings, &address(&url)).await.unwrap();
    store.join(&node("first", 1)).await.unwrap();
    store.join(&node("second", 2)).await.unwrap();

    server.kill_9().await.unwrap();
    let graves = Graves::start(opener(&config(&url)));
    let asked = Instant::now();
    graves.bury(1);
    assert!(asked.elapsed() < Duration::from_secs(1), "the next worker waits for no database");
    server.restart().await.unwrap();
    let until = Instant::now() + DEADLINE;
    loop {
        let nodes = store.nodes().await;
        if nodes.as_ref().is_ok_and(|nodes| nodes.len() == 1) {
            break;
        }
        assert!(Instant::now() < until, "the first end is not told: {nodes:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    server.kill_9().await.unwrap();
    graves.bury(2);
    server.restart().await.unwrap();
    until_only(&store, &[]).await;
    graves.close(DEADLINE).await;
}

#[tokio::test]
async fn a_fleet_on_one_node_has_nobody_to_tell() {
    assert!(opener(&Config::default()).is_none());
    let graves = Graves::start(None);
    graves.bury(7);
    graves.close(Duration::ZERO).await;
}
