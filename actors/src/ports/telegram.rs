//! The port to Telegram's Bot API, one instance per bot. Layer `ports`. Keeps I1, I4, I12.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::domain::ids::{MessageId, TelegramChatId, TelegramUserId, ThreadId, UpdateId};
use crate::domain::incoming::{ChatKind, Entity, Incoming};
use crate::domain::names::names;
#[cfg(doc)]
use crate::domain::people::TOMBSTONE;
use crate::domain::time::Timestamp;

/// The bot that a token belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Me {
    /// Telegram's id of the bot.
    pub id: TelegramUserId,
    /// Username of the bot, without `@`.
    pub username: String,
    /// Name of the bot.
    pub first_name: String,
    /// Set when privacy mode is off: the bot hears everything in groups.
    pub can_read_all_group_messages: bool,
}

/// An update as received and as decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceivedUpdate {
    /// The update's id.
    pub update_id: UpdateId,
    /// The update's JSON as Telegram sent it.
    pub raw: String,
    /// The decoded content.
    pub incoming: Incoming,
}

/// A chat as Telegram describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatDescription {
    /// The chat's kind.
    pub kind: ChatKind,
    /// The chat's title.
    pub title: String,
}

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendMessage {
    /// The chat to send to.
    pub chat: TelegramChatId,
    /// Forum topic; `None` for the General topic.
    pub thread: Option<ThreadId>,
    /// The message to reply to; the message is sent even if that one has vanished.
    pub reply_to: Option<MessageId>,
    /// Text without marks, of 1 to 4096 UTF-16 units.
    pub text: String,
    /// Parts of the text that are bold, italic and the like, in UTF-16 units.
    pub marks: Vec<Entity>,
}

/// The secret that Telegram sends along with every webhook update. Never shown (I12).
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret(String);

impl WebhookSecret {
    /// Wraps a secret of 1 to 256 characters of `A-Za-z0-9_-` (Bot API, setWebhook).
    pub fn new(secret: String) -> Self {
        Self(secret)
    }

    /// Returns the secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebhookSecret")
    }
}

/// Where Telegram delivers updates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookTarget {
    /// The URL that Telegram calls.
    pub url: String,
    /// The secret that comes along with each update.
    pub secret: WebhookSecret,
    /// Largest number of connections at a time, 1 to 100.
    pub max_connections: u8,
}

/// State of a webhook as Telegram reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookStatus {
    /// The URL that Telegram calls; `None` when no webhook is set.
    pub url: Option<String>,
    /// Number of updates that wait for delivery.
    pub pending: u64,
    /// Why the last failed delivery failed.
    pub last_error: Option<String>,
}

/// Why a call failed. The texts never hold the token (I12).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TelegramError {
    /// 429: nothing was done; wait that long.
    #[error("too many requests, retry after {} s", retry_after.as_secs())]
    RateLimited {
        /// Length of the wait.
        retry_after: Duration,
    },
    /// Nothing was done: no connection, refused, TLS failed, or the breaker is open.
    #[error("telegram unreachable: {0}")]
    Unreachable(String),
    /// The request was written and no answer tells its effect: timeout, reset, 5xx, no JSON.
    #[error("outcome unknown: {0}")]
    Unknown(String),
    /// 401 or 404 for the token itself: revoked.
    #[error("token refused: {0}")]
    Unauthorized(String),
    /// 409 because of a webhook: the bot cannot poll before the webhook is gone.
    #[error("conflict: {0}")]
    WebhookSet(String),
    /// 409: another poller.
    #[error("conflict: {0}")]
    Conflict(String),
    /// The group became this supergroup.
    #[error("chat migrated to {0}")]
    Migrated(TelegramChatId),
    /// The bot cannot write there, whatever the text: it is silent there until it can write again.
    #[error("cannot write there ({}): {description}", place.as_str())]
    CannotWrite {
        /// The kind of closure.
        place: Shut,
        /// Telegram's description.
        description: String,
    },
    /// Any other definite refusal.
    #[error("rejected ({code}): {description}")]
    Rejected {
        /// Telegram's error code.
        code: u16,
        /// Telegram's description.
        description: String,
    },
}

/// How a place is closed to a bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shut {
    /// The bot is not in the chat: kicked, blocked, never added.
    Outside,
    /// The bot is in the chat and may not write: restricted, or the chat is closed to members of its kind.
    Muted,
    /// Telegram does not know the chat, or it was deleted.
    Gone,
    /// The forum topic is closed or deleted; the rest of the chat is not.
    Topic,
}

names! { Shut { Outside = "outside", Muted = "muted", Gone = "gone", Topic = "topic" } }

