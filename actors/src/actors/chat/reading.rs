//! Reads one inbox row as an entry, a copy, or nothing. Layer `actors`; pure.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::domain::ids::{BotId, ChatId, InboxId, Number, TelegramChatId};
use crate::domain::inbox::{Outcome, OutcomeKind, SentEvent};
use crate::domain::incoming::{Author, AuthorKind, Event, Incoming, Message, Quoted};
use crate::domain::roster::BotProfile;
use crate::domain::time::Timestamp;
use crate::domain::transcript::{EntryKey, EntryKind, TranscriptEntry};

/// The result of reading a row.
pub enum Reading {
    /// A transcript entry, unless it is known already, and the message that it quotes. The entry's number is still 0.
    Entry(Box<TranscriptEntry>, Option<Quoted>),
    /// Telegram's copy of a message of the fleet: the fleet's own event is the truth.
    FleetCopy(Box<TranscriptEntry>),
    /// Nothing for the transcript.
    Nothing(Outcome),
}

/// Reads an update that a bot received.
pub fn read_update(
    chat: ChatId,
    inbox: InboxId,
    incoming: Incoming,
    fleet_bot: impl Fn(&Author) -> Option<BotId>,
) -> Reading {
    let Some(telegram_chat) = incoming.chat else {
        return Reading::Nothing(Outcome::because(OutcomeKind::Ignored, "names no chat"));
    };
    let blank = Blank { chat, inbox, telegram_chat };
    match incoming.event {
        Event::Message(mut message) => {
            let quoted = message.quoted.take();
            let kind = if message.service { EntryKind::Member } else { EntryKind::Message };
            let author = fleet_bot(&message.author);
            let entry = Box::new(blank.message(message, kind, author));
            if author.is_some() && kind == EntryKind::Message {
                Reading::FleetCopy(entry)
            } else {
                Reading::Entry(entry, quoted)
            }
        }
        Event::Edited(message) if is_movement(&message) => {
            Reading::Nothing(Outcome::because(OutcomeKind::Ignored, "a live location moved"))
        }
        Event::Edited(message) => {
            let author = fleet_bot(&message.author);
            Reading::Entry(Box::new(blank.message(message, EntryKind::Edit, author)), None)
        }
        Event::Reaction { message_id, author, emoji, date } => {
            let revision = revision_of_reaction(&author, &emoji, date);
            let fleet_bot = fleet_bot(&author);
            let message = Message {
                message_id,
                date,
                revision,
                thread: None,
                reply_to: Some(message_id),
                quoted: None,
                author,
                text: Some(emoji.join("")),
                entities: Vec::new(),
                media: None,
                service: false,
            };
            Reading::Entry(Box::new(blank.message(message, EntryKind::Reaction, fleet_bot)), None)
        }
        Event::Membership { can_post, .. } => Reading::Nothing(Outcome::because(
            OutcomeKind::Control,
            if can_post { "the bot can post here" } else { "the bot can no longer post here" },
        )),
        Event::MigratedTo { to } => Reading::Nothing(Outcome::because(
            OutcomeKind::Control,
            format!("the group became {to}: put that id into the manifest"),
        )),
        Event::MigratedFrom { from } => {
            Reading::Nothing(Outcome::because(OutcomeKind::Control, format!("the group was {from} before")))
        }
        Event::Other { name } => {
            Reading::Nothing(Outcome::because(OutcomeKind::Ignored, format!("kind {name} is not used")))
        }
        Event::Undecodable { reason } => {
            Reading::Nothing(Outcome::because(OutcomeKind::Ignored, format!("undecodable: {reason}")))
        }
    }
}

/// Returns whether an edit only moves a live location, which happens every few seconds for hours.
///
/// # Source
/// Bot API, Location: `live_period`.
fn is_movement(edit: &Message) -> bool {
    edit.text.is_none() && edit.media.as_ref().is_some_and(|media| matches!(media.kind.as_str(), "location" | "venue"))
}

/// Returns the key that tells a row's entry from all others; `command` says that the row is an order to the fleet.
pub fn key_of(inbox: InboxId, incoming: &Incoming, command: bool) -> Option<EntryKey> {
    let (kind, message_id, revision) = match &incoming.event {
        Event::Message(message) if message.service || command => {
            (EntryKind::Member, message.message_id, message.revision)
        }
        Event::Message(message) => (EntryKind::Message, message.message_id, message.revision),
        Event::Edited(message) => (EntryKind::Edit, message.message_id, message.revision),
        Event::Reaction { message_id, author, emoji, date } => {
            (EntryKind::Reaction, *message_id, revision_of_reaction(author, emoji, *date))
        }
        _ => return None,
    };
    let revision = EntryKey::revision_of(message_id, revision, inbox);
    Some(EntryKey { telegram_chat: incoming.chat?, message_id, kind, revision })
}

/// Returns a revision made of a reaction's author, date and emoji, since Telegram numbers no reactions.
fn revision_of_reaction(author: &Author, emoji: &[String], date: Timestamp) -> i64 {
    let mut hasher = DefaultHasher::new();
    (author.id, date.as_millis(), emoji).hash(&mut hasher);
    (hasher.finish() >> 1) as i64
}

/// Reads a message of the fleet that Telegram accepted.
pub fn read_sent(
    chat: ChatId,
    inbox: InboxId,
    event: SentEvent,
    bot: &BotProfile,
    username: Option<String>,
) -> TranscriptEntry {
    TranscriptEntry {
        chat,
        number: Number(0),
        kind: EntryKind::Message,
        revision: 0,
        telegram_chat: event.chat,
        message_id: event.message_id,
        thread: event.thread,
        reply_to: event.reply_to,
        author: Author { id: bot.spec.telegram_id, name: bot.spec.name.clone(), username, kind: AuthorKind::Bot },
        fleet_bot: Some(bot.id),
        text: Some(event.text),
        entities: Vec::new(),
        media: None,
        date: event.date,
        inbox,
        chain_depth: event.chain_depth,
        root: event.root.unwrap_or(Number(0)),
        by_operator: event.by_operator,
        deleted_at: None,
    }
}

struct Blank {
    chat: ChatId,
    inbox: InboxId,
    telegram_chat: TelegramChatId,
}

impl Blank {
    fn message(&self, message: Message, kind: EntryKind, fleet_bot: Option<BotId>) -> TranscriptEntry {
        TranscriptEntry {
            chat: self.chat,
            number: Number(0),
            kind,
            revision: EntryKey::revision_of(message.message_id, message.revision, self.inbox),
            telegram_chat: self.telegram_chat,
            message_id: message.message_id,
            thread: message.thread,
            reply_to: message.reply_to,
            // Foreign bots and guests may answer ours for ever: each of their messages counts as one step of a chain.
            chain_depth: u32::from(matches!(message.author.kind, AuthorKind::Bot | AuthorKind::Guest)),
            author: message.author,
            fleet_bot,
            text: message.text,
            entities: message.entities,
            media: message.media,
            date: message.date,
            inbox: self.inbox,
            root: Number(0),
            by_operator: false,
            deleted_at: None,
        }
    }
}
