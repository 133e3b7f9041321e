//! A child of the fleet. Layer `actors`.

use serde::Serialize;

use crate::domain::ids::{BotId, ChatId};
use crate::domain::ownership::LeaseKey;
use crate::domain::time::Timestamp;

/// A child of the fleet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Child {
    /// A bot.
    Bot(BotId),
    /// A chat.
    Chat(ChatId),
    /// A provider.
    Provider(String),
}

impl Child {
    /// Returns the child's lease; providers have none.
    pub fn lease(&self) -> Option<LeaseKey> {
        match self {
            Self::Bot(bot) => Some(LeaseKey::Bot(*bot)),
            Self::Chat(chat) => Some(LeaseKey::Chat(*chat)),
            Self::Provider(_) => None,
        }
    }
}

impl std::fmt::Display for Child {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bot(id) => write!(f, "bot {id}"),
            Self::Chat(id) => write!(f, "chat {id}"),
            Self::Provider(name) => write!(f, "provider {name}"),
        }
    }
}

/// A quarantined child, for display.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Quarantined {
    /// Name of the child, as in the manifest: `bot NAME`, `chat NAME` or `provider NAME`.
    pub actor: String,
    /// Reason of the last failure.
    pub reason: String,
    /// When it was quarantined, in milliseconds since 1970.
    pub since: Timestamp,
}
