//! Tests webhooks of a running fleet: the receiver, and changes of the delivery mode while deliveries fail.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use botfleet_loadtest::harness::files::{ProductFiles, ProductOptions};
use botfleet_loadtest::harness::product::Product;
use botfleet_world::checker::{Policy, check_with};
use botfleet_world::ledger::LedgerEvent;
use botfleet_world::people::http;
use botfleet_world::scenario::file::Scenario;
use botfleet_world::telegram::faults::{FaultKind, FaultRule, TelegramFaults};
use botfleet_world::world::spec::WorldSpec;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::fleet_stage::{DEADLINE, FleetStage, binary, options};
use crate::scripted_http::{Scripted, answer, refusing};

const BOT: &str = "/api/v1/bots/fleet_1_bot/delivery";
const SECRET: &str = "x-telegram-bot-api-secret-token";

/// Returns a port that the system gives to no client: it must stay free while the product restarts.
pub(crate) fn free_port() -> u16 {
    botfleet_loadtest::servers::daemon::free_port().unwrap()
}

/// Returns options with the receiver on a port of its own, and bots that begin in the given delivery mode.
pub(crate) fn with_webhooks(port: u16, delivery: &str) -> ProductOptions {
    let mut options = options();
    let text = format!("[webhooks]\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"http://127.0.0.1:{port}\"");
    options.settings.extend(text.parse::<toml::Table>().unwrap());
    options.defaults.insert("delivery".into(), delivery.into());
    options
}

pub(crate) async fn switch(stage: &FleetStage, mode: &str) {
    let answer = stage.post(BOT, &json!({ "mode": mode })).await;
    assert_eq!(answer.status(), StatusCode::OK, "{}", answer.text().await.unwrap());
}

pub(crate) async fn until_health(stage: &FleetStage, health: &str) -> Value {
    stage.until_json("/api/v1/fleet", |fleet| fleet["bots"][0]["state"] == health).await
}

/// Makes deliveries fail in the first chat only: the receiver is not reached, or its answer is lost.
fn failing_first_chat(stage: &FleetStage) -> Scenario {
    let chats = vec![stage.simulation.world.spec().chats[0].id];
    let rule = |what, probability| FaultRule { chats: chats.clone(), probability, ..FaultRule::always(what) };
    let rules = vec![rule(FaultKind::WebhookUnreached, 0.4), rule(FaultKind::WebhookFails, 0.5)];
    Scenario { telegram: TelegramFaults { seed: 11, rules }, ..Scenario::default() }
}

#[tokio::test]
async fn i1_to_and_fro_while_one_chats_delivery_fails_loses_and_doubles_nothing() {
    let stage = FleetStage::start(2, 2, with_webhooks(free_port(), "polling")).await;
    stage.simulation.set_faults(&failing_first_chat(&stage));
    let mut lines = 0;
    for round in 0..6 {
        for chat in [0, 1, 0, 1] {
            lines += 1;
            stage.say(chat, &format!("line {lines}"));
        }
        switch(&stage, if round % 2 == 0 { "webhook" } else { "polling" }).await;
        for chat in [0, 1, 0] {
            lines += 1;
            stage.say(chat, &format!("line {lines}"));
        }
        if round % 2 == 0 {
            until_health(&stage, "receiving").await;
        }
        stage.until_sent(round * 7).await;
    }
    stage.simulation.clear_faults();
    until_health(&stage, "polling").await;
    stage.until_sent(lines).await;
    let outcomes = stage.settle().await;
    let (ledger, calls) = (stage.simulation.world.ledger().snapshot(), stage.simulation.provider.ledger());
    let failed = |event: &LedgerEvent| matches!(event, LedgerEvent::WebhookAttempt { status, .. } if *status != 200);
    assert!(ledger.iter().any(|record| failed(&record.event)), "deliveries did fail");
    let report = check_with(Policy::Every, &ledger, &calls, &outcomes);
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.totals.people_messages, report.totals.sends_accepted), (lines as u64, lines as u64), "{report}");
}

