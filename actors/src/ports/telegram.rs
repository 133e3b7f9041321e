//! The port to Telegram's Bot API, one instance per bot. Layer `ports`. Keeps I1, I4, I12.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::domain::ids::{MessageId, TelegramChatId, TelegramUserId, ThreadId, UpdateId};
use crate::domain::incoming::{ChatKind, Incoming};
#[cfg(doc)]
use crate::domain::people::TOMBSTONE;
use crate::domain::time::Timestamp;

/// Who the token belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Me {
    /// Telegram's id of the bot.
    pub id: TelegramUserId,
    /// Its username without `@`.
    pub username: String,
    /// Its name.
    pub first_name: String,
    /// Whether privacy mode is off: it hears everything in groups.
    pub can_read_all_group_messages: bool,
}

/// An update as received and as read.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceivedUpdate {
    /// Its id.
    pub update_id: UpdateId,
    /// Telegram's JSON.
    pub raw: String,
    /// What it means.
    pub incoming: Incoming,
}

/// A chat as Telegram describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatDescription {
    /// Its kind.
    pub kind: ChatKind,
    /// Its title.
    pub title: String,
}

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendMessage {
    /// Where.
    pub chat: TelegramChatId,
    /// Forum topic; `None` for the General topic.
    pub thread: Option<ThreadId>,
    /// The message to reply to; the message is sent also when that one has vanished.
    pub reply_to: Option<MessageId>,
    /// Plain text of 1 to 4096 UTF-16 units.
    pub text: String,
}

/// What Telegram must show with every update that it brings. Never shown (I12).
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret(String);

impl WebhookSecret {
    /// A secret of 1 to 256 of `A-Za-z0-9_-` (Bot API, setWebhook).
    pub fn new(secret: String) -> Self {
        Self(secret)
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebhookSecret")
    }
}

/// Where Telegram brings updates to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookTarget {
    /// The address.
    pub url: String,
    /// Comes along with each update.
    pub secret: WebhookSecret,
    /// Most connections at a time, 1 to 100.
    pub max_connections: u8,
}

/// What Telegram says of a webhook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookStatus {
    /// The address; `None` when no webhook is set.
    pub url: Option<String>,
    /// Updates that wait.
    pub pending: u64,
    /// Why the last delivery that failed did.
    pub last_error: Option<String>,
}

/// Why a call failed. Texts never hold the token (I12).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TelegramError {
    /// 429: nothing was done; wait that long.
    #[error("too many requests, retry after {} s", retry_after.as_secs())]
    RateLimited {
        /// How long.
        retry_after: Duration,
    },
    /// Nothing was done: no connection, refused, TLS failed, or the breaker is open.
    #[error("telegram unreachable: {0}")]
    Unreachable(String),
    /// The request was written and no answer tells what became of it: timeout, reset, 5xx, no JSON.
    #[error("outcome unknown: {0}")]
    Unknown(String),
    /// 401 or 404 for the token itself: revoked.
    #[error("token refused: {0}")]
    Unauthorized(String),
    /// 409: another poller, or a webhook is set.
    #[error("conflict: {0}")]
    Conflict(String),
    /// The group became this supergroup.
    #[error("chat migrated to {0}")]
    Migrated(TelegramChatId),
    /// The bot cannot write there, whatever it says: it is silent there until it can again.
    #[error("cannot write there ({}): {description}", place.as_str())]
    CannotWrite {
        /// Where, and in what way.
        place: Shut,
        /// Telegram's words.
        description: String,
    },
    /// Any other definite refusal.
    #[error("rejected ({code}): {description}")]
    Rejected {
        /// Telegram's error code.
        code: u16,
        /// Telegram's words.
        description: String,
    },
}

/// How a place is shut to a bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shut {
    /// The bot is not in the chat: kicked, blocked, never added.
    Outside,
    /// The bot is in the chat and may not write: restricted, or the chat is closed to its kind.
    Muted,
    /// Telegram does not know the chat, or it was deleted.
    Gone,
    /// The forum topic is closed or deleted; the rest of the chat is not.
    Topic,
}

