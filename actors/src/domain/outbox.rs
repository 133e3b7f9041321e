//! Outbox messages: committed intents to send (I4). Layer `domain`.

use serde::{Deserialize, Serialize};

use super::ids::{AttemptId, BotId, ChatId, Epoch, MessageId, Number, OutboxId, TelegramChatId, ThreadId, TurnId};
use super::incoming::Entity;
use super::names::names;
use super::time::Timestamp;

/// Most attempts for a message of unknown fate under [`OnUnknown::Resend`].
pub const RESEND_ATTEMPTS_MAX: u32 = 3;

/// Policy for a message of which nobody knows whether Telegram has it (I4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnknown {
    /// The message stays unknown until evidence or a person resolves it.
    #[default]
    Report,
    /// The message is sent again, and the resend counted: people may see the message twice.
    Resend,
}

names! { OnUnknown { Report = "report", Resend = "resend" } }

/// One message to send; unique by (turn, part).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutboxMessage {
    /// Id of the message.
    pub id: OutboxId,
    /// The turn that made it.
    pub turn: TurnId,
    /// Place of the part in the turn's text, from 0.
    pub part: u32,
    /// Number of parts of the turn.
    pub parts: u32,
    /// The bot that sends the message.
    pub bot: BotId,
    /// The chat.
    pub chat: ChatId,
    /// Telegram's id of the chat.
    pub telegram_chat: TelegramChatId,
    /// Forum topic.
    pub thread: Option<ThreadId>,
    /// The message to reply to.
    pub reply_to: Option<MessageId>,
    /// Text of the message.
    pub text: String,
    /// Parts of the text that are bold, italic and the like, in UTF-16 units.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Entity>,
    /// The fleet bot that the message answers (I11).
    pub answers_bot: Option<BotId>,
    /// Length of the bot chain that the message ends (I11).
    pub chain_depth: u32,
    /// The entry that started the chain.
    pub root: Option<Number>,
    /// The message is stale from this time on.
    pub expires_at: Timestamp,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Policy when nobody knows whether Telegram has the message.
    pub on_unknown: OnUnknown,
    /// An operator wrote the text.
    #[serde(default)]
    pub by_operator: bool,
    /// Progress of the message.
    pub progress: SendProgress,
}

/// The part of a message that changes during its life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SendProgress {
    /// State of the message.
    pub state: OutboxState,
    /// Number of attempts that were begun.
    pub attempts: u32,
    /// The attempt under way, or the last one.
    pub attempt: Option<AttemptId>,
    /// The epoch under which the attempt began.
    pub claimed_epoch: Option<Epoch>,
    /// No attempt begins before this time.
    pub due_at: Timestamp,
    /// Telegram's id once sent.
    pub message_id: Option<MessageId>,
    /// Reason of the end, or of the last failure.
    pub error: Option<String>,
}

impl OutboxMessage {
    /// Returns whether the bot speaks for itself, so that the message gives way to an operator who has taken the bot over.
    /// Notices of the fleet end no chain, and do not give way.
    pub fn yields(&self) -> bool {
        !self.by_operator && self.chain_depth > 0
    }
}

impl SendProgress {
    /// Creates the progress of a message that waits until `due_at`.
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
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum OutboxState {
    /// Waits for limiters, or for the part before this one.
    Queued,
    /// The intent is committed; Telegram may have it.
    Sending,
    /// Telegram accepted it.
    Sent,
    /// Telegram refused it for good.
    Rejected,
    /// Certainly not sent; tried again at `due_at`.
    RetryAt,
    /// Nobody knows whether Telegram has it; never resent silently.
    Unknown,
    /// Given up before it was sent: stop, physics, stale.
    Cancelled,
}

names! { OutboxState {
    Queued = "queued", Sending = "sending", Sent = "sent", Rejected = "rejected", RetryAt = "retry_at",
    Unknown = "unknown", Cancelled = "cancelled",
} }

impl OutboxState {
    /// Returns whether an attempt to send may begin from this state.
    pub fn may_begin(self) -> bool {
        matches!(self, Self::Queued | Self::RetryAt)
    }
}

/// Result of an attempt to send.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendResult {
    /// Telegram accepted the message.
    Sent(MessageId),
    /// Telegram refused the message for good.
    Rejected(String),
    /// Certainly not sent; not tried again before that time.
    RetryAt(Timestamp, String),
    /// The request was written, and no answer tells whether Telegram accepted it.
    Unknown(String),
}
