//! Tests how updates are decoded as Telegram sends them.
#![allow(clippy::unwrap_used, clippy::panic)]

use botfleet::telegram::decode::TelegramDecoder;
use botfleet_actors::domain::ids::TelegramUserId;
use botfleet_actors::domain::incoming::{Event, Incoming};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::telegram::UpdateDecoder as _;
use proptest::prelude::*;
use serde_json::{Value, json};

const DATE: i64 = 1_790_000_000;

fn chat() -> Value {
    json!({"id": -1_001_234_567_890_i64, "type": "supergroup", "title": "Çay Bahçesi", "username": "caybahcesi"})
}

fn ayse() -> Value {
    json!({"id": 510_000_001, "is_bot": false, "first_name": "Ayşe", "last_name": "Kılıç", "username": "ayse_k", "language_code": "tr"})
}

/// Makes a message of Ayşe's with these fields besides.
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
        (
            "guest_bot",
            "message",
            message(json!({
                "text": "I was called", "guest_bot_caller_user": ayse(),
                "from": {"id": 7_100_000_009_i64, "is_bot": true, "first_name": "Guest", "username": "guest_bot"},
            })),
        ),
        (
            "rich_message",
            "message",
            message(json!({"message_id": 0, "rich_message": {"blocks": [
                {"type": "heading", "size": 2, "text": "Balık"},
                {"type": "paragraph", "text": ["Kime? ", {"type": "mention", "text": "@deniz_bot"}]},
            ]}})),
        ),
        (
            "community_service_message",
            "message",
            message(json!({"community_chat_added": {"community": {"id": -100_999, "name": "Umbrella"}}})),
        ),
        (
            "quote_of_a_bot",
            "message",
            message(json!({
                "text": "bunu mu?", "quote": {"text": "iki balık", "position": 4},
                "reply_to_message": {"message_id": 12, "date": DATE, "chat": chat(), "caption": "dün iki balık tuttum",
                    "photo": [{"file_id": "p"}], "from": {"id": 7_100_000_002_i64, "is_bot": true, "first_name": "Zeynep"}},
            })),
        ),
        (
            "external_reply_to_a_poll",
            "message",
            message(json!({
                "text": "oy verdiniz mi?", "external_reply": {
                    "origin": {"type": "hidden_user", "sender_user_name": "Gizli", "date": DATE}, "message_id": 8,
                    "poll": {"id": "1", "question": "Çay mı?", "options": [{"text": "evet", "voter_count": 0}, {"text": "hayır"}]}},
            })),
        ),
        (
            "poll",
            "message",
            message(
                json!({"poll": {"id": "1", "question": "Çay mı?", "options": [{"text": "evet"}, {"text": "hayır"}]}}),
            ),
        ),
        (
            "picture_of_an_album",
            "message",
            message(json!({"photo": [{"file_id": "p"}], "media_group_id": "13579", "caption": "göl"})),
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

/// Makes a message with every optional field that the fleet reads.
fn full() -> Value {
    message(json!({
        "text": "Işıl, @deniz_bot, bak 🌞", "message_thread_id": 12, "is_topic_message": true,
        "entities": [{"type": "mention", "offset": 6, "length": 10},
            {"type": "text_mention", "offset": 0, "length": 4, "user": {"id": 9, "is_bot": false, "first_name": "Işıl"}}],
        "reply_to_message": {"message_id": 40, "date": DATE, "chat": chat(), "from": ayse(), "text": "eski"},
        "photo": [{"file_id": "p", "width": 1, "height": 1}], "caption": "c", "caption_entities": [],
        "poll": {"id": "1", "question": "q", "options": [{"text": "a"}]}, "sticker": {"file_id": "s", "emoji": "😂"},
        "edit_date": DATE, "is_automatic_forward": false, "media_group_id": "7", "rich_message": {"blocks": []},
        "quote": {"text": "eski", "position": 0}, "external_reply": {"origin": {"type": "hidden_user", "sender_user_name": "A", "date": DATE}},
        "location": {"latitude": 1.0, "longitude": 1.0}, "document": {"file_id": "d"}, "dice": {"emoji": "🎲", "value": 3},
    }))
}

/// Fields that a message needs, and those that the claim looks at.
const KEPT: [&str; 6] = ["message_id", "date", "chat", "text", "from", "sender_chat"];

fn said_by_ayse(raw: &str) -> Result<(), String> {
    match TelegramDecoder.decode(raw).event {
        Event::Message(message) => {
            let kept = message.message_id.0 == 41
                && message.author.id.0 == 510_000_001
                && message.text.as_deref() == Some("Işıl, @deniz_bot, bak 🌞");
            if kept { Ok(()) } else { Err(format!("{message:?}")) }
        }
        other => Err(format!("{other:?}")),
    }
}

fn any_json() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("-1".to_owned()),
        Just("1e999".to_owned()),
        Just("18446744073709551616".to_owned()),
        Just(r#""\ud83d""#.to_owned()),
        Just(r#""\udc00\u0000""#.to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f32>().prop_filter("JSON knows no others", |f| f.is_finite()).prop_map(|f| f.to_string()),
        ".{0,8}".prop_map(|text| Value::String(text).to_string()),
    ];
    scalar.prop_recursive(3, 24, 4, |inner| {
        let name =
            prop_oneof![Just("id"), Just("user"), Just("type"), Just("offset"), Just("from"), Just("text"), Just("x")];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|parts| format!("[{}]", parts.join(","))),
            prop::collection::vec((name, inner), 0..4).prop_map(|fields| {
                let fields: Vec<String> =
                    fields.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

/// Returns the update with the value at a path replaced.
fn with_value_at(path: &[String], value: &str) -> String {
    let mut payload = full();
    let mut place = &mut payload;
    for step in path {
        place = match place {
            Value::Array(parts) => &mut parts[step.parse::<usize>().unwrap()],
            place => place.get_mut(step).unwrap(),
        };
    }
    *place = json!("@here@");
    json!({"update_id": 9, "message": payload}).to_string().replace("\"@here@\"", value)
}

/// Returns the paths to all values of a message, but for the fields that the claim is about.
fn paths(value: &Value, at: &[String]) -> Vec<Vec<String>> {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, part)| (name.clone(), part)).collect(),
        Value::Array(parts) => parts.iter().enumerate().map(|(place, part)| (place.to_string(), part)).collect(),
        _ => Vec::new(),
    };
    let mut found = Vec::new();
    for (step, part) in children {
        let path = [at, &[step]].concat();
        let top = path.len() == 1;
        // The author needs only its id, and so does the chat.
        let needed = top && KEPT.contains(&path[0].as_str())
            || matches!(path[0].as_str(), "from" | "chat") && path[1..] == ["id"];
        if !needed {
            found.push(path.clone());
        }
        if !top || !needed || matches!(path[0].as_str(), "from" | "chat") {
            found.extend(paths(part, &path));
        }
    }
    found
}

proptest! {
    #[test]
    fn an_optional_field_of_any_kind_costs_neither_text_nor_author_nor_id(
        place in any::<prop::sample::Index>(), value in any_json(),
    ) {
        let paths = paths(&full(), &[]);
        let path = place.get(&paths);
        let raw = with_value_at(path, &value);
        if let Err(read) = said_by_ayse(&raw) {
            prop_assert!(false, "{path:?} = {value}: {read}");
        }
    }
}

#[test]
fn each_odd_field_that_was_seen_costs_itself_alone() {
    for (path, value) in [
        ("entities", "null"),
        ("entities.0.offset", "-1"),
        ("from.last_name", r#""\ud83d""#),
        ("from.username", "7"),
        ("reply_to_message", "[]"),
        ("reply_to_message.from", "{}"),
        ("is_topic_message", "\"yes\""),
        ("chat.type", "null"),
    ] {
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        let raw = with_value_at(&path, value);
        assert_eq!(said_by_ayse(&raw), Ok(()), "{path:?}");
        let Event::Message(message) = TelegramDecoder.decode(&raw).event else { panic!("{raw}") };
        let entities = if path[0] == "entities" { path.len() - 1 } else { 2 };
        assert!(message.entities.len() >= entities.min(1), "{path:?}: {:?}", message.entities);
    }
    let Event::Message(message) =
        TelegramDecoder.decode(&with_value_at(&["entities".into(), "0".into(), "offset".into()], "-1")).event
    else {
        panic!("a message")
    };
    assert_eq!(message.entities.len(), 1, "the other entity stays");
}

#[test]
fn words_of_who_has_opted_out_are_cut_from_odd_updates_too() {
    let gone = |person: TelegramUserId, _: Timestamp| person.0 == 510_000_001;
    let mut quoting = full();
    quoting["from"] = json!({"id": 8, "is_bot": false, "first_name": "@here@"});
    let raw = json!({"update_id": 9, "message": quoting}).to_string().replace("@here@", "\\ud83d");
    let left = TelegramDecoder.without(&raw, &gone).unwrap();
    assert!(!left.contains("eski") && left.contains("bak"), "{left}");
    let own = with_value_at(&["entities".into()], "1e999");
    assert_eq!(TelegramDecoder.without(&own, &gone).unwrap(), "{}");
}
