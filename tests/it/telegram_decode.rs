//! Updates as Telegram sends them, and what the fleet reads in them.
#![allow(clippy::unwrap_used, clippy::panic)]

use botfleet::telegram::decode::TelegramDecoder;
use botfleet_actors::domain::incoming::{Event, Incoming};
use botfleet_actors::ports::telegram::UpdateDecoder as _;
use serde_json::{Value, json};

const DATE: i64 = 1_790_000_000;

fn chat() -> Value {
    json!({"id": -1_001_234_567_890_i64, "type": "supergroup", "title": "Çay Bahçesi", "username": "caybahcesi"})
}

fn ayse() -> Value {
    json!({"id": 510_000_001, "is_bot": false, "first_name": "Ayşe", "last_name": "Kılıç", "username": "ayse_k", "language_code": "tr"})
}

/// A message of Ayşe's with these fields besides.
fn message(fields: Value) -> Value {
    let mut message = json!({"message_id": 41, "from": ayse(), "chat": chat(), "date": DATE});
    if let (Some(message), Value::Object(fields)) = (message.as_object_mut(), fields) {
        message.extend(fields);
    }
    message
}

fn decode(kind: &str, payload: &Value) -> Incoming {
    TelegramDecoder.decode(&json!({"update_id": 9, kind: payload}).to_string())
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table of updates")]
fn real_looking_updates_are_read_as_the_snapshots_say() {
    let admin = json!({"id": 1_087_968_824, "is_bot": true, "first_name": "Group", "username": "GroupAnonymousBot"});
    let channel = json!({"id": -1_009, "type": "channel", "title": "Duyurular", "username": "duyurular"});
    let reaction = |fields: Value| {
        let mut reaction = json!({"chat": chat(), "message_id": 41, "date": DATE, "old_reaction": []});
        if let (Some(reaction), Value::Object(fields)) = (reaction.as_object_mut(), fields) {
            reaction.extend(fields);
        }
        reaction
    };
    let member = |status: Value| {
        json!({"chat": chat(), "from": ayse(), "date": DATE,
        "old_chat_member": {"user": admin, "status": "left"}, "new_chat_member": status})
    };
    let updates = [
        (
            "turkish_mention_after_emoji",
            "message",
            message(json!({
                "text": "🌞 İyi günler @deniz_bot, ığdır!",
                "entities": [{"offset": 14, "length": 10, "type": "mention"}],
            })),
        ),
        (
            "reply",
            "message",
            message(json!({
                "text": "yes", "reply_to_message": {"message_id": 40, "date": DATE, "chat": chat()},
            })),
        ),
        (
            "text_mention",
            "message",
            message(json!({
                "text": "Işıl ne dersin?",
                "entities": [{"offset": 0, "length": 4, "type": "text_mention",
                    "user": {"id": 510_000_003, "is_bot": false, "first_name": "Işıl"}}],
            })),
        ),
        (
            "command",
            "message",
            message(json!({
                "text": "/stop@deniz_bot now", "entities": [{"offset": 0, "length": 15, "type": "bot_command"}],
            })),
        ),
        ("anonymous_admin", "message", message(json!({"text": "/stop", "from": admin, "sender_chat": chat()}))),
        (
            "automatic_forward",
            "message",
            message(json!({
                "text": "Yeni duyuru", "from": {"id": 777_000, "is_bot": false, "first_name": "Telegram"},
                "sender_chat": channel, "is_automatic_forward": true,
            })),
        ),
        (
            "another_bot",
            "message",
            message(json!({
                "text": "beep", "from": {"id": 7_100_000_002_i64, "is_bot": true, "first_name": "Zeynep", "username": "zeynep_bot"},
            })),
        ),
        (
            "topic_post_is_no_reply",
            "message",
            message(json!({
                "text": "in the topic", "message_thread_id": 12, "is_topic_message": true,
                "reply_to_message": {"message_id": 12, "date": DATE, "chat": chat(), "forum_topic_created": {"name": "T", "icon_color": 1}},
            })),
        ),
        ("thread_outside_a_forum", "message", message(json!({"text": "comment", "message_thread_id": 12}))),
        (
            "photo_with_caption",
            "message",
            message(json!({
                "photo": [{"file_id": "small", "width": 90, "height": 60}, {"file_id": "large", "width": 900, "height": 600}],
                "caption": "Boğaz 🌉", "caption_entities": [{"offset": 0, "length": 5, "type": "bold"}],
            })),
        ),
        (
            "sticker",
            "message",
            message(json!({"sticker": {"file_id": "s1", "emoji": "😂", "width": 512, "height": 512}})),
        ),
        ("someone_joined", "message", message(json!({"new_chat_members": [ayse()]}))),
        ("edit", "edited_message", message(json!({"text": "düzelttim", "edit_date": DATE + 60}))),
        (
            "migration",
            "message",
            json!({
                "message_id": 5, "from": ayse(), "date": DATE,
                "chat": {"id": -500, "type": "group", "title": "Eski"}, "migrate_to_chat_id": -1_001_234_567_890_i64,
            }),
        ),
        (
            "reaction",
            "message_reaction",
            reaction(json!({"user": ayse(), "new_reaction": [
            {"type": "emoji", "emoji": "❤"}, {"type": "custom_emoji", "custom_emoji_id": "53"}]})),
        ),
        (
            "anonymous_reaction_taken_back",
            "message_reaction",
            reaction(json!({"actor_chat": chat(), "new_reaction": []})),
        ),
        ("reaction_of_nobody", "message_reaction", reaction(json!({"new_reaction": []}))),
        (
            "made_admin",
            "my_chat_member",
            member(json!({"user": admin, "status": "administrator", "can_be_edited": false})),
        ),
        (
            "muted",
            "my_chat_member",
            member(
                json!({"user": admin, "status": "restricted", "is_member": true, "can_send_messages": false, "until_date": 0}),
            ),
        ),
        ("kicked", "my_chat_member", member(json!({"user": admin, "status": "kicked", "until_date": 0}))),
        (
            "channel_post",
            "channel_post",
            json!({"message_id": 3, "date": DATE, "chat": channel, "sender_chat": channel, "text": "x"}),
        ),
        ("kind_from_the_future", "telepathy", json!({"chat": chat(), "thought": "?"})),
        ("no_update", "message", json!({"message_id": 3, "chat": chat()})),
    ];
    for (name, kind, payload) in updates {
        insta::assert_debug_snapshot!(name, decode(kind, &payload));
    }
}

#[test]
fn an_entity_of_a_kind_from_the_future_costs_no_text() {
    let entities = json!([{"type": "date_time", "offset": 0, "length": 5, "unix_time": 1}]);
    let incoming = decode("message", &message(json!({"text": "yarın görüşürüz", "entities": entities})));
    assert!(matches!(incoming.event, Event::Message(m) if m.text.as_deref() == Some("yarın görüşürüz")));
}

#[test]
fn what_is_no_json_is_undecodable_and_its_words_stay_out_of_the_reason() {
    let wrong_type = json!({"update_id": 9, "message": message(json!({"text": "t", "date": "a private thing"}))});
    for raw in ["", "[]", "{\"update_id\":", "null", "{}", &wrong_type.to_string()] {
        match TelegramDecoder.decode(raw).event {
            Event::Undecodable { reason } => assert!(!reason.contains("private"), "{reason}"),
            other => panic!("{raw}: {other:?}"),
        }
    }
}
