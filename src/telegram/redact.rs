//! Takes people out of an update: their own words, and quotations of them by others. Layer `adapters`.
//!
//! Telegram's JSON itself is changed, so that fields that the fleet does not read are not kept either: of a message
//! that is quoted only its id, date, chat, thread and sender's id remain. Each message is judged by its own date, also
//! one that its author quotes anew.

use botfleet_actors::domain::ids::TelegramUserId;
use botfleet_actors::domain::incoming::{Entity, EntityKind, command_word};
use botfleet_actors::domain::people::TOMBSTONE;
use botfleet_actors::domain::time::Timestamp;
use serde_json::{Map, Value, json};

use super::lenient;

/// Kinds of updates that hold a message.
const WORDS: [&str; 4] = ["message", "edited_message", "channel_post", "edited_channel_post"];

/// Kind of an update about a bot's own place in a chat, whoever changed the place.
const PLACE: &str = "my_chat_member";

/// Fields of a message that hold another message, or part of one.
const QUOTES: [&str; 3] = ["reply_to_message", "pinned_message", "external_reply"];

/// Field with the user who called the guest bot that wrote a message.
const CALLER: &str = "guest_bot_caller_user";

/// Fields that remain of a message without its words.
const SKELETON: [&str; 4] = ["message_id", "date", "chat", "message_thread_id"];

/// Tells whether a person's words from that time have to go.
type Gone<'a> = &'a dyn Fn(TelegramUserId, Timestamp) -> bool;

/// Returns the update without people of whom `gone` is true; `None` when it holds nothing of theirs.
pub(super) fn without(raw: &str, gone: Gone<'_>) -> Option<String> {
    let mut update = lenient::object(raw)?;
    let doings = update.iter().filter(|(kind, _)| !WORDS.contains(&kind.as_str()) && *kind != PLACE);
    let does = |doing: &Value| {
        let by = ["user", "from", "actor_user", "voter"].into_iter().find_map(|field| id_of(doing.get(field)));
        // An update without a date happens now.
        by.is_some_and(|by| gone(by, dated(doing.get("date")).unwrap_or(Timestamp::from_millis(i64::MAX))))
    };
    if doings.map(|(_, doing)| doing).any(does) {
        return Some(TOMBSTONE.to_owned());
    }
    for kind in WORDS {
        let Some(message) = update.get_mut(kind).and_then(Value::as_object_mut) else { continue };
        if author_of(message).is_some_and(|author| gone(author, said_at(message))) {
            let Some(command) = command_of(message) else { return Some(TOMBSTONE.to_owned()) };
            let length = command.encode_utf16().count();
            let mut rest = skeleton(message);
            rest.insert("text".to_owned(), Value::String(command));
            rest.insert("entities".to_owned(), json!([{ "type": "bot_command", "offset": 0, "length": length }]));
            update.insert(kind.to_owned(), Value::Object(rest));
            return serde_json::to_string(&update).ok();
        }
        // A forwarded message holds the words of its first author, whoever brings it here.
        if is_forwarded(message, gone) {
            return Some(TOMBSTONE.to_owned());
        }
        return cut_quotes(message, gone).then(|| serde_json::to_string(&update).ok()).flatten();
    }
    None
}

fn id_of(user: Option<&Value>) -> Option<TelegramUserId> {
    user?.get("id")?.as_i64().map(TelegramUserId)
}

/// Reads the date of a message or its origin, given in seconds.
fn dated(date: Option<&Value>) -> Option<Timestamp> {
    Some(Timestamp::from_millis(date?.as_i64()?.saturating_mul(1_000)))
}

/// Returns the time of a message's words: an edit is said anew. Words without a date are as old as can be.
fn said_at(message: &Map<String, Value>) -> Timestamp {
    let date = dated(message.get("edit_date")).max(dated(message.get("date")));
    date.unwrap_or(Timestamp::from_millis(i64::MIN))
}

/// Returns the time of a quoted message's words: its first date, since an edit may hold them still.
fn quoted_at(message: &Map<String, Value>) -> Timestamp {
    let origin = message.get("origin").and_then(|origin| dated(origin.get("date")));
    dated(message.get("date")).or(origin).unwrap_or(Timestamp::from_millis(i64::MIN))
}

/// Returns whether a message was first said by somebody whose words have to go.
fn is_forwarded(message: &Map<String, Value>, gone: Gone<'_>) -> bool {
    let Some(origin) = message.get("forward_origin") else { return false };
    let date = dated(origin.get("date")).unwrap_or(Timestamp::from_millis(i64::MIN));
    id_of(origin.get("sender_user")).is_some_and(|author| gone(author, date))
}

