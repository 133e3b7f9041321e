//! Tests `getUpdates`: confirmation, waiting, eviction, kinds, retention, webhooks.

use std::time::{Duration, Instant};

use botfleet_world::ledger::{LedgerEvent, PollEnd};
use botfleet_world::world::event::Post;
use serde_json::json;

use crate::telegram_harness::{ADMIN, DEADLINE, GROUP, GUEST, OPEN, OWNER, Sim};

const CONFLICT: &str =
    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";

fn say(sim: &Sim, text: &str) -> i64 {
    sim.world().post(GROUP, GUEST, Post::text(text)).unwrap()
}

async fn until_opened(sim: &Sim, polls: usize) {
    sim.until(polls, |e| matches!(e, LedgerEvent::PollOpened { .. })).await;
}

#[tokio::test]
async fn an_update_comes_back_until_a_higher_offset_confirms_it() {
    let sim = Sim::start().await;
    say(&sim, "bir");
    say(&sim, "iki");
    let first = sim.pending(OPEN).await;
    assert_eq!(first.len(), 2);
    let id = first[0]["update_id"].as_i64().unwrap();
    assert_eq!(first[1]["update_id"], id + 1);
    let rest = sim.ok(OPEN, "getUpdates", json!({"offset": id + 1})).await;
    assert_eq!(rest.as_array().unwrap().len(), 1);
    assert_eq!(rest[0]["message"]["text"], "iki");
    let confirmed = sim.ledger().into_iter().find_map(|record| match record.event {
        LedgerEvent::UpdatesConfirmed { below, update_ids, .. } => Some((below, update_ids)),
        _ => None,
    });
    assert_eq!(confirmed, Some((id + 1, vec![id])));
    let last = sim.ok(OPEN, "getUpdates", json!({"offset": -1})).await;
    assert_eq!(last[0]["update_id"], id + 1);
    sim.stop().await;
}

#[tokio::test]
async fn an_offset_confirms_when_the_request_is_read_not_when_it_is_answered() {
    let sim = Sim::start().await;
    say(&sim, "bir");
    let id = sim.pending(OPEN).await[0]["update_id"].as_i64().unwrap();
    let poll = sim.long_poll(OPEN, json!({"offset": id + 1, "timeout": 50}));
    sim.until(1, |e| matches!(e, LedgerEvent::UpdatesConfirmed { .. })).await;
    assert!(!poll.is_finished());
    poll.abort();
    sim.until(1, |e| matches!(e, LedgerEvent::PollClosed { how: PollEnd::ClientGone, .. })).await;
    assert!(sim.pending(OPEN).await.is_empty());
    sim.stop().await;
}

#[tokio::test]
async fn a_long_poll_wakes_on_a_new_update() {
    let sim = Sim::start().await;
    let poll = sim.long_poll(OPEN, json!({"timeout": 50}));
    until_opened(&sim, 1).await;
    assert!(sim.world().wait_until_polling(1, DEADLINE).await);
    say(&sim, "uyan");
    let (status, body) = poll.await.unwrap();
    assert_eq!((status, &body["result"][0]["message"]["text"]), (200, &json!("uyan")));
    sim.stop().await;
}

#[tokio::test]
async fn a_newer_idle_poll_evicts_the_older_one() {
    let sim = Sim::start().await;
    let older = sim.long_poll(OPEN, json!({"timeout": 50}));
    until_opened(&sim, 1).await;
    let newer = sim.long_poll(OPEN, json!({"timeout": 50}));
    let (status, body) = older.await.unwrap();
    assert_eq!((status, &body["description"]), (409, &json!(CONFLICT)));
    assert!(!newer.is_finished());
    say(&sim, "merhaba");
    let (status, body) = newer.await.unwrap();
    assert_eq!((status, body["result"].as_array().unwrap().len()), (200, 1));
    sim.stop().await;
}

#[tokio::test]
async fn a_second_conflict_within_three_seconds_is_held_back() {
    let sim = Sim::start().await;
    let first = sim.long_poll(OPEN, json!({"timeout": 50}));
    until_opened(&sim, 1).await;
    let second = sim.long_poll(OPEN, json!({"timeout": 50}));
    assert_eq!(first.await.unwrap().0, 409);
    let begun = Instant::now();
    let third = sim.long_poll(OPEN, json!({"timeout": 50}));
    assert_eq!(second.await.unwrap().0, 409);
    assert!(begun.elapsed() > Duration::from_millis(2900));
    third.abort();
    sim.stop().await;
}

#[tokio::test]
async fn two_pollers_get_the_same_pending_batch_without_conflict() {
    let sim = Sim::start().await;
    say(&sim, "bir");
    let one = sim.ok(OPEN, "getUpdates", json!({"timeout": 50})).await;
    let two = sim.ok(OPEN, "getUpdates", json!({"timeout": 50, "offset": 1})).await;
    assert_eq!(one, two);
    sim.stop().await;
}