impl Shut {
    /// The word in records and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Outside => "outside",
            Self::Muted => "muted",
            Self::Gone => "gone",
            Self::Topic => "topic",
        }
    }
}

impl TelegramError {
    /// Whether the same call may succeed later, and certainly did nothing now.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Unreachable(_))
    }

    /// The label in metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::RateLimited { .. } => "rate_limited",
            Self::Unreachable(_) => "unreachable",
            Self::Unknown(_) => "unknown",
            Self::Unauthorized(_) => "unauthorized",
            Self::Conflict(_) => "conflict",
            Self::Migrated(_) => "migrated",
            Self::CannotWrite { .. } => "cannot_write",
            Self::Rejected { .. } => "rejected",
        }
    }
}

/// The Bot API as one bot uses it. Every method makes exactly one attempt: retries belong to the caller.
#[async_trait]
pub trait BotApi: Send + Sync + 'static {
    /// Who am I.
    async fn get_me(&self) -> Result<Me, TelegramError>;

    /// Waits up to `timeout` for updates. `offset` confirms everything below it at once, so it must only be given
    /// once those updates are committed (I1). Updates come in Telegram's order.
    ///
    /// # Cancel safety
    /// Dropping the future closes the poll; nothing beyond `offset` is confirmed.
    async fn get_updates(&self, offset: Option<i64>, timeout: Duration) -> Result<Vec<ReceivedUpdate>, TelegramError>;

    /// Sends a message. An intent must be committed before (I4).
    async fn send_message(&self, message: &SendMessage) -> Result<MessageId, TelegramError>;

    /// Shows "typing" for five seconds.
    async fn send_typing(&self, chat: TelegramChatId, thread: Option<ThreadId>) -> Result<(), TelegramError>;

    /// Sets the bot's one reaction to a message.
    async fn set_reaction(&self, chat: TelegramChatId, message: MessageId, emoji: &str) -> Result<(), TelegramError>;

    /// The people who administer a chat, its owner among them. Every member is told; of single members Telegram tells
    /// but administrators for sure.
    ///
    /// # Source
    /// Bot API, getChatAdministrators and getChatMember.
    async fn administrators(&self, chat: TelegramChatId) -> Result<Vec<TelegramUserId>, TelegramError>;

    /// Leaves a chat. A chat that the bot is not in is left already.
    async fn leave_chat(&self, chat: TelegramChatId) -> Result<(), TelegramError>;

    /// Lets Telegram bring updates to `target` from now on; polls end. Setting the same again changes nothing.
    async fn set_webhook(&self, target: &WebhookTarget) -> Result<(), TelegramError>;

    /// Ends webhooks; updates that wait are kept for polls. Doing it again changes nothing.
    async fn delete_webhook(&self) -> Result<(), TelegramError>;

    /// How the webhook does.
    async fn webhook_status(&self) -> Result<WebhookStatus, TelegramError>;

    /// Whether a send has a chance now: false while Telegram is believed to be out of reach, until that is tried again.
    fn sends_go(&self) -> bool;

    /// What Telegram must show with every update that it brings, made of the token in use; `None` leaves it as it is.
    fn webhook_secret(&self) -> Option<WebhookSecret>;

    /// Looks again where the token comes from; whether it is another one now.
    fn renew_token(&self) -> bool;

    /// What Telegram says of a chat.
    ///
    /// # Errors
    /// `Migrated` when it became a supergroup, `CannotWrite` when Telegram does not let the bot see it.
    async fn get_chat(&self, chat: TelegramChatId) -> Result<ChatDescription, TelegramError>;
}

/// Reads stored updates again, after a restart.
pub trait UpdateDecoder: Send + Sync + 'static {
    /// What the raw JSON of an update means; never fails (see `Event::Undecodable`).
    fn decode(&self, raw: &str) -> Incoming;

    /// The update without the words and names of people of whom `gone` is true at the time of their words; `None` when it
    /// holds none. Their own messages become [`TOMBSTONE`], except commands, of which the command's word remains;
    /// everybody's messages lose what they quote of them. Words that tell no date are as old as can be.
    fn without(&self, raw: &str, gone: &dyn Fn(TelegramUserId, Timestamp) -> bool) -> Option<String>;
}
