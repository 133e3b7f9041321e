//! Implements the actions of bots in the chats: send, edit, delete, react, show that they type.
//!
//! Layer: world. Invariants: refusals have Telegram's words; an accepted send is in the chat and in the ledger before
//! the call returns.

use serde_json::{Value, json};

use super::World;
use super::closing::may_write;
use super::error::ApiError;
use super::event::WorldEvent;
use super::publish::{Draft, message_for};
use super::spec::ChatKind;
use super::state::{ChatState, Quote, Standing, State};
use super::text::{Formatted, MAX_CAPTION, MAX_TEXT, format, utf16_len};
use crate::ledger::{LedgerEvent, marker_of};

/// The message that a send replies to.
#[derive(Debug, Clone)]
pub(crate) struct ReplyTo {
    pub(crate) message_id: i64,
    pub(crate) or_without: bool,
    pub(crate) quote: Option<String>,
}

/// A message that a bot sends, before any check.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) send: u64,
    pub(crate) chat: i64,
    pub(crate) text: String,
    pub(crate) entities: Option<Value>,
    pub(crate) reply: Option<ReplyTo>,
    pub(crate) thread: Option<i64>,
    pub(crate) photo: Option<Value>,
}

/// Finds a chat in which a bot may act.
pub(crate) fn chat_of(state: &State, bot: i64, chat: i64) -> Result<&ChatState, ApiError> {
    if chat > 0 {
        return Err(if state.bots.contains_key(&chat) {
            ApiError::forbidden("bots can't send messages to bots")
        } else if state.blocks.contains(&(chat, bot)) {
            ApiError::forbidden("bot was blocked by the user")
        } else if state.people.contains_key(&chat) {
            ApiError::forbidden("bot can't initiate conversation with a user")
        } else {
            ApiError::bad("chat not found")
        });
    }
    let room = state.chats.get(&chat);
    let room = room.ok_or_else(|| ApiError::bad("chat not found"))?;
    let name = if room.kind == ChatKind::Basic { "group chat" } else { "supergroup chat" };
    match room.members.get(&bot) {
        None => Err(ApiError::bad("chat not found")),
        Some(Standing::Kicked) => Err(ApiError::forbidden(format!("bot was kicked from the {name}"))),
        Some(Standing::Left) => Err(ApiError::forbidden(format!("bot is not a member of the {name}"))),
        Some(_) => match (room.migrated_to, &room.shut) {
            (Some(to), _) => Err(ApiError::migrated(to)),
            (None, Some(shut)) if shut.gone => Err(shut.refusal()),
            (None, _) => Ok(room),
        },
    }
}

/// Age from which a bot deletes no message any more, unless it may delete all (Bot API, deleteMessage).
const DELETABLE_FOR_MS: i64 = 48 * 3_600_000;

impl World {
    /// Counts a send and returns its number in the ledger.
    pub(crate) fn next_send(&self) -> u64 {
        let mut state = self.lock();
        state.next_send += 1;
        self.touch(&mut state);
        state.next_send
    }

    /// Posts a bot's message and returns the message as its sender sees it.
    pub(crate) fn send(&self, bot: i64, outgoing: Outgoing) -> Result<Value, ApiError> {
        let mut state = self.lock();
        let send = outgoing.send;
        let chat = outgoing.chat;
        let outcome = self.send_locked(&mut state, bot, outgoing);
        if let Err(refusal) = &outcome {
            self.record_refused(send, bot, chat, refusal);
        }
        self.touch(&mut state);
        outcome
    }

    fn send_locked(&self, state: &mut State, bot: i64, out: Outgoing) -> Result<Value, ApiError> {
        let room = chat_of(state, bot, out.chat)?;
        let body = body_of(&out)?;
        let (reply_to, quote) = reply_of(room, bot, out.reply.as_ref())?;
        let topic = topic_of(room, out.thread, reply_to)?;
        may_write(room, bot, topic)?;
        let author = state.bot_author(bot).ok_or_else(ApiError::unauthorized)?;
        let text = body.text.clone();
        let draft = Draft { reply_to, quote, topic, photo: out.photo, ..Draft::new(author, body) };
        let missing = || ApiError::bad("chat not found");
        let id = self.publish(state, out.chat, draft).ok_or_else(missing)?;
        let told = message_for(state, out.chat, bot, id).ok_or_else(missing)?;
        self.ledger().record(LedgerEvent::SendAccepted {
            send: out.send,
            bot,
            chat: out.chat,
            message_id: told["message_id"].as_i64().unwrap_or(id),
            marker: marker_of(&text).map(str::to_owned),
            text,
            reply_to,
            thread: topic,
        });
        Ok(told)
    }

