//! Tests webhooks: delivery, order, retries, the way back to polling.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Json, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use axum::routing::post;
use botfleet_world::ledger::LedgerEvent;
use botfleet_world::telegram::faults::{FaultKind, FaultRule, TelegramFaults};
use botfleet_world::world::event::Post;
use botfleet_world::world::spec::WebhookSpec;
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore};

use crate::telegram_harness::{ADMIN, DEADLINE, FORUM, GROUP, GUEST, OPEN, OWNER, Sim, spec};

type Judge = Box<dyn Fn(&Value) -> (u16, Value) + Send + Sync>;

/// A receiver that records every request and answers as its `judge` decides.
struct Receiver {
    url: String,
    shared: Arc<Shared>,
}

struct Shared {
    got: Mutex<Vec<(Option<String>, Value)>>,
    came: Notify,
    /// Permits to answer: each answer takes one.
    gate: Semaphore,
    judge: Judge,
}

async fn receive(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Json(update): Json<Value>,
) -> axum::response::Response {
    let secret = headers.get("x-telegram-bot-api-secret-token").map(|value| value.to_str().unwrap().to_owned());
    shared.got.lock().unwrap().push((secret, update.clone()));
    shared.came.notify_waiters();
    shared.gate.acquire().await.unwrap().forget();
    let (status, body) = (shared.judge)(&update);
    let headers = [("retry-after", if status == 429 { "1" } else { "0" })];
    (StatusCode::from_u16(status).unwrap(), headers, Json(body)).into_response()
}

impl Receiver {
    async fn of(open: usize, judge: impl Fn(&Value) -> (u16, Value) + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            got: Mutex::default(),
            came: Notify::new(),
            gate: Semaphore::new(open),
            judge: Box::new(judge),
        });
        let app = axum::Router::new().route("/hook", post(receive)).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, shared }
    }

    async fn good() -> Self {
        Self::of(Semaphore::MAX_PERMITS, |_| (200, json!({}))).await
    }

    /// Waits until `count` requests have come.
    async fn until(&self, count: usize) {
        let waiting = async {
            loop {
                let came = self.shared.came.notified();
                tokio::pin!(came);
                came.as_mut().enable();
                if self.shared.got.lock().unwrap().len() >= count {
                    return;
                }
                came.await;
            }
        };
        tokio::time::timeout(DEADLINE, waiting).await.expect("the requests came");
    }

    fn texts(&self) -> Vec<String> {
        let got = self.shared.got.lock().unwrap();
        got.iter().filter_map(|(_, update)| update["message"]["text"].as_str().map(str::to_owned)).collect()
    }
}

/// Starts a world that retries webhooks a thousand times as fast.
async fn hasty() -> Sim {
    let mut spec = spec();
    spec.webhooks = WebhookSpec { time_scale: 0.001, ..WebhookSpec::default() };
    Sim::of(spec).await
}

fn say(sim: &Sim, chat: i64, text: &str) {
    sim.world().post(chat, GUEST, Post::text(text)).unwrap();
}

fn confirmed(e: &LedgerEvent) -> bool {
    matches!(e, LedgerEvent::UpdatesConfirmed { bot: OPEN, .. })
}

fn attempted(e: &LedgerEvent) -> bool {
    matches!(e, LedgerEvent::WebhookAttempt { bot: OPEN, .. })
}

#[tokio::test]
async fn updates_are_delivered_with_the_secret_and_confirmed_by_the_answer() {
    let sim = hasty().await;
    let receiver = Receiver::good().await;
    say(&sim, GROUP, "önce");
    let set = json!({"url": receiver.url, "secret_token": "Ab_9-", "max_connections": 7});
    let (_, body) = sim.call(OPEN, "setWebhook", set.clone()).await;
    assert_eq!(body["description"], "Webhook was set");
    say(&sim, GROUP, "sonra");
    sim.until(2, confirmed).await;
    assert_eq!(receiver.texts(), ["önce", "sonra"]);
    let got = receiver.shared.got.lock().unwrap().clone();
    assert!(got.iter().all(|(secret, _)| secret.as_deref() == Some("Ab_9-")));
    assert_eq!(got[1].1["update_id"].as_i64().unwrap(), got[0].1["update_id"].as_i64().unwrap() + 1);
    let info = sim.ok(OPEN, "getWebhookInfo", json!({})).await;
    assert_eq!((&info["pending_update_count"], &info["max_connections"]), (&json!(0), &json!(7)));
    assert_eq!(info.get("last_error_message"), None);
    assert_eq!(sim.call(OPEN, "setWebhook", set).await.1["description"], "Webhook is already set");
    sim.stop().await;
}

