//! Tests chats and members: which bots are told of changes, and what a removed bot may still do.

use botfleet_world::world::event::Post;
use serde_json::json;

use crate::telegram_harness::{ADMIN, BASIC, GROUP, GUEST, OPEN, OWNER, PRIVATE, Sim};

#[tokio::test]
async fn a_kicked_bot_is_told_and_may_not_send() {
    let sim = Sim::start().await;
    sim.world().kick_bot(GROUP, OPEN).unwrap();
    let told = sim.pending(OPEN).await;
    assert_eq!(told.len(), 1);
    let change = &told[0]["my_chat_member"];
    assert_eq!(change["old_chat_member"]["status"], "member");
    assert_eq!(change["new_chat_member"]["status"], "kicked");
    assert_eq!(change["from"]["id"], OWNER);
    let others = sim.pending(PRIVATE).await;
    assert_eq!(others[0]["message"]["left_chat_member"]["id"], OPEN);
    let send = json!({"chat_id": GROUP, "text": "x"});
    let why = "Forbidden: bot was kicked from the supergroup chat";
    sim.refused(OPEN, "sendMessage", send.clone(), 403, why).await;
    sim.world().add_bot(GROUP, OPEN).unwrap();
    sim.ok(OPEN, "sendMessage", send).await;
    sim.stop().await;
}

#[tokio::test]
async fn a_bot_that_left_is_no_member() {
    let sim = Sim::start().await;
    sim.ok(OPEN, "leaveChat", json!({"chat_id": GROUP})).await;
    let why = "Forbidden: bot is not a member of the supergroup chat";
    sim.refused(OPEN, "getChat", json!({"chat_id": GROUP}), 403, why).await;
    sim.stop().await;
}

#[tokio::test]
async fn becoming_administrator_opens_a_bots_ears() {
    let sim = Sim::start().await;
    sim.world().set_admin(GROUP, PRIVATE, true).unwrap();
    sim.world().post(GROUP, GUEST, Post::text("şimdi duyuyor")).unwrap();
    sim.world().set_admin(GROUP, PRIVATE, false).unwrap();
    sim.world().post(GROUP, GUEST, Post::text("artık duymuyor")).unwrap();
    let updates = sim.pending(PRIVATE).await;
    assert_eq!(updates[0]["my_chat_member"]["new_chat_member"]["status"], "administrator");
    assert_eq!(updates[1]["message"]["text"], "şimdi duyuyor");
    assert_eq!(updates[2]["my_chat_member"]["new_chat_member"]["status"], "member");
    assert_eq!(updates.len(), 3);
    sim.stop().await;
}

#[tokio::test]
async fn a_migrated_group_names_its_supergroup() {
    let sim = Sim::start().await;
    let to = -1_001_000_000_777;
    sim.world().migrate_chat(BASIC, to).unwrap();
    let updates = sim.pending(OPEN).await;
    assert_eq!(updates[0]["message"]["migrate_to_chat_id"], to);
    assert_eq!(updates[0]["message"]["chat"]["id"], BASIC);
    assert_eq!(updates[1]["message"]["migrate_from_chat_id"], BASIC);
    assert_eq!(updates[1]["message"]["chat"]["id"], to);
    let (status, body) = sim.call(OPEN, "sendMessage", json!({"chat_id": BASIC, "text": "x"})).await;
    let expected = json!({
        "ok": false,
        "error_code": 400,
        "description": "Bad Request: group chat was upgraded to a supergroup chat",
        "parameters": {"migrate_to_chat_id": to},
    });
    assert_eq!((status, body), (400, expected));
    sim.ok(OPEN, "sendMessage", json!({"chat_id": to, "text": "x"})).await;
    assert!(sim.world().post(BASIC, GUEST, Post::text("x")).is_err());
    sim.stop().await;
}

#[tokio::test]
async fn members_and_administrators_are_listed() {
    let sim = Sim::start().await;
    let chat = json!({"chat_id": GROUP});
    assert_eq!(sim.ok(OPEN, "getChat", chat.clone()).await["title"], "Group");
    assert_eq!(sim.ok(OPEN, "getChatMemberCount", chat.clone()).await, 5);
    let admins = sim.ok(OPEN, "getChatAdministrators", chat.clone()).await;
    assert_eq!(admins.as_array().unwrap().len(), 1);
    assert_eq!(admins[0]["status"], "creator");
    let own = sim.ok(ADMIN, "getChatAdministrators", chat).await;
    assert_eq!(own.as_array().unwrap().len(), 2);
    for (user, status) in [(ADMIN, "administrator"), (GUEST, "member"), (OWNER, "creator")] {
        let ask = json!({"chat_id": GROUP, "user_id": user.to_string()});
        assert_eq!(sim.ok(OPEN, "getChatMember", ask).await["status"], status);
    }
    let nobody = json!({"chat_id": GROUP, "user_id": 9});
    sim.refused(OPEN, "getChatMember", nobody, 400, "Bad Request: user not found").await;
    sim.stop().await;
}
