//! The port to the bus, which may lose messages. Layer `ports`.
//!
//! Every message is a hint: a node that hears it looks into the store; a node that does not looks there every 500 ms
//! anyway.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::domain::ids::{BotId, ChatId, ConfigSeq, Number, TelegramChatId};
use crate::domain::operator_order::OrderTarget;
use crate::domain::ownership::{Incarnation, LeaseKey};
use crate::domain::silence::Silence;
use crate::domain::time::Timestamp;
use crate::ports::event::LiveEvent;

/// A hint that something changed in the store. Holds ids only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hint {
    /// The chat has inbox rows without outcome.
    Chat(ChatId),
    /// The bot has turns, or messages that may be due.
    Bot(BotId),
    /// The outcome of a send into the chat is unknown.
    SendUnknown(ChatId),
    /// A budget of the chat, or of the fleet, is spent.
    Spent(ChatId),
    /// Telegram says that the bot cannot post in the chat.
    CannotPost(ChatId, BotId),
    /// The bot can post in the chat again.
    CanPost(ChatId, BotId),
    /// The bot was let into the chat, or given the right to write there.
    Opened(BotId, ChatId),
    /// The chat has something for the bot to answer, but the bot cannot post there as far as the chat knows.
    Wanted(BotId, ChatId),
    /// Why the bot is silent everywhere; `None` when nothing keeps it silent.
    Silent(BotId, Option<Silence>),
    /// Telegram asked the bot for a long pause in the chat.
    Paused(ChatId, BotId, Timestamp),
    /// Telegram says that the chat became this supergroup.
    Migrated(ChatId, TelegramChatId),
    /// The lease changed: its owner, its desired owner, or the desired owner's readiness.
    Lease(LeaseKey),
    /// Nodes joined, left, or drain.
    Nodes,
    /// Somebody exercised a right.
    People,
    /// An operator took a bot over, gave it back, or deleted messages.
    Interventions,
    /// The bot has messages to delete.
    Retract(BotId),
    /// An order of an operator waits for its target.
    Order(OrderTarget),
}

/// The recipients of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// One node.
    Node(Incarnation),
    /// All nodes; the sender may or may not be among them.
    Everybody,
}

/// A message on the bus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BusMessage {
    /// Hints to look at.
    Hints(Vec<Hint>),
    /// The configuration has this number, or a later one.
    ConfigurationChanged(ConfigSeq),
    /// Something happened.
    Event(LiveEvent),
    /// Chats that somebody watches at the sender's node, for a few seconds from now on.
    Watching(Vec<ChatId>),
    /// Watched chats whose histories grew, each with the number of its last entry.
    Appended(Vec<(ChatId, Number)>),
}

/// The bus. It never fails its caller and never makes its caller wait: a message that cannot be sent at once is dropped
/// and counted.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Sends a message, soon or never; returns at once.
    fn publish(&self, to: Audience, message: BusMessage);

    /// Returns the messages that arrive for `me` from this call on, over reconnections too. At most 4,096 messages
    /// wait; further ones are dropped and counted.
    async fn subscribe(&self, me: Incarnation) -> mpsc::Receiver<BusMessage>;

    /// Returns whether messages go through at present, as far as is known. While they do not, the caller reconciles
    /// sooner.
    fn is_up(&self) -> bool;
}