#[tokio::test]
async fn the_same_offset_again_at_once_gets_one_update_and_waits_three_seconds() {
    let sim = Sim::start().await;
    say(&sim, "bir");
    say(&sim, "iki");
    assert_eq!(sim.pending(OPEN).await.len(), 2);
    assert_eq!(sim.pending(OPEN).await.len(), 1);
    let last = sim.ok(OPEN, "getUpdates", json!({"offset": -1})).await[0]["update_id"].as_i64();
    let next = json!({"offset": last.unwrap() + 1});
    let begun = Instant::now();
    sim.ok(OPEN, "getUpdates", next.clone()).await;
    sim.ok(OPEN, "getUpdates", next).await;
    assert!(begun.elapsed() > Duration::from_millis(2900));
    sim.stop().await;
}

#[tokio::test]
async fn the_limit_bounds_a_batch() {
    let sim = Sim::start().await;
    for text in ["bir", "iki", "üç"] {
        say(&sim, text);
    }
    let some = sim.ok(OPEN, "GetUpdates", json!({"limit": "2"})).await;
    assert_eq!(some.as_array().unwrap().len(), 2);
    sim.stop().await;
}

#[tokio::test]
async fn reactions_come_to_administrators_that_asked_for_them() {
    let sim = Sim::start().await;
    let message = say(&sim, "bir");
    sim.world().react(GROUP, OWNER, message, Some("👍")).unwrap();
    let ask = json!({"offset": -1, "allowed_updates": ["message", "message_reaction"]});
    sim.ok(ADMIN, "getUpdates", ask.clone()).await;
    sim.ok(OPEN, "getUpdates", ask).await;
    sim.world().react(GROUP, OWNER, message, Some("🔥")).unwrap();
    let told = sim.ok(ADMIN, "getUpdates", json!({"offset": -1})).await;
    let reaction = &told[0]["message_reaction"];
    assert_eq!(reaction["old_reaction"][0]["emoji"], "👍");
    assert_eq!(reaction["new_reaction"][0]["emoji"], "🔥");
    assert_eq!(reaction["user"]["id"], OWNER);
    let other = sim.pending(OPEN).await;
    assert!(other.iter().all(|update| update.get("message_reaction").is_none()));
    sim.stop().await;
}

#[tokio::test]
async fn updates_older_than_a_day_are_gone() {
    let sim = Sim::start().await;
    say(&sim, "dün");
    sim.world().shift_calendar(Duration::from_hours(25));
    say(&sim, "bugün");
    assert_eq!(sim.texts(OPEN).await, ["bugün"]);
    assert!(sim.count(|e| matches!(e, LedgerEvent::UpdatesDropped { .. })) > 0);
    sim.stop().await;
}

#[tokio::test]
async fn a_webhook_left_behind_forbids_polling_until_it_is_deleted() {
    let sim = Sim::start().await;
    let poll = sim.long_poll(OPEN, json!({"timeout": 50}));
    until_opened(&sim, 1).await;
    sim.world().leave_webhook(OPEN, Some("https://old.example/hook")).unwrap();
    let (status, body) = poll.await.unwrap();
    assert_eq!((status, &body["description"]), (409, &json!("Conflict: terminated by setWebhook request")));
    let info = sim.ok(OPEN, "getWebhookInfo", json!({})).await;
    assert_eq!(info["url"], "https://old.example/hook");
    let why =
        "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first";
    sim.refused(OPEN, "getUpdates", json!({}), 409, why).await;
    let (_, body) = sim.call(OPEN, "deleteWebhook", json!({})).await;
    assert_eq!(body["description"], "Webhook was deleted");
    assert!(sim.pending(OPEN).await.is_empty());
    sim.stop().await;
}

#[tokio::test]
async fn a_webhook_that_was_refused_leaves_polling_alone() {
    let sim = Sim::start().await;
    let (status, body) = sim.call(OPEN, "setWebhook", json!({"url": "http://a.example/h"})).await;
    assert_eq!((status, &body["ok"]), (400, &json!(false)));
    let info = sim.ok(OPEN, "getWebhookInfo", json!({})).await;
    assert_eq!(info, json!({"url": "", "has_custom_certificate": false, "pending_update_count": 0}));
    say(&sim, "bir");
    sim.ok(OPEN, "deleteWebhook", json!({"drop_pending_updates": true})).await;
    assert!(sim.pending(OPEN).await.is_empty());
    sim.stop().await;
}

#[tokio::test]
async fn two_hundred_bots_may_wait_at_once() {
    let spec = botfleet_world::world::spec::WorldSpec::fleet(5, 200, 20);
    let sim = Sim::of(spec.clone()).await;
    let polls: Vec<_> = spec
        .bots
        .iter()
        .map(|bot| {
            let url = sim.url(&format!("/bot{}/getUpdates?timeout=50", bot.token));
            tokio::spawn(sim.client.get(url).send())
        })
        .collect();
    assert!(sim.world().wait_until_polling(200, DEADLINE).await);
    for chat in &spec.chats {
        sim.world().post(chat.id, chat.people[0], Post::text("herkese merhaba")).unwrap();
    }
    for poll in polls {
        let answer = poll.await.unwrap().unwrap();
        assert!(answer.text().await.unwrap().contains("herkese merhaba"));
    }
    sim.stop().await;
}
