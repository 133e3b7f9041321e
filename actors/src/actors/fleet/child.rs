//! A child of the fleet. Layer `actors`.

use serde::Serialize;

use crate::actors::node::directory::Directory;
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

    /// Returns the child's name for people: `bot NAME`, `chat NAME`, `provider NAME`.
    pub fn name(&self, directory: &Directory) -> String {
        let known = directory.known();
        let name = match self {
            Self::Bot(id) => known.bots.get(id).map(|bot| format!("bot {}", bot.spec.name)),
            Self::Chat(id) => known.chats.get(id).map(|chat| format!("chat {}", chat.spec.name)),
            Self::Provider(_) => None,
        };
        name.unwrap_or_else(|| self.to_string())
    }

    /// Returns the child of that name.
    pub fn named(name: &str, directory: &Directory) -> Option<Self> {
        let (kind, name) = name.split_once(' ')?;
        let known = directory.known();
        match kind {
            "bot" => known.bots.values().find(|bot| bot.spec.name == name).map(|bot| Self::Bot(bot.id)),
            "chat" => known.chats.values().find(|chat| chat.spec.name == name).map(|chat| Self::Chat(chat.id)),
            "provider" => Some(Self::Provider(name.to_owned())),
            _ => None,
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
pub struct Quarantined {
    /// Name of the child, as in the manifest: `bot NAME`, `chat NAME` or `provider NAME`.
    pub actor: String,
    /// Reason of the last failure.
    pub reason: String,
    /// When it was quarantined, in milliseconds since 1970.
    pub since: Timestamp,
}
