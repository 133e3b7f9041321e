//! Defines the world's refusals: to its builder, to the harness, and to bots. Layer: world.

use thiserror::Error;

/// The reason why a world cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SpecError {
    /// Two bots, people or chats have one id, or a person's id is not positive.
    #[error("id {0} is used twice or is not allowed")]
    DuplicateId(i64),
    /// Two members have one username.
    #[error("username {0} is used twice")]
    DuplicateUsername(String),
    /// A bot's id is not positive, or its token is malformed or does not begin with the id.
    #[error("the token of bot {0} must be its id, a colon and 35 or more characters")]
    Token(i64),
    /// A bot's username does not end in "bot".
    #[error("the username {0} must end in \"bot\"")]
    Username(String),
    /// A chat's id does not fit its kind.
    #[error("chat id {0} does not fit its kind: supergroups are -100..., basic groups other negative ids")]
    ChatId(i64),
    /// A chat names a member that does not exist.
    #[error("chat {chat} names {id}, which is no member of this world")]
    UnknownMember {
        /// The chat.
        chat: i64,
        /// The unknown member.
        id: i64,
    },
}

/// The reason why a person, or the harness, cannot do something.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WorldError {
    /// The chat does not exist.
    #[error("chat {0} does not exist")]
    UnknownChat(i64),
    /// The bot does not exist.
    #[error("bot {0} does not exist")]
    UnknownBot(i64),
    /// The person does not exist or is not in this chat.
    #[error("{member} is not a member of chat {chat}")]
    NotAMember {
        /// The chat.
        chat: i64,
        /// The person or bot that is not in the chat.
        member: i64,
    },
    /// Only an administrator may do this.
    #[error("{member} is not an administrator of chat {chat}")]
    NotAnAdmin {
        /// The chat.
        chat: i64,
        /// The person that is no administrator.
        member: i64,
    },
    /// The message does not exist, or belongs to another author.
    #[error("message {message_id} does not exist in chat {chat}")]
    UnknownMessage {
        /// The chat.
        chat: i64,
        /// The missing message.
        message_id: i64,
    },
    /// The topic does not exist.
    #[error("topic {thread} does not exist in chat {chat}")]
    UnknownThread {
        /// The chat.
        chat: i64,
        /// The missing topic.
        thread: i64,
    },
    /// The chat was upgraded to a supergroup.
    #[error("chat {from} was upgraded to supergroup {to}")]
    Migrated {
        /// The basic group.
        from: i64,
        /// The supergroup.
        to: i64,
    },
    /// Telegram does not accept the text.
    #[error("text is empty or longer than 4096 utf-16 units")]
    Text,
    /// An argument does not fit.
    #[error("{0}")]
    Invalid(String),
}

/// A refusal in the Bot API's words.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{code} {description}")]
pub struct ApiError {
    /// The `error_code`, which is also the HTTP status.
    pub code: u16,
    /// The `description`.
    pub description: String,
    /// `parameters.retry_after`, in seconds; also the header `Retry-After`.
    pub retry_after: Option<u64>,
    /// `parameters.migrate_to_chat_id`.
    pub migrate_to: Option<i64>,
}

impl ApiError {
    /// Refuses with a code and a full description.
    pub fn new(code: u16, description: impl Into<String>) -> Self {
        Self { code, description: description.into(), retry_after: None, migrate_to: None }
    }

    /// Refuses with 400; the description begins with "Bad Request: ".
    pub fn bad(what: impl std::fmt::Display) -> Self {
        Self::new(400, format!("Bad Request: {what}"))
    }

    /// Refuses with 403; the description begins with "Forbidden: ".
    pub fn forbidden(what: impl std::fmt::Display) -> Self {
        Self::new(403, format!("Forbidden: {what}"))
    }

    /// Refuses with 401, as for a token that was revoked or never existed.
    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized")
    }

    /// Refuses with 429 and a pause in seconds.
    pub fn too_many_requests(retry_after: u64) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(429, format!("Too Many Requests: retry after {retry_after}"))
        }
    }

    /// Refuses a call to a basic group that became a supergroup.
    pub fn migrated(to: i64) -> Self {
        Self { migrate_to: Some(to), ..Self::bad("group chat was upgraded to a supergroup chat") }
    }
}
