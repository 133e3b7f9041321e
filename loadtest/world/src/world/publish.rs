//! Puts messages, edits and reactions into a chat and tells the bots that may see them.
//!
//! Layer: world. Invariants: everything that appears in a chat is in the ledger once (`Posted`) before any bot's queue
//! holds it, and the order of message ids is the order of the updates.

use serde_json::{Value, json};

use super::World;
use super::event::{Author, WorldEvent};
use super::render;
use super::spec::ChatKind;
use super::state::{Body, ChatState, Odd, Quote, State, StoredMessage, Wake};
use super::text::Formatted;
use super::visibility::{Origin, Receiver, Seen, sees};
use crate::ledger::{LedgerEvent, PostedKind, marker_of};

/// Stands in a text for half of a surrogate pair, which no Rust string can hold; sent as a lone `\ud83d`.
pub const LONE_SURROGATE: char = '\u{f83d}';
/// The kind of an update that no present bot knows.
const UNKNOWN_KIND: &str = "hologram_message";

/// A message without an id yet.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) author: Author,
    pub(crate) language: Option<String>,
    pub(crate) anonymous: bool,
    pub(crate) body: Formatted,
    pub(crate) reply_to: Option<i64>,
    pub(crate) quote: Option<Quote>,
    pub(crate) topic: Option<i64>,
    pub(crate) service: Option<Value>,
    pub(crate) photo: Option<Value>,
    pub(crate) dated_s: i64,
    pub(crate) odd: Odd,
}

impl Draft {
    pub(crate) fn new(author: Author, body: Formatted) -> Self {
        Self {
            author,
            language: None,
            anonymous: false,
            body,
            reply_to: None,
            quote: None,
            topic: None,
            service: None,
            photo: None,
            dated_s: 0,
            odd: Odd::default(),
        }
    }

    pub(crate) fn service(author: Author, content: Value) -> Self {
        Self { service: Some(content), ..Self::new(author, Formatted::default()) }
    }
}

impl World {
    /// Appends a message to a chat, tells all who may see the message, and returns its id; `None` without such a chat.
    pub(crate) fn publish(&self, state: &mut State, chat_id: i64, draft: Draft) -> Option<i64> {
        let at_ms = self.calendar_ms() + draft.dated_s * 1000;
        let chat = state.chats.get_mut(&chat_id)?;
        let id = chat.take_message_id();
        let original = draft.reply_to.and_then(|to| chat.messages.get(&to));
        let thread_root = original.map(|to| to.thread_root.unwrap_or(to.id));
        let reply_to_author = original.map(|to| to.author.id);
        let service = match draft.service {
            Some(Value::Object(content)) => Some(content),
            _ => None,
        };
        let kind = if service.is_some() { PostedKind::Service } else { PostedKind::Post };
        let message = StoredMessage {
            id,
            at_ms,
            author: draft.author,
            language: draft.language,
            anonymous: draft.anonymous,
            body: draft.body,
            reply_to: draft.reply_to,
            reply_to_author,
            quote: draft.quote,
            topic: draft.topic,
            thread_root,
            service,
            photo: draft.photo,
            odd: draft.odd,
            edited_ms: None,
            reactions: std::collections::BTreeMap::new(),
        };
        self.record_posted(chat_id, &message, kind);
        let shown = chat.shown(&message);
        self.show(WorldEvent::Message {
            chat: chat_id,
            message_id: id,
            author: shown.author,
            text: shown.text,
            reply_to: shown.reply_to,
            thread: shown.thread,
            at_ms,
        });
        chat.keep(message);
        self.tell_of_message(state, chat_id, id, "message");
        if kind == PostedKind::Post
            && let Some(chat) = state.chats.get_mut(&chat_id)
            && let Some(author) = chat.messages.get(&id).map(|m| &m.author)
            && author.is_bot
        {
            chat.last_bot = Some(author.id);
        }
        Some(id)
    }

