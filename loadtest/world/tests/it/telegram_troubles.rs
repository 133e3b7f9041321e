//! Tests late, odd and one-sided updates, a wrong clock, and chats and topics in which bots may not write.

use botfleet_world::world::event::Post;
use botfleet_world::world::lateness::Which;
use botfleet_world::world::membership::MigrationSeen;
use botfleet_world::world::publish::LONE_SURROGATE;
use serde_json::json;

use crate::telegram_harness::{ADMIN, BASIC, FORUM, GROUP, GUEST, OPEN, OWNER, PRIVATE, Sim};

const NO_RIGHTS: &str = "Bad Request: not enough rights to send text messages to the chat";

fn hello(chat: i64) -> serde_json::Value {
    json!({"chat_id": chat, "text": "hello"})
}

#[tokio::test]
async fn a_copy_comes_to_another_bot_with_its_old_date() {
    let sim = Sim::start().await;
    let id = sim.world().post(GROUP, OWNER, Post::text("good morning").dated(-8 * 3600)).unwrap();
    let first = sim.pending(OPEN).await.remove(0);
    assert_eq!(sim.pending(PRIVATE).await.len(), 0);
    sim.world().copy_update(Which::About { chat: GROUP, message_id: id, kind: Some("message") }, PRIVATE).unwrap();
    let copy = sim.pending(PRIVATE).await.remove(0);
    assert_eq!(copy["message"], first["message"]);
    let age_s = sim.world().calendar_ms() / 1000 - copy["message"]["date"].as_i64().unwrap();
    assert!((8 * 3600..8 * 3600 + 10).contains(&age_s), "{age_s}");
    let nothing = sim.world().copy_update(Which::Update { bot: OPEN, update_id: 1 }, PRIVATE);
    assert!(nothing.unwrap_err().to_string().contains("no bot got"));
}

