//! Tests the schedule of faults: what a client sees, which calls have an effect, and what the ledger records.

use std::time::Duration;

use botfleet_world::ledger::LedgerEvent;
use botfleet_world::telegram::faults::{FaultKind, FaultRule, TelegramFaults};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::telegram_harness::{ADMIN, DEADLINE, GROUP, OPEN, Sim, token};

fn set(sim: &Sim, rule: FaultRule) {
    sim.world().set_faults(TelegramFaults { seed: 3, rules: vec![rule] });
}

fn on_sends(kind: FaultKind) -> FaultRule {
    FaultRule::always(kind).on("sendMessage")
}

fn accepted(sim: &Sim) -> usize {
    sim.count(|e| matches!(e, LedgerEvent::SendAccepted { .. }))
}

/// Sends a message; returns status, content type and body, or `None` without an answer.
async fn send(sim: &Sim) -> Option<(u16, String, String)> {
    let request = sim.client.post(sim.method(OPEN, "sendMessage")).json(&json!({"chat_id": GROUP, "text": "selam"}));
    let answer = request.timeout(DEADLINE).send().await.ok()?;
    let status = answer.status().as_u16();
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    Some((status, kind, answer.text().await.unwrap()))
}

#[tokio::test]
async fn a_failing_gateway_answers_as_telegrams_does_with_and_without_the_effect() {
    let sim = Sim::start().await;
    for (kind, status, content, effect) in [
        (FaultKind::BadGatewayJson, 502, "application/json", 0),
        (FaultKind::BadGatewayHtml, 502, "text/html", 0),
        (FaultKind::GatewayTimeout, 504, "text/html", 0),
        (FaultKind::MalformedJson, 200, "application/json", 0),
        (FaultKind::BadGatewayAfter, 502, "text/html", 1),
        (FaultKind::GatewayTimeoutAfter, 504, "text/html", 1),
        (FaultKind::MalformedJsonAfter, 200, "application/json", 1),
    ] {
        let before = accepted(&sim);
        set(&sim, on_sends(kind));
        let (told, content_type, body) = send(&sim).await.unwrap();
        assert_eq!((told, content_type.as_str()), (status, content), "{kind:?}");
        let is_json = serde_json::from_str::<serde_json::Value>(&body).is_ok();
        assert_eq!(is_json, kind == FaultKind::BadGatewayJson, "{kind:?}: {body}");
        assert_eq!(accepted(&sim) - before, effect, "{kind:?}");
        assert_eq!(sim.world().injected()[kind.as_str()], 1);
    }
    sim.world().clear_faults();
    assert_eq!(send(&sim).await.unwrap().0, 200);
    sim.stop().await;
}

/// Writes a request by hand and returns every byte that comes back before the connection ends.
async fn raw(sim: &Sim) -> Vec<u8> {
    let body = json!({"chat_id": GROUP, "text": "selam"}).to_string();
    let address = sim.url("").trim_start_matches("http://").to_owned();
    let request = format!(
        "POST /bot{}/sendMessage HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        token(OPEN),
        body.len()
    );
    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut got = Vec::new();
    let ended = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut got)).await.expect("the connection ends");
    // A reset ends the connection as well.
    let _ = ended;
    got
}

#[tokio::test]
async fn a_reset_closes_the_connection_without_a_byte() {
    let sim = Sim::start().await;
    set(&sim, on_sends(FaultKind::ResetBefore));
    assert_eq!(raw(&sim).await, b"");
    assert!(send(&sim).await.is_none());
    assert_eq!(accepted(&sim), 0);
    set(&sim, on_sends(FaultKind::ResetAfter));
    assert_eq!(raw(&sim).await, b"");
    assert_eq!(accepted(&sim), 1);
    assert_eq!(sim.count(|e| matches!(e, LedgerEvent::SendAbandoned { .. })), 3);
    let faults = |e: &LedgerEvent| matches!(e, LedgerEvent::FaultInjected { send: Some(_), bot: OPEN, .. });
    assert_eq!(sim.count(faults), 3);
    sim.stop().await;
}

