//! Takes people out of an update: their own words, and what others quote of them. Layer `adapters`.
//!
//! It works on Telegram's JSON as it is, so that fields that the fleet does not read are not kept either: of a message
//! that is quoted only its id, date, chat and sender's id remain.

use botfleet_actors::domain::ids::TelegramUserId;
use botfleet_actors::domain::people::TOMBSTONE;
use serde_json::{Map, Value, json};

/// The kinds of updates that hold somebody's words or doings.
const WORDS: [&str; 4] = ["message", "edited_message", "channel_post", "edited_channel_post"];

/// Fields of a message that hold another message, or part of one.
const QUOTES: [&str; 3] = ["reply_to_message", "pinned_message", "external_reply"];

/// What remains of a message that is quoted.
const SKELETON: [&str; 4] = ["message_id", "date", "chat", "message_thread_id"];

/// The update without people of whom `gone` is true; `None` when it holds none of theirs.
pub(super) fn without(raw: &str, gone: &dyn Fn(TelegramUserId) -> bool) -> Option<String> {
    let mut update: Map<String, Value> = serde_json::from_str(raw).ok()?;
    if update.get("message_reaction").and_then(|reaction| id_of(reaction.get("user"))).is_some_and(gone) {
        return Some(TOMBSTONE.to_owned());
    }
    for kind in WORDS {
        let Some(message) = update.get_mut(kind).and_then(Value::as_object_mut) else { continue };
        if author_of(message).is_some_and(gone) {
            let Some(command) = command_of(message) else { return Some(TOMBSTONE.to_owned()) };
            let length = command.encode_utf16().count();
            let mut rest = skeleton(message);
            rest.insert("text".to_owned(), Value::String(command));
            rest.insert("entities".to_owned(), json!([{ "type": "bot_command", "offset": 0, "length": length }]));
            update.insert(kind.to_owned(), Value::Object(rest));
            return serde_json::to_string(&update).ok();
        }
        // A forwarded message is its first author's words, whoever brings it here.
        if message.get("forward_origin").and_then(|origin| id_of(origin.get("sender_user"))).is_some_and(gone) {
            return Some(TOMBSTONE.to_owned());
        }
        return cut_quotes(message, gone).then(|| serde_json::to_string(&update).ok()).flatten();
    }
    None
}

fn id_of(user: Option<&Value>) -> Option<TelegramUserId> {
    user?.get("id")?.as_i64().map(TelegramUserId)
}

fn author_of(message: &Map<String, Value>) -> Option<TelegramUserId> {
    id_of(message.get("from")).or_else(|| id_of(message.get("origin")?.get("sender_user")))
}

/// The word of a command at the very beginning of a text.
fn command_of(message: &Map<String, Value>) -> Option<String> {
    let is_command =
        |entity: &Value| entity["type"].as_str() == Some("bot_command") && entity["offset"].as_u64() == Some(0);
    message.get("entities")?.as_array()?.iter().find(|entity| is_command(entity))?;
    Some(message.get("text")?.as_str()?.split_whitespace().next()?.to_owned())
}

/// A message without words and names.
fn skeleton(message: &Map<String, Value>) -> Map<String, Value> {
    let mut rest: Map<String, Value> = message
        .iter()
        .filter(|(key, _)| SKELETON.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if let Some(id) = id_of(message.get("from")) {
        rest.insert("from".to_owned(), json!({ "id": id, "is_bot": false, "first_name": "" }));
    }
    rest
}

/// Cuts what a message quotes of those who are gone; whether there was anything.
fn cut_quotes(message: &mut Map<String, Value>, gone: &dyn Fn(TelegramUserId) -> bool) -> bool {
    let mut cut = false;
    let mut of_theirs = false;
    for field in QUOTES {
        let Some(quoted) = message.get_mut(field).and_then(Value::as_object_mut) else { continue };
        let forwarded = quoted.get("forward_origin").and_then(|origin| id_of(origin.get("sender_user")));
        if author_of(quoted).is_some_and(gone) || forwarded.is_some_and(gone) {
            *quoted = skeleton(quoted);
            of_theirs |= field != "pinned_message";
            cut = true;
        } else {
            cut |= cut_quotes(quoted, gone);
        }
    }
    if of_theirs {
        message.remove("quote");
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(update: &Value) -> Option<Value> {
        let gone = |person: TelegramUserId| person == TelegramUserId(7);
        without(&update.to_string(), &gone).map(|raw| serde_json::from_str(&raw).unwrap())
    }

    fn message(from: i64, text: &str) -> Value {
        json!({
            "message_id": 5, "date": 9, "chat": { "id": -100, "type": "supergroup", "title": "t" },
            "from": { "id": from, "is_bot": false, "first_name": "Ayşe" }, "text": text
        })
    }

    #[test]
    fn nothing_is_touched_of_updates_of_others() {
        assert_eq!(cut(&json!({ "update_id": 1, "message": message(8, "hello") })), None);
        assert_eq!(cut(&json!({ "update_id": 1, "poll": { "id": "7" } })), None);
    }

    #[test]
    fn messages_edits_captions_media_and_reactions_of_who_is_gone_leave_nothing() {
        let mut photo = message(7, "");
        photo["caption"] = json!("secret");
        photo["photo"] = json!([{ "file_id": "x" }]);
        for update in [
            json!({ "update_id": 1, "message": message(7, "secret") }),
            json!({ "update_id": 1, "edited_message": message(7, "secret") }),
            json!({ "update_id": 1, "message": photo }),
            json!({ "update_id": 1, "message_reaction": { "user": { "id": 7 }, "new_reaction": [] } }),
        ] {
            assert_eq!(cut(&update), Some(json!({})));
        }
    }

    #[test]
    fn of_a_command_its_word_remains() {
        let mut order = message(7, "/optin@ada_bot because of my secret");
        order["entities"] = json!([{ "type": "bot_command", "offset": 0, "length": 14 }]);
        let left = cut(&json!({ "update_id": 1, "message": order })).unwrap();
        assert_eq!(left["message"]["text"], "/optin@ada_bot");
        assert_eq!(left["message"]["from"]["id"], 7);
        assert!(!left.to_string().contains("secret") && !left.to_string().contains("Ayşe"), "{left}");
    }

    #[test]
    fn others_lose_what_they_quote_and_keep_what_they_say() {
        let mut reply = message(8, "I do not agree");
        reply["reply_to_message"] = message(7, "secret");
        reply["quote"] = json!({ "text": "secret", "position": 0 });
        let left = cut(&json!({ "update_id": 1, "message": reply })).unwrap();
        assert_eq!(left["message"]["text"], "I do not agree");
        assert_eq!(left["message"]["reply_to_message"]["message_id"], 5);
        assert!(!left.to_string().contains("secret"), "{left}");

        let mut elsewhere = message(8, "look");
        elsewhere["external_reply"] =
            json!({ "origin": { "type": "user", "sender_user": { "id": 7 } }, "poll": "secret" });
        elsewhere["quote"] = json!({ "text": "secret", "position": 0 });
        assert!(!cut(&json!({ "message": elsewhere })).unwrap().to_string().contains("secret"));

        let mut forward = message(8, "secret");
        forward["forward_origin"] = json!({ "type": "user", "sender_user": { "id": 7 } });
        assert_eq!(cut(&json!({ "message": forward })), Some(json!({})));
    }
}
