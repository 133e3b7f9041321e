//! The port to the bus: what may be lost. Layer `ports`.
//!
//! Every message is a hint: who hears it looks into the store; who does not looks there every 500 ms anyway.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::domain::ids::{BotId, ChatId, ConfigSeq, TelegramChatId};
use crate::domain::ownership::{Incarnation, LeaseKey};
use crate::domain::silence::Silence;
use crate::domain::time::Timestamp;

/// Something that somebody should look at. Ids only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hint {
    /// The chat has rows without outcome.
    Chat(ChatId),
    /// The bot has turns, or messages that may be due.
    Bot(BotId),
    /// A send into the chat ended in doubt.
    SendUnknown(ChatId),
    /// A budget of the chat, or of the fleet, is spent.
    Spent(ChatId),
    /// Telegram says that the bot cannot post in the chat.
    CannotPost(ChatId, BotId),
    /// The bot can post in the chat again.
    CanPost(ChatId, BotId),
    /// The bot was let into the chat, or given the right to write there.
    Opened(BotId, ChatId),
    /// The chat would have the bot speak, which cannot post there as far as the chat knows.
    Wanted(BotId, ChatId),
    /// What keeps the bot silent everywhere, or that nothing does any more.
    Silent(BotId, Option<Silence>),
    /// Telegram asked the bot for a long pause in the chat.
    Paused(ChatId, BotId, Timestamp),
    /// Telegram says that the chat became this supergroup.
    Migrated(ChatId, TelegramChatId),
    /// The lease changed: its owner, its desired owner, or that one's readiness.
    Lease(LeaseKey),
    /// Nodes came, went, or drain.
    Nodes,
    /// Somebody made use of a right.
    People,
}

/// Something that happened, for whoever watches live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveEvent {
    /// When, on the database's clock.
    pub at: Timestamp,
    /// Who tells it: a node's name.
    pub node: String,
    /// What: `node.joined`, `node.dead`, `lease.moved`, `stop.set`, ...
    pub kind: String,
    /// Of what, by the name that people know.
    pub subject: String,
}

/// To whom hints go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// One node.
    Node(Incarnation),
    /// All nodes, the sender among them or not.
    Everybody,
}

/// What the bus brings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BusMessage {
    /// Look at these.
    Hints(Vec<Hint>),
    /// The configuration has this number now, or a later one.
    ConfigurationChanged(ConfigSeq),
    /// Something happened.
    Event(LiveEvent),
}

/// The bus. It never fails its caller and never makes it wait: what cannot be sent now is dropped and counted.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Sends a message, soon or never; returns at once.
    fn publish(&self, to: Audience, message: BusMessage);

    /// What arrives for `me` from now on, over reconnections too; at most 4,096 messages wait, further ones are
    /// dropped and counted.
    async fn subscribe(&self, me: Incarnation) -> mpsc::Receiver<BusMessage>;

    /// Whether messages go through at present, as far as is known; without it, reconcile sooner.
    fn is_up(&self) -> bool;
}
