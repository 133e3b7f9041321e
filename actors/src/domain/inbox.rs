//! Inbox rows: updates and the fleet's own sends as received, each with exactly one outcome (I2, I3). Layer `domain`.

use serde::{Deserialize, Serialize};

use super::ids::{
    BotId, ChatId, DecisionNumber, InboxId, MessageId, Number, OutboxId, TelegramChatId, TelegramUserId, ThreadId,
    TurnId, UpdateId,
};
use super::names::{kinds, names};
use super::outbox::OutboxMessage;
use super::people::TOMBSTONE;
use super::time::Timestamp;

/// One update or sent message to be handled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InboxRow {
    /// Id of the row.
    pub id: InboxId,
    /// The chat that handles the row; `None` when no chat of the fleet does.
    pub chat: Option<ChatId>,
    /// The bot that received the update, or sent the message.
    pub bot: BotId,
    /// Origin of the row.
    pub source: Source,
    /// Content as received: Telegram's JSON, or a [`SentEvent`].
    pub payload: String,
    /// Time of receipt.
    pub received_at: Timestamp,
    /// Outcome; set at ingest when no chat will handle the row.
    pub outcome: Option<Outcome>,
    /// Author and time of the words in the row, as known at ingest; not stored.
    #[serde(skip)]
    pub author: Option<(TelegramUserId, Timestamp)>,
}

impl InboxRow {
    /// Returns the row as a dead letter under another id, without the payload that the store keeps refusing.
    #[must_use]
    pub fn dead(&self, id: InboxId, reason: &str) -> Self {
        let outcome = Outcome::because(OutcomeKind::Dead, format!("refused again and again: {reason}"));
        Self { id, payload: TOMBSTONE.to_owned(), outcome: Some(outcome), author: None, ..self.clone() }
    }

    /// Creates the row that tells the chat's owner of a message that Telegram accepted.
    pub fn of_sent(id: InboxId, message: &OutboxMessage, event: &SentEvent, now: Timestamp) -> Self {
        Self {
            id,
            chat: Some(message.chat),
            bot: message.bot,
            source: Source::Sent(message.id),
            payload: serde_json::to_string(event).unwrap_or_default(),
            received_at: now,
            outcome: None,
            author: None,
        }
    }
}

/// Origin of an inbox row; unique per bot and update, or per outbox message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// An update of the bot.
    Update(UpdateId),
    /// A message that the bot sent.
    Sent(OutboxId),
}

kinds! { Source { Update(UpdateId) = "update", Sent(OutboxId) = "sent" } }

impl Source {
    /// Returns the update, when the row came from one.
    pub fn update(self) -> Option<UpdateId> {
        match self {
            Self::Update(update) => Some(update),
            Self::Sent(_) => None,
        }
    }
}

/// Outcome of an inbox row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Kind of the outcome.
    pub kind: OutcomeKind,
    /// Reason in plain words, where the kind alone does not tell it.
    pub reason: Option<String>,
}

impl Outcome {
    /// Creates an outcome that needs no reason.
    pub fn plain(kind: OutcomeKind) -> Self {
        Self { kind, reason: None }
    }

    /// Creates an outcome with its reason.
    pub fn because(kind: OutcomeKind, reason: impl Into<String>) -> Self {
        Self { kind, reason: Some(reason.into()) }
    }
}

/// Kinds of outcomes of an inbox row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
    /// The row became a transcript entry.
    Appended,
    /// Another bot's copy of an entry, or Telegram's copy of a fleet message.
    Duplicate,
    /// There was nothing to do; the reason tells why.
    Ignored,
    /// The row steered the fleet: a command, a membership, a migration.
    Control,
    /// Handling the row failed too often.
    Dead,
}

names! { OutcomeKind {
    Appended = "appended", Duplicate = "duplicate", Ignored = "ignored", Control = "control", Dead = "dead",
} }

/// The outcome of one row, as its chat commits it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Handled {
    /// The row.
    pub inbox: InboxId,
    /// Outcome of the row.
    pub outcome: Outcome,
    /// The entry that the row became, or is a copy of.
    pub number: Option<Number>,
    /// The decision that the row led to.
    pub decision: Option<DecisionNumber>,
}

/// Payload of [`Source::Sent`]: a message of the fleet that Telegram accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SentEvent {
    /// The turn that made the message.
    pub turn: TurnId,
    /// The part of the turn's text.
    pub part: u32,
    /// Telegram's id of the chat at the time.
    pub chat: TelegramChatId,
    /// Telegram's id of the message.
    pub message_id: MessageId,
    /// Forum topic.
    pub thread: Option<ThreadId>,
    /// The message that this one replies to.
    pub reply_to: Option<MessageId>,
    /// The text as sent.
    pub text: String,
    /// When Telegram accepted it.
    pub date: Timestamp,
    /// Length of the chain of bot messages that ends with this message, itself included; 0 for a notice (I11).
    pub chain_depth: u32,
    /// The entry that started the chain.
    pub root: Option<Number>,
    /// The message is the last part of its turn: only then may others answer.
    pub last_part: bool,
    /// An operator wrote the text.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_operator: bool,
}

impl SentEvent {
    /// Creates the event of a message that Telegram accepted.
    pub fn of(message: &OutboxMessage, message_id: MessageId, date: Timestamp) -> Self {
        Self {
            turn: message.turn,
            part: message.part,
            chat: message.telegram_chat,
            message_id,
            thread: message.thread,
            reply_to: message.reply_to,
            text: message.text.clone(),
            date,
            chain_depth: message.chain_depth,
            root: message.root,
            last_part: message.part + 1 == message.parts,
            by_operator: message.by_operator,
        }
    }
}
