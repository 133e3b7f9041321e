//! Implements methods about messages. Layer: telegram.
//!
//! The ledger follows a send from the moment its request is read: received, accepted or refused, then answered, or
//! abandoned when its client closes the connection first.

use std::sync::Arc;

use serde_json::Value;

use super::call::Call;
use super::files;
use super::params::{integer, truth};
use super::reply::Answer;
use crate::ledger::{LedgerEvent, hash_of, marker_of};
use crate::world::World;
use crate::world::error::ApiError;
use crate::world::outgoing::{Outgoing, ReplyTo};

/// The emoji allowed as reactions (Bot API, `ReactionTypeEmoji`).
const REACTIONS: &str = "❤ 👍 👎 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷‍♂ 🤷 🤷‍♀ 😡";

/// The chat actions (Bot API, sendChatAction).
const ACTIONS: &[&str] = &[
    "typing",
    "upload_photo",
    "record_video",
    "upload_video",
    "record_voice",
    "upload_voice",
    "upload_document",
    "choose_sticker",
    "find_location",
    "record_video_note",
    "upload_video_note",
];

/// A send that the ledger knows as received; when the value is dropped unanswered, the connection is gone.
pub(crate) struct OpenSend {
    world: Arc<World>,
    send: u64,
    answered: bool,
}

impl OpenSend {
    /// Opens a send and numbers it, if the call would post a message.
    pub(crate) fn of(call: &mut Call) -> Option<Self> {
        let text = match call.method.as_str() {
            "sendmessage" => call.params.text("text"),
            "sendphoto" => call.params.text("caption"),
            _ => return None,
        }
        .unwrap_or_default();
        let send = call.world.next_send();
        call.send = Some(send);
        call.world.ledger().record(LedgerEvent::SendReceived {
            send,
            bot: call.bot,
            chat: call.params.chat_id().unwrap_or(0),
            method: call.method.clone(),
            text_hash: hash_of(&text),
            marker: marker_of(&text).map(str::to_owned),
        });
        Some(Self { world: Arc::clone(&call.world), send, answered: false })
    }

    pub(crate) fn answer(mut self) {
        self.answered = true;
        self.world.ledger().record(LedgerEvent::SendAnswered { send: self.send });
    }
}

impl Drop for OpenSend {
    fn drop(&mut self) {
        if !self.answered {
            self.world.ledger().record(LedgerEvent::SendAbandoned { send: self.send });
        }
    }
}

pub(crate) fn send_message(call: &Call) -> Answer {
    let text = call.params.text("text").unwrap_or_default();
    send(call, text, "entities", false)
}

pub(crate) fn send_photo(call: &Call) -> Answer {
    let caption = call.params.text("caption").unwrap_or_default();
    send(call, caption, "caption_entities", true)
}

fn send(call: &Call, text: String, entities: &str, with_photo: bool) -> Answer {
    let send = call.send.unwrap_or(0);
    let chat = call.params.chat_id();
    let about = chat.as_ref().copied().unwrap_or(0);
    let outgoing = chat.and_then(|chat| outgoing(call, send, chat, text, entities, with_photo));
    match outgoing {
        Ok(outgoing) => Ok(call.world.send(call.bot, outgoing)?.into()),
        Err(refusal) => {
            call.world.record_refused(send, call.bot, about, &refusal);
            Err(refusal)
        }
    }
}

fn outgoing(
    call: &Call,
    send: u64,
    chat: i64,
    text: String,
    entities: &str,
    with_photo: bool,
) -> Result<Outgoing, ApiError> {
    call.params.refuse_parse_mode()?;
    let photo = if with_photo { Some(files::photo_of(call)?) } else { None };
    Ok(Outgoing {
        send,
        chat,
        text,
        entities: call.params.json(entities),
        reply: reply_of(call)?,
        thread: call.params.integer("message_thread_id"),
        photo,
    })
}

