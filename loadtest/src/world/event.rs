//! What a person who looks at the chats sees, and what a person may post. Layer: world; plain data.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The one who wrote a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// Their Telegram id.
    pub id: i64,
    /// The name that others see.
    pub name: String,
    /// Whether they are a bot.
    pub is_bot: bool,
    /// Their username, without `@`.
    pub username: Option<String>,
}

/// A message that a person posts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Post {
    /// The text, 1-4096 UTF-16 units.
    pub text: String,
    /// The message that it replies to.
    pub reply_to: Option<i64>,
    /// The topic, in a forum; without it the message goes to General.
    pub thread: Option<i64>,
    /// Whether an administrator posts in the group's name.
    pub anonymous: bool,
    /// How much later than now it is dated, in seconds; what waited for hours is dated earlier.
    pub dated_s: i64,
    /// Fields of the Bot API's message over those that the world writes. With a medium among them the text is its caption,
    /// and a message of these fields alone needs no text.
    pub extra: Map<String, Value>,
    /// Fields that are left out.
    pub without: Vec<String>,
    /// Whether it has no number: it arrives with `message_id` 0, as ephemeral and auto-scheduled messages do.
    pub unnumbered: bool,
    /// The bots that may see it; without them those that Telegram's rules let see it.
    pub only: Option<Vec<i64>>,
}

impl Post {
    /// A plain message.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// The same message as a reply.
    #[must_use]
    pub fn reply_to(mut self, message_id: i64) -> Self {
        self.reply_to = Some(message_id);
        self
    }

    /// The same message, dated so many seconds later than now, or earlier.
    #[must_use]
    pub fn dated(mut self, seconds: i64) -> Self {
        self.dated_s = seconds;
        self
    }

    /// The same message with one more field of the Bot API's message.
    #[must_use]
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.extra.insert(field.to_owned(), value);
        self
    }

    /// The same message in a topic.
    #[must_use]
    pub fn in_thread(mut self, thread: i64) -> Self {
        self.thread = Some(thread);
        self
    }
}

/// A message as a person sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMessage {
    /// The chat.
    pub chat: i64,
    /// Its id in the chat.
    pub message_id: i64,
    /// Who wrote it.
    pub author: Author,
    /// Its text; the caption of a photo; a description of a service message.
    pub text: String,
    /// The message that it replies to.
    pub reply_to: Option<i64>,
    /// The topic it stands in.
    pub thread: Option<i64>,
    /// Milliseconds since 1970.
    pub at_ms: i64,
}

/// What changed in a member's standing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberChange {
    /// Entered the chat.
    Joined,
    /// Left the chat by themselves.
    Left,
    /// Was removed.
    Kicked,
    /// Became an administrator.
    Promoted,
    /// Is no longer an administrator.
    Demoted,
}

/// Something that a person looking at the chats sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the fields repeat those of ChatMessage")]
pub enum WorldEvent {
    /// A new message.
    Message {
        chat: i64,
        message_id: i64,
        author: Author,
        text: String,
        reply_to: Option<i64>,
        thread: Option<i64>,
        at_ms: i64,
    },
    /// A message has a new text.
    Edited { chat: i64, message_id: i64, author: Author, text: String, at_ms: i64 },
    /// A message vanished.
    Deleted { chat: i64, message_id: i64 },
    /// A reaction was set, or taken back (no emoji).
    Reaction { chat: i64, message_id: i64, author: Author, emoji: Option<String> },
    /// A bot shows that it types, or another chat action.
    Typing { chat: i64, bot: i64, action: String },
    /// A member's standing changed.
    Member { chat: i64, member: Author, change: MemberChange },
}
