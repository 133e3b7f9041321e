//! What an update from Telegram means to the fleet. Layer `domain`. The Telegram adapter makes these from raw JSON.

use serde::{Deserialize, Serialize};

use super::ids::{MessageId, TelegramChatId, TelegramUserId, ThreadId};
use super::text::utf16_slice;
use super::time::Timestamp;

/// An update, read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incoming {
    /// The chat it happened in; `None` for updates without one.
    pub chat: Option<TelegramChatId>,
    /// What kind of chat that is.
    pub chat_kind: ChatKind,
    /// What happened.
    pub event: Event,
}

impl Incoming {
    /// When it happened, by Telegram; `None` for what tells no date.
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

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// A message was posted.
    Message(Message),
    /// A message was edited; `revision` tells the edits apart.
    Edited(Message),
    /// The reactions of one author to one message are now these.
    Reaction {
        /// The message reacted to.
        message_id: MessageId,
        /// Who reacted.
        author: Author,
        /// The emoji now set, none when taken back.
        emoji: Vec<String>,
        /// When.
        date: Timestamp,
    },
    /// The receiving bot's own membership changed.
    Membership {
        /// Whether it can post there now.
        can_post: bool,
        /// Whether it is an administrator now.
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
        /// What was wrong with it.
        reason: String,
    },
}

/// A message or an edit of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Telegram's id of it.
    pub message_id: MessageId,
    /// When it was posted, or edited.
    pub date: Timestamp,
    /// 0 for a post, the date of the edit in seconds otherwise.
    pub revision: i64,
    /// Forum topic, `None` for the General topic and plain chats.
    pub thread: Option<ThreadId>,
    /// The message that it replies to.
    pub reply_to: Option<MessageId>,
    /// What Telegram shows of the message that it replies to.
    #[serde(default)]
    pub quoted: Option<Quoted>,
    /// Who wrote it.
    pub author: Author,
    /// Text or caption; `None` for service messages and media without caption.
    pub text: Option<String>,
    /// Entities of the text.
    pub entities: Vec<Entity>,
    /// What else it carries.
    pub media: Option<Media>,
    /// A service message (someone joined, the title changed).
    pub service: bool,
}

/// A message as a reply to it shows it, of this chat or another one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quoted {
    /// Telegram's id of its author, where Telegram tells.
    pub author: Option<TelegramUserId>,
    /// Its author's name as people see it.
    #[serde(default)]
    pub name: Option<String>,
    /// Its words: text, caption, or question and options of a poll.
    pub text: Option<String>,
    /// What else it carries, by Telegram's name.
    #[serde(default)]
    pub media: Option<String>,
    /// The part of its words that the reply is about, as its author chose it.
    #[serde(default)]
    pub part: Option<String>,
}

/// Who wrote a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// Telegram's id of the user, or of the chat for anonymous admins and channels.
    pub id: TelegramUserId,
    /// Name as people see it.
    pub name: String,
    /// Username without `@`.
    pub username: Option<String>,
    /// What it is.
    pub kind: AuthorKind,
}

/// What an author is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthorKind {
    /// A person.
    Person,
    /// A bot, of the fleet or another.
    Bot,
    /// A bot that is no member: somebody called it for one message.
    Guest,
    /// An anonymous administrator: a person.
    Anonymous,
    /// A channel: whoever may post as it.
    Channel,
    /// The channel that the chat belongs to, by an automatic forward: its owners.
    LinkedChannel,
}

impl AuthorKind {
    /// Whether people stand behind it.
    pub fn is_person(self) -> bool {
        !matches!(self, Self::Bot | Self::Guest)
    }
}

/// A marked part of a text; offset and length in UTF-16 units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entity {
    /// What it marks.
    pub kind: EntityKind,
    /// First unit.
    pub offset: usize,
    /// Number of units.
    pub length: usize,
}

/// What an entity marks.
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
    /// That a message turns to a user by a reply to what the transcript does not hold. It marks nothing.
    pub fn turned_to(user: TelegramUserId) -> Self {
        Self { kind: EntityKind::TextMention(user), offset: 0, length: 0 }
    }

    /// Whether it says that the message turns to that user by such a reply.
    pub fn is_turned_to(&self, user: TelegramUserId) -> bool {
        self.length == 0 && self.kind == EntityKind::TextMention(user)
    }

    /// Whether it marks what is shown as it was typed: names and commands in it call nobody.
    pub fn is_code(&self) -> bool {
        matches!(&self.kind, EntityKind::Other(kind) if kind == "code" || kind == "pre")
    }
}

/// The command with which a text begins, with its `/` and the bot that it names. Telegram's entity says where it ends; where
/// nothing is marked at the beginning, its rule does.
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
    // A mark that covers more than a command, or ends outside the text, is as good as none.
    let whole = |word: &&str| unmarked_command(word) == Some(*word);
    utf16_slice(text, 0, command.length).filter(whole).or_else(|| unmarked_command(text))
}

fn unmarked_command(text: &str) -> Option<&str> {
    let of_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = text.strip_prefix('/')?;
    let rest = name.trim_start_matches(of_word);
    let username = rest.strip_prefix('@').unwrap_or_default();
    let after = username.trim_start_matches(of_word);
    // An `@` that no username follows is none of the command's.
    let rest = if after.len() < username.len() { after } else { rest };
    let ends = rest.chars().next().is_none_or(|next| !(next.is_alphanumeric() || "_/<>".contains(next)));
    (ends && !name.starts_with(|c| !of_word(c)) && !name.is_empty()).then(|| &text[..text.len() - rest.len()])
}

/// What a message carries besides text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// photo, voice, sticker, ...
    pub kind: String,
    /// Telegram's id of the file, or the emoji of a sticker.
    pub reference: Option<String>,
    /// Telegram's id of the album that it belongs to.
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
