//! Follows the events of a cluster of real programs, from either node, with every hint lost.

use std::collections::BTreeMap;

use botfleet::client::Client;
use botfleet_loadtest::harness::files::chat_name;

use super::*;
use crate::follower::Follower;

impl ClusterStage {
    fn client(&self, node: usize) -> Client {
        let socket = self.nodes[node].files().dir().join("botfleet.sock");
        Client::new(&format!("unix:{}", socket.display())).unwrap()
    }

    /// Returns the last entry of each chat, once nothing waits.
    async fn ends(&self, node: usize) -> BTreeMap<String, i64> {
        let until = Instant::now() + DEADLINE;
        loop {
            let quiet = self.simulation.world.wait_until_quiet(Duration::from_millis(500), DEADLINE).await;
            let queues = &self.nodes[node].api().json::<Value>("/api/v1/fleet").await.unwrap()["queues"];
            let waiting: u64 = ["inbox", "turns", "outbox"].iter().map(|queue| queues[queue].as_u64().unwrap()).sum();
            if quiet && waiting == 0 {
                break;
            }
            assert!(Instant::now() < until, "never comes to rest: {queues}");
        }
        let mut ends = BTreeMap::new();
        for chat in &self.simulation.world.spec().chats {
            let path = format!("/api/v1/chats/{}/messages?limit=1", chat_name(chat));
            let page: Value = self.nodes[node].api().json(&path).await.unwrap();
            ends.insert(chat_name(chat), page["entries"][0]["number"].as_i64().unwrap());
        }
        ends
    }
}

/// Lets people speak while readers at both nodes follow, are cut off, change the node, and lose it.
async fn nothing_is_missed_over_two_nodes(mut stage: ClusterStage) {
    stage.until_bots(0, &[("n1", 2), ("n2", 2)]).await;
    assert!(stage.simulation.world.wait_until_polling(4, DEADLINE).await);
    let mut readers = [Follower::new(stage.client(0), None, false), Follower::new(stage.client(1), None, false)];
    for reader in &mut readers {
        reader.open().await;
    }
    for time in 0..20 {
        stage.say(&format!("what about number {time}?"));
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    let there = stage.ends(0).await;
    for reader in &mut readers {
        reader.until("everything of both chats", |reader| reader.has(&there)).await;
        reader.assert_whole();
    }
    assert_eq!(readers[0].entries, readers[1].entries);
    let mut decided = BTreeMap::new();
    for chat in &stage.simulation.world.spec().chats {
        let path = format!("/api/v1/chats/{}/decisions?limit=1", chat_name(chat));
        let page: Value = stage.nodes[0].api().json(&path).await.unwrap();
        decided.insert(chat_name(chat), page["decisions"][0]["number"].as_i64().unwrap());
    }
    for reader in &mut readers {
        reader.until("the last decisions", |reader| reader.has_decided(&decided)).await;
    }
    assert_eq!(readers[0].decisions, readers[1].decisions);

    // Each goes to the other node, and comes back with what it has.
    let [one, other] = &mut readers;
    one.cut();
    other.cut();
    stage.say("and meanwhile?");
    let there = stage.ends(1).await;
    std::mem::swap(&mut one.client, &mut other.client);
    for reader in &mut readers {
        reader.open().await;
        reader.until("what came meanwhile", |reader| reader.has(&there)).await;
    }
    // The first reader is at the second node now, which dies.
    stage.nodes[1].kill_9().await.unwrap();
    stage.until_bots(0, &[("n1", 4)]).await;
    stage.say("who is left?");
    let there = stage.ends(0).await;
    let [one, other] = &mut readers;
    one.cut();
    one.client = stage.client(0);
    one.open().await;
    for reader in [one, other] {
        reader.until("what came after the death", |reader| reader.has(&there)).await;
        reader.assert_whole();
    }
    assert_eq!(readers[0].entries, readers[1].entries);
}

#[tokio::test]
async fn nothing_is_missed_and_nothing_doubled_over_two_nodes() {
    nothing_is_missed_over_two_nodes(ClusterStage::start("cluster_events", 2).await).await;
}

#[tokio::test]
async fn with_every_hint_lost_nothing_is_missed_and_nothing_doubled_over_two_nodes() {
    nothing_is_missed_over_two_nodes(ClusterStage::raise("cluster_events_alone", 2, false).await).await;
}