    /// Gives a message a new text and tells all who may see the message.
    pub(crate) fn publish_edit(&self, state: &mut State, chat_id: i64, id: i64, body: Formatted) {
        let at_ms = self.calendar_ms();
        let Some(chat) = state.chats.get_mut(&chat_id) else {
            return;
        };
        let Some(message) = chat.messages.get_mut(&id) else {
            return;
        };
        message.body = body;
        message.edited_ms = Some(at_ms);
        let message = message.clone();
        self.record_posted(chat_id, &message, PostedKind::Edit);
        self.show(WorldEvent::Edited {
            chat: chat_id,
            message_id: id,
            author: chat.shown_author(&message),
            text: message.body.text,
            at_ms,
        });
        self.tell_of_message(state, chat_id, id, "edited_message");
    }

    /// Sets a reaction or takes it back. Bots are told only of people's reactions, and only bots that are
    /// administrators and asked for reactions.
    pub(crate) fn publish_reaction(
        &self,
        state: &mut State,
        chat_id: i64,
        id: i64,
        author: &Author,
        emoji: Option<&str>,
    ) {
        let Some(chat) = state.chats.get_mut(&chat_id) else {
            return;
        };
        let Some(message) = chat.messages.get_mut(&id) else {
            return;
        };
        let old = match emoji {
            Some(emoji) => message.reactions.insert(author.id, emoji.to_owned()),
            None => message.reactions.remove(&author.id),
        };
        if old.as_deref() == emoji {
            return;
        }
        self.ledger().record(LedgerEvent::Posted {
            chat: chat_id,
            message_id: id,
            author: author.id,
            author_is_bot: author.is_bot,
            marker: None,
            kind: PostedKind::Reaction,
        });
        self.show(WorldEvent::Reaction {
            chat: chat_id,
            message_id: id,
            author: author.clone(),
            emoji: emoji.map(str::to_owned),
        });
        if author.is_bot {
            return;
        }
        let update = json!({
            "chat": render::chat(chat),
            "message_id": id,
            "user": render::user(author, None),
            "date": self.calendar_ms() / 1000,
            "old_reaction": render::reactions(old.as_deref()),
            "new_reaction": render::reactions(emoji),
        });
        let admins: Vec<i64> = present_bots(chat).filter(|bot| chat.is_admin(*bot)).collect();
        let body = body_of("message_reaction", &update);
        for bot in admins {
            self.enqueue(state, bot, "message_reaction", &body, Some((chat_id, id)));
        }
    }

    fn record_posted(&self, chat: i64, message: &StoredMessage, kind: PostedKind) {
        self.ledger().record(LedgerEvent::Posted {
            chat,
            message_id: message.id,
            author: message.author.id,
            author_is_bot: message.author.is_bot,
            marker: marker_of(&message.body.text).map(str::to_owned),
            kind,
        });
    }

    fn tell_of_message(&self, state: &mut State, chat_id: i64, id: i64, kind: &str) {
        let receivers = receivers(state, chat_id, id);
        let basic = state.chats.get(&chat_id).is_some_and(|c| c.kind == ChatKind::Basic);
        let mut shared: Option<Body> = None;
        for bot in receivers {
            let body = if let Some(body) = &shared {
                body.clone()
            } else {
                let Some(value) = message_for(state, chat_id, bot, id) else {
                    return;
                };
                body_of(kind, &value)
            };
            self.enqueue(state, bot, kind, &body, Some((chat_id, id)));
            if !basic {
                shared = Some(body);
            }
        }
    }

    /// Puts an update of an unknown kind into a bot's queue, whichever kinds the bot asked for.
    pub fn queue_unknown_update(&self, bot: i64) {
        let body =
            body_of(UNKNOWN_KIND, &json!({"id": "1", "date": self.calendar_ms() / 1000, "note": "of the future"}));
        self.push_update(&mut self.lock(), bot, UNKNOWN_KIND, &body, None);
    }

    /// Appends an update to a bot's queue, if the bot wants its kind.
    pub(crate) fn enqueue(&self, state: &mut State, bot_id: i64, kind: &str, body: &Body, about: Option<(i64, i64)>) {
        if state.bots.get(&bot_id).is_some_and(|bot| bot.updates.wants(kind)) {
            self.push_update(state, bot_id, kind, body, about);
        }
    }

