//! The roster: bots, personas, chats and models as the manifest describes them. Layer `domain`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::hours::Hours;
use super::ids::{BotId, ChatId, ConfigSeq, TelegramChatId, TelegramUserId};
use super::outbox::OnUnknown;
use super::stance::{Relationship, Stance};
use super::strategy::{Consistency, Novelty, Strategy};

/// A language that prompts are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Turkish.
    Tr,
}

/// Who a bot is: one revision of a persona.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Persona {
    /// Its name in the manifest.
    pub name: String,
    /// The language that it speaks when nothing else is asked for.
    pub language: Language,
    /// Who it is, in its own prompt's words.
    pub voice: String,
    /// How it writes.
    pub style: Option<String>,
    /// What it likes to talk about; words that make it speak up.
    pub interests: Vec<String>,
    /// Lines that it might write.
    pub examples: Vec<String>,
    /// How readily it speaks unasked, 0 (never) to 1.
    pub talkativeness: f64,
    /// Other names that people call it by.
    pub nicknames: Vec<String>,
    /// What it holds.
    #[serde(default)]
    pub stances: Vec<Stance>,
    /// When it speaks unasked, by the chat's clock; `None` at any hour.
    #[serde(default)]
    pub active_hours: Option<Hours>,
    /// Emoji that it reacts with; none is never.
    #[serde(default)]
    pub reactions: Vec<String>,
    /// How fast it types, in characters a second; `None` as the chat says.
    #[serde(default)]
    pub chars_per_second: Option<f64>,
}

/// A model at a provider; a chain of them is tried in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ModelRef {
    /// The provider's name in the manifest.
    pub provider: String,
    /// The model's name at the provider.
    pub model: String,
}

/// How a bot asks its models.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generation {
    /// Models in order of preference; at least one.
    pub models: Vec<ModelRef>,
    /// 0 to 2.
    pub temperature: f64,
    /// Most tokens of an answer.
    pub max_tokens: u32,
    /// Most tokens of a prompt.
    pub context_tokens: u32,
    /// Most messages of the chat in a prompt.
    pub context_messages: usize,
}

/// How a bot's updates reach the fleet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryMode {
    /// The fleet asks Telegram for them.
    #[default]
    Polling,
    /// Telegram brings them to the fleet's receiver.
    Webhook,
}

impl DeliveryMode {
    /// The name in the manifest, the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::Webhook => "webhook",
        }
    }

    /// Reads the name back.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Polling, Self::Webhook].into_iter().find(|mode| mode.as_str() == name)
    }
}

/// The way that is in force for a bot, which a person may have changed since the manifest was applied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryChoice {
    /// The way.
    pub mode: DeliveryMode,
    /// The address that the fleet told Telegram last: it knows a webhook of its own by it.
    pub webhook_url: Option<String>,
}

/// A bot as the manifest gives it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BotSpec {
    /// Its name in the manifest, and among people.
    pub name: String,
    /// Telegram's id of it: the digits of its token.
    pub telegram_id: TelegramUserId,
    /// Where its token is: `env:NAME` or `file:PATH`. Never the token (I12).
    pub credential: String,
    /// Who it is.
    pub persona: Persona,
    /// How it asks its models.
    pub generation: Generation,
    /// Most messages in any hour; `None` for no cap.
    pub hourly_cap: Option<u32>,
    /// How its updates arrive, until a person changes it.
    #[serde(default)]
    pub delivery: DeliveryMode,
    /// How it stands to others.
    #[serde(default)]
    pub relationships: Vec<Relationship>,
}

/// A bot as the store knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BotProfile {
    /// Its surrogate id.
    pub id: BotId,
    /// As the manifest gives it.
    pub spec: BotSpec,
    /// Revision of its persona, from 1.
    pub persona_revision: i64,
    /// Rises when the token is replaced.
    pub token_generation: i64,
    /// The first update that is not confirmed yet; `None` before the first, and after webhooks.
    pub next_offset: Option<i64>,
    /// How its updates arrive now.
    #[serde(default)]
    pub delivery: DeliveryChoice,
    /// Its username, once Telegram told it to any node.
    #[serde(default)]
    pub username: Option<String>,
}

/// How a chat chooses who speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatPolicy {
    /// Mentions, replies, names, questions, talkativeness, silence.
    #[default]
    Natural,
    /// Only who is mentioned or replied to.
    Mention,
    /// Each bot that receives a person's message answers it: for tests and benchmarks.
    Every,
}

impl ChatPolicy {
    /// Whether what bots say there is guarded against repetition, contradiction and interruption. Where each message is
    /// answered for a test's sake, nothing is.
    pub fn is_guarded(self) -> bool {
        self != Self::Every
    }

    /// The name in the manifest and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Natural => "natural",
            Self::Mention => "mention",
            Self::Every => "every",
        }
    }
}