fn reply_of(call: &Call) -> Result<Option<ReplyTo>, ApiError> {
    if let Some(parameters) = call.params.json("reply_parameters") {
        let Some(message_id) = parameters.get("message_id").and_then(integer) else {
            return Err(ApiError::bad("can't parse reply parameters: expected message_id"));
        };
        let quote = parameters.get("quote").and_then(Value::as_str);
        return Ok(Some(ReplyTo {
            message_id,
            or_without: parameters.get("allow_sending_without_reply").is_some_and(truth),
            quote: quote.filter(|quote| !quote.is_empty()).map(str::to_owned),
        }));
    }
    let message_id = call.params.integer("reply_to_message_id").filter(|id| *id != 0);
    Ok(message_id.map(|message_id| ReplyTo {
        message_id,
        or_without: call.params.flag("allow_sending_without_reply"),
        quote: None,
    }))
}

pub(crate) fn edit_message_text(call: &Call) -> Answer {
    call.params.refuse_parse_mode()?;
    let chat = call.params.chat_id()?;
    let message_id = message_id(call)?;
    let text = call.params.text("text").unwrap_or_default();
    let entities = call.params.json("entities");
    let edited = call.world.edit_sent(call.bot, chat, message_id, &text, entities.as_ref())?;
    Ok(edited.into())
}

pub(crate) fn delete_message(call: &Call) -> Answer {
    let chat = call.params.chat_id()?;
    let deleted = call.world.delete_sent(call.bot, chat, message_id(call)?)?;
    Ok(deleted.into())
}

pub(crate) fn set_message_reaction(call: &Call) -> Answer {
    let chat = call.params.chat_id()?;
    let message_id = message_id(call)?;
    let list = match call.params.json("reaction") {
        None => Vec::new(),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(ApiError::bad("can't parse reaction types JSON object")),
    };
    if list.len() > 1 {
        return Err(ApiError::bad("REACTIONS_TOO_MANY"));
    }
    let emoji = match list.first() {
        None => None,
        Some(reaction) => Some(known_emoji(reaction)?),
    };
    let set = call.world.react_as_bot(call.bot, chat, message_id, emoji.as_deref())?;
    Ok(set.into())
}

fn known_emoji(reaction: &Value) -> Result<String, ApiError> {
    let emoji = reaction.get("emoji").and_then(Value::as_str).unwrap_or_default();
    // Clients may add the emoji presentation selector, which Telegram ignores.
    let plain: String = emoji.chars().filter(|c| *c != '\u{fe0f}').collect();
    if !plain.is_empty() && REACTIONS.split(' ').any(|known| known == plain) {
        Ok(plain)
    } else {
        Err(ApiError::bad("REACTION_INVALID"))
    }
}

pub(crate) fn send_chat_action(call: &Call) -> Answer {
    let chat = call.params.chat_id()?;
    let action = call.params.text("action").unwrap_or_default();
    if !ACTIONS.contains(&action.as_str()) {
        return Err(ApiError::bad("wrong parameter action in request"));
    }
    let thread = call.params.integer("message_thread_id");
    let shown = call.world.show_action(call.bot, chat, thread, &action)?;
    Ok(shown.into())
}

/// Refuses every query id as unknown, because no message of this world carries buttons.
pub(crate) fn answer_callback_query(call: &Call) -> Answer {
    match call.params.text("callback_query_id").as_deref() {
        None | Some("") => Err(ApiError::bad("invalid callback query ID specified")),
        Some(_) => Err(ApiError::bad("query is too old and response timeout expired or query ID is invalid")),
    }
}

fn message_id(call: &Call) -> Result<i64, ApiError> {
    match call.params.integer("message_id") {
        Some(id) if id > 0 => Ok(id),
        _ => Err(ApiError::bad("message identifier is not specified")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn a_reaction_is_known_with_and_without_its_selector() {
        assert_eq!(known_emoji(&json!({"type": "emoji", "emoji": "❤️"})).unwrap(), "❤");
        assert!(known_emoji(&json!({"type": "emoji", "emoji": "🫖"})).is_err());
    }
}
