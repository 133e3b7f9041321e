//! Decodes an update's JSON into its meaning for the fleet. Layer `adapters`. Keeps I7.
//!
//! Decoding never fails: JSON that is no update becomes `Event::Undecodable`, a kind that the fleet does not use
//! becomes `Event::Other`. A field that cannot be read counts as absent; a message needs its id, date and chat. A
//! message that carries neither words nor any known media counts as a service message.

use botfleet_actors::domain::ids::{MessageId, TelegramChatId, TelegramUserId, ThreadId};
use botfleet_actors::domain::incoming::{
    Author, AuthorKind, ChatKind, Entity, EntityKind, Event, Incoming, Media, Message, Quoted,
};
use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::telegram::UpdateDecoder;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::{lenient, redact, rich, wire};

/// Id of the forum topic that must be left out in requests.
///
/// # Source
/// tdlib/telegram-bot-api: the General topic has the id 1.
pub const GENERAL_TOPIC: i64 = 1;

/// `GroupAnonymousBot`, which stands for anonymous administrators.
///
/// # Source
/// Bot API, Message: `from` for messages sent on behalf of a chat.
const ANONYMOUS_ADMIN: i64 = 1_087_968_824;

/// Decodes stored updates again.
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

/// Returns the id of an update, when it has one, and its meaning.
pub fn read(raw: &str) -> (Option<i64>, Incoming) {
    match serde_json::from_str(raw) {
        Ok(update) => read_update(update),
        Err(error) => {
            // The name of a field may hold half a character, too.
            let whole = lenient::with_whole_characters(raw);
            match serde_json::from_str(&whole) {
                Ok(update) => read_update(update),
                Err(_) => (None, undecodable(None, reason("update", &error))),
            }
        }
    }
}

/// Reads a payload as `$type` and gives it to `$meaning`. Where a part cannot be read, the rest is read without it.
macro_rules! read_as {
    ($type:ty, $name:expr, $payload:expr, $meaning:expr) => {
        match serde_json::from_str::<$type>($payload.get()) {
            Ok(value) => $meaning($name, value),
            Err(error) => {
                let reads = |json: &str| serde_json::from_str::<$type>(json).is_ok();
                let mended = lenient::mended($payload.get(), &reads);
                match mended.as_deref().map(serde_json::from_str::<$type>) {
                    Some(Ok(value)) => $meaning($name, value),
                    _ => undecodable(Some($payload), reason($name, &error)),
                }
            }
        }
    };
}