/// Loop physics of a chat: enforced whatever the model says (I11). `None` is no limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Physics {
    /// Longest chain of bot messages after a person's.
    pub chain_depth_max: Option<u32>,
    /// Most messages between one pair of bots in ten minutes.
    pub pair_per_ten_minutes: Option<u32>,
    /// Most answers that one person gets in ten minutes while others speak there as well (I15).
    #[serde(default = "person_per_ten_minutes")]
    pub person_per_ten_minutes: Option<u32>,
    /// Most messages of the fleet in the chat in a minute.
    pub chat_per_minute: Option<u32>,
    /// Most messages of the whole fleet in a minute.
    pub fleet_per_minute: Option<u32>,
    /// A chat that reached a limit keeps quiet this long towards bots and by itself; people's messages shorten it.
    #[serde(default = "cool_down", with = "humantime_serde")]
    pub cool_down: Duration,
    /// So many messages of bots in a row that say much the same are one limit more; `None` is no such limit.
    #[serde(default = "stagnation_turns")]
    pub stagnation_turns: Option<u32>,
    /// Most messages of the fleet since a person last spoke.
    #[serde(default = "unheard_max")]
    pub unheard_max: Option<u32>,
}

/// Time to calm down unless set.
pub fn cool_down() -> Duration {
    Duration::from_mins(10)
}

/// Answers to one person unless set.
#[allow(clippy::unnecessary_wraps, reason = "the default of an optional limit")]
pub fn person_per_ten_minutes() -> Option<u32> {
    Some(30)
}

/// Turns of stagnation unless set.
#[allow(clippy::unnecessary_wraps, reason = "the default of an optional limit")]
pub fn stagnation_turns() -> Option<u32> {
    Some(4)
}

/// Messages without a person's unless set.
#[allow(clippy::unnecessary_wraps, reason = "the default of an optional limit")]
pub fn unheard_max() -> Option<u32> {
    Some(24)
}

/// How a chat paces its bots.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pacing {
    /// Whether bots take time to read and type, and show it.
    pub enabled: bool,
    /// Typing speed in characters a second.
    pub chars_per_second: f64,
    /// Longest time spent typing.
    pub typing_max: Duration,
    /// A turn is stale after this.
    pub stale_after: Duration,
    /// A quiet chat gets a new word after about this long; `None` never.
    pub quiet_tick: Option<Duration>,
}

/// A chat as the manifest gives it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChatSpec {
    /// Its name in the manifest.
    pub name: String,
    /// Telegram's id of it.
    pub telegram_id: TelegramChatId,
    /// Names of its bots.
    pub bots: Vec<String>,
    /// Who speaks.
    pub policy: ChatPolicy,
    /// Its main language.
    pub language: Language,
    /// IANA name of its time zone.
    pub time_zone: String,
    /// Days that its transcript is kept.
    pub retention_days: u32,
    /// What it talks about when it is quiet.
    pub topics: Vec<String>,
    /// Its limits.
    pub physics: Physics,
    /// Its pace.
    pub pacing: Pacing,
    /// What becomes of its messages when nobody knows whether Telegram has them.
    #[serde(default)]
    pub on_unknown: OnUnknown,
    /// How its director weighs what it sees.
    #[serde(default)]
    pub strategy: Strategy,
    /// When nobody of the fleet speaks, by its own clock.
    #[serde(default)]
    pub quiet_hours: Option<Hours>,
    /// How it guards against repetition.
    #[serde(default)]
    pub novelty: Novelty,
    /// How it guards its bots' stances.
    #[serde(default)]
    pub consistency: Consistency,
    /// What its bots say of themselves on joining and on /ai; `None` is the built-in text of its language.
    #[serde(default)]
    pub disclosure: Option<String>,
}

/// A chat as the store knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChatProfile {
    /// Its surrogate id.
    pub id: ChatId,
    /// As the manifest gives it.
    pub spec: ChatSpec,
    /// Its bots.
    pub members: Vec<BotId>,
}

/// What the manifest asks for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RosterPlan {
    /// All bots; names and Telegram ids are unique.
    pub bots: Vec<BotSpec>,
    /// All chats; names and Telegram ids are unique.
    pub chats: Vec<ChatSpec>,
}

/// What the store holds after the plan was applied. Bots and chats that the plan leaves out stay stored, unused.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Roster {
    /// The bots in use.
    pub bots: BTreeMap<BotId, BotProfile>,
    /// The chats in use.
    pub chats: BTreeMap<ChatId, ChatProfile>,
    /// Every id that Telegram ever gave one of the chats.
    pub aliases: BTreeMap<TelegramChatId, ChatId>,
    /// Number of this configuration.
    pub config_seq: ConfigSeq,
}
