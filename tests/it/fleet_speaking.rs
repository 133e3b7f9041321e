//! Tests operators who speak as bots on the real program: what people see, what a kill leaves, what a stop in the chat does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::{Duration, Instant};

use botfleet_world::ledger::LedgerEvent;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::fleet_orders::command;
use crate::fleet_stage::{DEADLINE, FleetStage};

/// Words that nobody else says.
const MARKER: &str = "bergamot";

/// Returns chat and bot of a stage by their names.
async fn names(stage: &FleetStage) -> (String, String) {
    let fleet = stage.json("/api/v1/fleet").await;
    let chat = &stage.simulation.world.spec().chats[0];
    (chat.id.to_string(), fleet["bots"][0]["name"].as_str().unwrap().to_owned())
}

async fn say(stage: &FleetStage, key: &str, text: &str) -> Result<(StatusCode, Value), reqwest::Error> {
    let (chat, bot) = names(stage).await;
    say_in(stage, (&chat, &bot), key, text).await
}

async fn say_in(
    stage: &FleetStage,
    (chat, bot): (&str, &str),
    key: &str,
    text: &str,
) -> Result<(StatusCode, Value), reqwest::Error> {
    let request = stage.request(Method::POST, &format!("/api/v1/chats/{chat}/say"));
    let answer = request.header("idempotency-key", key).json(&json!({ "bot": bot, "text": text })).send().await?;
    Ok((answer.status(), answer.json().await?))
}

fn sent(stage: &FleetStage, text: &str) -> usize {
    let accepted = |event: &LedgerEvent| matches!(event, LedgerEvent::SendAccepted { text: sent, .. } if sent == text);
    stage.simulation.world.ledger().snapshot().iter().filter(|record| accepted(&record.event)).count()
}

#[tokio::test]
async fn what_an_operator_says_is_in_the_chat_once_and_is_deleted_there() {
    let stage = FleetStage::small().await;
    let text = format!("I take {MARKER} tea");
    let (status, said) = say(&stage, "one", &text).await.unwrap();
    assert_eq!((status, &said["fate"], sent(&stage, &text)), (StatusCode::OK, &json!("sent"), 1), "{said}");
    let (status, again) = say(&stage, "one", &text).await.unwrap();
    assert_eq!((status, &again, sent(&stage, &text)), (StatusCode::OK, &said, 1), "a repeat gets the first answer");
    let orders = stage.json("/api/v1/orders").await;
    assert_eq!((&orders["orders"][0]["kind"], &orders["orders"][0]["state"]), (&json!("say"), &json!("done")));
    assert!(!orders.to_string().contains(MARKER), "{orders}");
    let (chat, _) = names(&stage).await;
    let why = stage.json(&format!("/api/v1/chats/{chat}/decisions?limit=9")).await;
    assert!(why.to_string().contains("the operator local speaks as the bot"), "{why}");
    let path = format!("/api/v1/chats/{chat}/messages/{}", said["entry"]);
    let deleted: Value = stage.request(Method::DELETE, &path).send().await.unwrap().json().await.unwrap();
    assert_eq!(deleted["state"], "deleted", "{deleted}");
    let left = stage.simulation.world.history(chat.parse().unwrap(), 99);
    assert!(left.iter().all(|message| !message.text.contains(MARKER)), "people do not see it any more");
    stage.say(0, "what was that?");
    stage.until_sent(2).await;
    stage.settle().await;
}

#[tokio::test]
async fn i9_a_stop_in_the_chat_beats_a_takeover() {
    let stage = FleetStage::small().await;
    let (chat, bot) = names(&stage).await;
    let path = format!("/api/v1/chats/{chat}/takeover");
    let begun: Value = stage.post(&path, &json!({ "bot": bot, "idle_minutes": 5 })).await.json().await.unwrap();
    assert_eq!(begun["takeover"]["holder"], "local", "{begun}");
    stage.until_sent(1).await;
    stage.say(0, "is anybody there?");
    stage.settle().await;
    assert_eq!(stage.sends(), 1, "the line that tells the people is all");
    let spec = &stage.simulation.world.spec().chats[0];
    let admin = spec.admins.iter().find(|admin| spec.people.contains(admin)).copied().unwrap_or(spec.people[0]);
    stage.simulation.world.post(spec.id, admin, botfleet_world::world::event::Post::text("/stop")).unwrap();
    stage.until_json("/api/v1/fleet", |fleet| fleet["stops"].as_array().is_some_and(|stops| !stops.is_empty())).await;
    let (status, refused) = say(&stage, "one", "I go on").await.unwrap();
    assert_eq!((status, &refused["code"]), (StatusCode::CONFLICT, &json!("cannot_speak")), "{refused}");
    stage.settle().await;
    assert_eq!(stage.sends(), 1);
}