#[tokio::test]
async fn what_is_held_back_comes_later_in_its_order() {
    let sim = Sim::start().await;
    sim.world().hold_updates(OPEN, Some(GROUP));
    sim.world().post(GROUP, OWNER, Post::text("one")).unwrap();
    sim.world().post(FORUM, OWNER, Post::text("elsewhere")).unwrap();
    sim.world().post(GROUP, OWNER, Post::text("two")).unwrap();
    let texts = |updates: &[serde_json::Value]| -> Vec<String> {
        updates.iter().map(|update| update["message"]["text"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(texts(&sim.pending(OPEN).await), ["elsewhere"]);
    assert_eq!(sim.world().release_updates(OPEN), 2);
    tokio::time::sleep(std::time::Duration::from_millis(510)).await;
    assert_eq!(texts(&sim.pending(OPEN).await), ["elsewhere", "one", "two"]);
}

#[tokio::test]
async fn an_odd_message_is_as_odd_as_it_was_asked_for() {
    let sim = Sim::start().await;
    let post = Post {
        unnumbered: true,
        only: Some(vec![OPEN]),
        without: vec!["entities".into()],
        ..Post::text("/optout").with("rich_message", json!({"blocks": []})).with("media_group_id", json!("7"))
    };
    sim.world().post(GROUP, OWNER, post).unwrap();
    let caption = Post::text("look")
        .with("photo", json!([]))
        .with("from", json!({"id": OWNER, "is_bot": false, "first_name": format!("a{LONE_SURROGATE}b")}));
    sim.world().post(GROUP, OWNER, caption).unwrap();
    let raw = sim.client.get(sim.method(OPEN, "getUpdates")).send().await.unwrap().text().await.unwrap();
    assert!(raw.contains(r#""first_name":"a\ud83db""#), "{raw}");
    let fixed: serde_json::Value = serde_json::from_str(&raw.replace(r"\ud83d", "")).unwrap();
    let [first, second] = [0, 1].map(|place: usize| fixed["result"][place]["message"].clone());
    assert_eq!((&first["message_id"], &first["media_group_id"]), (&json!(0), &json!("7")));
    assert_eq!((&first["rich_message"]["blocks"], first.get("entities")), (&json!([]), None));
    assert_eq!((&second["caption"], second.get("text")), (&json!("look"), None));
    let raw = sim.client.get(sim.method(ADMIN, "getUpdates")).send().await.unwrap().text().await.unwrap();
    assert_eq!(raw.matches("update_id").count(), 1, "the first was for one bot alone");
}

#[tokio::test]
async fn a_closed_chat_refuses_members_and_an_open_one_takes_them_again() {
    let sim = Sim::start().await;
    let post = |path: &str, body: serde_json::Value| sim.client.post(sim.url(path)).json(&body).send();
    post(&format!("/sim/chats/{GROUP}/close"), json!({})).await.unwrap();
    sim.refused(OPEN, "sendMessage", hello(GROUP), 400, NO_RIGHTS).await;
    sim.ok(ADMIN, "sendMessage", hello(GROUP)).await;
    let info = sim.ok(OPEN, "getChat", json!({"chat_id": GROUP})).await;
    assert_eq!(info["permissions"]["can_send_messages"], json!(false));
    let words = json!({"code": 403, "description": "Forbidden: CHAT_WRITE_FORBIDDEN"});
    post(&format!("/sim/chats/{GROUP}/close"), words).await.unwrap();
    sim.refused(OPEN, "sendMessage", hello(GROUP), 403, "Forbidden: CHAT_WRITE_FORBIDDEN").await;
    post(&format!("/sim/chats/{GROUP}/delete"), json!({})).await.unwrap();
    sim.refused(ADMIN, "getChat", json!({"chat_id": GROUP}), 400, "Bad Request: chat not found").await;
    post("/sim/lift", json!({})).await.unwrap();
    sim.ok(OPEN, "sendMessage", hello(GROUP)).await;
    sim.world().set_restricted(GROUP, OPEN, true).unwrap();
    sim.refused(OPEN, "sendMessage", hello(GROUP), 400, NO_RIGHTS).await;
    sim.world().lift();
    sim.ok(OPEN, "sendMessage", hello(GROUP)).await;
}

#[tokio::test]
async fn a_closed_topic_refuses_until_it_is_reopened_and_a_deleted_one_is_not_found() {
    let sim = Sim::start().await;
    let thread = sim.world().create_topic(FORUM, "Tea").unwrap();
    let send = || json!({"chat_id": FORUM, "text": "hello", "message_thread_id": thread});
    sim.ok(OPEN, "sendMessage", send()).await;
    sim.world().close_topic(FORUM, thread).unwrap();
    sim.refused(OPEN, "sendMessage", send(), 400, "Bad Request: TOPIC_CLOSED").await;
    sim.ok(OPEN, "sendMessage", hello(FORUM)).await;
    sim.world().open_topic(FORUM, thread).unwrap();
    sim.ok(OPEN, "sendMessage", send()).await;
    let told: Vec<bool> = ["forum_topic_closed", "forum_topic_reopened"]
        .map(|what| format!("{:?}", sim.world().history(FORUM, 10)).contains(what))
        .into();
    assert_eq!(told, [true, true]);
    sim.world().delete_topic(FORUM, thread).unwrap();
    sim.refused(OPEN, "sendMessage", send(), 400, "Bad Request: message thread not found").await;
}

#[tokio::test]
async fn a_migration_may_be_seen_from_one_side_only() {
    let sim = Sim::start().await;
    let to = sim.world().free_supergroup_id();
    let seen = MigrationSeen { to: Some(vec![]), from: Some(vec![PRIVATE]) };
    sim.world().migrate_chat_seen(BASIC, to, &seen).unwrap();
    assert_eq!(sim.pending(OPEN).await.len(), 0);
    let updates = sim.pending(PRIVATE).await;
    assert_eq!(updates[0]["message"]["migrate_from_chat_id"], json!(BASIC));
    assert_eq!(updates.len(), 1);
}

#[tokio::test]
async fn the_clock_of_the_whole_telegram_can_be_set_while_it_runs() {
    let sim = Sim::start().await;
    let date_of = async || {
        let answer = sim.client.get(sim.method(OPEN, "getMe")).send().await.unwrap();
        answer.headers()["date"].to_str().unwrap().to_owned()
    };
    let before = date_of().await;
    let set = |offset_ms: i64| sim.client.put(sim.url("/sim/clock")).json(&json!({"offset_ms": offset_ms})).send();
    set(-40 * 366 * 86_400_000).await.unwrap();
    assert_ne!(before[12..16], date_of().await[12..16], "another year");
    sim.world().post(GROUP, OWNER, Post::text("long ago")).unwrap();
    assert!(sim.pending(OPEN).await[0]["message"]["date"].as_i64().unwrap() < 1_000_000_000);
    set(0).await.unwrap();
    assert_eq!(before[..16], date_of().await[..16]);
    sim.world().post(GROUP, GUEST, Post::text("now")).unwrap();
}