#[tokio::test]
async fn a_failing_chat_keeps_its_order_and_holds_no_other_chat_up() {
    let sim = hasty().await;
    let failures = Mutex::new(3);
    let receiver = Receiver::of(Semaphore::MAX_PERMITS, move |update| {
        let mut left = failures.lock().unwrap();
        let fails = update["message"]["chat"]["id"] == GROUP && *left > 0;
        *left -= u32::from(fails);
        (if fails { 500 } else { 200 }, json!({}))
    })
    .await;
    for (chat, text) in [(GROUP, "g1"), (GROUP, "g2"), (FORUM, "f1"), (FORUM, "f2")] {
        say(&sim, chat, text);
    }
    sim.ok(OPEN, "setWebhook", json!({"url": receiver.url})).await;
    sim.until(4, confirmed).await;
    let of = |letter: char| -> Vec<String> {
        receiver.texts().into_iter().filter(|text| text.starts_with(letter)).collect()
    };
    assert_eq!(of('g'), ["g1", "g1", "g1", "g1", "g2"]);
    assert_eq!(of('f'), ["f1", "f2"]);
    let attempts: Vec<(u32, u16)> = sim
        .ledger()
        .iter()
        .filter_map(|record| match record.event {
            LedgerEvent::WebhookAttempt { attempt, status, .. } if attempt > 1 || status != 200 => {
                Some((attempt, status))
            }
            _ => None,
        })
        .collect();
    assert_eq!(attempts, [(1, 500), (2, 500), (3, 500), (4, 200)]);
    let info = sim.ok(OPEN, "getWebhookInfo", json!({})).await;
    assert_eq!(info["last_error_message"], "Wrong response from the webhook: 500 Internal Server Error");
    assert!(info["last_error_date"].as_i64().unwrap() > 0);
    sim.stop().await;
}

#[tokio::test]
async fn one_request_a_chat_is_under_way_and_chats_go_in_parallel_up_to_the_connections() {
    let sim = hasty().await;
    let receiver = Receiver::of(0, |_| (200, json!({}))).await;
    for (chat, text) in [(GROUP, "g1"), (GROUP, "g2"), (FORUM, "f1")] {
        say(&sim, chat, text);
    }
    sim.ok(OPEN, "setWebhook", json!({"url": receiver.url, "max_connections": 5})).await;
    receiver.until(2).await;
    let mut first = receiver.texts();
    first.sort();
    assert_eq!(first, ["f1", "g1"]);
    receiver.shared.gate.add_permits(3);
    sim.until(3, confirmed).await;
    assert_eq!(receiver.texts()[2], "g2");
    sim.stop().await;
}

#[tokio::test]
async fn connections_are_limited() {
    let sim = hasty().await;
    let receiver = Receiver::of(0, |_| (200, json!({}))).await;
    say(&sim, GROUP, "g1");
    say(&sim, FORUM, "f1");
    sim.ok(OPEN, "setWebhook", json!({"url": receiver.url, "max_connections": 1})).await;
    receiver.until(1).await;
    receiver.shared.gate.add_permits(1);
    sim.until(1, confirmed).await;
    receiver.until(2).await;
    // The second came after the first was confirmed, not beside it.
    assert_eq!(receiver.texts(), ["g1", "f1"]);
    receiver.shared.gate.add_permits(1);
    sim.until(2, confirmed).await;
    sim.stop().await;
}

#[tokio::test]
async fn a_lost_answer_brings_the_same_update_again() {
    let sim = hasty().await;
    let receiver = Receiver::good().await;
    let rule = FaultRule { chats: vec![GROUP], ..FaultRule::always(FaultKind::WebhookFails) };
    sim.world().set_faults(TelegramFaults { seed: 1, rules: vec![rule] });
    sim.ok(OPEN, "setWebhook", json!({"url": receiver.url})).await;
    say(&sim, GROUP, "yine");
    receiver.until(3).await;
    say(&sim, FORUM, "bir kez");
    sim.until(1, confirmed).await;
    sim.world().clear_faults();
    sim.until(2, confirmed).await;
    let texts = receiver.texts();
    assert!(texts.iter().filter(|text| *text == "yine").count() > 3);
    assert_eq!(texts.iter().filter(|text| *text == "bir kez").count(), 1);
    assert!(sim.world().injected()["webhook_fails"] >= 3);
    sim.stop().await;
}

#[tokio::test]
async fn an_unreached_receiver_gets_nothing_until_it_is_reached() {
    let sim = hasty().await;
    let receiver = Receiver::good().await;
    let rule = FaultRule::always(FaultKind::WebhookUnreached);
    sim.world().set_faults(TelegramFaults { seed: 1, rules: vec![rule] });
    sim.ok(OPEN, "setWebhook", json!({"url": receiver.url})).await;
    say(&sim, GROUP, "bir");
    sim.until(2, attempted).await;
    assert!(receiver.texts().is_empty());
    sim.world().clear_faults();
    sim.until(1, confirmed).await;
    assert_eq!(receiver.texts(), ["bir"]);
    sim.stop().await;
}

