//! Tests what the ledger records of sends and polls, even of clients that went away.

use std::time::Duration;

use botfleet_world::ledger::{LedgerEvent, LedgerRecord, PollEnd};
use botfleet_world::world::event::Post;
use botfleet_world::world::latency::Latency;
use serde_json::json;

use crate::telegram_harness::{DEADLINE, GROUP, GUEST, OPEN, Sim, spec};

/// Starts a world in which no send is answered before a client times out.
async fn slow() -> Sim {
    let mut spec = spec();
    let ms = 60_000.0;
    spec.send_latency = Latency { p50_ms: ms, p95_ms: ms, p99_ms: ms };
    Sim::of(spec).await
}

#[tokio::test]
async fn a_send_is_received_accepted_and_answered() {
    let sim = Sim::start().await;
    let params = json!({"chat_id": GROUP, "text": "cevap #m7 ve #m8"});
    let sent = sim.ok(OPEN, "sendMessage", params).await;
    sim.refused(OPEN, "sendMessage", json!({"chat_id": GROUP}), 400, "Bad Request: message text is empty").await;
    let told: Vec<String> = sim
        .ledger()
        .iter()
        .map(|record| serde_json::to_value(&record.event).unwrap()["kind"].as_str().unwrap().to_owned())
        .collect();
    let expected =
        ["send_received", "posted", "send_accepted", "send_answered", "send_received", "send_refused", "send_answered"];
    assert_eq!(told, expected);
    let accepted = sim.ledger().into_iter().find_map(|record| match record.event {
        LedgerEvent::SendAccepted { message_id, marker, send, .. } => Some((message_id, marker, send)),
        _ => None,
    });
    let message_id = sent["message_id"].as_i64().unwrap();
    assert_eq!(accepted, Some((message_id, Some("#m8".to_owned()), 1)));
    sim.stop().await;
}

#[tokio::test]
async fn a_send_whose_client_went_away_is_accepted_and_abandoned() {
    let sim = slow().await;
    let request = sim.client.post(sim.method(OPEN, "sendMessage"));
    let sending = tokio::spawn(request.json(&json!({"chat_id": GROUP, "text": "selam"})).send());
    sim.until(1, |e| matches!(e, LedgerEvent::SendAccepted { .. })).await;
    let now = sim.world().ledger().now_us();
    assert_eq!(sim.world().ledger().sends_in_flight_at(now, Duration::ZERO), 1);
    sending.abort();
    sim.until(1, |e| matches!(e, LedgerEvent::SendAbandoned { send: 1 })).await;
    assert_eq!(sim.count(|e| matches!(e, LedgerEvent::SendAnswered { .. })), 0);
    assert_eq!(sim.world().history(GROUP, 1)[0].text, "selam");
    sim.stop().await;
}

#[tokio::test]
async fn any_other_call_takes_its_time_too() {
    let mut spec = spec();
    let ms = 60_000.0;
    spec.call_latency = Latency { p50_ms: ms, p95_ms: ms, p99_ms: ms };
    let sim = Sim::of(spec).await;
    let asking = tokio::spawn(sim.client.get(sim.method(OPEN, "getMe")).send());
    sim.until(1, |e| matches!(e, LedgerEvent::OtherCall { status: 200, .. })).await;
    assert!(!asking.is_finished());
    sim.ok(OPEN, "sendMessage", json!({"chat_id": GROUP, "text": "selam"})).await;
    assert!(!asking.is_finished());
    asking.abort();
    sim.stop().await;
}

#[tokio::test]
async fn every_poll_is_closed_once_with_what_it_delivered() {
    let sim = Sim::start().await;
    let idle = sim.long_poll(OPEN, json!({"timeout": 50}));
    sim.until(1, |e| matches!(e, LedgerEvent::PollOpened { .. })).await;
    idle.abort();
    sim.until(1, |e| matches!(e, LedgerEvent::PollClosed { .. })).await;
    sim.world().post(GROUP, GUEST, Post::text("bir #m1")).unwrap();
    let updates = sim.pending(OPEN).await;
    let closed: Vec<(PollEnd, Vec<i64>)> = sim
        .ledger()
        .into_iter()
        .filter_map(|record| match record.event {
            LedgerEvent::PollClosed { how, delivered, .. } => Some((how, delivered)),
            _ => None,
        })
        .collect();
    let id = updates[0]["update_id"].as_i64().unwrap();
    assert_eq!(closed, [(PollEnd::ClientGone, vec![]), (PollEnd::Answered, vec![id])]);
    assert_eq!(sim.count(|e| matches!(e, LedgerEvent::PollOpened { connection, .. } if !connection.is_empty())), 2);
    sim.stop().await;
}

#[tokio::test]
async fn the_world_is_quiet_once_every_update_is_confirmed() {
    let sim = Sim::start().await;
    sim.world().post(GROUP, GUEST, Post::text("bir")).unwrap();
    let id = sim.pending(OPEN).await[0]["update_id"].as_i64().unwrap();
    let brief = Duration::from_millis(50);
    assert!(!sim.world().wait_until_quiet(brief, brief * 4).await);
    sim.ok(OPEN, "getUpdates", json!({"offset": id + 1})).await;
    assert!(sim.world().wait_until_quiet(brief, DEADLINE).await);
    sim.stop().await;
}

#[tokio::test]
async fn the_ledger_is_served_as_ndjson() {
    let sim = Sim::start().await;
    sim.world().post(GROUP, GUEST, Post::text("bir")).unwrap();
    let text = sim.client.get(sim.url("/sim/ledger")).send().await.unwrap().text().await.unwrap();
    let read: Vec<LedgerRecord> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read, sim.ledger());
    sim.stop().await;
}
