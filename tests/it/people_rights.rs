//! Tests people's rights on the real program and the simulated world: opting out, erasure, notices, administrators.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::{Duration, Instant};

use botfleet_loadtest::harness::files::{ProductFiles, ProductOptions};
use botfleet_loadtest::harness::product::Product;
use botfleet_world::people::http;
use botfleet_world::simulation::{Simulation, SimulationSpec};
use botfleet_world::world::event::{MemberChange, Post, WorldEvent};
use botfleet_world::world::spec::WorldSpec;
use serde_json::json;

use crate::fleet_stage::{DEADLINE, FleetStage, binary, natural, options};

/// A word that stands nowhere else.
const MARKER: &str = "zebrafinkenschwarm";

/// Returns whether a text stands anywhere in the store's files: the database, its log, its index.
fn is_stored(stage: &FleetStage, text: &str) -> bool {
    let database = stage.product.files().database();
    let directory = database.parent().unwrap();
    let name = database.file_name().unwrap().to_str().unwrap().to_owned();
    let files = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap());
    let files = files.filter(|file| file.file_name().to_str().is_some_and(|other| other.starts_with(&name)));
    files.into_iter().any(|file| {
        let bytes = std::fs::read(file.path()).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

/// Returns the texts that bots posted in the first chat.
fn said(stage: &FleetStage) -> Vec<String> {
    let chat = &stage.simulation.world.spec().chats[0];
    let history = stage.simulation.world.history(chat.id, 1_000);
    history.into_iter().filter(|message| message.author.is_bot).map(|message| message.text).collect()
}

async fn until_said(stage: &FleetStage, part: &str) -> String {
    let until = Instant::now() + DEADLINE;
    loop {
        if let Some(text) = said(stage).into_iter().find(|text| text.contains(part)) {
            return text;
        }
        assert!(Instant::now() < until, "no bot says {part:?}: {:?}", said(stage));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn post_as(stage: &FleetStage, person: usize, text: &str) -> i64 {
    let chat = &stage.simulation.world.spec().chats[0];
    stage.simulation.world.post(chat.id, chat.people[person], Post::text(text)).unwrap()
}

async fn until_stopped(stage: &FleetStage, stopped: bool) {
    stage
        .until_json("/api/v1/fleet", |fleet| fleet["stops"].as_array().is_some_and(|stops| stops.is_empty() != stopped))
        .await;
}

#[tokio::test]
async fn words_of_who_has_opted_out_are_nowhere_in_the_files() {
    let stage = FleetStage::start(2, 1, options()).await;
    post_as(&stage, 0, "/optout");
    until_said(&stage, "nothing you write is stored").await;
    let hers = post_as(&stage, 0, &format!("{MARKER} one"));
    let chat = &stage.simulation.world.spec().chats[0];
    stage.simulation.world.edit(chat.id, chat.people[0], hers, &format!("{MARKER} two")).unwrap();
    stage.simulation.world.post(chat.id, chat.people[1], Post::text("I do not think so").reply_to(hers)).unwrap();
    stage.until_sent(3).await;
    stage.settle().await;
    assert!(!is_stored(&stage, MARKER));
    assert!(is_stored(&stage, "I do not think so"), "what others say is stored");
    post_as(&stage, 0, "/mydata");
    until_said(&stage, "Since ").await;
    // Telegram tells times in seconds: within the same second, opting out counts more.
    tokio::time::sleep(Duration::from_secs(1)).await;
    post_as(&stage, 0, "/optin");
    until_said(&stage, "store what you write again").await;
    post_as(&stage, 0, &format!("{MARKER} three"));
    stage.until_sent(7).await;
    stage.settle().await;
    assert!(is_stored(&stage, &format!("{MARKER} three")));
}

#[tokio::test]
async fn who_is_forgotten_is_gone_from_the_files() {
    let stage = FleetStage::start(2, 1, options()).await;
    let hers = post_as(&stage, 0, &format!("I keep a {MARKER}"));
    let chat = &stage.simulation.world.spec().chats[0];
    let reply = Post::text("really?").reply_to(hers);
    stage.simulation.world.post(chat.id, chat.people[1], reply).unwrap();
    stage.until_sent(4).await;
    stage.settle().await;
    assert!(is_stored(&stage, MARKER));
    post_as(&stage, 0, "/forgetme");
    until_said(&stage, "is being removed").await;
    let until = Instant::now() + DEADLINE;
    while is_stored(&stage, MARKER) {
        assert!(Instant::now() < until, "her words are still in the files");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let person = chat.people[0];
    let record = stage.json(&format!("/api/v1/people/{person}")).await;
    assert_eq!((record["entries"].as_u64(), record["opted_out_since"].is_null()), (Some(0), true), "{record}");
    assert!(is_stored(&stage, "really?"), "what others said stays");
    // Telegram tells times in seconds: a message of the same second as the order is forgotten with the rest.
    tokio::time::sleep(Duration::from_secs(1)).await;
    post_as(&stage, 0, "hello again");
    stage.until_sent(7).await;
    stage.settle().await;
}

#[tokio::test]
async fn an_operator_opts_somebody_out_and_shows_what_is_stored() {
    let stage = FleetStage::start(1, 1, options()).await;
    post_as(&stage, 0, "hello");
    stage.until_sent(1).await;
    stage.settle().await;
    let person = stage.simulation.world.spec().chats[0].people[0];
    let path = format!("/api/v1/people/{person}");
    let record = stage.json(&path).await;
    assert_eq!((record["entries"].as_u64(), record["answers"].as_u64()), (Some(1), Some(1)), "{record}");
    let done = stage.post(&format!("{path}/optout"), &json!({})).await;
    assert_eq!(done.status(), 200);
    post_as(&stage, 0, MARKER);
    stage.settle().await;
    assert!(!is_stored(&stage, MARKER));
    assert_eq!(stage.get("/api/v1/people/ada").await.status(), 400);
}

#[tokio::test]
async fn people_are_told_once_that_they_talk_to_an_ai() {
    let told = ProductOptions { defaults: "disclosure = \"We are machines.\"".parse().unwrap(), ..natural() };
    let mut stage = FleetStage::start(2, 1, told).await;
    post_as(&stage, 0, "good morning");
    until_said(&stage, "We are machines.").await;
    stage.settle().await;
    stage.product.kill_9().await.unwrap();
    stage.product.restart().await.unwrap();
    stage.until_polling().await;
    post_as(&stage, 1, "good morning to you");
    stage.settle().await;
    assert_eq!(said(&stage).iter().filter(|text| text.contains("We are machines.")).count(), 1);
    post_as(&stage, 1, "/ai");
    stage.settle().await;
    assert_eq!(said(&stage).iter().filter(|text| text.contains("We are machines.")).count(), 2, "and who asks");
}

#[tokio::test]
async fn only_administrators_quiet_and_start_a_chat() {
    let stage = FleetStage::start(1, 1, options()).await;
    let chat = &stage.simulation.world.spec().chats[0];
    stage.simulation.world.set_admin(chat.id, chat.people[0], true).unwrap();
    stage.simulation.world.set_admin(chat.id, chat.people[1], false).unwrap();
    post_as(&stage, 1, "/quiet 2h");
    post_as(&stage, 1, "anybody here?");
    stage.until_sent(1).await;
    until_stopped(&stage, false).await;
    post_as(&stage, 0, "/quiet 2h");
    until_stopped(&stage, true).await;
    post_as(&stage, 1, "/start");
    post_as(&stage, 1, "still quiet?");
    stage.settle().await;
    assert_eq!(stage.sends(), 1);
    until_stopped(&stage, true).await;
    post_as(&stage, 0, "/start");
    until_stopped(&stage, false).await;
    post_as(&stage, 1, "and now?");
    stage.until_sent(2).await;
}

#[tokio::test]
async fn a_chat_that_is_not_in_the_manifest_is_left() {
    let mut spec = WorldSpec::fleet(7, 1, 2);
    spec.chats[1].bots = spec.chats[0].bots.clone();
    let simulation = Simulation::start(SimulationSpec::of(spec)).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut known = simulation.world.spec().clone();
    let foreign = known.chats.pop().unwrap();
    let (url, root) = (simulation.base_url(), directory.path().join("fleet"));
    let files = ProductFiles::write(&root, &known, &url, &options()).unwrap();
    let mut news = simulation.world.subscribe();
    let product = Product::start(binary(), files).await.unwrap();
    let stage = FleetStage { simulation, product, http: http::client().unwrap(), directory };
    stage.until_polling().await;
    stage.simulation.world.post(foreign.id, foreign.people[0], Post::text("come in")).unwrap();
    let left = async {
        loop {
            if let Ok(WorldEvent::Member { chat, change: MemberChange::Left, .. }) = news.recv().await
                && chat == foreign.id
            {
                return;
            }
        }
    };
    tokio::time::timeout(DEADLINE, left).await.expect("the bot stays");
    stage.settle().await;
    let outcomes = stage.get("/api/v1/outcomes").await.text().await.unwrap();
    assert!(outcomes.contains("the chat is not in the manifest"), "{outcomes}");
    assert_eq!(stage.sends(), 0);
}
