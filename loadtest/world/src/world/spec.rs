//! Describes a simulated world: its bots and people, and their chats.
//!
//! Layer: world; plain data with serde, checked by [`WorldSpec::check`] before a world is built.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::error::SpecError;
use super::latency::Latency;
use super::limits::LimitSpec;

/// The description of a whole world.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorldSpec {
    /// The seed of every random draw.
    pub seed: u64,
    /// The bots that Telegram knows.
    pub bots: Vec<BotSpec>,
    /// The people.
    pub people: Vec<PersonSpec>,
    /// The group chats.
    pub chats: Vec<ChatSpec>,
    /// How long a send takes to be answered.
    pub send_latency: Latency,
    /// How long any other call takes, in addition to the time that the call waits.
    pub call_latency: Latency,
    /// The limits of sends; none by default.
    pub limits: Option<LimitSpec>,
    /// How webhooks are served.
    pub webhooks: WebhookSpec,
}

/// How Telegram serves webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookSpec {
    /// The factor of every pause between attempts.
    pub time_scale: f64,
    /// How long an answer may take, in milliseconds; a later one counts as none.
    pub timeout_ms: u64,
}

impl Default for WebhookSpec {
    fn default() -> Self {
        Self { time_scale: 1.0, timeout_ms: 60_000 }
    }
}

/// One bot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BotSpec {
    /// The bot's Telegram id, positive.
    pub id: i64,
    /// The bot's token, `<id>:<35 or more letters, digits, _ or ->`.
    pub token: String,
    /// The bot's username, without `@`, ending in "bot".
    pub username: String,
    /// The name that people see.
    pub first_name: String,
    /// True when privacy mode is off, so that the bot sees what every person says.
    #[serde(default)]
    pub can_read_all_group_messages: bool,
    /// True when bot-to-bot communication mode is on.
    #[serde(default)]
    pub bot_to_bot: bool,
}

/// One person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonSpec {
    /// The person's Telegram id, positive.
    pub id: i64,
    /// The name that others see.
    pub first_name: String,
    /// The person's username, without `@`.
    #[serde(default)]
    pub username: Option<String>,
    /// The person's language, an IETF tag such as "tr" or "en".
    #[serde(default = "english")]
    pub language_code: String,
}

/// The kind of a group chat.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatKind {
    /// A supergroup: all members share its message ids.
    #[default]
    Supergroup,
    /// A supergroup with topics.
    Forum,
    /// A basic group: each bot numbers its messages by itself.
    Basic,
}

/// One group chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChatSpec {
    /// The chat's Telegram id: -100... for supergroups and forums, another negative one for basic groups.
    pub id: i64,
    /// The title.
    pub title: String,
    /// The kind.
    #[serde(default)]
    pub kind: ChatKind,
    /// The language spoken in the chat.
    #[serde(default = "english")]
    pub language_code: String,
    /// The ids of the chat's bots.
    #[serde(default)]
    pub bots: Vec<i64>,
    /// The ids of the chat's people.
    #[serde(default)]
    pub people: Vec<i64>,
    /// The ids of the administrators, bots or people; the first person among them is the chat's creator.
    #[serde(default)]
    pub admins: Vec<i64>,
}

fn english() -> String {
    "en".to_owned()
}

/// The base of supergroup ids: each is this number minus a positive one.
pub const SUPERGROUP_BASE: i64 = -1_000_000_000_000;

impl WorldSpec {
    /// Checks that ids are unique and of the right range, that tokens belong to their bots and that the members of
    /// every chat exist.
    ///
    /// # Errors
    /// The first fault found.
    pub fn check(&self) -> Result<(), SpecError> {
        let mut ids = HashSet::new();
        let mut names = HashSet::new();
        for bot in &self.bots {
            check_bot(bot)?;
            if !ids.insert(bot.id) {
                return Err(SpecError::DuplicateId(bot.id));
            }
            if !names.insert(bot.username.to_ascii_lowercase()) {
                return Err(SpecError::DuplicateUsername(bot.username.clone()));
            }
        }
        for person in &self.people {
            if person.id <= 0 || !ids.insert(person.id) {
                return Err(SpecError::DuplicateId(person.id));
            }
            if let Some(name) = &person.username
                && !names.insert(name.to_ascii_lowercase())
            {
                return Err(SpecError::DuplicateUsername(name.clone()));
            }
        }
        let mut chats = HashSet::new();
        for chat in &self.chats {
            let is_super = chat.id < SUPERGROUP_BASE;
            if chat.id >= 0 || is_super == (chat.kind == ChatKind::Basic) {
                return Err(SpecError::ChatId(chat.id));
            }
            if !chats.insert(chat.id) {
                return Err(SpecError::DuplicateId(chat.id));
            }
            self.check_members(chat)?;
        }
        Ok(())
    }

    fn check_members(&self, chat: &ChatSpec) -> Result<(), SpecError> {
        let unknown = |id: i64| SpecError::UnknownMember { chat: chat.id, id };
        for id in &chat.bots {
            if !self.bots.iter().any(|bot| bot.id == *id) {
                return Err(unknown(*id));
            }
        }
        for id in &chat.people {
            if !self.people.iter().any(|person| person.id == *id) {
                return Err(unknown(*id));
            }
        }
        for id in &chat.admins {
            if !chat.bots.contains(id) && !chat.people.contains(id) {
                return Err(unknown(*id));
            }
        }
        Ok(())
    }
}

fn check_bot(bot: &BotSpec) -> Result<(), SpecError> {
    let secret = bot.token.strip_prefix(&format!("{}:", bot.id));
    let well_formed = secret.is_some_and(|secret| {
        secret.len() >= 35 && secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    });
    if bot.id <= 0 || !well_formed {
        return Err(SpecError::Token(bot.id));
    }
    if !bot.username.to_ascii_lowercase().ends_with("bot") {
        return Err(SpecError::Username(bot.username.clone()));
    }
    Ok(())
}
