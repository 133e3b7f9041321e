//! Tests sending, editing, deleting and reacting: what is accepted, and how refusals are worded.

use std::time::Duration;

use botfleet_world::world::event::Post;
use serde_json::{Value, json};

use crate::telegram_harness::{GROUP, GUEST, OPEN, OWNER, PRIVATE, Sim};

fn text(text: &str) -> Value {
    json!({"chat_id": GROUP, "text": text})
}

#[tokio::test]
async fn the_limit_counts_utf16_units() {
    let sim = Sim::start().await;
    sim.ok(OPEN, "sendMessage", text(&"😀".repeat(2048))).await;
    sim.ok(OPEN, "sendMessage", text(&"ş".repeat(4096))).await;
    let why = "Bad Request: message is too long";
    sim.refused(OPEN, "sendMessage", text(&"😀".repeat(2049)), 400, why).await;
    sim.refused(OPEN, "sendMessage", text(&"ş".repeat(4097)), 400, why).await;
    sim.stop().await;
}

#[tokio::test]
async fn refusals_are_worded_as_telegram_words_them() {
    let sim = Sim::start().await;
    let to = |chat: Value| json!({"chat_id": chat, "text": "x"});
    let reply = json!({"chat_id": GROUP, "text": "x", "reply_parameters": {"message_id": 77}});
    let entities = json!([{"type": "bold", "offset": 0, "length": 9}]);
    for (params, code, why) in [
        (text(""), 400, "Bad Request: message text is empty"),
        (text("  \n"), 400, "Bad Request: text must be non-empty"),
        (json!({"text": "x"}), 400, "Bad Request: chat_id is empty"),
        (to(json!(-1_009_999_999_999_i64)), 400, "Bad Request: chat not found"),
        (to(json!("@nobody")), 400, "Bad Request: chat not found"),
        (to(json!(GUEST)), 403, "Forbidden: bot can't initiate conversation with a user"),
        (reply, 400, "Bad Request: message to be replied not found"),
        (json!({"chat_id": GROUP, "text": "x", "parse_mode": "HTML"}), 400, "Bad Request: unsupported parse_mode"),
        (
            json!({"chat_id": GROUP, "text": "x", "entities": entities}),
            400,
            "Bad Request: entity beginning at UTF-16 offset 0 ends after the end of the text at UTF-16 offset 9",
        ),
    ] {
        sim.refused(OPEN, "sendMessage", params, code, why).await;
    }
    sim.stop().await;
}

#[tokio::test]
async fn a_reply_shows_the_message_it_answers_and_its_quote() {
    let sim = Sim::start().await;
    let id = sim.world().post(GROUP, GUEST, Post::text("bir 😀 iki üç")).unwrap();
    let reply = |quote: &str| {
        let to = json!({"message_id": id, "quote": quote});
        json!({"chat_id": GROUP, "text": "evet", "reply_parameters": to.to_string()})
    };
    let sent = sim.ok(OPEN, "sendMessage", reply("iki")).await;
    assert_eq!(sent["reply_to_message"]["message_id"], id);
    assert_eq!(sent["quote"], json!({"text": "iki", "position": 7, "is_manual": true}));
    let why = "Bad Request: QUOTE_TEXT_INVALID";
    sim.refused(OPEN, "sendMessage", reply("dört"), 400, why).await;
    sim.world().delete(GROUP, GUEST, id).unwrap();
    let why = "Bad Request: message to be replied not found";
    sim.refused(OPEN, "sendMessage", reply(""), 400, why).await;
    let to = json!({"message_id": id, "allow_sending_without_reply": true});
    let sent = json!({"chat_id": GROUP, "text": "yine de", "reply_parameters": to});
    assert!(sim.ok(OPEN, "sendMessage", sent).await.get("reply_to_message").is_none());
    sim.stop().await;
}

#[tokio::test]
async fn entities_stand_in_the_message_as_sent() {
    let sim = Sim::start().await;
    let entities = json!([{"type": "bold", "offset": 3, "length": 3}]);
    let params = json!({"chat_id": GROUP, "text": "😀 çay @guest_p", "entities": entities});
    let sent = sim.ok(OPEN, "sendMessage", params).await;
    assert_eq!(
        sent["entities"],
        json!([
            {"type": "bold", "offset": 3, "length": 3},
            {"type": "mention", "offset": 7, "length": 8},
        ])
    );
    sim.stop().await;
}

#[tokio::test]
async fn a_bot_edits_and_deletes_its_own_messages_only() {
    let sim = Sim::start().await;
    let theirs = sim.world().post(GROUP, GUEST, Post::text("benim")).unwrap();
    let own = sim.ok(OPEN, "sendMessage", text("bir")).await["message_id"].clone();
    let edit = |id: &Value, text: &str| json!({"chat_id": GROUP, "message_id": id, "text": text});
    let edited = sim.ok(OPEN, "editMessageText", edit(&own, "iki")).await;
    assert_eq!(edited["text"], "iki");
    let same = "Bad Request: message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message";
    sim.refused(OPEN, "editMessageText", edit(&own, "iki"), 400, same).await;
    let theirs = json!(theirs);
    for (id, why) in
        [(&theirs, "Bad Request: message can't be edited"), (&json!(99), "Bad Request: message to edit not found")]
    {
        sim.refused(OPEN, "editMessageText", edit(id, "x"), 400, why).await;
    }
    let delete = |id: &Value| json!({"chat_id": GROUP, "message_id": id});
    sim.refused(OPEN, "deleteMessage", delete(&theirs), 400, "Bad Request: message can't be deleted").await;
    sim.ok(OPEN, "deleteMessage", delete(&own)).await;
    sim.refused(OPEN, "deleteMessage", delete(&own), 400, "Bad Request: message to delete not found").await;
    let old = sim.ok(OPEN, "sendMessage", text("eski")).await["message_id"].clone();
    sim.world().shift_calendar(Duration::from_hours(48));
    sim.refused(OPEN, "deleteMessage", delete(&old), 400, "Bad Request: message can't be deleted").await;
    sim.world().set_admin(GROUP, OPEN, true).unwrap();
    sim.ok(OPEN, "deleteMessage", delete(&old)).await;
    sim.stop().await;
}

