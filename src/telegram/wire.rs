//! The parts of an update's JSON that the fleet reads. Layer `adapters`.
//!
//! Narrow on purpose: whatever Telegram adds beside these fields, or as a new kind of entity, media or service
//! message, changes nothing here. Strings are borrowed from the JSON where it holds no escapes.
//!
//! # Source
//! Bot API 10.1: Update, Message, MessageReactionUpdated, ChatMemberUpdated.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// An update: its id, and the name and JSON of what it carries.
#[derive(Debug, Default)]
pub struct Update<'a> {
    /// `update_id`; without one the update can neither be kept nor confirmed.
    pub update_id: Option<i64>,
    /// The first field besides the id.
    pub payload: Option<(Cow<'a, str>, &'a RawValue)>,
}

impl<'de> Deserialize<'de> for Update<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Update<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an update")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut update = Update::default();
                while let Some(Name(name)) = map.next_key()? {
                    if name == "update_id" {
                        let id: &RawValue = map.next_value()?;
                        update.update_id = id.get().parse().ok();
                    } else if update.payload.is_none() {
                        update.payload = Some((name, map.next_value()?));
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(update)
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// Chat.
#[derive(Debug, Deserialize)]
pub struct Chat<'a> {
    /// Its id.
    pub id: i64,
    /// `private`, `group`, `supergroup` or `channel`.
    #[serde(borrow, rename = "type")]
    pub kind: Cow<'a, str>,
    /// Groups and channels have one.
    #[serde(borrow, default)]
    pub title: Option<Cow<'a, str>>,
    /// Without `@`.
    #[serde(borrow, default)]
    pub username: Option<Cow<'a, str>>,
    /// Of a private chat's person.
    #[serde(borrow, default)]
    pub first_name: Option<Cow<'a, str>>,
}

/// User.
#[derive(Debug, Deserialize)]
pub struct User<'a> {
    /// Its id.
    pub id: i64,
    /// Whether it is a bot, or one of Telegram's stand-ins for people.
    #[serde(default)]
    pub is_bot: bool,
    /// First name.
    #[serde(borrow)]
    pub first_name: Cow<'a, str>,
    /// Last name.
    #[serde(borrow, default)]
    pub last_name: Option<Cow<'a, str>>,
    /// Without `@`.
    #[serde(borrow, default)]
    pub username: Option<Cow<'a, str>>,
}

/// `MessageEntity`.
#[derive(Debug, Deserialize)]
pub struct Entity<'a> {
    /// Its kind.
    #[serde(borrow, rename = "type")]
    pub kind: Cow<'a, str>,
    /// First UTF-16 unit.
    pub offset: usize,
    /// Number of UTF-16 units.
    pub length: usize,
    /// Of a `text_mention`.
    #[serde(borrow, default)]
    pub user: Option<User<'a>>,
}

/// The message replied to.
#[derive(Debug, Deserialize)]
pub struct Reply {
    /// Its id.
    pub message_id: i64,
}

/// A file, a sticker or dice, as far as the fleet reads them.
#[derive(Debug, Default, Deserialize)]
pub struct Attachment<'a> {
    /// Id of the file.
    #[serde(borrow, default)]
    pub file_id: Option<Cow<'a, str>>,
    /// Emoji of a sticker or dice.
    #[serde(borrow, default)]
    pub emoji: Option<Cow<'a, str>>,
}