impl TelegramError {
    /// Returns whether the call certainly did nothing and the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Unreachable(_))
    }

    /// Returns the label for metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::RateLimited { .. } => "rate_limited",
            Self::Unreachable(_) => "unreachable",
            Self::Unknown(_) => "unknown",
            Self::Unauthorized(_) => "unauthorized",
            Self::WebhookSet(_) | Self::Conflict(_) => "conflict",
            Self::Migrated(_) => "migrated",
            Self::CannotWrite { .. } => "cannot_write",
            Self::Rejected { .. } => "rejected",
        }
    }
}

/// The Bot API as one bot uses it. Every method makes exactly one attempt: retries belong to the caller.
#[async_trait]
pub trait BotApi: Send + Sync + 'static {
    /// Returns the bot that the token belongs to.
    async fn get_me(&self) -> Result<Me, TelegramError>;

    /// Waits up to `timeout` for updates. `offset` confirms everything below it at once, so pass it only when those
    /// updates are committed (I1). Updates come in Telegram's order.
    ///
    /// # Cancel safety
    /// Dropping the future closes the poll; nothing beyond `offset` is confirmed.
    async fn get_updates(&self, offset: Option<i64>, timeout: Duration) -> Result<Vec<ReceivedUpdate>, TelegramError>;

    /// Sends a message. The intent to send must be committed first (I4).
    async fn send_message(&self, message: &SendMessage) -> Result<MessageId, TelegramError>;

    /// Shows "typing" for five seconds.
    async fn send_typing(&self, chat: TelegramChatId, thread: Option<ThreadId>) -> Result<(), TelegramError>;

    /// Sets the bot's one reaction to a message.
    async fn set_reaction(&self, chat: TelegramChatId, message: MessageId, emoji: &str) -> Result<(), TelegramError>;

    /// Deletes a message of the bot. To delete it again changes nothing: Telegram answers `Rejected`, since there is no such
    /// message.
    ///
    /// # Source
    /// Bot API, deleteMessage: own messages in groups, within 48 hours; with the right to delete messages, any.
    async fn delete_message(&self, chat: TelegramChatId, message: MessageId) -> Result<(), TelegramError>;

    /// Returns the people who administer a chat, including its owner. Telegram gives this list to any member of the
    /// chat; getChatMember is sure to work only for a bot that is an administrator.
    ///
    /// # Source
    /// Bot API, getChatAdministrators and getChatMember.
    async fn administrators(&self, chat: TelegramChatId) -> Result<Vec<TelegramUserId>, TelegramError>;

    /// Leaves a chat. Succeeds if the bot is not in the chat.
    async fn leave_chat(&self, chat: TelegramChatId) -> Result<(), TelegramError>;

    /// Makes Telegram deliver updates to `target` from then on; polls end. Setting the same target again changes
    /// nothing.
    async fn set_webhook(&self, target: &WebhookTarget) -> Result<(), TelegramError>;

    /// Ends delivery by webhook; waiting updates are kept for polls. Repeating the call changes nothing.
    async fn delete_webhook(&self) -> Result<(), TelegramError>;

    /// Returns the state of the webhook.
    async fn webhook_status(&self) -> Result<WebhookStatus, TelegramError>;

    /// Returns whether a send has a chance at present: false while Telegram is believed unreachable, until the next
    /// trial is due.
    fn sends_go(&self) -> bool;

    /// Returns the secret that Telegram must send with every update, derived from the token in use; `None` leaves the
    /// one in use unchanged.
    fn webhook_secret(&self) -> Option<WebhookSecret>;

    /// Reads the token again from its source. Returns whether the token changed.
    fn renew_token(&self) -> bool;

    /// Returns Telegram's description of a chat.
    ///
    /// # Errors
    /// `Migrated` when the chat became a supergroup, `CannotWrite` when Telegram does not let the bot see the chat.
    async fn get_chat(&self, chat: TelegramChatId) -> Result<ChatDescription, TelegramError>;
}

/// Decodes stored updates again, after a restart.
pub trait UpdateDecoder: Send + Sync + 'static {
    /// Returns the content of an update's raw JSON; never fails (see `Event::Undecodable`).
    fn decode(&self, raw: &str) -> Incoming;

    /// Returns the update without the words and names of people for whom `gone` is true at the time of their words;
    /// `None` when it holds none. Their own messages become [`TOMBSTONE`], except commands, which keep the command's
    /// word. Messages of others lose their quotations of these people. Words without a date count as infinitely old.
    fn without(&self, raw: &str, gone: &dyn Fn(TelegramUserId, Timestamp) -> bool) -> Option<String>;
}