fn author_of(message: &Map<String, Value>) -> Option<TelegramUserId> {
    id_of(message.get("from")).or_else(|| id_of(message.get("origin")?.get("sender_user")))
}

/// Returns the command at the very beginning of a text or caption.
fn command_of(message: &Map<String, Value>) -> Option<String> {
    let (text, marks) = match message.get("text").and_then(Value::as_str) {
        Some(text) => (text, "entities"),
        None => (message.get("caption")?.as_str()?, "caption_entities"),
    };
    let unit = |entity: &Value, field| usize::try_from(entity.get(field)?.as_u64()?).ok();
    let read = |entity: &Value| {
        let kind = match entity.get("type").and_then(Value::as_str)? {
            "bot_command" => EntityKind::BotCommand,
            other => EntityKind::Other(other.to_owned()),
        };
        Some(Entity { kind, offset: unit(entity, "offset")?, length: unit(entity, "length")? })
    };
    let entities: Vec<Entity> =
        message.get(marks).and_then(Value::as_array).into_iter().flatten().filter_map(read).collect();
    command_word(text, &entities).map(str::to_owned)
}

/// Copies a message without words and names.
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

/// Cuts quotations of people who are gone out of a message; returns whether there were any.
fn cut_quotes(message: &mut Map<String, Value>, gone: Gone<'_>) -> bool {
    let mut cut = false;
    let mut of_theirs = false;
    let now = Timestamp::from_millis(i64::MAX);
    if id_of(message.get(CALLER)).is_some_and(|caller| gone(caller, now)) {
        cut |= message.remove(CALLER).is_some();
    }
    for field in QUOTES {
        let Some(quoted) = message.get_mut(field).and_then(Value::as_object_mut) else { continue };
        let theirs = author_of(quoted).is_some_and(|author| gone(author, quoted_at(quoted)));
        if theirs || is_forwarded(quoted, gone) {
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
        let gone = |person: TelegramUserId, _: Timestamp| person == TelegramUserId(7);
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
    fn who_was_forgotten_speaks_anew_and_cannot_bring_old_words_back() {
        let forgotten = |person: TelegramUserId, said_at: Timestamp| {
            person == TelegramUserId(7) && said_at <= Timestamp::from_secs(100)
        };
        let mut anew = message(7, "as I said");
        anew["date"] = json!(101);
        anew["reply_to_message"] = message(7, "secret");
        anew["quote"] = json!({ "text": "secret", "position": 0 });
        let left = without(&json!({ "message": anew }).to_string(), &forgotten).unwrap();
        assert!(left.contains("as I said") && !left.contains("secret"), "{left}");

        anew["reply_to_message"]["date"] = json!(102);
        assert_eq!(without(&json!({ "message": anew }).to_string(), &forgotten), None, "what is new may be quoted");
        let mut forward = message(8, "secret");
        forward["forward_origin"] = json!({ "type": "user", "sender_user": { "id": 7 }, "date": 99 });
        assert_eq!(without(&json!({ "message": forward }).to_string(), &forgotten).unwrap(), TOMBSTONE);
    }

    #[test]
    fn what_cannot_be_read_of_who_is_gone_leaves_nothing() {
        let mut unreadable = message(7, "secret");
        unreadable["date"] = json!("yesterday");
        assert_eq!(cut(&json!({ "message": unreadable })), Some(json!({})));
        assert_eq!(cut(&json!({ "poll_answer": { "user": { "id": 7 }, "option_ids": [1] } })), Some(json!({})));
        assert_eq!(cut(&json!({ "my_chat_member": { "from": { "id": 7 }, "date": 1 } })), None, "the bot's own place");
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

        let mut poll = message(8, "which?");
        poll["reply_to_message"] = message(7, "");
        poll["reply_to_message"]["poll"] = json!({ "question": "secret", "options": [{ "text": "secret" }] });
        poll["reply_to_message"]["caption"] = json!("secret");
        poll["reply_to_message"]["rich_message"] = json!({ "blocks": [{ "type": "paragraph", "text": "secret" }] });
        poll["reply_to_message"]["quote"] = json!({ "text": "secret", "position": 0 });
        let left = cut(&json!({ "message": poll })).unwrap();
        assert!(!left.to_string().contains("secret") && left.to_string().contains("which?"), "{left}");

        let mut guest = message(9, "I was called");
        guest["guest_bot_caller_user"] = json!({ "id": 7, "first_name": "Ayşe" });
        assert!(cut(&json!({ "message": guest })).unwrap()["message"].get("guest_bot_caller_user").is_none());

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
