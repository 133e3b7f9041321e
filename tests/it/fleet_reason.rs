//! Tests explanations and replay: a thousand decisions of a fleet in conversation, recorded by the real program over a
//! restart, explained by its API and its commands, and made again from the store exactly as they were.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::Output;
use std::time::{Duration, Instant};

use botfleet_loadtest::harness::files::ProductOptions;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::fleet_stage::{DEADLINE, FleetStage, binary, natural};

/// Number of decisions that the conversation must reach.
const DECISIONS: u64 = 1_000;
/// Most time for the conversation.
const CONVERSATION: Duration = Duration::from_mins(4);

const LINES: [&str; 7] = [
    "@fleet_2_bot what do you make of the weather?",
    "the tea is good today",
    "does anybody know a good book?",
    "fleet_3_bot, and you?",
    "I was at the market this morning",
    "@fleet_1_bot @fleet_4_bot who of you cooks tonight?",
    "@somebody are you coming?",
];

/// Returns options for bots that take a moment to read: delays must come out the same, too.
fn reading() -> ProductOptions {
    let defaults = toml::toml! {
        [pacing]
        enabled = true
        chars_per_second = 400.0
        quiet_tick = "2s"
    };
    ProductOptions { defaults, ..natural() }
}

/// Runs the program beside the simulated world, which lives in this process and must go on answering.
async fn run(arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).output().await.unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn complained(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Returns the chat's name and the number of its decisions so far.
async fn chat(stage: &FleetStage) -> (String, u64) {
    let chat =
        stage.until_json("/api/v1/fleet", |fleet| fleet["chats"][0]["name"].is_string()).await["chats"][0].clone();
    (chat["name"].as_str().unwrap().to_owned(), chat["decisions"].as_u64().unwrap())
}

/// Lets people talk until so many decisions are made.
async fn converse(stage: &FleetStage, decisions: u64) {
    let until = Instant::now() + CONVERSATION;
    let mut line = 0;
    loop {
        let (_, made) = chat(stage).await;
        if made >= decisions {
            return;
        }
        assert!(Instant::now() < until, "only {made} decisions");
        for _ in 0..20 {
            stage.say(0, LINES[line % LINES.len()]);
            line += 1;
        }
        tokio::time::timeout(
            Duration::from_secs(2),
            stage
                .until_json("/api/v1/fleet", |fleet| fleet["chats"][0]["decisions"].as_u64().unwrap_or(0) >= made + 20),
        )
        .await
        .ok();
    }
}

fn path_of(chat: &str, query: &str) -> String {
    format!("/api/v1/chats/{}/decisions?{query}", chat.replace(' ', "%20"))
}

/// Returns all decisions, newest first, page by page.
async fn all(stage: &FleetStage, chat: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut query = "limit=200&turns=true".to_owned();
    loop {
        let page = stage.json(&path_of(chat, &query)).await;
        found.extend(page["decisions"].as_array().unwrap().iter().cloned());
        let Some(next) = page["next"].as_str() else { return found };
        query = format!("limit=200&turns=true&before={next}");
    }
}

async fn replayed(stage: &FleetStage, chat: &str, manifest: &str, more: &[&str]) -> Value {
    let config = stage.product.files().config().to_string_lossy().into_owned();
    let arguments = ["replay", "--chat", chat, "--with", manifest, "--config", &config, "--json"];
    let output = run(&[&arguments[..], more].concat()).await;
    assert_eq!(output.status.code(), Some(0), "{}", complained(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn a_thousand_recorded_decisions_are_explained_and_replayed_exactly() {
    let mut stage = FleetStage::start(8, 1, reading()).await;
    converse(&stage, DECISIONS / 2).await;
    assert_eq!(stage.product.stop(DEADLINE).await.unwrap().code(), Some(0));
    stage.product.restart().await.unwrap();
    stage.until_polling().await;
    stage.say(0, "good to have you back");
    converse(&stage, DECISIONS).await;
    stage.post("/api/v1/control/stop", &json!({ "scope": "fleet" })).await;
    stage.settle().await;

    let (name, _) = chat(&stage).await;
    let decisions = all(&stage, &name).await;
    assert!(decisions.len() as u64 >= DECISIONS);
    let numbers: Vec<i64> = decisions.iter().map(|decision| decision["number"].as_i64().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] == pair[1] + 1), "no gap and none twice");
    assert_eq!(numbers.last(), Some(&1));
    for decision in &decisions {
        let lines: Vec<&str> =
            decision["explanation"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
        let text = lines.join("\n");
        assert!((2..=24).contains(&lines.len()), "{text}");
        assert!(lines.iter().all(|line| line.chars().count() <= 100 && !line.trim().is_empty()), "{text}");
        assert!(!text.contains("null") && !text.contains('{') && !text.contains("market"), "{text}");
        assert!(decision["turns"].is_array());
    }
    let speaking = decisions.iter().filter(|decision| decision["verdict"] == "speak").count();
    assert!(speaking > 100 && speaking < decisions.len(), "{speaking} of {}", decisions.len());

    let manifest = stage.product.files().manifest();
    let same = replayed(&stage, &name, &manifest.to_string_lossy(), &[]).await;
    assert_eq!(same["differing"], json!([]), "{:#}", same["differing"][0]);
    assert_eq!(same["not_replayed"], json!({}));
    assert_eq!((&same["same"], &same["replayed"]), (&same["decisions"], &same["decisions"]));
    assert!(same["decisions"].as_u64().unwrap() >= DECISIONS);
    assert_eq!(same["total"]["acts"]["before"], same["total"]["acts"]["after"]);
    assert_eq!(same["total"]["spent"]["before"], same["total"]["spent"]["after"]);
    assert!(same["total"]["spent"]["before"]["prompt_tokens"].as_u64().unwrap() > 1_000);

    let other = manifest.with_file_name("other.toml");
    let text = std::fs::read_to_string(&manifest).unwrap().replace("\"natural\"", "\"mention\"");
    std::fs::write(&other, text).unwrap();
    let other = other.to_string_lossy().into_owned();
    let quieter = replayed(&stage, &name, &other, &["--call-models", "--max-calls", "0"]).await;
    let acts = |report: &Value, when: &str| report["total"]["acts"][when].as_u64().unwrap();
    assert!(acts(&quieter, "after") < acts(&quieter, "before"), "{}", quieter["total"]);
    assert!(!quieter["differing"].as_array().unwrap().is_empty());
    assert!(quieter["aspects"]["speakers"].as_u64().unwrap() > 10);

    let asked = stage.simulation.provider.call_count();
    let dice =
        replayed(&stage, &name, &manifest.to_string_lossy(), &["--seed", "7", "--call-models", "--max-calls", "3"])
            .await;
    assert_eq!(dice["calls"], 3);
    assert_eq!(stage.simulation.provider.call_count(), asked + 3, "no call beyond");
    let texts =
        dice["differing"].as_array().unwrap().iter().flat_map(|one| one["texts"].as_array().into_iter().flatten());
    assert!(texts.clone().count() == 3 && texts.clone().all(|text| text["text"].is_string()));
    let sends = stage.sends();
    let part = replayed(&stage, &name, &manifest.to_string_lossy(), &["--from", "700", "--to", "720"]).await;
    assert_eq!((&part["decisions"], &part["same"]), (&json!(21), &json!(21)));
    assert_eq!(stage.sends(), sends, "a replay sends nothing");
}

#[tokio::test]
async fn a_person_asks_why_and_is_told() {
    let stage = FleetStage::start(3, 1, natural()).await;
    stage.say(0, "@fleet_1_bot what do you make of the weather?");
    stage.until_sent(1).await;
    stage.settle().await;
    let (name, _) = chat(&stage).await;
    let api = stage.product.api().address();
    let why = async |more: &[&str]| run(&[&["why", "--api", &api, "--chat", &name], more].concat()).await;

    let page = stage.json(&path_of(&name, "entry=1&turns=true")).await;
    let decision = &page["decisions"][0];
    assert_eq!((&decision["cause"], &decision["verdict"]), (&json!({ "entry": 1 }), &json!("speak")));
    assert_eq!(decision["turns"][0]["bot"], "fleet_1_bot");
    let message = decision["message"].to_string();
    let output = why(&["--message", &message]).await;
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{}", complained(&output));
    for part in ["A person wrote entry 1", "mentions fleet_1_bot", "fleet_1_bot speaks", "sent as message"] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    assert!(!text.contains("weather"), "{text}");
    assert!(said(&why(&["--entry", "1", "--text"]).await).contains("what do you make of the weather?"));
    let record: Value = serde_json::from_str(said(&why(&["--entry", "1", "--json"]).await).trim()).unwrap();
    assert_eq!(record["number"], decision["number"]);

    let telegram = stage.simulation.world.spec().chats[0].id.to_string();
    assert_eq!(stage.json(&path_of(&telegram, "entry=1")).await["decisions"][0]["number"], decision["number"]);
    for (query, status, code) in [
        (path_of("nowhere", "limit=1"), 404, "unknown_chat"),
        (path_of(&name, "message=999999"), 404, "unknown_message"),
        (path_of(&name, "message=1&entry=1"), 400, "bad_request"),
        (path_of(&name, "colour=red"), 400, "bad_request"),
    ] {
        let answer = stage.get(&query).await;
        assert_eq!(answer.status().as_u16(), status, "{query}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert_eq!(answer.json::<Value>().await.unwrap()["code"], code);
    }
    let none = why(&["--entry", "999"]).await;
    assert_eq!(none.status.code(), Some(1));
    assert!(complained(&none).contains("nothing was decided on entry 999"), "{}", complained(&none));
    assert_eq!(run(&["why", "--api", &api]).await.status.code(), Some(2), "a chat must be named");
    let nobody = run(&["why", "--api", "127.0.0.1:9", "--chat", &name]).await;
    assert_eq!(nobody.status.code(), Some(1));
    assert!(complained(&nobody).contains("is the fleet running?"), "{}", complained(&nobody));
}

#[tokio::test]
async fn a_replay_names_what_it_cannot_find() {
    let stage = FleetStage::start(1, 1, natural()).await;
    let files = stage.product.files();
    let (config, manifest) = (files.config(), files.manifest());
    let replay = async |more: &[&str]| {
        let (config, manifest) = (config.to_string_lossy(), manifest.to_string_lossy());
        run(&[&["replay", "--config", &config, "--with", &manifest], more].concat()).await
    };
    let output = replay(&["--chat", "nowhere"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(complained(&output).contains("no chat \"nowhere\" is stored; there are:"), "{}", complained(&output));
    let missing = stage.directory.path().join("missing.db").to_string_lossy().into_owned();
    let output = replay(&["--chat", "nowhere", "--store", &missing]).await;
    assert!(output.status.code() == Some(1) && complained(&output).contains("missing.db"), "{}", complained(&output));
    assert!(!std::path::Path::new(&missing).exists(), "reading makes no file");
    let (name, _) = chat_of_files(&stage);
    let output = replay(&["--chat", &name]).await;
    assert_eq!(output.status.code(), Some(0), "{}", complained(&output));
    assert!(said(&output).contains("0 decisions, 0 made again"), "{}", said(&output));
    assert!(said(&output).contains("teacher-forced"));
}

/// Returns the chat's name as the harness writes it, and its id.
fn chat_of_files(stage: &FleetStage) -> (String, i64) {
    let chat = &stage.simulation.world.spec().chats[0];
    (format!("{} {}", chat.title, chat.id), chat.id)
}
