//! The messages about a bot's intake. Layer `actors`.

use ractor::RpcReplyPort;

use crate::actors::bot::ticket::Ticket;
use crate::actors::node::committer::CommitResult;
use crate::domain::operator_order::OrderStep;
use crate::domain::roster::{DeliveryChoice, DeliveryMode};
use crate::ports::telegram::{Me, ReceivedUpdate, TelegramError, WebhookStatus};

/// The messages about intake; an answer under a ticket that is not the intake's is stale.
pub enum IntakeMsg {
    /// Ask Telegram who the token belongs to.
    Identify,
    /// The answer to `Identify`.
    Identified(Result<Me, TelegramError>),
    /// Poll for updates.
    Poll(Ticket),
    /// A poll ended.
    Polled(Ticket, Result<Vec<ReceivedUpdate>, TelegramError>),
    /// A poll's connection is closed.
    PollClosed,
    /// Rows and offset were committed, or not.
    Ingested(Ticket, i64, CommitResult),
    /// A person wants this delivery mode, by that order; the reply follows once the change is durable, and with it the end
    /// of the order. Where the mode is in force already, the order is left to its owner.
    SetDelivery(DeliveryMode, Option<OrderStep>, DeliveryReply),
    /// A change of the delivery mode was committed, or not.
    DeliveryChanged(DeliveryChoice, CommitResult, Option<DeliveryReply>),
    /// Tell Telegram where to deliver updates.
    SetWebhook(Ticket),
    /// The answer to `SetWebhook`.
    WebhookSet(Ticket, Result<(), TelegramError>),
    /// Tell Telegram to deliver no more updates.
    DeleteWebhook(Ticket),
    /// The answer to `DeleteWebhook`.
    WebhookDeleted(Ticket, Result<(), TelegramError>),
    /// Ask Telegram for the state of the webhook.
    LookAtWebhook(Ticket),
    /// The answer to `LookAtWebhook`.
    WebhookSeen(Ticket, Result<WebhookStatus, TelegramError>),
}

/// The channel that reports how a change of the delivery mode ended.
pub type DeliveryReply = RpcReplyPort<Result<(), DeliveryError>>;

/// The reason why the delivery mode was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// No address is set.
    #[error("webhooks are off: set webhooks.public_url")]
    WebhooksOff,
    /// Another change is under way, or the bot ends.
    #[error("the bot is busy with another change, or stops")]
    Busy,
    /// The change could not be stored.
    #[error("{0}")]
    Store(String),
}
