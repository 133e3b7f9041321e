//! The parts of an update's JSON that the fleet reads. Layer `adapters`.
//!
//! The types are narrow on purpose: whatever Telegram adds beside these fields, or as a new kind of entity, media or
//! service message, changes nothing here. Strings without escapes are borrowed from the update's JSON.
//!
//! No field is required here: `decode` says which ones a message cannot do without (`message_id`, `date`, `chat`), and
//! `lenient` drops fields that cannot be read, one by one.
//!
//! # Source
//! Checked against Bot API 10.3 (2026-08-24):
//!
//! | type | fields read |
//! |---|---|
//! | Update | `update_id`, `message`, `edited_message`, `message_reaction`, `my_chat_member` |
//! | Message | those of [`Message`] |
//! | Chat | `id`, `type`, `title`, `username`, `first_name` |
//! | User | `id`, `is_bot`, `first_name`, `last_name`, `username` |
//! | `MessageEntity` | `type`, `offset`, `length`, `user` |
//! | `RichMessage` | `blocks`, as text (`rich`) |
//! | `ExternalReplyInfo` | those of [`Shown`] |
//! | `TextQuote` | `text` |
//! | Poll, Checklist | question or title, texts of options or tasks |
//! | `MessageReactionUpdated` | `chat`, `message_id`, `user`, `actor_chat`, `date`, `new_reaction` |
//! | `ChatMemberUpdated` | `chat`, `new_chat_member` |
//!
//! Not read, each on purpose: `guest_message`, since no bot of the fleet is a guest elsewhere; `ephemeral_message_id`
//! and `receiver_user`, since nothing answers an ephemeral message with another one; `community_chat_added`,
//! `community_chat_removed` and other service messages, which are entries of the kind `member` by having neither words
//! nor media.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// An update: its id, and the name and JSON of its payload.
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
    /// Id of the chat.
    pub id: Option<i64>,
    /// `private`, `group`, `supergroup` or `channel`.
    #[serde(borrow, default, rename = "type")]
    pub kind: Cow<'a, str>,
    /// Title of a group or channel.
    pub title: Option<String>,
    /// Username, without `@`.
    pub username: Option<String>,
    /// First name of the person in a private chat.
    pub first_name: Option<String>,
}

/// User.
#[derive(Debug, Deserialize)]
pub struct User<'a> {
    /// Id of the user.
    pub id: Option<i64>,
    /// Set for a bot, and for Telegram's stand-ins for people.
    #[serde(default)]
    pub is_bot: bool,
    /// First name.
    #[serde(borrow, default)]
    pub first_name: Cow<'a, str>,
    /// Last name.
    pub last_name: Option<String>,
    /// Username, without `@`.
    pub username: Option<String>,
}

/// `MessageEntity`.
#[derive(Debug, Deserialize)]
pub struct Entity<'a> {
    /// Kind of the entity.
    #[serde(borrow, default, rename = "type")]
    pub kind: Cow<'a, str>,
    /// First UTF-16 unit.
    pub offset: Option<usize>,
    /// Number of UTF-16 units.
    pub length: Option<usize>,
    /// User of a `text_mention`.
    #[serde(borrow)]
    pub user: Option<User<'a>>,
}

/// A message that another one shows with itself: `reply_to_message`, or `ExternalReplyInfo`, which has an origin
/// instead of an author and no words of its own but a poll's.
#[derive(Debug, Deserialize)]
pub struct Shown<'a> {
    /// Id of the message.
    pub message_id: Option<i64>,
    /// The author.
    #[serde(borrow)]
    pub from: Option<User<'a>>,
    /// The chat in whose name the message was sent.
    #[serde(borrow)]
    pub sender_chat: Option<Chat<'a>>,
    /// The origin.
    #[serde(borrow)]
    pub origin: Option<Origin<'a>>,
    /// The text.
    pub text: Option<String>,
    /// The caption.
    pub caption: Option<String>,
    /// The words in blocks.
    #[serde(borrow)]
    pub rich_message: Option<RichMessage<'a>>,
    /// The poll.
    pub poll: Option<Poll>,
    /// The checklist.
    pub checklist: Option<Checklist>,
    /// The photo.
    pub photo: Option<IgnoredAny>,
    /// The sticker.
    pub sticker: Option<IgnoredAny>,
    /// The voice message.
    pub voice: Option<IgnoredAny>,
    /// The video.
    pub video: Option<IgnoredAny>,
    /// The audio.
    pub audio: Option<IgnoredAny>,
    /// The animation.
    pub animation: Option<IgnoredAny>,
    /// The document.
    pub document: Option<IgnoredAny>,
    /// The location.
    pub location: Option<IgnoredAny>,
}

