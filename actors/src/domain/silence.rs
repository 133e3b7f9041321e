//! Reasons why a bot cannot speak, or cannot speak yet. Layer `domain`. Keeps I14.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// Reason why a bot cannot speak in a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Silence {
    /// No node has a token for the bot.
    NoToken,
    /// The bot's token is sealed, and its node lacks the key.
    Sealed,
    /// Telegram refuses the bot's token.
    Refused,
    /// The bot failed too often, and waits for a person.
    Quarantined,
    /// A person stopped the bot.
    Stopped,
    /// The bot is not in the chat, or may not write there.
    Absent,
    /// The forum topic is closed or deleted.
    TopicShut,
    /// Telegram asked the bot to pause until then.
    Paused(Timestamp),
    /// An operator speaks as the bot.
    TakenOver,
}

impl Silence {
    /// Labels of the reasons that by themselves keep a bot silent in all its chats.
    pub const EVERYWHERE: [&'static str; 5] = ["no_token", "sealed", "refused", "quarantined", "paused"];

    /// Returns the label in metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::Sealed => "sealed",
            Self::Refused => "refused",
            Self::Quarantined => "quarantined",
            Self::Stopped => "stopped",
            Self::Absent => "absent",
            Self::TopicShut => "topic_shut",
            Self::Paused(_) => "paused",
            Self::TakenOver => "taken_over",
        }
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoToken => "it has no token",
            Self::Sealed => "its token is sealed",
            Self::Refused => "its token is refused",
            Self::Quarantined => "it is quarantined",
            Self::Stopped => "it is stopped",
            Self::Absent => "it cannot post there",
            Self::TopicShut => "the topic is closed",
            Self::Paused(_) => "telegram asked it for a long pause",
            Self::TakenOver => "an operator speaks as it",
        })
    }
}