    /// Gives a bot's own message a new text.
    pub(crate) fn edit_sent(
        &self,
        bot: i64,
        chat: i64,
        local: i64,
        text: &str,
        entities: Option<&Value>,
    ) -> Result<Value, ApiError> {
        let mut state = self.lock();
        let room = chat_of(&state, bot, chat)?;
        let missing = || ApiError::bad("message to edit not found");
        let id = room.world_id(bot, local).ok_or_else(missing)?;
        let message = room.messages.get(&id).ok_or_else(missing)?;
        if message.author.id != bot || message.service.is_some() || message.photo.is_some() {
            return Err(ApiError::bad("message can't be edited"));
        }
        let body = format(text, entities, MAX_TEXT, "MESSAGE_TOO_LONG")?;
        if body.text.is_empty() {
            return Err(ApiError::bad("message text is empty"));
        }
        if body == message.body {
            return Err(ApiError::bad(
                "message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message",
            ));
        }
        self.publish_edit(&mut state, chat, id, body);
        self.touch(&mut state);
        message_for(&mut state, chat, bot, id).ok_or_else(missing)
    }

    /// Deletes a bot's own message, or any message when the bot is an administrator.
    pub(crate) fn delete_sent(&self, bot: i64, chat: i64, local: i64) -> Result<Value, ApiError> {
        let mut state = self.lock();
        let room = chat_of(&state, bot, chat)?;
        let missing = || ApiError::bad("message to delete not found");
        let id = room.world_id(bot, local).ok_or_else(missing)?;
        let message = room.messages.get(&id).ok_or_else(missing)?;
        let old = self.calendar_ms() - message.at_ms >= DELETABLE_FOR_MS;
        if (old || message.author.id != bot) && !room.is_admin(bot) {
            return Err(ApiError::bad("message can't be deleted"));
        }
        if let Some(room) = state.chats.get_mut(&chat) {
            room.messages.remove(&id);
        }
        self.show(WorldEvent::Deleted { chat, message_id: id });
        self.touch(&mut state);
        Ok(json!(true))
    }

    /// Sets a bot's reaction to a message, or takes it back.
    pub(crate) fn react_as_bot(&self, bot: i64, chat: i64, local: i64, emoji: Option<&str>) -> Result<Value, ApiError> {
        let mut state = self.lock();
        let room = chat_of(&state, bot, chat)?;
        let missing = || ApiError::bad("message to react not found");
        let id = room.world_id(bot, local).ok_or_else(missing)?;
        if !room.messages.contains_key(&id) {
            return Err(missing());
        }
        let author = state.bot_author(bot).ok_or_else(ApiError::unauthorized)?;
        self.publish_reaction(&mut state, chat, id, &author, emoji);
        self.touch(&mut state);
        Ok(json!(true))
    }

    /// Shows people that a bot types or does another chat action.
    pub(crate) fn show_action(
        &self,
        bot: i64,
        chat: i64,
        thread: Option<i64>,
        action: &str,
    ) -> Result<Value, ApiError> {
        let state = self.lock();
        let room = chat_of(&state, bot, chat)?;
        let topic = topic_of(room, thread, None)?;
        may_write(room, bot, topic)?;
        self.show(WorldEvent::Typing { chat, bot, action: action.to_owned() });
        Ok(json!(true))
    }
}

fn body_of(out: &Outgoing) -> Result<Formatted, ApiError> {
    let entities = out.entities.as_ref();
    if out.photo.is_some() {
        return format(&out.text, entities, MAX_CAPTION, "message caption is too long");
    }
    if out.text.is_empty() {
        return Err(ApiError::bad("message text is empty"));
    }
    let body = format(&out.text, entities, MAX_TEXT, "message is too long")?;
    if body.text.is_empty() {
        return Err(ApiError::bad("text must be non-empty"));
    }
    Ok(body)
}

fn reply_of(room: &ChatState, bot: i64, reply: Option<&ReplyTo>) -> Result<(Option<i64>, Option<Quote>), ApiError> {
    let Some(reply) = reply else {
        return Ok((None, None));
    };
    let original = room.world_id(bot, reply.message_id).and_then(|id| room.messages.get(&id));
    let Some(original) = original else {
        return if reply.or_without { Ok((None, None)) } else { Err(ApiError::bad("message to be replied not found")) };
    };
    let quote = match &reply.quote {
        None => None,
        Some(text) => {
            let at = original.body.text.find(text.as_str());
            let at = at.ok_or_else(|| ApiError::bad("QUOTE_TEXT_INVALID"))?;
            Some(Quote { position: utf16_len(&original.body.text[..at]), text: text.clone() })
        }
    };
    Ok((Some(original.id), quote))
}

/// Finds the topic of a send: the one asked for, or the topic of the message replied to. The topic General has no
/// number of its own: asking for 1 is refused, as any number is in a chat without topics.
fn topic_of(room: &ChatState, thread: Option<i64>, reply_to: Option<i64>) -> Result<Option<i64>, ApiError> {
    match thread {
        Some(0) | None => Ok(reply_to.and_then(|id| room.messages.get(&id)).and_then(|original| original.topic)),
        Some(thread) if room.topics.contains_key(&thread) => Ok(Some(thread)),
        Some(_) => Err(ApiError::bad("message thread not found")),
    }
}
