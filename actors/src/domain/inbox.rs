//! Inbox rows: updates and the fleet's own sends as received, each with exactly one outcome (I2, I3). Layer `domain`.

use serde::{Deserialize, Serialize};

use super::ids::{
    BotId, ChatId, DecisionNumber, InboxId, MessageId, Number, OutboxId, TelegramChatId, TelegramUserId, ThreadId,
    TurnId, UpdateId,
};
use super::people::TOMBSTONE;
use super::time::Timestamp;

/// One thing to be handled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InboxRow {
    /// Its id.
    pub id: InboxId,
    /// The chat that handles it; `None` when no chat of the fleet does.
    pub chat: Option<ChatId>,
    /// The bot that received it, or sent it.
    pub bot: BotId,
    /// Where it came from.
    pub source: Source,
    /// As received: Telegram's JSON, or a [`SentEvent`].
    pub payload: String,
    /// When it was received.
    pub received_at: Timestamp,
    /// Set at ingest when no chat will handle it.
    pub outcome: Option<Outcome>,
    /// Whose words it holds, and from when they are, as known at ingest; not stored.
    #[serde(skip)]
    pub author: Option<(TelegramUserId, Timestamp)>,
}

impl InboxRow {
    /// The row as a dead letter under another id: the store refuses what it says, which is gone with it.
    #[must_use]
    pub fn dead(&self, id: InboxId, reason: &str) -> Self {
        let outcome = Outcome::because(OutcomeKind::Dead, format!("refused again and again: {reason}"));
        Self { id, payload: TOMBSTONE.to_owned(), outcome: Some(outcome), author: None, ..self.clone() }
    }
}

/// Where an inbox row came from; unique per bot and update, or per outbox message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// An update of the bot.
    Update(UpdateId),
    /// A message that the bot sent.
    Sent(OutboxId),
}

impl Source {
    /// The update, if it is one.
    pub fn update(self) -> Option<UpdateId> {
        match self {
            Self::Update(update) => Some(update),
            Self::Sent(_) => None,
        }
    }
}

/// What became of an inbox row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Which way it went.
    pub kind: OutcomeKind,
    /// Why, in plain words, where the kind does not say it all.
    pub reason: Option<String>,
}

impl Outcome {
    /// An outcome that needs no reason.
    pub fn plain(kind: OutcomeKind) -> Self {
        Self { kind, reason: None }
    }

    /// An outcome with its reason.
    pub fn because(kind: OutcomeKind, reason: impl Into<String>) -> Self {
        Self { kind, reason: Some(reason.into()) }
    }
}

/// The ways an inbox row can go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
    /// It became a transcript entry.
    Appended,
    /// Another bot's copy of an entry, or Telegram's copy of a fleet message.
    Duplicate,
    /// Nothing to do, with the reason.
    Ignored,
    /// It steered the fleet.
    Control,
    /// Handling it failed too often.
    Dead,
}

impl OutcomeKind {
    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Appended => "appended",
            Self::Duplicate => "duplicate",
            Self::Ignored => "ignored",
            Self::Control => "control",
            Self::Dead => "dead",
        }
    }

    /// Reads the name back.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Appended, Self::Duplicate, Self::Ignored, Self::Control, Self::Dead]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

/// The outcome of one row, as its chat commits it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Handled {
    /// The row.
    pub inbox: InboxId,
    /// What became of it.
    pub outcome: Outcome,
    /// The entry it became, or is a copy of.
    pub number: Option<Number>,
    /// The decision that it led to.
    pub decision: Option<DecisionNumber>,
}

/// Payload of [`Source::Sent`]: a message of the fleet that Telegram accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SentEvent {
    /// The turn that made it.
    pub turn: TurnId,
    /// The part of the turn's text.
    pub part: u32,
    /// Telegram's id of the chat at the time.
    pub chat: TelegramChatId,
    /// Telegram's id of the message.
    pub message_id: MessageId,
    /// Forum topic.
    pub thread: Option<ThreadId>,
    /// The message that it replies to.
    pub reply_to: Option<MessageId>,
    /// The text as sent.
    pub text: String,
    /// When Telegram accepted it.
    pub date: Timestamp,
    /// Length of the chain of bot messages that it ends, itself included; 0 for a notice (I11).
    pub chain_depth: u32,
    /// The entry that started the chain.
    pub root: Option<Number>,
    /// Whether it is the last part of its turn: only then may others answer.
    pub last_part: bool,
}
