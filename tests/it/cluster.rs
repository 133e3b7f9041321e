//! Runs two nodes of the real program on PostgreSQL and Redis, steered over the API and the command line.

#![allow(clippy::unwrap_used, clippy::panic)]

mod configuration;
mod events;
mod limits;
mod orders;
mod secrets;
mod sign_in;

use std::time::{Duration, Instant};

use botfleet_loadtest::harness::files::{ProductFiles, ProductOptions};
use botfleet_loadtest::harness::product::Product;
use botfleet_loadtest::servers::postgres::Postgres;
use botfleet_loadtest::servers::redis::Redis;
use botfleet_world::ledger::LedgerEvent;
use botfleet_world::provider::spec::{Latency, ProviderSpec};
use botfleet_world::simulation::{Simulation, SimulationSpec};
use botfleet_world::world::event::Post;
use botfleet_world::world::spec::WorldSpec;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::fleet_stage::{PROVIDER_KEY, binary, options};

const DEADLINE: Duration = Duration::from_secs(30);

struct ClusterStage {
    simulation: Simulation,
    nodes: Vec<Product>,
    folder: TempDir,
    database: String,
    /// Set when the nodes have a bus.
    bus: bool,
}

impl ClusterStage {
    /// Starts a world of four bots in two chats, a database, and so many nodes: `n1`, `n2`, ...
    async fn start(name: &str, nodes: usize) -> Self {
        Self::raise(name, nodes, true).await
    }

    /// Does the same with a bus, or without one.
    async fn raise(name: &str, nodes: usize, bus: bool) -> Self {
        Self::raise_with(name, nodes, bus, ProviderSpec::default()).await
    }

    /// Does the same with a model of one's own.
    async fn raise_with(name: &str, nodes: usize, bus: bool, provider: ProviderSpec) -> Self {
        let mut spec = SimulationSpec::of(WorldSpec::fleet(7, 4, 2));
        let latency = Latency { median: Duration::from_millis(20), sigma: 0.0 };
        spec.provider = ProviderSpec { latency, api_key: Some(PROVIDER_KEY.to_owned()), ..provider };
        let simulation = Simulation::start(spec).await.unwrap();
        let database = Postgres::shared().await.unwrap().create_database(name).await.unwrap();
        let mut stage = Self { simulation, nodes: Vec::new(), folder: tempfile::tempdir().unwrap(), database, bus };
        let files = stage.files("n1", "all", name).await;
        let migrated = stage.run(&files, &["migrate", "up", "--config"], &[]).await;
        assert!(migrated.0, "{}", migrated.1);
        for node in 1..=nodes {
            let files = stage.files(&format!("n{node}"), "all", name).await;
            stage.nodes.push(Product::start(binary(), files).await.unwrap());
        }
        stage
    }

    async fn files(&self, node: &str, role: &str, prefix: &str) -> ProductFiles {
        let redis = if self.bus {
            format!("[redis]\nurl = \"{}\"\nprefix = \"{prefix}\"\n", Redis::shared().await.unwrap().url())
        } else {
            String::new()
        };
        let settings = format!(
            "[store]\nbackend = \"postgres\"\nurl = \"{}\"\n{redis}\
             [cluster]\nnode = \"{node}\"\nrole = \"{role}\"\naddress = \"{node}.internal:8080\"\n[server]\ndrain_for = \"100ms\"\n",
            self.database
        );
        let settings = settings.parse().unwrap();
        let options = ProductOptions { settings, log_level: "info".to_owned(), ..options() };
        let (world, url) = (self.simulation.world.spec(), self.simulation.base_url());
        ProductFiles::write(&self.folder.path().join(node), world, &url, &options).unwrap()
    }

    /// Runs a command of the program; the configuration follows `words`.
    async fn run(&self, files: &ProductFiles, words: &[&str], rest: &[&str]) -> (bool, String) {
        let mut command = Command::new(binary());
        command.args(words);
        if words.last() == Some(&"--config") {
            command.arg(files.config());
        }
        let done = command.args(rest).current_dir(files.dir()).kill_on_drop(true).output().await.unwrap();
        let told = [done.stdout, done.stderr].map(|told| String::from_utf8_lossy(&told).into_owned()).concat();
        (done.status.success(), told)
    }

    /// Runs a command against the node's API.
    async fn order(&self, node: usize, words: &[&str]) -> (bool, String) {
        let product = &self.nodes[node];
        self.run(product.files(), words, &["--api", &product.api().address()]).await
    }

    async fn cluster(&self, node: usize) -> Value {
        self.nodes[node].api().json("/api/v1/cluster").await.unwrap()
    }