#[tokio::test]
async fn a_takeover_outlives_a_kill_and_the_commands_say_so() {
    let mut stage = FleetStage::small().await;
    let (chat, bot) = names(&stage).await;
    let place = ["--chat", chat.as_str(), "--bot", bot.as_str()];
    let begin = [&["takeover", "begin"][..], &place, &["--idle-minutes", "5"]].concat();
    let (code, told, why) = command(&stage, &begin).await;
    assert!(code == Some(0) && told.contains("is held by local until"), "{told} {why}");
    stage.until_sent(1).await;
    stage.product.kill_9().await.unwrap();
    stage.product.restart().await.unwrap();
    stage.until_polling().await;
    stage.say(0, "is anybody there?");
    stage.settle().await;
    assert_eq!(stage.sends(), 1, "the bot keeps silent");
    let (code, told, why) = command(&stage, &[&["say"][..], &place, &["I am a person."]].concat()).await;
    assert!(code == Some(0) && told.starts_with("sent  message "), "{told} {why}");
    let (code, told, why) = command(&stage, &["takeover", "show", "--chat", &chat]).await;
    assert!(code == Some(0) && told.contains("is held by local"), "{told} {why}");
    let (code, _, why) = command(&stage, &[&["takeover", "end"][..], &place].concat()).await;
    assert_eq!(code, Some(0), "{why}");
    let (_, told, _) = command(&stage, &["takeover", "show", "--chat", &chat]).await;
    assert_eq!(told, "every bot speaks for itself\n");
    stage.say(0, "and now?");
    stage.until_sent(3).await;
    let count = ["retract", "--chat", &chat, "--since", "1h", "--dry-run"];
    let (code, told, why) = command(&stage, &count).await;
    assert_eq!((code, told.as_str()), (Some(0), "2 messages would be deleted\n"), "the notice stays: {why}");
    let (_, told, why) = command(&stage, &count[..5]).await;
    assert_eq!(told, "2 messages are being deleted\n", "{why}");
    let path = format!("/api/v1/chats/{chat}/retractions");
    let gone =
        |all: &Value| all["retractions"].as_array().is_some_and(|all| all.iter().all(|one| one["state"] == "deleted"));
    assert_eq!(stage.until_json(&path, gone).await["retractions"].as_array().unwrap().len(), 2);
    let (code, _, why) = command(&stage, &["message", "delete", "--chat", &chat, "4711"]).await;
    assert!(code == Some(1) && why.contains("unknown_message"), "{why}");
}

#[tokio::test]
async fn i4_a_kill_around_what_an_operator_says_leaves_it_said_once_or_unknown() {
    let mut stage = FleetStage::small().await;
    let (chat, bot) = names(&stage).await;
    let mut random = fastrand::Rng::with_seed(16);
    let rounds: Vec<String> = (0..8).map(|round| format!("line number {round} of a person")).collect();
    let mut answers = Vec::new();
    for (round, text) in rounds.iter().enumerate() {
        let after = Duration::from_millis(random.u64(0..60));
        let key = round.to_string();
        let said = tokio::time::timeout(after, say_in(&stage, (&chat, &bot), &key, text)).await;
        stage.product.kill_9().await.unwrap();
        stage.product.restart().await.unwrap();
        stage.until_polling().await;
        answers.push(said);
    }
    let until = Instant::now() + Duration::from_secs(90);
    let orders = loop {
        let orders = stage.json("/api/v1/orders?limit=200").await["orders"].clone();
        let open = |order: &Value| ["waiting", "begun"].contains(&order["state"].as_str().unwrap());
        if !orders.as_array().unwrap().iter().any(open) {
            break orders;
        }
        assert!(Instant::now() < until, "{orders}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    tokio::time::timeout(DEADLINE * 2, stage.settle()).await.unwrap();
    let unknown = stage.json("/api/v1/fleet").await["queues"]["unknown"].as_u64().unwrap();
    let done = orders.as_array().unwrap().iter().filter(|order| order["state"] == "done").count();
    let said: Vec<usize> = rounds.iter().map(|text| sent(&stage, text)).collect();
    assert!(said.iter().all(|times| *times <= 1), "never twice: {said:?}");
    let once = said.iter().sum::<usize>();
    assert!(
        once <= done && done <= once + usize::try_from(unknown).unwrap() + dropped(&stage).await,
        "{said:?} {orders} {unknown}"
    );
}

/// Returns how many turns ended without a message.
async fn dropped(stage: &FleetStage) -> usize {
    let (chat, _) = names(stage).await;
    let why = stage.json(&format!("/api/v1/chats/{chat}/decisions?limit=200&turns=true")).await;
    why.to_string().matches("\"expired\"").count()
}
