//! Transcript entries: what a chat remembers, numbered 1..n by its owner alone (I3). Layer `domain`.

use serde::{Deserialize, Serialize};

use super::ids::{BotId, ChatId, InboxId, MessageId, Number, TelegramChatId, TelegramUserId, ThreadId};
use super::incoming::{Author, AuthorKind, Entity, Media};
use super::time::Timestamp;

/// One entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TranscriptEntry {
    /// The chat.
    pub chat: ChatId,
    /// Its place.
    pub number: Number,
    /// What it records.
    pub kind: EntryKind,
    /// 0 for a post; tells later edits and reactions apart, and posts without an id of their own (see [`EntryKey`]).
    pub revision: i64,
    /// Telegram's id of the chat when it happened: a migration restarts the numbering of messages.
    pub telegram_chat: TelegramChatId,
    /// The message it is, or is about.
    pub message_id: MessageId,
    /// Forum topic.
    pub thread: Option<ThreadId>,
    /// The message that it replies to.
    pub reply_to: Option<MessageId>,
    /// Who wrote it.
    pub author: Author,
    /// The author, when it is a bot of this fleet.
    pub fleet_bot: Option<BotId>,
    /// Its text; `None` for tombstones and for entries without one.
    pub text: Option<String>,
    /// Entities of the text.
    pub entities: Vec<Entity>,
    /// What else it carries.
    pub media: Option<Media>,
    /// When it happened, by Telegram.
    pub date: Timestamp,
    /// The row that it came from.
    pub inbox: InboxId,
    /// Length of the chain of bot messages that it ends; 0 for people and notices (I11).
    pub chain_depth: u32,
    /// The entry that started the chain, itself for people.
    pub root: Number,
}

/// What an entry records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// A post.
    Message,
    /// An edit of a post.
    Edit,
    /// A reaction.
    Reaction,
    /// Someone came, went, or another service message.
    Member,
}

impl EntryKind {
    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Edit => "edit",
            Self::Reaction => "reaction",
            Self::Member => "member",
        }
    }

    /// Reads the name back.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Message, Self::Edit, Self::Reaction, Self::Member].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// What makes an entry one and the same, whoever saw it (I2).
///
/// Telegram gives some messages no id (ephemeral ones, those not sent yet): all of them carry 0. Only one bot receives
/// such a one, so that the inbox row, unique by bot and update, tells it apart: its revision is the row's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EntryKey {
    /// Telegram's id of the chat.
    pub telegram_chat: TelegramChatId,
    /// Telegram's id of the message.
    pub message_id: MessageId,
    /// What is recorded of it.
    pub kind: EntryKind,
    /// Which revision.
    pub revision: i64,
}

impl EntryKey {
    /// The revision that tells apart what says `revision` of a message: without an id of its own, that is the row.
    pub fn revision_of(message: MessageId, revision: i64, row: InboxId) -> i64 {
        if message.is_of_one() { revision } else { row.0 }
    }
}

impl TranscriptEntry {
    /// Whose words it holds: the person who wrote it, unless it holds none.
    pub fn words_of(&self) -> Option<TelegramUserId> {
        let holds = self.text.is_some() || self.media.is_some();
        (holds && self.author.kind == AuthorKind::Person).then_some(self.author.id)
    }

    /// Whether the fleet says something of itself there: disclosures, answers to commands. They are for people: no talk
    /// goes on from them, and no model reads them.
    pub fn is_notice(&self) -> bool {
        self.fleet_bot.is_some() && self.kind == EntryKind::Message && self.chain_depth == 0
    }

    /// The album that it belongs to.
    pub fn album(&self) -> Option<&str> {
        self.media.as_ref()?.album.as_deref()
    }

    /// Whether it records an edit of that post.
    pub fn is_edit_of(&self, post: &Self) -> bool {
        self.kind == EntryKind::Edit && self.message_id == post.message_id && self.telegram_chat == post.telegram_chat
    }

    /// What makes this entry one and the same.
    pub fn key(&self) -> EntryKey {
        EntryKey {
            telegram_chat: self.telegram_chat,
            message_id: self.message_id,
            kind: self.kind,
            revision: self.revision,
        }
    }
}