#[tokio::test]
async fn a_bot_sets_one_known_reaction() {
    let sim = Sim::start().await;
    let id = sim.world().post(GROUP, GUEST, Post::text("bir")).unwrap();
    let react = |emoji: &[&str]| {
        let list: Vec<Value> = emoji.iter().map(|e| json!({"type": "emoji", "emoji": e})).collect();
        json!({"chat_id": GROUP, "message_id": id, "reaction": list})
    };
    sim.ok(OPEN, "setMessageReaction", react(&["👍"])).await;
    sim.ok(OPEN, "setMessageReaction", react(&[])).await;
    for (emoji, why) in
        [(&["👍", "🔥"][..], "Bad Request: REACTIONS_TOO_MANY"), (&["🫖"][..], "Bad Request: REACTION_INVALID")]
    {
        sim.refused(OPEN, "setMessageReaction", react(emoji), 400, why).await;
    }
    let gone = json!({"chat_id": GROUP, "message_id": 99, "reaction": []});
    sim.refused(OPEN, "setMessageReaction", gone, 400, "Bad Request: message to react not found").await;
    assert!(sim.pending(OPEN).await.iter().all(|u| u.get("message_reaction").is_none()));
    sim.stop().await;
}

#[tokio::test]
async fn a_photo_is_stored_and_can_be_downloaded() {
    let sim = Sim::start().await;
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    png.extend([0, 0, 0, 3, 0, 0, 0, 5]);
    let mut body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"chat_id\"\r\n\r\n{GROUP}\r\n--b\r\nContent-Disposition: form-data; name=\"caption\"\r\n\r\nçay\r\n--b\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"a.png\"\r\n\r\n"
    )
    .into_bytes();
    body.extend(&png);
    body.extend(b"\r\n--b--\r\n");
    let request = sim
        .client
        .post(sim.method(OPEN, "SendPhoto"))
        .header("content-type", "multipart/form-data; boundary=b")
        .body(body);
    let sent: Value = request.send().await.unwrap().json().await.unwrap();
    let size = &sent["result"]["photo"][0];
    assert_eq!((&size["width"], &size["height"]), (&json!(3), &json!(5)), "{sent}");
    assert_eq!(sent["result"]["caption"], "çay");
    let file = sim.ok(OPEN, "getFile", json!({"file_id": size["file_id"]})).await;
    let path = file["file_path"].as_str().unwrap();
    let token = crate::telegram_harness::token(OPEN);
    let download = sim.client.get(sim.url(&format!("/file/bot{token}/{path}"))).send().await.unwrap();
    assert_eq!(download.bytes().await.unwrap(), png);
    let again = json!({"chat_id": GROUP, "photo": size["file_id"]});
    sim.ok(OPEN, "sendPhoto", again).await;
    sim.refused(PRIVATE, "getFile", json!({"file_id": size["file_id"]}), 400, "Bad Request: invalid file_id").await;
    sim.refused(OPEN, "sendPhoto", json!({"chat_id": GROUP}), 400, "Bad Request: there is no photo in the request")
        .await;
    sim.stop().await;
}

#[tokio::test]
async fn wrong_actions_and_unknown_callbacks_are_refused() {
    let sim = Sim::start().await;
    let action = json!({"chat_id": GROUP, "action": "dance"});
    sim.refused(OPEN, "sendChatAction", action, 400, "Bad Request: wrong parameter action in request").await;
    let why = "Bad Request: query is too old and response timeout expired or query ID is invalid";
    sim.refused(OPEN, "answerCallbackQuery", json!({"callback_query_id": "7"}), 400, why).await;
    sim.stop().await;
}

#[tokio::test]
async fn the_control_api_posts_and_shows_messages() {
    let sim = Sim::start().await;
    let messages = sim.url(&format!("/sim/chats/{GROUP}/messages"));
    let post = sim.client.post(&messages).json(&json!({"from": OWNER, "text": "selam"}));
    let id: Value = post.send().await.unwrap().json().await.unwrap();
    let reaction = json!({"from": GUEST, "message_id": id["message_id"], "emoji": "👍"});
    let reactions = sim.url(&format!("/sim/chats/{GROUP}/reactions"));
    let set = sim.client.post(reactions).json(&reaction).send().await.unwrap();
    assert_eq!(set.status(), 204);
    let shown: Value = sim.client.get(&messages).send().await.unwrap().json().await.unwrap();
    assert_eq!(shown[0]["text"], "selam");
    let stranger = sim.client.post(&messages).json(&json!({"from": 9, "text": "x"}));
    assert_eq!(stranger.send().await.unwrap().status(), 400);
    let unknown = sim.client.get(sim.url("/sim/chats/-5/messages")).send().await.unwrap();
    assert_eq!(unknown.status(), 404);
    let world: Value = sim.client.get(sim.url("/sim/world")).send().await.unwrap().json().await.unwrap();
    assert_eq!(world["bots"][0]["pending_updates"], 1);
    assert_eq!(world["spec"]["chats"][0]["id"], GROUP);
    sim.stop().await;
}
