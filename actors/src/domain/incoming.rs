//! Updates from Telegram as the fleet understands them. Layer `domain`. The Telegram adapter makes these from raw JSON.

use serde::{Deserialize, Serialize};

use super::ids::{MessageId, TelegramChatId, TelegramUserId, ThreadId};
use super::text::utf16_slice;
use super::time::Timestamp;

/// A decoded update.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incoming {
    /// The chat of the update; `None` for updates without one.
    pub chat: Option<TelegramChatId>,
    /// Kind of the chat.
    pub chat_kind: ChatKind,
    /// The event that the update tells of.
    pub event: Event,
}

impl Incoming {
    /// Returns the date of the event by Telegram; `None` for events that tell no date.
    pub fn date(&self) -> Option<Timestamp> {
        match &self.event {
            Event::Message(message) | Event::Edited(message) => Some(message.date),
            Event::Reaction { date, .. } => Some(*date),
            _ => None,
        }
    }
}

/// Telegram's kinds of chats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatKind {
    /// One person and the bot.
    Private,
    /// A basic group, which numbers messages per bot: refused.
    Group,
    /// A supergroup, whose members share message ids.
    Supergroup,
    /// A channel.
    Channel,
    /// The update names no chat.
    None,
}

/// An event that an update tells of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// A message was posted.
    Message(Message),
    /// A message was edited; `revision` tells the edits apart.
    Edited(Message),
    /// One author's reactions to one message changed.
    Reaction {
        /// The message reacted to.
        message_id: MessageId,
        /// Author of the reactions.
        author: Author,
        /// The emoji that are set from then on; none when the reactions were taken back.
        emoji: Vec<String>,
        /// Date of the change.
        date: Timestamp,
    },
    /// The receiving bot's own membership changed.
    Membership {
        /// The bot can post in the chat.
        can_post: bool,
        /// The bot is an administrator of the chat.
        is_admin: bool,
    },
    /// The group became this supergroup.
    MigratedTo {
        /// The supergroup.
        to: TelegramChatId,
    },
    /// The supergroup was this group before.
    MigratedFrom {
        /// The group.
        from: TelegramChatId,
    },
    /// An update of a kind that the fleet does not use.
    Other {
        /// Telegram's name of the kind.
        name: String,
    },
    /// JSON that is no update as the Bot API documents it.
    Undecodable {
        /// Reason why the JSON cannot be read.
        reason: String,
    },
}

/// A message or an edit of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Telegram's id of the message.
    pub message_id: MessageId,
    /// Date of the post, or of the edit.
    pub date: Timestamp,
    /// 0 for a post, the date of the edit in seconds otherwise.
    pub revision: i64,
    /// Forum topic, `None` for the General topic and plain chats.
    pub thread: Option<ThreadId>,
    /// The message that this one replies to.
    pub reply_to: Option<MessageId>,
    /// Telegram's excerpt of the message that this one replies to.
    #[serde(default)]
    pub quoted: Option<Quoted>,
    /// Author of the message.
    pub author: Author,
    /// Text or caption; `None` for service messages and media without caption.
    pub text: Option<String>,
    /// Entities of the text.
    pub entities: Vec<Entity>,
    /// Media besides the text.
    pub media: Option<Media>,
    /// The message is a service message (someone joined, the title changed).
    pub service: bool,
}

/// A message of this chat or another one, as a reply to it shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quoted {
    /// Telegram's id of the author, where Telegram tells it.
    pub author: Option<TelegramUserId>,
    /// Name of the author as people see it.
    #[serde(default)]
    pub name: Option<String>,
    /// Text, caption, or question and options of a poll.
    pub text: Option<String>,
    /// Kind of the media, by Telegram's name.
    #[serde(default)]
    pub media: Option<String>,
    /// The part of the text that the author of the reply chose to quote.
    #[serde(default)]
    pub part: Option<String>,
}

/// Author of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// Telegram's id of the user, or of the chat for anonymous admins and channels.
    pub id: TelegramUserId,
    /// Name as people see it.
    pub name: String,
    /// Username without `@`.
    pub username: Option<String>,
    /// Kind of the author.
    pub kind: AuthorKind,
}

impl Author {
    /// Returns the author of an entry whose real author was removed.
    pub fn nobody() -> Self {
        Self { id: TelegramUserId(0), name: String::new(), username: None, kind: AuthorKind::Person }
    }
}

/// Kind of an author.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum AuthorKind {
    /// A person.
    Person,
    /// A bot, of the fleet or another.
    Bot,
    /// A bot that is no member: somebody called it for one message.
    Guest,
    /// An anonymous administrator: a person.
    Anonymous,
    /// A channel: anybody who may post as it.
    Channel,
    /// The channel that the chat belongs to, by an automatic forward: the owners of the channel.
    LinkedChannel,
}

