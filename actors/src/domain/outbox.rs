//! Outbox messages: committed intents to send (I4). Layer `domain`.

use serde::{Deserialize, Serialize};

use super::ids::{AttemptId, BotId, ChatId, Epoch, MessageId, Number, OutboxId, TelegramChatId, ThreadId, TurnId};
use super::time::Timestamp;

/// A message whose fate nobody knows is begun at most so often under [`OnUnknown::Resend`].
pub const RESEND_ATTEMPTS_MAX: u32 = 3;

/// What becomes of a message when nobody knows whether Telegram has it (I4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnknown {
    /// It stays unknown until evidence or a person resolves it.
    #[default]
    Report,
    /// It is sent again, and counted: people may see it twice.
    Resend,
}

impl OnUnknown {
    /// The name in the database and the manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Resend => "resend",
        }
    }

    /// Reads the name back.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Report, Self::Resend].into_iter().find(|policy| policy.as_str() == name)
    }
}

/// One message to send; unique by (turn, part).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutboxMessage {
    /// Its id.
    pub id: OutboxId,
    /// The turn that made it.
    pub turn: TurnId,
    /// Its place in the turn's text, from 0.
    pub part: u32,
    /// How many parts the turn has.
    pub parts: u32,
    /// The bot that sends it.
    pub bot: BotId,
    /// The chat.
    pub chat: ChatId,
    /// Telegram's id of the chat.
    pub telegram_chat: TelegramChatId,
    /// Forum topic.
    pub thread: Option<ThreadId>,
    /// The message that it replies to.
    pub reply_to: Option<MessageId>,
    /// What to say.
    pub text: String,
    /// The fleet bot that it answers (I11).
    pub answers_bot: Option<BotId>,
    /// Length of the bot chain that it ends (I11).
    pub chain_depth: u32,
    /// The entry that started the chain.
    pub root: Option<Number>,
    /// Stale after.
    pub expires_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
    /// What becomes of it when nobody knows whether Telegram has it.
    pub on_unknown: OnUnknown,
    /// How far it came.
    pub progress: SendProgress,
}

/// What changes during a message's life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SendProgress {
    /// Its state.
    pub state: OutboxState,
    /// Times it was begun.
    pub attempts: u32,
    /// The attempt under way, or the last one.
    pub attempt: Option<AttemptId>,
    /// The epoch that began it.
    pub claimed_epoch: Option<Epoch>,
    /// Not before.
    pub due_at: Timestamp,
    /// Telegram's id once sent.
    pub message_id: Option<MessageId>,
    /// Why it ended, or failed last.
    pub error: Option<String>,
}

impl SendProgress {
    /// A message that waits until `due_at`.
    pub fn queued(due_at: Timestamp) -> Self {
        Self {
            state: OutboxState::Queued,
            attempts: 0,
            attempt: None,
            claimed_epoch: None,
            due_at,
            message_id: None,
            error: None,
        }
    }
}

/// States of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutboxState {
    /// Waits for limiters, or for the part before it.
    Queued,
    /// The intent is committed; Telegram may have it.
    Sending,
    /// Telegram accepted it.
    Sent,
    /// Telegram refused it for good.
    Rejected,
    /// A definite non-send; again at `due_at`.
    RetryAt,
    /// Nobody knows whether Telegram has it; never resent silently.
    Unknown,
    /// Given up before it was sent: stop, physics, stale.
    Cancelled,
}

impl OutboxState {
    const ALL: [Self; 7] =
        [Self::Queued, Self::Sending, Self::Sent, Self::Rejected, Self::RetryAt, Self::Unknown, Self::Cancelled];

    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Rejected => "rejected",
            Self::RetryAt => "retry_at",
            Self::Unknown => "unknown",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads the name back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Whether a send may begin from here.
    pub fn may_begin(self) -> bool {
        matches!(self, Self::Queued | Self::RetryAt)
    }
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendResult {
    /// Telegram accepted it.
    Sent(MessageId),
    /// Telegram refused it for good.
    Rejected(String),
    /// A definite non-send; again not before.
    RetryAt(Timestamp, String),
    /// The request was written and no answer tells what became of it.
    Unknown(String),
}