/// `MessageOrigin`, of any kind.
#[derive(Debug, Deserialize)]
pub struct Origin<'a> {
    /// The sender, of the kind `user`.
    #[serde(borrow)]
    pub sender_user: Option<User<'a>>,
    /// The sender's name, of the kind `hidden_user`.
    pub sender_user_name: Option<String>,
    /// The sending chat, of the kind `chat`.
    #[serde(borrow)]
    pub sender_chat: Option<Chat<'a>>,
    /// The channel, of the kind `channel`.
    #[serde(borrow)]
    pub chat: Option<Chat<'a>>,
}

/// `TextQuote`.
#[derive(Debug, Deserialize)]
pub struct Quote {
    /// The part of the replied-to message that the sender quotes.
    pub text: Option<String>,
}

/// Poll.
#[derive(Debug, Deserialize)]
pub struct Poll {
    /// The question.
    pub question: Option<String>,
    /// The possible answers.
    #[serde(default)]
    pub options: Vec<Worded>,
}

/// Checklist.
#[derive(Debug, Deserialize)]
pub struct Checklist {
    /// The title.
    pub title: Option<String>,
    /// The tasks.
    #[serde(default)]
    pub tasks: Vec<Worded>,
}

/// `PollOption` or `ChecklistTask`.
#[derive(Debug, Deserialize)]
pub struct Worded {
    /// The words.
    pub text: Option<String>,
}

/// A file, a sticker or dice, as far as the fleet reads them.
#[derive(Debug, Default, Deserialize)]
pub struct Attachment {
    /// Id of the file.
    pub file_id: Option<String>,
    /// Emoji of a sticker or dice.
    pub emoji: Option<String>,
}

/// `RichMessage`.
#[derive(Debug, Deserialize)]
pub struct RichMessage<'a> {
    /// The blocks, of more than twenty kinds.
    #[serde(borrow)]
    pub blocks: Option<&'a RawValue>,
}

