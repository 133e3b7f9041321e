//! What whoever watches chats reads again and again: where each transcript ends, and which bots are at work. Layer `domain`.

use serde::{Deserialize, Serialize};

use super::ids::{BotId, ChatId, DecisionNumber, Number};
use super::names::names;

/// The end of a chat's history. Entries and decisions are numbered apart, both without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChatEnd {
    /// The chat.
    pub chat: ChatId,
    /// Number of the last entry.
    pub number: Number,
    /// Number of the last decision.
    pub decision: DecisionNumber,
}

/// A bot that is at work in a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AtWork {
    /// The chat.
    pub chat: ChatId,
    /// The bot.
    pub bot: BotId,
    /// The step of the work.
    pub step: WorkStep,
}

/// A step on the way from a decision to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum WorkStep {
    /// The turn waits for its time, or for its bot.
    Waiting,
    /// A model is asked.
    Thinking,
    /// The message is written and waits to be sent: people may see the bot typing.
    Typing,
    /// The message is being sent.
    Sending,
    /// Nobody knows whether Telegram has the message.
    Unknown,
}

names! { WorkStep {
    Waiting = "waiting", Thinking = "thinking", Typing = "typing", Sending = "sending", Unknown = "unknown",
} }
