//! Tests which messages of people and bots each bot sees.

use botfleet_world::world::event::Post;
use serde_json::json;

use crate::telegram_harness::{ADMIN, BASIC, FORUM, GROUP, GUEST, OPEN, OWNER, PRIVATE, Sim, spec};

fn say(sim: &Sim, post: Post) -> i64 {
    sim.world().post(GROUP, GUEST, post).unwrap()
}

#[tokio::test]
async fn privacy_mode_hides_talk_and_shows_commands_and_replies() {
    let sim = Sim::start().await;
    let sent = sim.ok(PRIVATE, "sendMessage", json!({"chat_id": GROUP, "text": "buradayım"})).await;
    let own = sent["message_id"].as_i64().unwrap();
    say(&sim, Post::text("genel sohbet @private_bot"));
    say(&sim, Post::text("/stop@private_bot"));
    say(&sim, Post::text("/stop@open_bot"));
    say(&sim, Post::text("/start"));
    say(&sim, Post::text("katılıyorum").reply_to(own));
    assert_eq!(sim.texts(PRIVATE).await, ["/stop@private_bot", "/start", "katılıyorum"]);
    assert_eq!(sim.texts(OPEN).await.len(), 5);
    assert_eq!(sim.texts(ADMIN).await.len(), 5);
    sim.stop().await;
}

#[tokio::test]
async fn bots_do_not_hear_one_another_without_the_mode() {
    let sim = Sim::start().await;
    sim.ok(OPEN, "sendMessage", json!({"chat_id": GROUP, "text": "/x@admin_bot selam"})).await;
    for bot in [OPEN, PRIVATE, ADMIN] {
        assert!(sim.pending(bot).await.is_empty());
    }
    sim.stop().await;
}

#[tokio::test]
async fn bot_to_bot_mode_lets_bots_hear_bots() {
    let mut spec = spec();
    spec.bots[0].bot_to_bot = true;
    let sim = Sim::of(spec).await;
    let hello = json!({"chat_id": GROUP, "text": "selam"});
    let from_admin = sim.ok(ADMIN, "sendMessage", hello.clone()).await;
    assert_eq!(sim.texts(OPEN).await, ["selam"]);
    let reply = json!({
        "chat_id": GROUP,
        "text": "sana da",
        "reply_parameters": {"message_id": from_admin["message_id"]},
    });
    sim.ok(OPEN, "sendMessage", hello).await;
    sim.ok(OPEN, "sendMessage", reply).await;
    assert_eq!(sim.texts(ADMIN).await, ["sana da"]);
    assert!(sim.texts(PRIVATE).await.is_empty());
    sim.stop().await;
}

#[tokio::test]
async fn people_see_what_bots_write() {
    let sim = Sim::start().await;
    let mut seen = sim.world().subscribe();
    sim.ok(OPEN, "sendChatAction", json!({"chat_id": GROUP, "action": "typing"})).await;
    sim.ok(OPEN, "sendMessage", json!({"chat_id": GROUP, "text": "selam"})).await;
    let typing = serde_json::to_value(seen.try_recv().unwrap()).unwrap();
    assert_eq!(typing, json!({"kind": "typing", "chat": GROUP, "bot": OPEN, "action": "typing"}));
    let message = serde_json::to_value(seen.try_recv().unwrap()).unwrap();
    assert_eq!(message["text"], "selam");
    assert_eq!(message["author"]["username"], "open_bot");
    sim.stop().await;
}

#[tokio::test]
async fn an_anonymous_administrator_arrives_as_the_group() {
    let sim = Sim::start().await;
    let post = Post { anonymous: true, ..Post::text("/stop") };
    assert!(sim.world().post(GROUP, GUEST, post.clone()).is_err());
    sim.world().post(GROUP, OWNER, post).unwrap();
    let updates = sim.pending(OPEN).await;
    let message = &updates[0]["message"];
    assert_eq!(message["from"]["username"], "GroupAnonymousBot");
    assert_eq!(message["from"]["is_bot"], true);
    assert_eq!(message["sender_chat"]["id"], GROUP);
    assert_eq!(message["entities"][0]["type"], "bot_command");
    sim.stop().await;
}

#[tokio::test]
async fn edits_are_told_and_deletions_are_not() {
    let sim = Sim::start().await;
    let id = say(&sim, Post::text("çya"));
    sim.world().edit(GROUP, GUEST, id, "çay").unwrap();
    assert!(sim.world().edit(GROUP, OWNER, id, "kahve").is_err());
    sim.world().delete(GROUP, GUEST, id).unwrap();
    let updates = sim.pending(OPEN).await;
    assert_eq!(updates.len(), 2);
    assert_eq!(updates[1]["edited_message"]["text"], "çay");
    assert!(updates[1]["edited_message"]["edit_date"].is_i64());
    sim.stop().await;
}

#[tokio::test]
async fn supergroups_share_message_ids_and_basic_groups_do_not() {
    let sim = Sim::start().await;
    sim.world().post(GROUP, GUEST, Post::text("bir")).unwrap();
    sim.world().post(BASIC, GUEST, Post::text("iki")).unwrap();
    let (open, admin) = (sim.pending(OPEN).await, sim.pending(ADMIN).await);
    assert_eq!(open[0]["message"]["message_id"], admin[0]["message"]["message_id"]);
    assert_ne!(open[1]["message"]["message_id"], admin[1]["message"]["message_id"]);
    assert_eq!(open[1]["message"]["chat"]["type"], "group");
    let reply = json!({"message_id": open[1]["message"]["message_id"]});
    let send = json!({"chat_id": BASIC, "text": "üç", "reply_parameters": reply});
    let answer = sim.ok(OPEN, "sendMessage", send).await;
    assert_eq!(answer["reply_to_message"]["text"], "iki");
    sim.stop().await;
}

#[tokio::test]
async fn topics_have_threads_and_general_has_none() {
    let sim = Sim::start().await;
    let topic = sim.world().create_topic(FORUM, "Çay").unwrap();
    assert!(topic > 1);
    let general = sim.world().post(FORUM, GUEST, Post::text("genel")).unwrap();
    sim.world().post(FORUM, GUEST, Post::text("konu").in_thread(topic)).unwrap();
    let updates = sim.pending(OPEN).await;
    assert_eq!(updates[0]["message"]["forum_topic_created"]["name"], "Çay");
    assert!(updates[1]["message"].get("message_thread_id").is_none());
    assert_eq!(updates[2]["message"]["message_thread_id"], topic);
    assert_eq!(updates[2]["message"]["is_topic_message"], true);
    let send = |thread: i64| json!({"chat_id": FORUM, "text": "x", "message_thread_id": thread});
    let answer = sim.ok(OPEN, "sendMessage", send(topic)).await;
    assert_eq!(answer["message_thread_id"], topic);
    for wrong in [1, general, 999] {
        let why = "Bad Request: message thread not found";
        sim.refused(OPEN, "sendMessage", send(wrong), 400, why).await;
    }
    sim.stop().await;
}