#[tokio::test]
async fn a_stall_outlasts_the_clients_patience_with_and_without_the_effect() {
    let sim = Sim::start().await;
    for (kind, effect) in [(FaultKind::StallBefore, 0), (FaultKind::StallAfter, 1)] {
        set(&sim, FaultRule { for_ms: Some(60_000), ..on_sends(kind) });
        let before = sim.count(|e| matches!(e, LedgerEvent::SendAbandoned { .. }));
        let request = sim.client.post(sim.method(OPEN, "sendMessage"));
        let sending = tokio::spawn(request.json(&json!({"chat_id": GROUP, "text": "selam"})).send());
        let struck = |e: &LedgerEvent| matches!(e, LedgerEvent::FaultInjected { .. });
        sim.until(before + 1, struck).await;
        if effect == 1 {
            sim.until(1, |e| matches!(e, LedgerEvent::SendAccepted { .. })).await;
        }
        sending.abort();
        sim.until(before + 1, |e| matches!(e, LedgerEvent::SendAbandoned { .. })).await;
        assert_eq!(accepted(&sim), effect);
    }
    sim.stop().await;
}

#[tokio::test]
async fn a_short_stall_ends_in_an_answer() {
    let sim = Sim::start().await;
    for kind in [FaultKind::StallBefore, FaultKind::StallAfter] {
        set(&sim, FaultRule { for_ms: Some(20), ..on_sends(kind) });
        assert_eq!(send(&sim).await.unwrap().0, 200);
    }
    assert_eq!(accepted(&sim), 2);
    sim.stop().await;
}

#[tokio::test]
async fn an_update_from_the_future_reaches_a_bot_that_asked_for_messages_only() {
    let sim = Sim::start().await;
    sim.ok(OPEN, "getUpdates", json!({"allowed_updates": ["message"]})).await;
    set(&sim, FaultRule { bots: vec![OPEN], ..FaultRule::always(FaultKind::UnknownUpdate) });
    let updates = sim.pending(OPEN).await;
    assert_eq!(updates.len(), 1);
    assert!(updates[0]["hologram_message"].is_object(), "{updates:?}");
    assert!(sim.pending(ADMIN).await.is_empty());
    sim.stop().await;
}

#[tokio::test]
async fn a_forced_429_is_enforced_for_its_chat_and_counts_who_ignores_it() {
    let sim = Sim::start().await;
    set(&sim, FaultRule { retry_after: Some(30), ..on_sends(FaultKind::TooManyRequests) });
    let refusal = json!({"ok": false, "error_code": 429, "description": "Too Many Requests: retry after 30",
        "parameters": {"retry_after": 30}});
    let params = || json!({"chat_id": GROUP, "text": "selam"});
    assert_eq!(sim.call(OPEN, "sendMessage", params()).await, (429, refusal));
    sim.world().clear_faults();
    // Other bots, and other methods of this bot, are not limited.
    sim.ok(ADMIN, "sendMessage", params()).await;
    sim.ok(OPEN, "sendChatAction", json!({"chat_id": GROUP, "action": "typing"})).await;
    let violated = |e: &LedgerEvent| matches!(e, LedgerEvent::LimitViolated { bot: OPEN, send: Some(_), .. });
    let mut last = 0;
    while sim.count(violated) == 0 {
        let (status, body) = sim.call(OPEN, "sendMessage", params()).await;
        assert_eq!(status, 429);
        last = body["parameters"]["retry_after"].as_u64().unwrap();
    }
    assert_eq!(last, 60);
    sim.stop().await;
}

#[tokio::test]
async fn a_reset_poll_confirms_by_its_offset_and_delivers_again() {
    let sim = Sim::start().await;
    sim.world().queue_unknown_update(OPEN);
    set(&sim, FaultRule::always(FaultKind::ResetAfter).on("getUpdates"));
    let poll = sim.client.get(sim.method(OPEN, "getUpdates")).timeout(DEADLINE).send().await;
    assert!(poll.is_err());
    sim.world().clear_faults();
    assert_eq!(sim.pending(OPEN).await.len(), 1);
    sim.stop().await;
}

#[tokio::test]
async fn a_window_that_has_not_come_strikes_nothing() {
    let sim = Sim::start().await;
    set(&sim, FaultRule { from_ms: Duration::from_secs(3600).as_millis() as u64, ..on_sends(FaultKind::ResetBefore) });
    assert_eq!(send(&sim).await.unwrap().0, 200);
    assert!(sim.world().injected().is_empty());
    sim.stop().await;
}
