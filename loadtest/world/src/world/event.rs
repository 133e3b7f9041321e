//! Defines the events that people see in the chats, and the messages that people post. Layer: world; plain data.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The author of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// The author's Telegram id.
    pub id: i64,
    /// The name that others see.
    pub name: String,
    /// True when the author is a bot.
    pub is_bot: bool,
    /// The author's username, without `@`.
    pub username: Option<String>,
}

/// A message that a person posts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Post {
    /// The text, 1-4096 UTF-16 units.
    pub text: String,
    /// The message that this one replies to.
    pub reply_to: Option<i64>,
    /// The topic in a forum; without a topic the message goes to General.
    pub thread: Option<i64>,
    /// True when an administrator posts in the group's name.
    pub anonymous: bool,
    /// The message's date, in seconds from now; negative for a message that waited for hours.
    pub dated_s: i64,
    /// Fields of the Bot API's message, which replace those that the world writes. With a medium among them, the text
    /// becomes the caption. A message with such fields needs no text.
    pub extra: Map<String, Value>,
    /// The names of fields to leave out of the message.
    pub without: Vec<String>,
    /// True when the message arrives with `message_id` 0, as ephemeral and auto-scheduled messages do.
    pub unnumbered: bool,
    /// The bots that may see the message; by default all that Telegram's rules allow.
    pub only: Option<Vec<i64>>,
}

impl Post {
    /// Makes a plain message.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// Makes the message a reply.
    #[must_use]
    pub fn reply_to(mut self, message_id: i64) -> Self {
        self.reply_to = Some(message_id);
        self
    }

    /// Dates the message `seconds` after now; a negative number dates it before now.
    #[must_use]
    pub fn dated(mut self, seconds: i64) -> Self {
        self.dated_s = seconds;
        self
    }

    /// Adds one more field of the Bot API's message.
    #[must_use]
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.extra.insert(field.to_owned(), value);
        self
    }

    /// Puts the message into a topic.
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
    /// The message's id in the chat.
    pub message_id: i64,
    /// The author.
    pub author: Author,
    /// The text, the caption of a photo, or the name of a service message's first field.
    pub text: String,
    /// The message that this one replies to.
    pub reply_to: Option<i64>,
    /// The topic that the message is in.
    pub thread: Option<i64>,
    /// The date, in milliseconds since 1970.
    pub at_ms: i64,
}

/// A change in a member's standing.
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
    /// Became an ordinary member again, or a restricted one.
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
