//! Transcript entries: the memory of a chat, numbered 1..n by the chat's owner alone (I3). Layer `domain`.

use serde::{Deserialize, Serialize};

use super::ids::{BotId, ChatId, InboxId, MessageId, Number, TelegramChatId, TelegramUserId, ThreadId};
use super::incoming::{Author, AuthorKind, Entity, Media};
use super::names::names;
use super::time::Timestamp;

/// One entry of a transcript.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TranscriptEntry {
    /// The chat.
    pub chat: ChatId,
    /// Place of the entry in the transcript.
    pub number: Number,
    /// Kind of the entry.
    pub kind: EntryKind,
    /// 0 for a post. Distinguishes later edits and reactions, and posts without an id of their own (see [`EntryKey`]).
    pub revision: i64,
    /// Telegram's id of the chat at that time: a migration restarts the numbering of messages.
    pub telegram_chat: TelegramChatId,
    /// Telegram's id of the message that the entry records or is about.
    pub message_id: MessageId,
    /// Forum topic.
    pub thread: Option<ThreadId>,
    /// The message that this one replies to.
    pub reply_to: Option<MessageId>,
    /// Author of the entry.
    pub author: Author,
    /// The author's bot id, when the author is a bot of this fleet.
    pub fleet_bot: Option<BotId>,
    /// Text of the entry; `None` for tombstones and for entries without one.
    pub text: Option<String>,
    /// Entities of the text.
    pub entities: Vec<Entity>,
    /// Media besides the text.
    pub media: Option<Media>,
    /// Date by Telegram.
    pub date: Timestamp,
    /// The inbox row that the entry came from.
    pub inbox: InboxId,
    /// Length of the chain of bot messages that ends with this entry; 0 for people and notices (I11).
    pub chain_depth: u32,
    /// The entry that started the chain; for people the entry itself.
    pub root: Number,
    /// An operator wrote the text as the bot.
    #[serde(default)]
    pub by_operator: bool,
    /// Time at which an operator had the message deleted; the entry then holds no words.
    #[serde(default)]
    pub deleted_at: Option<Timestamp>,
}

/// Kind of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
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

names! { EntryKind { Message = "message", Edit = "edit", Reaction = "reaction", Member = "member" } }

/// Identifies an entry, whichever bot saw it (I2).
///
/// Telegram gives some messages no id (ephemeral ones, those not sent yet): all of them carry 0. Only one bot receives
/// such a message, so the inbox row, unique by bot and update, identifies it: the revision is the row's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EntryKey {
    /// Telegram's id of the chat.
    pub telegram_chat: TelegramChatId,
    /// Telegram's id of the message.
    pub message_id: MessageId,
    /// Kind of the entry.
    pub kind: EntryKind,
    /// Revision of the entry.
    pub revision: i64,
}

impl EntryKey {
    /// Returns the revision of an entry: `revision` when the message has an id of its own, else the id of its row.
    pub fn revision_of(message: MessageId, revision: i64, row: InboxId) -> i64 {
        if message.is_of_one() { revision } else { row.0 }
    }
}

impl TranscriptEntry {
    /// Returns the person whose words the entry holds; `None` when it holds none, or no person wrote it.
    pub fn words_of(&self) -> Option<TelegramUserId> {
        let holds = self.text.is_some() || self.media.is_some();
        (holds && self.author.kind == AuthorKind::Person).then_some(self.author.id)
    }

    /// Returns whether the entry is a notice of the fleet about itself: a disclosure, or an answer to a command.
    /// Notices are for people: no conversation goes on from them, and no model reads them.
    pub fn is_notice(&self) -> bool {
        self.fleet_bot.is_some() && self.kind == EntryKind::Message && self.chain_depth == 0
    }

    /// Removes the words, since an operator had the message deleted.
    pub fn delete(&mut self, at: Timestamp) {
        (self.text, self.media) = (None, None);
        self.entities.clear();
        self.deleted_at = Some(at);
    }

    /// The album that the entry belongs to.
    pub fn album(&self) -> Option<&str> {
        self.media.as_ref()?.album.as_deref()
    }

    /// Returns whether the entry records an edit of `post`.
    pub fn is_edit_of(&self, post: &Self) -> bool {
        self.kind == EntryKind::Edit && self.message_id == post.message_id && self.telegram_chat == post.telegram_chat
    }

    /// Returns the key that identifies this entry.
    pub fn key(&self) -> EntryKey {
        EntryKey {
            telegram_chat: self.telegram_chat,
            message_id: self.message_id,
            kind: self.kind,
            revision: self.revision,
        }
    }
}