/// Message.
#[derive(Debug, Deserialize)]
pub struct Message<'a> {
    /// Its id in the chat.
    pub message_id: i64,
    /// Seconds since the Unix epoch.
    pub date: i64,
    /// Where.
    #[serde(borrow)]
    pub chat: Chat<'a>,
    /// Topic, or the root of a thread of comments.
    #[serde(default)]
    pub message_thread_id: Option<i64>,
    /// Whether the thread is a forum topic.
    #[serde(default)]
    pub is_topic_message: bool,
    /// Who sent it.
    #[serde(borrow, default)]
    pub from: Option<User<'a>>,
    /// In whose name it was sent.
    #[serde(borrow, default)]
    pub sender_chat: Option<Chat<'a>>,
    /// Whether it is a post of the linked channel.
    #[serde(default)]
    pub is_automatic_forward: bool,
    /// When it was edited.
    #[serde(default)]
    pub edit_date: Option<i64>,
    /// What it replies to, in the same chat.
    #[serde(default)]
    pub reply_to_message: Option<Reply>,
    /// Text.
    #[serde(borrow, default)]
    pub text: Option<Cow<'a, str>>,
    /// Entities of the text.
    #[serde(borrow, default)]
    pub entities: Vec<Entity<'a>>,
    /// Caption of media.
    #[serde(borrow, default)]
    pub caption: Option<Cow<'a, str>>,
    /// Entities of the caption.
    #[serde(borrow, default)]
    pub caption_entities: Vec<Entity<'a>>,
    /// The supergroup that the group became.
    #[serde(default)]
    pub migrate_to_chat_id: Option<i64>,
    /// Sizes of a photo, the largest last.
    #[serde(borrow, default)]
    pub photo: Option<Vec<Attachment<'a>>>,
    /// Sticker.
    #[serde(borrow, default)]
    pub sticker: Option<Attachment<'a>>,
    /// Voice message.
    #[serde(borrow, default)]
    pub voice: Option<Attachment<'a>>,
    /// Video.
    #[serde(borrow, default)]
    pub video: Option<Attachment<'a>>,
    /// Round video.
    #[serde(borrow, default)]
    pub video_note: Option<Attachment<'a>>,
    /// Audio.
    #[serde(borrow, default)]
    pub audio: Option<Attachment<'a>>,
    /// Animation; comes with `document`, too.
    #[serde(borrow, default)]
    pub animation: Option<Attachment<'a>>,
    /// Document.
    #[serde(borrow, default)]
    pub document: Option<Attachment<'a>>,
    /// Dice.
    #[serde(borrow, default)]
    pub dice: Option<Attachment<'a>>,
    /// Poll.
    #[serde(default)]
    pub poll: Option<IgnoredAny>,
    /// Contact.
    #[serde(default)]
    pub contact: Option<IgnoredAny>,
    /// Venue; comes with `location`, too.
    #[serde(default)]
    pub venue: Option<IgnoredAny>,
    /// Location.
    #[serde(default)]
    pub location: Option<IgnoredAny>,
    /// Story.
    #[serde(default)]
    pub story: Option<IgnoredAny>,
    /// Game.
    #[serde(default)]
    pub game: Option<IgnoredAny>,
    /// Paid media.
    #[serde(default)]
    pub paid_media: Option<IgnoredAny>,
    /// Checklist.
    #[serde(default)]
    pub checklist: Option<IgnoredAny>,
}

/// `MessageReactionUpdated`.
#[derive(Debug, Deserialize)]
pub struct MessageReaction<'a> {
    /// Where.
    #[serde(borrow)]
    pub chat: Chat<'a>,
    /// The message reacted to.
    pub message_id: i64,
    /// Who reacted.
    #[serde(borrow, default)]
    pub user: Option<User<'a>>,
    /// In whose name an anonymous one reacted.
    #[serde(borrow, default)]
    pub actor_chat: Option<Chat<'a>>,
    /// Seconds since the Unix epoch.
    pub date: i64,
    /// What is set now.
    #[serde(borrow)]
    pub new_reaction: Vec<Reaction<'a>>,
}

/// `ReactionType`.
#[derive(Debug, Deserialize)]
pub struct Reaction<'a> {
    /// `emoji`, `custom_emoji` or `paid`.
    #[serde(borrow, rename = "type")]
    pub kind: Cow<'a, str>,
    /// Of the kind `emoji`.
    #[serde(borrow, default)]
    pub emoji: Option<Cow<'a, str>>,
    /// Of the kind `custom_emoji`.
    #[serde(borrow, default)]
    pub custom_emoji_id: Option<Cow<'a, str>>,
}

/// `ChatMemberUpdated`.
#[derive(Debug, Deserialize)]
pub struct ChatMemberUpdated<'a> {
    /// Where.
    #[serde(borrow)]
    pub chat: Chat<'a>,
    /// What the bot is there now.
    #[serde(borrow)]
    pub new_chat_member: ChatMember<'a>,
}

/// `ChatMember`.
#[derive(Debug, Deserialize)]
pub struct ChatMember<'a> {
    /// `creator`, `administrator`, `member`, `restricted`, `left` or `kicked`.
    #[serde(borrow)]
    pub status: Cow<'a, str>,
    /// Of the status `restricted`.
    #[serde(default)]
    pub is_member: bool,
    /// Of the status `restricted`.
    #[serde(default)]
    pub can_send_messages: bool,
    /// Of an administrator in a channel.
    #[serde(default)]
    pub can_post_messages: bool,
}

/// The chat of whatever has one.
#[derive(Debug, Deserialize)]
pub struct InChat<'a> {
    /// Where.
    #[serde(borrow)]
    pub chat: Chat<'a>,
}