#[tokio::test]
async fn retry_after_is_honoured() {
    let mut spec = spec();
    // One second of Retry-After is 300 ms here; without it the second attempt would follow at once.
    spec.webhooks = WebhookSpec { time_scale: 0.3, ..WebhookSpec::default() };
    let sim = Sim::of(spec).await;
    let first = Mutex::new(true);
    let receiver = Receiver::of(Semaphore::MAX_PERMITS, move |_| {
        let status = if std::mem::take(&mut *first.lock().unwrap()) { 429 } else { 200 };
        (status, json!({}))
    })
    .await;
    sim.ok(OPEN, "setWebhook", json!({"url": receiver.url})).await;
    say(&sim, GROUP, "bir");
    sim.until(1, confirmed).await;
    let at: Vec<u64> =
        sim.ledger().iter().filter(|record| attempted(&record.event)).map(|record| record.at_us).collect();
    assert!(at[1] - at[0] >= 300_000, "{at:?}");
    sim.stop().await;
}

#[tokio::test]
async fn a_method_in_the_answer_is_carried_out() {
    let sim = hasty().await;
    let receiver = Receiver::of(Semaphore::MAX_PERMITS, |update| {
        let chat = &update["message"]["chat"]["id"];
        (200, json!({"method": "sendMessage", "chat_id": chat, "text": "cevap #m4"}))
    })
    .await;
    sim.ok(OPEN, "setWebhook", json!({"url": receiver.url})).await;
    say(&sim, GROUP, "soru");
    sim.until(1, |e| matches!(e, LedgerEvent::SendAccepted { bot: OPEN, .. })).await;
    assert_eq!(sim.world().history(GROUP, 1)[0].text, "cevap #m4");
    sim.stop().await;
}

