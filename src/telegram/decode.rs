//! An update's JSON to what it means to the fleet. Layer `adapters`. Keeps I7.
//!
//! Never fails: JSON that is no update becomes `Event::Undecodable`, a kind that the fleet does not use
//! `Event::Other`. A message that carries neither text nor any known media counts as a service message.

use botfleet_actors::domain::ids::{MessageId, TelegramChatId, TelegramUserId, ThreadId};
use botfleet_actors::domain::incoming::{
    Author, AuthorKind, ChatKind, Entity, EntityKind, Event, Incoming, Media, Message, Quoted,
};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::telegram::UpdateDecoder;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::{redact, wire};

/// The forum topic that must be left out in requests.
///
/// # Source
/// tdlib/telegram-bot-api: the General topic has the id 1.
pub const GENERAL_TOPIC: i64 = 1;

/// `GroupAnonymousBot`, which stands for anonymous administrators.
///
/// # Source
/// Bot API, Message: `from` for messages sent on behalf of a chat.
const ANONYMOUS_ADMIN: i64 = 1_087_968_824;

/// Reads stored updates again.
#[derive(Clone, Copy, Debug, Default)]
pub struct TelegramDecoder;

impl UpdateDecoder for TelegramDecoder {
    fn decode(&self, raw: &str) -> Incoming {
        read(raw).1
    }

    fn without(&self, raw: &str, gone: &dyn Fn(TelegramUserId, Timestamp) -> bool) -> Option<String> {
        redact::without(raw, gone)
    }
}

/// The id of an update, when it has one, and its meaning.
pub fn read(raw: &str) -> (Option<i64>, Incoming) {
    let update: wire::Update<'_> = match serde_json::from_str(raw) {
        Ok(update) => update,
        Err(error) => return (None, undecodable(None, reason("update", &error))),
    };
    let Some((name, payload)) = update.payload else {
        return (update.update_id, undecodable(None, "update carries nothing".to_owned()));
    };
    let incoming = match name.as_ref() {
        "message" => parsed(&name, payload, |message| posted(message, None)),
        "edited_message" => parsed(&name, payload, |message: wire::Message<'_>| {
            // An edit without its date is told apart from the post by the post's own date.
            let revision = message.edit_date.unwrap_or(message.date).max(1);
            posted(message, Some(revision))
        }),
        "message_reaction" => parsed(&name, payload, reacted),
        "my_chat_member" => parsed(&name, payload, |update| membership(&update)),
        _ => other(&name, payload),
    };
    (update.update_id, incoming)
}

fn parsed<'a, T: serde::Deserialize<'a>>(
    name: &str,
    payload: &'a RawValue,
    meaning: impl FnOnce(T) -> Incoming,
) -> Incoming {
    match serde_json::from_str(payload.get()) {
        Ok(value) => meaning(value),
        Err(error) => undecodable(Some(payload), reason(name, &error)),
    }
}

/// What was wrong; serde's own words may quote the message, so only harmless ones are kept.
fn reason(what: &str, error: &serde_json::Error) -> String {
    let words = error.to_string();
    if words.starts_with("missing field") {
        format!("{what}: {words}")
    } else {
        format!("{what}: unexpected JSON at column {}", error.column())
    }
}

