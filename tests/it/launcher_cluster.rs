//! Tests the launcher of a node in a cluster: its worker's death is known at once, and its end is an orderly leave.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::{Duration, Instant};

use botfleet_actors::domain::ownership::NodeState;
use botfleet_actors::ports::cluster::Cluster as _;
use botfleet_loadtest::harness::files::ProductOptions;

use crate::fleet_stage::{DEADLINE, options};
use crate::fleet_stop::signal;
use crate::launcher_stage::LauncherStage;
use crate::postgres::{database, server, store};

async fn on(database: &str) -> ProductOptions {
    let url = server().await.url(database);
    let settings = format!(
        "[store]\nbackend = \"postgres\"\nurl = \"{url}\"\n[cluster]\nnode = \"one\"\n[server]\ndrain_for = \"100ms\""
    );
    ProductOptions { log_level: "info".to_owned(), settings: settings.parse().unwrap(), ..options() }
}

#[tokio::test]
async fn i5_a_killed_worker_is_dead_for_the_cluster_before_its_beats_would_tell() {
    let database = database().await;
    let store = store(&database).await;
    let mut stage = LauncherStage::start(2, on(&database).await, Duration::from_millis(20)).await;
    let first = stage.worker().await;
    stage.until_polling().await;
    let before = store.nodes().await.unwrap();
    assert_eq!(before.len(), 1);
    stage.say("hello");
    stage.until_sent(2).await;

    signal(first, "KILL").await;
    stage.worker().await;
    stage.until_polling().await;
    let after = store.nodes().await.unwrap();
    assert_eq!(after.len(), 1, "the dead one is buried: {after:?}");
    assert!(after[0].incarnation > before[0].incarnation && after[0].name == "one");
    stage.until_logged("the cluster knows that the worker ended").await;
    stage.say("are you still there?");
    stage.until_sent(4).await;

    signal(stage.launcher_pid(), "TERM").await;
    assert_eq!(stage.ended().await.code(), Some(0), "{}", stage.log());
    let left = store.nodes().await.unwrap();
    assert!(left.iter().all(|node| node.state == NodeState::Dead), "it left: {left:?}");
}

#[tokio::test]
async fn i5_a_worker_that_others_declared_dead_is_followed_by_a_new_incarnation() {
    let database = database().await;
    let store = store(&database).await;
    let mut stage = LauncherStage::start(1, on(&database).await, Duration::from_millis(20)).await;
    stage.worker().await;
    stage.until_polling().await;
    let until = Instant::now() + DEADLINE;
    // A beat between the look and `bury` saves the node: look again.
    loop {
        let node = store.nodes().await.unwrap().remove(0);
        if !store.bury(&[(node.incarnation, node.beat)]).await.unwrap().is_empty() {
            break;
        }
        assert!(Instant::now() < until, "it is not buried");
    }
    stage.worker().await;
    stage.until_polling().await;
    assert!(stage.log().contains("exit code 75"), "{}", stage.log());
    stage.say("hello");
    stage.until_sent(1).await;
}