    /// Waits until the node's view of the cluster is as wanted, and returns the view.
    async fn until(&self, node: usize, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + DEADLINE;
        loop {
            let cluster = self.cluster(node).await;
            if wanted(&cluster) {
                return cluster;
            }
            let logs: Vec<String> = self.nodes.iter().map(Product::log_tail).collect();
            assert!(Instant::now() < until, "{what}: {cluster:#}\n{}", logs.join("\n---\n"));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn until_bots(&self, node: usize, bots: &[(&str, u64)]) -> Value {
        let wanted = |cluster: &Value| {
            cluster["moves"] == json!([])
                && bots.iter().all(|(name, bots)| {
                    let mut nodes = cluster["nodes"].as_array().unwrap().iter();
                    nodes.any(|node| node["name"] == *name && node["bots"] == *bots && node["state"] != "dead")
                })
        };
        self.until(node, &format!("{bots:?}"), wanted).await
    }

    async fn until_sent(&self, messages: usize) {
        let accepted = |event: &LedgerEvent| matches!(event, LedgerEvent::SendAccepted { .. });
        let sent = self.simulation.world.ledger().wait_for(messages, DEADLINE, accepted).await;
        let logs: Vec<String> = self.nodes.iter().map(Product::log_tail).collect();
        assert!(sent, "{messages} messages were not sent\n{}", logs.join("\n---\n"));
    }

    fn say(&self, text: &str) {
        for chat in &self.simulation.world.spec().chats {
            self.simulation.world.post(chat.id, chat.people[0], Post::text(text)).unwrap();
        }
    }
}

#[tokio::test]
async fn two_nodes_share_the_fleet_answer_together_and_are_steered_from_either() {
    let mut stage = ClusterStage::start("cluster_two", 2).await;
    stage.until_bots(0, &[("n1", 2), ("n2", 2)]).await;
    assert!(stage.simulation.world.wait_until_polling(4, DEADLINE).await, "all bots poll, each on its node");
    let answers = stage.simulation.world.spec().chats.iter().map(|chat| chat.bots.len()).sum::<usize>();
    stage.say("hello");
    stage.until_sent(answers).await;

    // The table that people look at, from the other node.
    let (ok, told) = stage.order(1, &["cluster", "status"]).await;
    assert!(ok && told.contains("Nodes (2)") && told.contains("n1") && told.contains("2/2"), "{told}");
    let (ok, told) = stage.order(0, &["cluster", "rebalance", "--dry-run"]).await;
    assert!(ok && told.contains("nothing was done"), "{told}");

    // Drain one node into the other.
    let (ok, told) = stage.order(0, &["cluster", "drain", "n2"]).await;
    assert!(ok, "{told}");
    let cluster = stage.until_bots(1, &[("n1", 4), ("n2", 0)]).await;
    assert_eq!(cluster["unowned"], 0);
    let bot = cluster["leases"].as_array().unwrap().iter().find(|lease| lease["kind"] == "bot").unwrap();
    let name = bot["name"].as_str().unwrap().to_owned();
    let switch = stage.nodes[1].api().request(Method::POST, &format!("/api/v1/bots/{name}/delivery"));
    let answer = switch.json(&json!({ "mode": "polling" })).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "any node takes any order");
    let done: Value = answer.json().await.unwrap();
    assert_eq!(done, json!({ "bot": name, "mode": "polling" }));
    let (ok, told) = stage.order(1, &["cluster", "drain", "nobody"]).await;
    assert!(!ok && told.contains("unknown_node"), "{told}");
    let (ok, told) = stage.order(1, &["cluster", "drain", "n2", "--undo"]).await;
    assert!(ok, "{told}");
    stage.until_bots(0, &[("n1", 2), ("n2", 2)]).await;
    stage.say("and again");
    stage.until_sent(2 * answers).await;

    // A killed node is missed, and the other takes over.
    stage.nodes[1].kill_9().await.unwrap();
    stage.until_bots(0, &[("n1", 4)]).await;
    stage.say("who is left?");
    stage.until_sent(3 * answers).await;
    assert_eq!(stage.nodes[0].stop(DEADLINE).await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn i10_another_manifest_reaches_live_actors_of_every_node_and_watchers_hear_of_it() {
    let stage = ClusterStage::start("cluster_apply", 2).await;
    stage.until_bots(0, &[("n1", 2), ("n2", 2)]).await;
    let mut events = stage.nodes[1].api().get("/api/v1/events").send().await.unwrap();
    let manifest = stage.nodes[0].files().manifest();
    let text = std::fs::read_to_string(&manifest).unwrap();
    let before = stage.cluster(0).await["config_seq"].as_i64().unwrap();
    let manifest = manifest.to_str().unwrap();
    let (ok, told) = stage.order(0, &["apply", "--manifest", manifest]).await;
    assert!(ok && told.contains("Nothing changes"), "{told}");

    let largest = || stage.simulation.provider.ledger().iter().map(|call| call.prompt_tokens).max().unwrap_or(0);
    stage.say("hello");
    stage.until_sent(1).await;
    let (marker, usual) = ("You end every line with a pelican. ".repeat(100), largest());
    let persona = text.find("voice = ").expect("the manifest describes voices");
    let changed = format!("{}voice = \"{marker}\"\n# {}", &text[..persona], &text[persona..]);
    std::fs::write(manifest, changed).unwrap();
    let (ok, told) = stage.order(0, &["apply", "--manifest", manifest, "--dry-run"]).await;
    assert!(ok && told.contains("~ persona") && told.contains("nothing was done"), "{told}");
    assert_eq!(stage.cluster(0).await["config_seq"], before, "a dry run changes nothing");
    let (ok, told) = stage.order(0, &["apply", "--manifest", manifest]).await;
    assert!(ok && told.contains("is in force"), "{told}");
    for node in 0..2 {
        stage.until(node, "the configuration arrives", |cluster| cluster["config_seq"].as_i64() > Some(before)).await;
    }
    stage.say("what do you end your lines with?");
    let until = Instant::now() + DEADLINE;
    while largest() < usual + 500 {
        assert!(Instant::now() < until, "no prompt has the new voice");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut heard = String::new();
    while !heard.contains("configuration.applied") {
        let chunk = tokio::time::timeout(DEADLINE, events.chunk()).await.unwrap().unwrap().expect("it goes on");
        heard.push_str(&String::from_utf8_lossy(&chunk));
    }
    assert!(heard.contains("\"node\":\"n1\""), "{heard}");
}