#[tokio::test]
async fn i8_a_bot_on_webhooks_loses_nothing_over_a_kill_and_the_choice_stays() {
    let mut stage = FleetStage::start(1, 1, with_webhooks(free_port(), "polling")).await;
    switch(&stage, "webhook").await;
    until_health(&stage, "receiving").await;
    stage.say(0, "before");
    stage.until_sent(1).await;
    stage.settle().await;
    stage.product.kill_9().await.unwrap();
    stage.say(0, "while nobody is there");
    stage.product.restart().await.unwrap();
    let fleet = until_health(&stage, "receiving").await;
    assert_eq!(fleet["bots"][0]["delivery"], "webhook", "a person's choice outlives the process");
    stage.until_sent(2).await;
    switch(&stage, "polling").await;
    stage.until_polling().await;
    stage.say(0, "after");
    stage.until_sent(3).await;
    let outcomes = stage.settle().await;
    let (ledger, calls) = (stage.simulation.world.ledger().snapshot(), stage.simulation.provider.ledger());
    let report = check_with(Policy::Every, &ledger, &calls, &outcomes);
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn what_is_left_of_our_own_webhook_is_deleted_and_anothers_is_not() {
    let port = free_port();
    let stage = FleetStage::start(1, 1, with_webhooks(port, "polling")).await;
    let bot = stage.simulation.world.spec().bots[0].id;
    let ours = format!("http://127.0.0.1:{port}/webhook/telegram/fleet_1_bot");
    stage.simulation.world.leave_webhook(bot, Some(&ours)).unwrap();
    stage.say(0, "still there?");
    stage.until_sent(1).await;
    stage.simulation.world.leave_webhook(bot, Some("https://other.example/1:secret-path")).unwrap();
    let fleet = until_health(&stage, "degraded").await;
    let reason = &fleet["bots"][0]["reason"].as_str().unwrap();
    let fleet = stage
        .until_json("/api/v1/fleet", |fleet| {
            fleet["bots"][0]["reason"].as_str().is_some_and(|reason| reason.contains("delete_foreign"))
        })
        .await;
    assert!(!fleet.to_string().contains("secret-path"), "I12: {reason}");
    stage.simulation.world.leave_webhook(bot, None).unwrap();
}

#[tokio::test]
async fn a_way_that_cannot_be_is_a_problem() {
    let stage = FleetStage::small().await;
    let answer = stage.post(BOT, &json!({ "mode": "webhook" })).await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    assert!(answer.text().await.unwrap().contains("webhooks.public_url"));
    let answer = stage.post(BOT, &json!({ "mode": "pigeon" })).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let answer = stage.post("/api/v1/bots/nobody/delivery", &json!({ "mode": "polling" })).await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_receivers_door_opens_to_the_secret_only() {
    let me = json!({"ok": true, "result": {"id": 7_100_000_001_i64, "is_bot": true, "first_name": "One", "username": "fleet_1_bot"}});
    let yes = json!({"ok": true, "result": true});
    let mut world = WorldSpec::fleet(7, 1, 1);
    let token = world.bots[0].token.split_once(':').unwrap().1.to_owned();
    world.bots[0].token = format!("7100000001:{token}");
    let telegram = Scripted::start([answer(200, me.to_string()), answer(200, yes.to_string())]).await;
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut options = ProductOptions { log_level: "trace".to_owned(), ..with_webhooks(port, "webhook") };
    options.settings.get_mut("webhooks").unwrap().as_table_mut().unwrap().insert("body_max".into(), "4KiB".into());
    // The provider is at another address, since it is asked for its models at the start.
    let of_telegram = format!("[telegram]\napi_url = \"{}\"", telegram.url());
    options.settings.extend(of_telegram.parse::<toml::Table>().unwrap());
    let elsewhere = refusing().await;
    let files = ProductFiles::write(&directory.path().join("fleet"), &world, &elsewhere, &options).unwrap();
    let mut product = Product::start(binary(), files).await.unwrap();
    let http = http::client().unwrap();
    let until = std::time::Instant::now() + DEADLINE;
    while telegram.seen().len() < 2 {
        assert!(std::time::Instant::now() < until, "setWebhook never came: {}", product.log_tail());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let set = &telegram.seen()[1];
    assert!(set.head.to_ascii_lowercase().contains("/setwebhook"), "{}\n{}", set.head, product.log_tail());
    let (url, secret) = (set.body["url"].as_str().unwrap().to_owned(), set.body["secret_token"].as_str().unwrap());
    assert_eq!(url, format!("http://127.0.0.1:{port}/webhook/telegram/fleet_1_bot"));
    assert_eq!((secret.len(), &set.body["drop_pending_updates"]), (64, &json!(false)));
    let bring = |url: &str, secret: &str, body: String| http.post(url).header(SECRET, secret).body(body).send();

    let wrong = bring(&url, &"0".repeat(64), "{}".to_owned()).await.unwrap();
    let unknown = bring(&url.replace("fleet_1", "fleet_9"), secret, "{}".to_owned()).await.unwrap();
    let none = http.post(&url).body("{}").send().await.unwrap();
    for refused in [wrong, unknown, none] {
        assert_eq!((refused.status(), refused.content_length()), (StatusCode::NOT_FOUND, Some(0)));
    }
    let huge = bring(&url, secret, format!("{{\"a\":\"{}\"}}", "x".repeat(5000))).await.unwrap();
    assert_eq!(huge.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let cut = bring(&url, secret, "{\"update_id\":".to_owned()).await.unwrap();
    assert_eq!(cut.status(), StatusCode::BAD_REQUEST);
    let nameless = bring(&url, secret, "{\"message\":{}}".to_owned()).await.unwrap();
    assert_eq!(nameless.status(), StatusCode::OK);
    let update = json!({"update_id": 5, "poll": {"id": "1"}}).to_string();
    for _ in 0..2 {
        let stored = bring(&url, secret, update.clone()).await.unwrap();
        assert_eq!((stored.status(), stored.content_length()), (StatusCode::OK, Some(0)));
    }
    let outcomes = product.api().get("/api/v1/outcomes").send().await.unwrap();
    assert_eq!(outcomes.text().await.unwrap().lines().count(), 1, "stored once");
    product.stop(DEADLINE).await.unwrap();
    for entry in std::fs::read_dir(product.files().dir()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(64).any(|w| w == secret.as_bytes()), "I12: {} holds the secret", path.display());
        }
    }
}