fn undecodable(payload: Option<&RawValue>, reason: String) -> Incoming {
    let place = payload.and_then(|p| serde_json::from_str::<wire::InChat<'_>>(p.get()).ok());
    within(place.as_ref().map(|p| &p.chat), Event::Undecodable { reason })
}

fn other(name: &str, payload: &RawValue) -> Incoming {
    let place = serde_json::from_str::<wire::InChat<'_>>(payload.get()).ok();
    within(place.as_ref().map(|p| &p.chat), Event::Other { name: name.to_owned() })
}

fn within(chat: Option<&wire::Chat<'_>>, event: Event) -> Incoming {
    Incoming { chat: chat.map(|c| TelegramChatId(c.id)), chat_kind: chat.map_or(ChatKind::None, chat_kind), event }
}

/// What kind of chat it is.
pub fn chat_kind(chat: &wire::Chat<'_>) -> ChatKind {
    match chat.kind.as_ref() {
        "private" => ChatKind::Private,
        "group" => ChatKind::Group,
        "supergroup" => ChatKind::Supergroup,
        "channel" => ChatKind::Channel,
        _ => ChatKind::None,
    }
}

/// The name of a chat as people see it.
pub fn chat_name(chat: &wire::Chat<'_>) -> String {
    chat.title.as_deref().or(chat.first_name.as_deref()).unwrap_or_default().to_owned()
}

fn posted(message: wire::Message<'_>, revision: Option<i64>) -> Incoming {
    if let Some(supergroup) = message.migrate_to_chat_id {
        return within(Some(&message.chat), Event::MigratedTo { to: TelegramChatId(supergroup) });
    }
    if let Some(group) = message.migrate_from_chat_id {
        return within(Some(&message.chat), Event::MigratedFrom { from: TelegramChatId(group) });
    }
    let media = media(&message);
    let author = author(&message);
    let thread = message.message_thread_id.filter(|id| message.is_topic_message && *id != GENERAL_TOPIC);
    // In a topic, a message that replies to none names the topic's first message.
    let reply = message.reply_to_message.filter(|reply| thread != Some(reply.message_id));
    let reply_to = reply.as_ref().map(|reply| reply.message_id);
    let quoted = reply.and_then(|reply| Some(Quoted { author: TelegramUserId(reply.from?.id), text: reply.text }));
    let (text, entities) = match message.text {
        Some(text) => (Some(text), message.entities),
        None => (message.caption, message.caption_entities),
    };
    let read = Message {
        message_id: MessageId(message.message_id),
        date: Timestamp::from_secs(revision.unwrap_or(message.date)),
        revision: revision.unwrap_or(0),
        thread: thread.map(ThreadId),
        reply_to: reply_to.map(MessageId),
        quoted,
        author,
        service: text.is_none() && media.is_none(),
        text,
        entities: entities.into_iter().map(entity).collect(),
        media,
    };
    let event = if revision.is_some() { Event::Edited(read) } else { Event::Message(read) };
    within(Some(&message.chat), event)
}

fn entity(entity: wire::Entity<'_>) -> Entity {
    let kind = match (entity.kind.as_ref(), &entity.user) {
        ("mention", _) => EntityKind::Mention,
        ("bot_command", _) => EntityKind::BotCommand,
        ("text_mention", Some(user)) => EntityKind::TextMention(TelegramUserId(user.id)),
        _ => EntityKind::Other(entity.kind.into_owned()),
    };
    Entity { kind, offset: entity.offset, length: entity.length }
}

fn author(message: &wire::Message<'_>) -> Author {
    match (&message.sender_chat, &message.from) {
        (Some(chat), _) if message.is_automatic_forward => in_name_of(chat, AuthorKind::LinkedChannel),
        (Some(chat), _) => in_name_of(chat, stand_in(chat, &message.chat)),
        (None, Some(user)) => user_author(user),
        (None, None) => in_name_of(&message.chat, AuthorKind::Channel),
    }
}

/// Who stands behind a message sent in the name of a chat: its own administrators, or a channel.
fn stand_in(sender: &wire::Chat<'_>, chat: &wire::Chat<'_>) -> AuthorKind {
    if sender.id == chat.id { AuthorKind::Anonymous } else { AuthorKind::Channel }
}

fn in_name_of(chat: &wire::Chat<'_>, kind: AuthorKind) -> Author {
    Author { id: TelegramUserId(chat.id), name: chat_name(chat), username: chat.username.clone(), kind }
}

fn user_author(user: &wire::User<'_>) -> Author {
    let name = match &user.last_name {
        Some(last) => format!("{} {last}", user.first_name),
        None => user.first_name.clone().into_owned(),
    };
    let kind = match user {
        wire::User { id: ANONYMOUS_ADMIN, .. } => AuthorKind::Anonymous,
        wire::User { is_bot: true, .. } => AuthorKind::Bot,
        _ => AuthorKind::Person,
    };
    Author { id: TelegramUserId(user.id), name, username: user.username.clone(), kind }
}

fn media(message: &wire::Message<'_>) -> Option<Media> {
    let file = |kind: &str, file: &wire::Attachment| Media { kind: kind.to_owned(), reference: file.file_id.clone() };
    if let Some(sizes) = &message.photo {
        return Some(file("photo", sizes.last().unwrap_or(&wire::Attachment::default())));
    }
    // An emoji says more than the id of a file.
    for (kind, emoji) in [("sticker", &message.sticker), ("dice", &message.dice)] {
        if let Some(emoji) = emoji {
            let reference = emoji.emoji.as_ref().or(emoji.file_id.as_ref()).cloned();
            return Some(Media { kind: kind.to_owned(), reference });
        }
    }
    let files = [
        ("voice", &message.voice),
        ("video", &message.video),
        ("video_note", &message.video_note),
        ("audio", &message.audio),
        ("animation", &message.animation),
        ("document", &message.document),
    ];
    if let Some((kind, found)) = files.into_iter().find_map(|(kind, f)| f.as_ref().map(|f| (kind, f))) {
        return Some(file(kind, found));
    }
    let rest: [(&str, &Option<IgnoredAny>); 8] = [
        ("poll", &message.poll),
        ("contact", &message.contact),
        ("venue", &message.venue),
        ("location", &message.location),
        ("story", &message.story),
        ("game", &message.game),
        ("paid_media", &message.paid_media),
        ("checklist", &message.checklist),
    ];
    let (kind, _) = rest.into_iter().find(|(_, found)| found.is_some())?;
    Some(Media { kind: kind.to_owned(), reference: None })
}

fn reacted(reaction: wire::MessageReaction<'_>) -> Incoming {
    let author = match (&reaction.actor_chat, &reaction.user) {
        (Some(actor), _) => in_name_of(actor, stand_in(actor, &reaction.chat)),
        (None, Some(user)) => user_author(user),
        (None, None) => {
            let reason = "message_reaction: nobody reacted".to_owned();
            return within(Some(&reaction.chat), Event::Undecodable { reason });
        }
    };
    let event = Event::Reaction {
        message_id: MessageId(reaction.message_id),
        author,
        emoji: reaction.new_reaction.into_iter().map(emoji).collect(),
        date: Timestamp::from_secs(reaction.date),
    };
    within(Some(&reaction.chat), event)
}

/// A reaction that is no plain emoji keeps its name, so that it is not taken for a reaction taken back.
fn emoji(reaction: wire::Reaction<'_>) -> String {
    match (reaction.emoji, reaction.custom_emoji_id) {
        (Some(emoji), _) => emoji,
        (None, Some(id)) => format!("custom_emoji:{id}"),
        (None, None) => reaction.kind.into_owned(),
    }
}

fn membership(update: &wire::ChatMemberUpdated<'_>) -> Incoming {
    let member = &update.new_chat_member;
    let in_channel = chat_kind(&update.chat) == ChatKind::Channel;
    let is_admin = matches!(member.status.as_ref(), "creator" | "administrator");
    let can_post = match member.status.as_ref() {
        "creator" => true,
        "administrator" => !in_channel || member.can_post_messages,
        "member" => !in_channel,
        "restricted" => member.is_member && member.can_send_messages,
        _ => false,
    };
    within(Some(&update.chat), Event::Membership { can_post, is_admin })
}
