//! Tests the limiters over HTTP: which calls are refused, and what the refusals tell.

use botfleet_world::ledger::LedgerEvent;
use botfleet_world::world::limits::LimitSpec;
use serde_json::json;

use crate::telegram_harness::{ADMIN, FORUM, GROUP, OPEN, Sim, spec};

/// Returns limits that do not refill within a test.
fn tight() -> LimitSpec {
    LimitSpec { chat_per_second: 0.001, bot_per_second: 0.001, ..LimitSpec::default() }
}

async fn limited(limits: LimitSpec) -> Sim {
    let mut spec = spec();
    spec.limits = Some(limits);
    Sim::of(spec).await
}

#[tokio::test]
async fn a_burst_beyond_the_limit_of_a_chat_is_refused_as_telegram_refuses() {
    let sim = limited(tight()).await;
    for _ in 0..3 {
        sim.ok(OPEN, "sendMessage", json!({"chat_id": GROUP, "text": "selam"})).await;
    }
    let request = sim.client.post(sim.method(OPEN, "sendMessage")).json(&json!({"chat_id": GROUP, "text": "dört"}));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 429);
    let header: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    let body: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(body["parameters"]["retry_after"], header);
    assert_eq!(body["description"], format!("Too Many Requests: retry after {header}"));
    sim.ok(OPEN, "sendMessage", json!({"chat_id": FORUM, "text": "selam"})).await;
    sim.ok(ADMIN, "sendMessage", json!({"chat_id": GROUP, "text": "selam"})).await;
    let refused = |e: &LedgerEvent| matches!(e, LedgerEvent::SendRefused { error_code: 429, bot: OPEN, .. });
    assert_eq!(sim.count(refused), 1);
    sim.stop().await;
}

#[tokio::test]
async fn typing_counts_for_no_limit_of_messages() {
    let sim = limited(LimitSpec { chat_burst: 1, ..tight() }).await;
    for _ in 0..5 {
        sim.ok(OPEN, "sendChatAction", json!({"chat_id": GROUP, "action": "typing"})).await;
    }
    sim.ok(OPEN, "sendMessage", json!({"chat_id": GROUP, "text": "selam"})).await;
    let (status, _) = sim.call(OPEN, "sendMessage", json!({"chat_id": GROUP, "text": "selam"})).await;
    assert_eq!(status, 429);
    sim.ok(OPEN, "sendChatAction", json!({"chat_id": GROUP, "action": "typing"})).await;
    sim.stop().await;
}

#[tokio::test]
async fn a_bot_at_its_own_limit_is_refused_in_every_chat() {
    let sim = limited(LimitSpec { bot_burst: 2, ..tight() }).await;
    sim.ok(OPEN, "sendMessage", json!({"chat_id": GROUP, "text": "bir"})).await;
    sim.ok(OPEN, "sendMessage", json!({"chat_id": FORUM, "text": "iki"})).await;
    for chat in [GROUP, FORUM] {
        let (status, _) = sim.call(OPEN, "sendMessage", json!({"chat_id": chat, "text": "üç"})).await;
        assert_eq!(status, 429);
    }
    sim.ok(ADMIN, "sendMessage", json!({"chat_id": GROUP, "text": "dört"})).await;
    sim.stop().await;
}

#[tokio::test]
async fn limits_are_set_told_and_taken_away_at_run_time() {
    let sim = Sim::start().await;
    let set = sim.client.put(sim.url("/sim/limits")).json(&json!({"chat_burst": 1, "chat_per_second": 0.001}));
    assert_eq!(set.send().await.unwrap().status(), 204);
    sim.ok(OPEN, "sendMessage", json!({"chat_id": GROUP, "text": "bir"})).await;
    assert_eq!(sim.call(OPEN, "sendMessage", json!({"chat_id": GROUP, "text": "iki"})).await.0, 429);
    let told = sim.client.get(sim.url("/sim/limits")).send().await.unwrap();
    let told: serde_json::Value = told.json().await.unwrap();
    assert_eq!(told["limits"]["chat_burst"], 1);
    assert_eq!((&told["report"]["sends"], &told["report"]["refused"]), (&json!(2), &json!(1)));
    assert_eq!(sim.client.delete(sim.url("/sim/limits")).send().await.unwrap().status(), 204);
    assert_eq!(sim.world().limits(), None);
    sim.stop().await;
}
