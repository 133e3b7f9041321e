//! Retractions: messages of the fleet that an operator has deleted. Layer `domain`. Keeps I4.
//!
//! The fleet forgets the words at once, in the commit that stores the retraction. Telegram is asked afterwards, as often as
//! it takes: to delete a message twice is to delete it once, so a lost answer is followed by the same question, and the
//! answer that there is no such message counts as deleted.

use std::time::Duration;

use super::ids::{BotId, ChatId, MessageId, Number, OutboxId, TelegramChatId};
use super::names::names;
use super::time::Timestamp;
use super::transcript::{EntryKind, TranscriptEntry};

/// Age from which Telegram deletes no message any more, whatever the rights.
///
/// # Source
/// Bot API, deleteMessage: "A message can only be deleted if it was sent less than 48 hours ago."
pub const DELETABLE_FOR: Duration = Duration::from_hours(48);

/// Most messages that one order deletes.
pub const RETRACTED_MAX: usize = 500;

/// Time for which nodes remember a deleted message, so that nothing in memory tells its words: longer than any turn waits.
pub const REMEMBERED_FOR: Duration = Duration::from_mins(30);

/// State of a retraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetractionState {
    /// Telegram is yet to be asked, or asked again.
    Waiting,
    /// Telegram has deleted the message, or has it no more.
    Deleted,
    /// Telegram refused to delete the message.
    Refused,
}

names! { RetractionState { Waiting = "waiting", Deleted = "deleted", Refused = "refused" } }

/// The deletion of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retraction {
    /// Telegram's id of the chat when the message was sent.
    pub telegram_chat: TelegramChatId,
    /// Telegram's id of the message.
    pub message_id: MessageId,
    /// The chat.
    pub chat: ChatId,
    /// The bot that sent the message, and deletes it.
    pub bot: BotId,
    /// State.
    pub state: RetractionState,
    /// Number of times that Telegram was asked.
    pub tries: u32,
    /// Telegram is not asked before this time.
    pub due_at: Timestamp,
    /// Name of whoever ordered it.
    pub principal: String,
    /// Time of the order.
    pub created_at: Timestamp,
    /// Time of the end.
    pub ended_at: Option<Timestamp>,
    /// Why Telegram refused, or did not answer.
    pub error: Option<String>,
}

/// Telegram's answer about a message that is to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetractionEnding {
    /// The message is gone.
    Deleted,
    /// Telegram does not delete it.
    Refused(String),
    /// Telegram is asked again at that time.
    Again(Timestamp, String),
}

/// A message that a bot of the fleet has sent, as far as its deletion needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Said {
    /// The message in the outbox; `None` when the outbox holds it no more.
    pub outbox: Option<OutboxId>,
    /// The bot that sent it.
    pub bot: BotId,
    /// Telegram's id of the chat at that time.
    pub telegram_chat: TelegramChatId,
    /// Telegram's id of the message.
    pub message_id: MessageId,
    /// The entry of the transcript; `None` when the chat has not appended it yet.
    pub number: Option<Number>,
    /// Time at which it was made.
    pub at: Timestamp,
}

impl Said {
    /// Returns whether an entry records the message, or an edit of it.
    pub fn is_entry(&self, entry: &TranscriptEntry) -> bool {
        let about = (entry.telegram_chat, entry.message_id) == (self.telegram_chat, self.message_id);
        about && matches!(entry.kind, EntryKind::Message | EntryKind::Edit)
    }
}

/// The messages that an order deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saying {
    /// The message of this entry.
    Entry(Number),
    /// All that one bot, or every bot, said in the chat from a time on.
    Since(Option<BotId>, Timestamp),
}