#[tokio::test]
async fn while_a_webhook_is_set_polling_conflicts_and_what_is_left_is_polled_later_under_its_own_id() {
    let sim = hasty().await;
    let receiver = Receiver::of(Semaphore::MAX_PERMITS, |update| {
        let status = if update["message"]["text"] == "bozuk" { 500 } else { 200 };
        (status, json!({}))
    })
    .await;
    let poll = sim.long_poll(OPEN, json!({"timeout": 50}));
    sim.until(1, |e| matches!(e, LedgerEvent::PollOpened { .. })).await;
    sim.ok(OPEN, "setWebhook", json!({"url": receiver.url})).await;
    let (status, body) = poll.await.unwrap();
    assert_eq!((status, &body["description"]), (409, &json!("Conflict: terminated by setWebhook request")));
    say(&sim, GROUP, "bozuk");
    say(&sim, GROUP, "bekler");
    say(&sim, FORUM, "geçer");
    sim.until(1, confirmed).await;
    sim.until(2, attempted).await;
    assert_eq!(sim.ok(OPEN, "getWebhookInfo", json!({})).await["pending_update_count"], 2);
    let (status, _) = sim.call(OPEN, "getUpdates", json!({})).await;
    assert_eq!(status, 409);
    assert!(!sim.world().wait_until_quiet(Duration::from_millis(1), Duration::from_millis(20)).await);
    sim.ok(OPEN, "deleteWebhook", json!({})).await;
    let left = sim.pending(OPEN).await;
    let texts: Vec<&str> = left.iter().map(|update| update["message"]["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["bozuk", "bekler"]);
    assert_eq!(left[1]["update_id"].as_i64().unwrap(), left[0]["update_id"].as_i64().unwrap() + 1);
    let seen = receiver.texts().len();
    sim.ok(OPEN, "getUpdates", json!({"offset": left[1]["update_id"].as_i64().unwrap() + 1})).await;
    assert_eq!(receiver.texts().len(), seen);
    sim.stop().await;
}

#[tokio::test]
async fn pending_updates_are_dropped_only_when_asked_for() {
    let sim = hasty().await;
    let receiver = Receiver::of(0, |_| (200, json!({}))).await;
    say(&sim, GROUP, "bir");
    sim.ok(OPEN, "setWebhook", json!({"url": receiver.url, "drop_pending_updates": true})).await;
    assert_eq!(sim.ok(OPEN, "getWebhookInfo", json!({})).await["pending_update_count"], 0);
    assert_eq!(sim.count(|e| matches!(e, LedgerEvent::UpdatesDropped { bot: OPEN, .. })), 1);
    sim.stop().await;
}

#[tokio::test]
async fn a_revoked_token_loses_its_webhook_and_the_new_one_polls_what_is_left() {
    let sim = hasty().await;
    let receiver = Receiver::of(Semaphore::MAX_PERMITS, |_| (500, json!({}))).await;
    sim.ok(OPEN, "setWebhook", json!({"url": receiver.url})).await;
    assert_eq!(sim.world().hooked_bots(), 1);
    say(&sim, GROUP, "bir");
    sim.until(1, attempted).await;
    sim.world().revoke_token(OPEN).unwrap();
    assert_eq!(sim.world().hooked_bots(), 0);
    sim.world().replace_token(OPEN, &crate::telegram_harness::token(OPEN)).unwrap();
    assert_eq!(sim.texts(OPEN).await, ["bir"]);
    sim.stop().await;
}

#[tokio::test]
async fn an_update_that_no_webhook_took_for_a_day_is_dropped() {
    let sim = hasty().await;
    let receiver = Receiver::of(Semaphore::MAX_PERMITS, |_| (500, json!({}))).await;
    sim.ok(OPEN, "setWebhook", json!({"url": receiver.url})).await;
    say(&sim, GROUP, "bir");
    sim.until(1, attempted).await;
    sim.world().shift_calendar(Duration::from_secs(25 * 3600));
    sim.until(1, |e| matches!(e, LedgerEvent::UpdatesDropped { bot: OPEN, .. })).await;
    assert_eq!(sim.ok(OPEN, "getWebhookInfo", json!({})).await["pending_update_count"], 0);
    sim.stop().await;
}

#[tokio::test]
async fn what_telegram_refuses_is_refused() {
    let sim = hasty().await;
    let url = "http://127.0.0.1:9/h";
    for (params, why) in [
        (json!({"url": "http://a.example/h"}), "bad webhook: An HTTPS URL must be provided for webhook"),
        (json!({"url": url, "secret_token": "ş"}), "secret token contains unallowed characters"),
        (json!({"url": url, "secret_token": "a".repeat(257)}), "secret token is too long"),
        (json!({"url": url, "certificate": "x"}), "bad webhook: this simulation takes no certificates"),
    ] {
        sim.refused(OPEN, "setWebhook", params, 400, &format!("Bad Request: {why}")).await;
    }
    sim.stop().await;
}

#[tokio::test]
async fn members_tokens_and_messages_change_at_run_time_over_http() {
    let sim = hasty().await;
    let ask = async |path: &str, body: Value| {
        let answer = sim.client.post(sim.url(path)).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json::<Value>().await.unwrap_or_default()
    };
    let send = |chat: i64| json!({"chat_id": chat, "text": "selam"});
    ask(&format!("/sim/chats/{GROUP}/kick"), json!({"bot": OPEN})).await;
    sim.refused(OPEN, "sendMessage", send(GROUP), 403, "Forbidden: bot was kicked from the supergroup chat").await;
    ask(&format!("/sim/chats/{GROUP}/add"), json!({"bot": OPEN})).await;
    sim.ok(OPEN, "sendMessage", send(GROUP)).await;
    ask(&format!("/sim/bots/{OPEN}/block"), json!({"person": OWNER})).await;
    sim.refused(OPEN, "sendMessage", send(OWNER), 403, "Forbidden: bot was blocked by the user").await;
    ask(&format!("/sim/bots/{OPEN}/unblock"), json!({"person": OWNER})).await;
    let why = "Forbidden: bot can't initiate conversation with a user";
    sim.refused(OPEN, "sendMessage", send(OWNER), 403, why).await;

    let basic = crate::telegram_harness::BASIC;
    let to = ask(&format!("/sim/chats/{basic}/migrate"), json!({})).await["to"].as_i64().unwrap();
    let (status, body) = sim.call(OPEN, "sendMessage", send(basic)).await;
    assert_eq!((status, &body["parameters"]["migrate_to_chat_id"]), (400, &json!(to)));
    sim.ok(OPEN, "sendMessage", send(to)).await;
    assert_eq!(sim.count(|e| *e == LedgerEvent::ChatMigrated { from: basic, to }), 1);

    let posted = sim.world().post(GROUP, GUEST, Post::text("silinecek")).unwrap();
    ask(&format!("/sim/chats/{GROUP}/deletions"), json!({"from": OWNER, "message_id": posted})).await;
    let reply = json!({"chat_id": GROUP, "text": "a", "reply_parameters": {"message_id": posted}});
    sim.refused(OPEN, "sendMessage", reply, 400, "Bad Request: message to be replied not found").await;

    ask(&format!("/sim/bots/{ADMIN}/revoke"), json!({})).await;
    sim.refused(ADMIN, "getMe", json!({}), 401, "Unauthorized").await;
    let token = ask(&format!("/sim/bots/{ADMIN}/token"), json!({})).await["token"].as_str().unwrap().to_owned();
    let me: Value = sim.client.get(sim.url(&format!("/bot{token}/getMe"))).send().await.unwrap().json().await.unwrap();
    assert_eq!(me["result"]["id"], ADMIN);
    sim.stop().await;
}
