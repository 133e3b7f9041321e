//! Tests people's orders to a running fleet: another try for dead letters, releases, a replaced token.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use botfleet::api::dead_letters;
use botfleet::api::route::{Call, Nothing};
use botfleet::api::users::{self, Within};
use botfleet::operate::principal::Role;
use botfleet_loadtest::harness::files::ProductOptions;
use botfleet_world::scenario::file::Scenario;
use botfleet_world::telegram::faults::{FaultKind, FaultRule, TelegramFaults};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::fleet_stage::{DEADLINE, FleetStage, binary, options};
use crate::sign_in::{local, new_user, refused, sign_in, with};

async fn until_letter(stage: &FleetStage, ending: &str) -> Value {
    let found = |letters: &Value| letters["dead_letters"][0]["state"] == ending;
    stage.until_json("/api/v1/dead-letters", found).await["dead_letters"][0].clone()
}

async fn redeliver(stage: &FleetStage, letter: &Value, body: &Value) -> (StatusCode, Value) {
    let path = format!("/api/v1/dead-letters/{}/redeliver", letter["id"].as_str().unwrap());
    let answer = stage.post(&path, body).await;
    (answer.status(), answer.json().await.unwrap())
}

#[tokio::test]
async fn a_rejected_message_is_shown_and_sent_once_the_bot_is_back() {
    let stage = FleetStage::raise(1, 1, options(), Duration::from_millis(500)).await;
    stage.until_polling().await;
    let world = &stage.simulation.world;
    let (chat, bot) = (world.spec().chats[0].clone(), world.spec().bots[0].id);
    stage.say(0, "hello");
    stage.until_asked(1).await;
    world.kick_bot(chat.id, bot).unwrap();
    let letter = until_letter(&stage, "rejected").await;
    assert_eq!(letter["chat"], format!("{} {}", chat.title, chat.id));
    assert_eq!((&letter["bot"], &letter["attempts"]), (&json!("fleet_1_bot"), &json!(1)));
    assert!(letter["reason"].as_str().unwrap().contains("kicked"), "{letter}");
    world.add_bot(chat.id, bot).unwrap();
    let (status, done) = redeliver(&stage, &letter, &json!({})).await;
    assert_eq!((status, &done["state"]), (StatusCode::OK, &json!("queued")), "{done}");
    stage.until_sent(1).await;
    stage.settle().await;
    assert_eq!(stage.json("/api/v1/dead-letters").await, json!({ "dead_letters": [], "next": null }));
    let (status, problem) = redeliver(&stage, &letter, &json!({})).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("conflict")));
}

#[tokio::test]
async fn i4_a_message_of_unknown_fate_is_resent_only_when_a_person_accepts_a_double() {
    let stage = FleetStage::small().await;
    let rule = FaultRule { methods: vec!["sendMessage".to_owned()], ..FaultRule::always(FaultKind::ResetBefore) };
    let rules = vec![rule];
    stage.simulation.set_faults(&Scenario { telegram: TelegramFaults { seed: 1, rules }, ..Scenario::default() });
    stage.say(0, "hello");
    let letter = until_letter(&stage, "unknown").await;
    stage.simulation.clear_faults();
    let (status, problem) = redeliver(&stage, &letter, &json!({})).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("may_duplicate")));
    stage.settle().await;
    assert_eq!(stage.json("/api/v1/dead-letters").await["dead_letters"].as_array().unwrap().len(), 1);
    // Whoever operates that bot alone may say so.
    let within = Within { bots: vec![stage.simulation.world.spec().bots[0].username.clone()], chats: Vec::new() };
    local(&stage).call(with::<users::Add>(new_user("ada", Role::Operator, Some(within)))).await.unwrap();
    let id = letter["id"].as_str().unwrap().to_owned();
    let again = dead_letters::Redelivery { confirm_duplicate: true };
    let again = Call::<dead_letters::Redeliver>::new(dead_letters::LetterOf { id }, Nothing {}, again);
    assert_eq!(refused(&sign_in(&stage, "ada").await, again).await, "done");
    stage.until_sent(1).await;
    stage.settle().await;
}