/// Message.
#[derive(Debug, Deserialize)]
pub struct Message<'a> {
    /// Id of the message in the chat.
    pub message_id: Option<i64>,
    /// Seconds since the Unix epoch.
    pub date: Option<i64>,
    /// The chat.
    #[serde(borrow)]
    pub chat: Option<Chat<'a>>,
    /// Topic, or the root of a thread of comments.
    pub message_thread_id: Option<i64>,
    /// Set when the thread is a forum topic.
    #[serde(default)]
    pub is_topic_message: bool,
    /// The sender.
    #[serde(borrow)]
    pub from: Option<User<'a>>,
    /// The chat in whose name the message was sent.
    #[serde(borrow)]
    pub sender_chat: Option<Chat<'a>>,
    /// Set for a post of the linked channel.
    #[serde(default)]
    pub is_automatic_forward: bool,
    /// Time of the edit, in seconds since the Unix epoch.
    pub edit_date: Option<i64>,
    /// The message that is replied to, in the same chat.
    #[serde(borrow)]
    pub reply_to_message: Option<Shown<'a>>,
    /// The message that is replied to in another chat or topic.
    #[serde(borrow)]
    pub external_reply: Option<Shown<'a>>,
    /// The quoted part of the message that is replied to.
    pub quote: Option<Quote>,
    /// The album that the message belongs to.
    pub media_group_id: Option<String>,
    /// Text.
    pub text: Option<String>,
    /// Entities of the text.
    #[serde(borrow, default)]
    pub entities: Vec<Entity<'a>>,
    /// Words in blocks instead of `text`.
    #[serde(borrow)]
    pub rich_message: Option<RichMessage<'a>>,
    /// The user who called the guest bot that wrote the message.
    pub guest_bot_caller_user: Option<IgnoredAny>,
    /// The chat in whose name the guest bot that wrote the message was called.
    pub guest_bot_caller_chat: Option<IgnoredAny>,
    /// Caption of media.
    pub caption: Option<String>,
    /// Entities of the caption.
    #[serde(borrow, default)]
    pub caption_entities: Vec<Entity<'a>>,
    /// The supergroup that the group became.
    pub migrate_to_chat_id: Option<i64>,
    /// The group that the supergroup was.
    #[serde(default)]
    pub migrate_from_chat_id: Option<i64>,
    /// Sizes of a photo, the largest last.
    pub photo: Option<Vec<Attachment>>,
    /// Sticker.
    pub sticker: Option<Attachment>,
    /// Voice message.
    pub voice: Option<Attachment>,
    /// Video.
    pub video: Option<Attachment>,
    /// Round video.
    pub video_note: Option<Attachment>,
    /// Audio.
    pub audio: Option<Attachment>,
    /// Animation; comes with `document`, too.
    pub animation: Option<Attachment>,
    /// Document.
    pub document: Option<Attachment>,
    /// Dice.
    pub dice: Option<Attachment>,
    /// Poll.
    pub poll: Option<Poll>,
    /// Contact.
    pub contact: Option<IgnoredAny>,
    /// Venue; comes with `location`, too.
    pub venue: Option<IgnoredAny>,
    /// Location.
    pub location: Option<IgnoredAny>,
    /// Story.
    pub story: Option<IgnoredAny>,
    /// Game.
    pub game: Option<IgnoredAny>,
    /// Paid media.
    pub paid_media: Option<IgnoredAny>,
    /// Checklist.
    pub checklist: Option<Checklist>,
}

/// `MessageReactionUpdated`.
#[derive(Debug, Deserialize)]
pub struct MessageReaction<'a> {
    /// The chat.
    #[serde(borrow)]
    pub chat: Option<Chat<'a>>,
    /// The message reacted to.
    pub message_id: Option<i64>,
    /// The user who reacted.
    #[serde(borrow)]
    pub user: Option<User<'a>>,
    /// The chat in whose name somebody reacted anonymously.
    #[serde(borrow)]
    pub actor_chat: Option<Chat<'a>>,
    /// Seconds since the Unix epoch.
    pub date: Option<i64>,
    /// The reactions that are set now.
    #[serde(borrow)]
    pub new_reaction: Option<Vec<Reaction<'a>>>,
}

/// `ReactionType`.
#[derive(Debug, Deserialize)]
pub struct Reaction<'a> {
    /// `emoji`, `custom_emoji` or `paid`.
    #[serde(borrow, default, rename = "type")]
    pub kind: Cow<'a, str>,
    /// The emoji, of the kind `emoji`.
    pub emoji: Option<String>,
    /// Id of the emoji, of the kind `custom_emoji`.
    pub custom_emoji_id: Option<String>,
}

/// `ChatMemberUpdated`.
#[derive(Debug, Deserialize)]
pub struct ChatMemberUpdated<'a> {
    /// The chat.
    #[serde(borrow)]
    pub chat: Option<Chat<'a>>,
    /// The bot's membership from now on.
    #[serde(borrow)]
    pub new_chat_member: Option<ChatMember<'a>>,
}

/// `ChatMember`.
#[derive(Debug, Deserialize)]
pub struct ChatMember<'a> {
    /// `creator`, `administrator`, `member`, `restricted`, `left` or `kicked`.
    #[serde(borrow)]
    pub status: Option<Cow<'a, str>>,
    /// Membership, under the status `restricted`.
    #[serde(default)]
    pub is_member: bool,
    /// Right to send messages, under the status `restricted`.
    #[serde(default)]
    pub can_send_messages: bool,
    /// Right of an administrator to post in a channel.
    #[serde(default)]
    pub can_post_messages: bool,
}

/// The chat of any payload that has one.
#[derive(Debug, Deserialize)]
pub struct InChat<'a> {
    /// The chat.
    #[serde(borrow)]
    pub chat: Option<Chat<'a>>,
}