impl AuthorKind {
    /// Returns whether people stand behind authors of this kind.
    pub fn is_person(self) -> bool {
        !matches!(self, Self::Bot | Self::Guest)
    }
}

/// A marked part of a text; offset and length in UTF-16 units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entity {
    /// Kind of the marked part.
    pub kind: EntityKind,
    /// First unit.
    pub offset: usize,
    /// Number of units.
    pub length: usize,
}

/// Kind of a marked part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntityKind {
    /// `@username`.
    Mention,
    /// A user without username, by id.
    TextMention(TelegramUserId),
    /// `/command` or `/command@bot`.
    BotCommand,
    /// Anything else, by Telegram's name.
    Other(String),
}

impl Entity {
    /// Creates an entity of length 0: the message turns to `user` by a reply to what the transcript does not hold.
    pub fn turned_to(user: TelegramUserId) -> Self {
        Self { kind: EntityKind::TextMention(user), offset: 0, length: 0 }
    }

    /// Returns whether the entity is such a marker for `user`, as [`Self::turned_to`] creates.
    pub fn is_turned_to(&self, user: TelegramUserId) -> bool {
        self.length == 0 && self.kind == EntityKind::TextMention(user)
    }

    /// Returns whether the entity marks code; names and commands in code call nobody.
    pub fn is_code(&self) -> bool {
        matches!(&self.kind, EntityKind::Other(kind) if kind == "code" || kind == "pre")
    }
}

/// Returns the command with which a text begins, with its `/` and the bot that the command names. Telegram's entity
/// tells where the command ends; without an entity at the beginning, Telegram's rule does.
///
/// # Source
/// Bot API, Commands; tdlib `find_bot_commands`: letters, digits and underscores, then perhaps `@` and a username, and
/// then no letter and none of `/<>`.
pub fn command_word<'t>(text: &'t str, entities: &[Entity]) -> Option<&'t str> {
    let mut marked = entities.iter().filter(|entity| entity.offset == 0 && entity.length > 0).peekable();
    if marked.peek().is_none() {
        return unmarked_command(text);
    }
    let command = marked.find(|entity| entity.kind == EntityKind::BotCommand)?;
    // An entity that covers more than a command, or ends outside the text, is ignored.
    let whole = |word: &&str| unmarked_command(word) == Some(*word);
    utf16_slice(text, 0, command.length).filter(whole).or_else(|| unmarked_command(text))
}

fn unmarked_command(text: &str) -> Option<&str> {
    let of_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = text.strip_prefix('/')?;
    let rest = name.trim_start_matches(of_word);
    let username = rest.strip_prefix('@').unwrap_or_default();
    let after = username.trim_start_matches(of_word);
    // An `@` without a username behind it is not part of the command.
    let rest = if after.len() < username.len() { after } else { rest };
    let ends = rest.chars().next().is_none_or(|next| !(next.is_alphanumeric() || "_/<>".contains(next)));
    (ends && !name.starts_with(|c| !of_word(c)) && !name.is_empty()).then(|| &text[..text.len() - rest.len()])
}

/// Media that a message carries besides text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// photo, voice, sticker, ...
    pub kind: String,
    /// Telegram's id of the file, or the emoji of a sticker.
    pub reference: Option<String>,
    /// Telegram's id of the album that the media belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub album: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(kind: EntityKind, length: usize) -> [Entity; 1] {
        [Entity { kind, offset: 0, length }]
    }

    #[test]
    fn a_command_ends_where_its_entity_does() {
        let command = |text, length| command_word(text, &marked(EntityKind::BotCommand, length));
        assert_eq!(command("/optout.", 7), Some("/optout"));
        assert_eq!(command("/stop@ada_bot, now", 13), Some("/stop@ada_bot"));
        assert_eq!(command("/stop", 9), Some("/stop"));
        assert_eq!(command("/quiet 1h", 9), Some("/quiet"));
        assert_eq!(command_word("/stop", &marked(EntityKind::Other("code".to_owned()), 5)), None, "shown, not given");
    }

    #[test]
    fn without_an_entity_telegrams_rule_says_where_a_command_ends() {
        let command = |text| command_word(text, &[]);
        assert_eq!(command("/stop!"), Some("/stop"));
        assert_eq!(command("/forgetme, please"), Some("/forgetme"));
        assert_eq!(command("/stop@ada_bot,"), Some("/stop@ada_bot"));
        assert_eq!(command("/stop@, you"), Some("/stop"));
        for none in ["/stop/now", "/stopş", "//stop", "/", "stop", " /stop", "/stop>", "/@ada_bot"] {
            assert_eq!(command(none), None, "{none}");
        }
    }
}