    /// Appends an update to a bot's queue and wakes the bot's poll or webhook, or holds the update back for now.
    pub(super) fn push_update(
        &self,
        state: &mut State,
        bot_id: i64,
        kind: &str,
        body: &Body,
        about: Option<(i64, i64)>,
    ) {
        let now_ms = self.calendar_ms();
        if state.late.hold(bot_id, kind, body, about) {
            return;
        }
        let Some(bot) = state.bots.get_mut(&bot_id) else {
            return;
        };
        self.drop_expired(bot, now_ms);
        let update_id = bot.updates.push(body.clone(), about.map(|(chat, _)| chat), now_ms, &mut state.rng);
        self.ledger().record(LedgerEvent::UpdateQueued {
            bot: bot_id,
            update_id,
            chat: about.map(|(chat, _)| chat),
            message_id: about.map(|(_, message)| message),
            update_kind: kind.to_owned(),
        });
        bot.wake(Wake::Updates);
        if let Some(webhook) = &bot.webhook {
            webhook.wake.notify_one();
        }
        state.late.remember(bot_id, update_id, kind, body, about);
        self.touch(state);
    }
}

/// Renders a message as one bot sees it.
pub(crate) fn message_for(state: &mut State, chat_id: i64, bot: i64, id: i64) -> Option<Value> {
    let chat = state.chats.get(&chat_id)?;
    let stored = chat.messages.get(&id)?;
    if chat.kind != ChatKind::Basic {
        return Some(render::message(chat, stored, &mut |id| id));
    }
    let mut needed = vec![id];
    needed.extend(stored.reply_to);
    needed.extend(stored.thread_root);
    let numbers: Vec<(i64, i64)> = needed.into_iter().map(|id| (id, state.local_id(chat_id, bot, id))).collect();
    let chat = state.chats.get(&chat_id)?;
    let stored = chat.messages.get(&id)?;
    Some(render::message(chat, stored, &mut |id| {
        numbers.iter().find(|(world, _)| *world == id).map_or(id, |(_, local)| *local)
    }))
}

pub(crate) fn body_of(kind: &str, value: &Value) -> Body {
    let text = format!("\"{kind}\":{value}");
    Body::from(if text.contains(LONE_SURROGATE) { text.replace(LONE_SURROGATE, r"\ud83d") } else { text })
}

fn present_bots(chat: &ChatState) -> impl Iterator<Item = i64> {
    chat.members.iter().filter(|(_, standing)| standing.is_present()).map(|(id, _)| *id)
}

fn receivers(state: &State, chat_id: i64, id: i64) -> Vec<i64> {
    let Some(chat) = state.chats.get(&chat_id) else {
        return Vec::new();
    };
    let Some(message) = chat.messages.get(&id) else {
        return Vec::new();
    };
    let author = state.bots.get(&message.author.id);
    let origin = match author {
        _ if message.service.is_some() => Origin::Service,
        Some(bot) => Origin::Bot { id: bot.spec.id, bot_to_bot: bot.spec.bot_to_bot },
        None => Origin::Person,
    };
    let seen = Seen {
        origin,
        text: &message.body.text,
        entities: &message.body.entities,
        reply_to_author: message.reply_to_author,
        last_bot: chat.last_bot,
    };
    let only = message.odd.only.as_ref();
    present_bots(chat)
        .filter(|id| only.is_none_or(|only| only.contains(id)))
        .filter_map(|id| state.bots.get(&id))
        .filter(|bot| {
            let receiver = Receiver {
                id: bot.spec.id,
                username: &bot.spec.username,
                hears_all: bot.spec.can_read_all_group_messages || chat.is_admin(bot.spec.id),
                bot_to_bot: bot.spec.bot_to_bot,
            };
            sees(receiver, seen)
        })
        .map(|bot| bot.spec.id)
        .collect()
}