/// Runs a command against the fleet of a stage; returns its exit code, stdout and stderr.
pub(crate) async fn command(stage: &FleetStage, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = tokio::process::Command::new(binary());
    command.args(args).args(["--api", &stage.product.api().address()]).kill_on_drop(true);
    let output = tokio::time::timeout(DEADLINE, command.output()).await.expect("it ends by itself").unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn dead_letters_are_listed_and_redelivered_by_commands() {
    let stage = FleetStage::small().await;
    assert_eq!(command(&stage, &["dead-letters"]).await.1, "0 dead letters\n");
    let rule = FaultRule { methods: vec!["sendMessage".to_owned()], ..FaultRule::always(FaultKind::ResetBefore) };
    let rules = vec![rule];
    stage.simulation.set_faults(&Scenario { telegram: TelegramFaults { seed: 1, rules }, ..Scenario::default() });
    stage.say(0, "hello");
    let letter = until_letter(&stage, "unknown").await;
    stage.simulation.clear_faults();
    let id = letter["id"].as_str().unwrap();
    let (code, listed, _) = command(&stage, &["dead-letters", "--json"]).await;
    assert_eq!((code, serde_json::from_str::<Value>(&listed).unwrap()), (Some(0), letter.clone()));
    assert!(command(&stage, &["dead-letters"]).await.1.contains(id));
    let (code, told, why) = command(&stage, &["redeliver", id]).await;
    assert_eq!((code, told.as_str()), (Some(1), ""));
    assert!(why.starts_with("error: ") && why.contains("may_duplicate"), "{why}");
    let (code, told, why) = command(&stage, &["redeliver", id, "--confirm-duplicate"]).await;
    assert_eq!((code, told), (Some(0), format!("{id} queued\n")), "{why}");
    stage.until_sent(1).await;
    stage.settle().await;
    let (code, _, why) = command(&stage, &["redeliver", "a/b"]).await;
    assert_eq!(code, Some(1), "{why}");
}

#[tokio::test]
async fn letters_and_actors_that_are_not_there_are_problems() {
    let stage = FleetStage::small().await;
    for id in ["nonsense", "turn-7", "message-7"] {
        let answer = stage.post(&format!("/api/v1/dead-letters/{id}/redeliver"), &json!({})).await;
        assert_ne!(answer.status(), StatusCode::OK, "{id}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
    assert_eq!(stage.get("/api/v1/dead-letters?after=nonsense").await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(stage.get("/api/v1/dead-letters?page=1").await.status(), StatusCode::BAD_REQUEST);
    for actor in ["bot fleet_1_bot", "nobody"] {
        let answer = stage.post("/api/v1/control/release", &json!({ "actor": actor })).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        assert_eq!(answer.json::<Value>().await.unwrap()["code"], "not_quarantined");
    }
    let metrics = stage.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains("botfleet_actors_quarantined 0"), "the alert's metric is there before anything fails");
}

#[tokio::test]
async fn a_replaced_token_heals_without_a_restart() {
    let settings = "[bots]\nrefused_retry = \"200ms\"".parse().unwrap();
    let stage = FleetStage::start(1, 1, ProductOptions { settings, ..options() }).await;
    let world = &stage.simulation.world;
    let bot = world.spec().bots[0].clone();
    let token = world.make_token(bot.id);
    world.replace_token(bot.id, &token).unwrap();
    stage.until_json("/api/v1/fleet", |fleet| fleet["bots"][0]["state"] == "refused").await;
    std::fs::write(stage.product.files().dir().join("secrets").join(&bot.username), &token).unwrap();
    stage.until_json("/api/v1/fleet", |fleet| fleet["bots"][0]["state"] == "polling").await;
    stage.say(0, "hello again");
    stage.until_sent(1).await;
    let log = std::fs::read_to_string(stage.product.files().log()).unwrap();
    assert!(!log.contains(token.split_once(':').unwrap().1), "I12");
}