fn read_update(update: wire::Update<'_>) -> (Option<i64>, Incoming) {
    let Some((name, payload)) = update.payload else {
        return (update.update_id, undecodable(None, "update carries nothing".to_owned()));
    };
    let incoming = match name.as_ref() {
        "message" => read_as!(wire::Message<'_>, &name, payload, |name, message| posted(name, message, false)),
        "edited_message" => read_as!(wire::Message<'_>, &name, payload, |name, message| posted(name, message, true)),
        "message_reaction" => read_as!(wire::MessageReaction<'_>, &name, payload, reacted),
        "my_chat_member" => {
            read_as!(wire::ChatMemberUpdated<'_>, &name, payload, |name, update| membership(name, &update))
        }
        _ => other(&name, payload),
    };
    (update.update_id, incoming)
}

/// Names the place of the fault. serde's own words may quote the message, so they are not kept.
fn reason(what: &str, error: &serde_json::Error) -> String {
    format!("{what}: unexpected JSON at column {}", error.column())
}

fn undecodable(payload: Option<&RawValue>, reason: String) -> Incoming {
    place(payload, Event::Undecodable { reason })
}

fn other(name: &str, payload: &RawValue) -> Incoming {
    place(Some(payload), Event::Other { name: name.to_owned() })
}

/// Puts an event into the chat that a payload names, if the chat can be read.
fn place(payload: Option<&RawValue>, event: Event) -> Incoming {
    let Some(payload) = payload else { return within(None, event) };
    let read = |json: &str| serde_json::from_str::<wire::InChat<'_>>(json).is_ok();
    let mended = (!read(payload.get())).then(|| lenient::mended(payload.get(), &read));
    let payload = mended.flatten().unwrap_or_else(|| payload.get().to_owned());
    let place = serde_json::from_str::<wire::InChat<'_>>(&payload).ok();
    within(place.as_ref().and_then(|place| place.chat.as_ref()), event)
}

/// Makes the event of a payload that lacks a required field.
fn lacking(what: &str, field: &str, chat: Option<&wire::Chat<'_>>) -> Incoming {
    within(chat, Event::Undecodable { reason: format!("{what}: missing field `{field}`") })
}

fn within(chat: Option<&wire::Chat<'_>>, event: Event) -> Incoming {
    let chat = chat.and_then(|chat| Some((TelegramChatId(chat.id?), chat_kind(chat))));
    Incoming { chat: chat.map(|(id, _)| id), chat_kind: chat.map_or(ChatKind::None, |(_, kind)| kind), event }
}

/// Returns the kind of a chat.
pub fn chat_kind(chat: &wire::Chat<'_>) -> ChatKind {
    match chat.kind.as_ref() {
        "private" => ChatKind::Private,
        "group" => ChatKind::Group,
        "supergroup" => ChatKind::Supergroup,
        "channel" => ChatKind::Channel,
        _ => ChatKind::None,
    }
}

/// Returns the name of a chat as people see it.
pub fn chat_name(chat: &wire::Chat<'_>) -> String {
    chat.title.as_deref().or(chat.first_name.as_deref()).unwrap_or_default().to_owned()
}

fn posted(what: &str, message: wire::Message<'_>, edited: bool) -> Incoming {
    let Some(chat) = message.chat.as_ref().filter(|chat| chat.id.is_some()) else {
        return lacking(what, "chat", None);
    };
    if let Some(supergroup) = message.migrate_to_chat_id {
        return within(Some(chat), Event::MigratedTo { to: TelegramChatId(supergroup) });
    }
    if let Some(group) = message.migrate_from_chat_id {
        return within(Some(chat), Event::MigratedFrom { from: TelegramChatId(group) });
    }
    let Some(message_id) = message.message_id else { return lacking(what, "message_id", Some(chat)) };
    let Some(date) = message.date else { return lacking(what, "date", Some(chat)) };
    // An edit without its date is told apart from the post by the post's own date.
    let revision = edited.then(|| message.edit_date.unwrap_or(date).max(1));
    let media = media(&message);
    let author = author(&message, chat);
    let place = within(Some(chat), Event::Other { name: String::new() });
    let thread = message.message_thread_id.filter(|id| message.is_topic_message && *id != GENERAL_TOPIC);
    // In a topic, a message that replies to none names the topic's first message.
    let reply = message.reply_to_message.filter(|reply| reply.message_id.is_some_and(|id| thread != Some(id)));
    let reply_to = reply.as_ref().and_then(|reply| reply.message_id).map(MessageId).filter(|id| id.is_of_one());
    let part = message.quote.and_then(|quote| quote.text);
    let quoted = reply.or(message.external_reply).map(|shown| quoted(shown, part));
    let quoted = quoted.filter(|shown| *shown != Quoted::default());
    let (text, entities) = match (message.text, message.caption) {
        (Some(text), _) => (Some(text), entities(message.entities)),
        (None, Some(caption)) => (Some(caption), entities(message.caption_entities)),
        (None, None) => match rich(message.rich_message) {
            Some((words, entities)) => (Some(words), entities),
            None => (listed(message.poll, message.checklist), Vec::new()),
        },
    };
    let read = Message {
        message_id: MessageId(message_id),
        date: Timestamp::from_secs(revision.unwrap_or(date)),
        revision: revision.unwrap_or(0),
        thread: thread.map(ThreadId),
        reply_to,
        quoted,
        author,
        service: text.is_none() && media.is_none(),
        text,
        entities,
        media,
    };
    Incoming { event: if edited { Event::Edited(read) } else { Event::Message(read) }, ..place }
}

/// Reads the parts that a message shows of the one that it replies to.
fn quoted(shown: wire::Shown<'_>, part: Option<String>) -> Quoted {
    let (user, chat, hidden) = match shown.origin {
        Some(origin) => (origin.sender_user, origin.sender_chat.or(origin.chat), origin.sender_user_name),
        None => (shown.from, shown.sender_chat, None),
    };
    let by_user = user.and_then(|user| Some(user_author(user.id?, Some(&user))));
    let by_chat = || chat.filter(|chat| chat.id.is_some()).map(|chat| in_name_of(&chat, AuthorKind::Channel));
    let author = by_user.or_else(by_chat);
    let kinds = [
        ("photo", shown.photo.is_some()),
        ("sticker", shown.sticker.is_some()),
        ("voice", shown.voice.is_some()),
        ("video", shown.video.is_some()),
        ("audio", shown.audio.is_some()),
        ("animation", shown.animation.is_some()),
        ("document", shown.document.is_some()),
        ("poll", shown.poll.is_some()),
        ("checklist", shown.checklist.is_some()),
        ("location", shown.location.is_some()),
    ];
    let words = || rich(shown.rich_message).map(|(words, _)| words);
    Quoted {
        author: author.as_ref().map(|author| author.id),
        name: author.map(|author| author.name).or(hidden).filter(|name| !name.is_empty()),
        text: shown.text.or(shown.caption).or_else(words).or_else(|| listed(shown.poll, shown.checklist)),
        media: kinds.into_iter().find_map(|(kind, there)| there.then(|| kind.to_owned())),
        part,
    }
}

/// Returns the words of a rich message, and the entities in them.
fn rich(message: Option<wire::RichMessage<'_>>) -> Option<(String, Vec<Entity>)> {
    let blocks = lenient::value(message?.blocks?.get())?;
    Some(rich::words(&blocks)).filter(|(words, _)| !words.is_empty())
}

/// Returns the words of a poll or a checklist: a line for its subject, and one for each choice or task.
fn listed(poll: Option<wire::Poll>, checklist: Option<wire::Checklist>) -> Option<String> {
    let (title, lines) = match (poll, checklist) {
        (Some(poll), _) => (poll.question, poll.options),
        (None, Some(checklist)) => (checklist.title, checklist.tasks),
        (None, None) => return None,
    };
    let lines = lines.into_iter().filter_map(|line| Some(format!("- {}", line.text?)));
    let lines: Vec<String> = title.into_iter().chain(lines).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Reads the entities that can be read.
fn entities(entities: Vec<wire::Entity<'_>>) -> Vec<Entity> {
    entities.into_iter().filter_map(entity).collect()
}

fn entity(entity: wire::Entity<'_>) -> Option<Entity> {
    let user = entity.user.as_ref().and_then(|user| user.id);
    let kind = match (entity.kind.as_ref(), user) {
        ("mention", _) => EntityKind::Mention,
        ("bot_command", _) => EntityKind::BotCommand,
        ("text_mention", Some(user)) => EntityKind::TextMention(TelegramUserId(user)),
        _ => EntityKind::Other(entity.kind.into_owned()),
    };
    Some(Entity { kind, offset: entity.offset?, length: entity.length? })
}

fn author(message: &wire::Message<'_>, chat: &wire::Chat<'_>) -> Author {
    match (&message.sender_chat, &message.from) {
        (Some(sender), _) if sender.id.is_some() => {
            let kind = if message.is_automatic_forward { AuthorKind::LinkedChannel } else { stand_in(sender, chat) };
            in_name_of(sender, kind)
        }
        (_, Some(wire::User { id: Some(id), .. })) => {
            let mut author = user_author(*id, message.from.as_ref());
            let called = message.guest_bot_caller_user.is_some() || message.guest_bot_caller_chat.is_some();
            if called && author.kind == AuthorKind::Bot {
                author.kind = AuthorKind::Guest;
            }
            author
        }
        _ => in_name_of(chat, AuthorKind::Channel),
    }
}

/// Returns who stands behind a message sent in the name of a chat: its own administrators, or a channel.
fn stand_in(sender: &wire::Chat<'_>, chat: &wire::Chat<'_>) -> AuthorKind {
    if sender.id == chat.id { AuthorKind::Anonymous } else { AuthorKind::Channel }
}

fn in_name_of(chat: &wire::Chat<'_>, kind: AuthorKind) -> Author {
    let id = TelegramUserId(chat.id.unwrap_or_default());
    Author { id, name: chat_name(chat), username: chat.username.clone(), kind }
}

fn user_author(id: i64, user: Option<&wire::User<'_>>) -> Author {
    let name = match user {
        Some(wire::User { first_name, last_name: Some(last), .. }) => format!("{first_name} {last}"),
        Some(user) => user.first_name.clone().into_owned(),
        None => String::new(),
    };
    let kind = match user {
        _ if id == ANONYMOUS_ADMIN => AuthorKind::Anonymous,
        Some(wire::User { is_bot: true, .. }) => AuthorKind::Bot,
        _ => AuthorKind::Person,
    };
    Author { id: TelegramUserId(id), name, username: user.and_then(|user| user.username.clone()), kind }
}

fn media(message: &wire::Message<'_>) -> Option<Media> {
    let with = |kind: &str, reference: Option<String>| {
        let album = message.media_group_id.clone();
        Media { kind: kind.to_owned(), reference, album }
    };
    let file = |kind: &str, file: &wire::Attachment| with(kind, file.file_id.clone());
    if let Some(sizes) = &message.photo {
        return Some(file("photo", sizes.last().unwrap_or(&wire::Attachment::default())));
    }
    // An emoji says more than the id of a file.
    for (kind, emoji) in [("sticker", &message.sticker), ("dice", &message.dice)] {
        if let Some(emoji) = emoji {
            let reference = emoji.emoji.as_ref().or(emoji.file_id.as_ref()).cloned();
            return Some(with(kind, reference));
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
    let listed = [("poll", message.poll.is_some()), ("checklist", message.checklist.is_some())];
    if let Some((kind, _)) = listed.into_iter().find(|(_, found)| *found) {
        return Some(with(kind, None));
    }
    let rest: [(&str, &Option<IgnoredAny>); 6] = [
        ("contact", &message.contact),
        ("venue", &message.venue),
        ("location", &message.location),
        ("story", &message.story),
        ("game", &message.game),
        ("paid_media", &message.paid_media),
    ];
    let (kind, _) = rest.into_iter().find(|(_, found)| found.is_some())?;
    Some(with(kind, None))
}

fn reacted(what: &str, reaction: wire::MessageReaction<'_>) -> Incoming {
    let Some(chat) = reaction.chat.as_ref().filter(|chat| chat.id.is_some()) else {
        return lacking(what, "chat", None);
    };
    let Some(message_id) = reaction.message_id else { return lacking(what, "message_id", Some(chat)) };
    let Some(date) = reaction.date else { return lacking(what, "date", Some(chat)) };
    let Some(now_set) = reaction.new_reaction else { return lacking(what, "new_reaction", Some(chat)) };
    let author = match (&reaction.actor_chat, &reaction.user) {
        (Some(actor), _) if actor.id.is_some() => in_name_of(actor, stand_in(actor, chat)),
        (_, Some(wire::User { id: Some(id), .. })) => user_author(*id, reaction.user.as_ref()),
        _ => return within(Some(chat), Event::Undecodable { reason: format!("{what}: nobody reacted") }),
    };
    let event = Event::Reaction {
        message_id: MessageId(message_id),
        author,
        emoji: now_set.into_iter().map(emoji).collect(),
        date: Timestamp::from_secs(date),
    };
    within(Some(chat), event)
}

/// Returns a reaction's emoji. Another kind keeps its name, so that it is not taken for a reaction taken back.
fn emoji(reaction: wire::Reaction<'_>) -> String {
    match (reaction.emoji, reaction.custom_emoji_id) {
        (Some(emoji), _) => emoji,
        (None, Some(id)) => format!("custom_emoji:{id}"),
        (None, None) => reaction.kind.into_owned(),
    }
}

fn membership(what: &str, update: &wire::ChatMemberUpdated<'_>) -> Incoming {
    let Some(chat) = update.chat.as_ref().filter(|chat| chat.id.is_some()) else {
        return lacking(what, "chat", None);
    };
    let Some(member) = &update.new_chat_member else { return lacking(what, "new_chat_member", Some(chat)) };
    let Some(status) = member.status.as_deref() else { return lacking(what, "status", Some(chat)) };
    let in_channel = chat_kind(chat) == ChatKind::Channel;
    let is_admin = matches!(status, "creator" | "administrator");
    let can_post = match status {
        "creator" => true,
        "administrator" => !in_channel || member.can_post_messages,
        "member" => !in_channel,
        "restricted" => member.is_member && member.can_send_messages,
        _ => false,
    };
    within(Some(chat), Event::Membership { can_post, is_admin })
}
