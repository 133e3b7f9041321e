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

/// Character of a bot: one revision of a persona.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Persona {
    /// Name in the manifest.
    pub name: String,
    /// The language that the persona speaks when nothing else is asked for.
    pub language: Language,
    /// Description of the character, in the words of the system prompt.
    pub voice: String,
    /// Writing style.
    pub style: Option<String>,
    /// Subjects that the persona likes to talk about; their words make it speak up.
    pub interests: Vec<String>,
    /// Lines that the persona might write.
    pub examples: Vec<String>,
    /// How readily the bot speaks unasked, 0 (never) to 1.
    pub talkativeness: f64,
    /// Other names that people call the bot by.
    pub nicknames: Vec<String>,
    /// Opinions of the persona.
    #[serde(default)]
    pub stances: Vec<Stance>,
    /// Hours in which the bot speaks unasked, by the chat's clock; `None` at any hour.
    #[serde(default)]
    pub active_hours: Option<Hours>,
    /// Emoji that the bot reacts with; without any it never reacts.
    #[serde(default)]
    pub reactions: Vec<String>,
    /// Typing speed in characters a second; `None` takes the chat's.
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

/// Settings with which a bot asks its models.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generation {
    /// Models in order of preference; at least one.
    pub models: Vec<ModelRef>,
    /// Sampling temperature, 0 to 2.
    pub temperature: f64,
    /// Most tokens of an answer.
    pub max_tokens: u32,
    /// Most tokens of a prompt.
    pub context_tokens: u32,
    /// Most messages of the chat in a prompt.
    pub context_messages: usize,
}

/// Delivery mode: how a bot's updates reach the fleet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryMode {
    /// The fleet asks Telegram for updates.
    #[default]
    Polling,
    /// Telegram sends updates to the fleet's receiver.
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

/// The delivery mode in force for a bot, which a person may have changed since the manifest was applied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryChoice {
    /// The delivery mode.
    pub mode: DeliveryMode,
    /// The webhook address that the fleet told Telegram last, by which the fleet recognises its own webhook.
    pub webhook_url: Option<String>,
}

/// A bot as the manifest gives it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BotSpec {
    /// Name in the manifest, and among people.
    pub name: String,
    /// Telegram's id of the bot: the leading digits of its token.
    pub telegram_id: TelegramUserId,
    /// Place of the token: `env:NAME` or `file:PATH`. Never the token itself (I12).
    pub credential: String,
    /// Character of the bot.
    pub persona: Persona,
    /// Settings with which the bot asks its models.
    pub generation: Generation,
    /// Most messages in any hour; `None` for no cap.
    pub hourly_cap: Option<u32>,
    /// Delivery mode, until a person changes it.
    #[serde(default)]
    pub delivery: DeliveryMode,
    /// Attitudes to other bots and to people.
    #[serde(default)]
    pub relationships: Vec<Relationship>,
}

/// A bot as the store knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BotProfile {
    /// Surrogate id of the bot.
    pub id: BotId,
    /// The bot as the manifest gives it.
    pub spec: BotSpec,
    /// Revision of the persona, from 1.
    pub persona_revision: i64,
    /// Rises when the token is replaced.
    pub token_generation: i64,
    /// Id of the first update that is not confirmed yet; `None` before the first, and after webhooks.
    pub next_offset: Option<i64>,
    /// Delivery mode in force.
    #[serde(default)]
    pub delivery: DeliveryChoice,
    /// Username, once Telegram told it to any node.
    #[serde(default)]
    pub username: Option<String>,
}

/// Policy by which a chat chooses who speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatPolicy {
    /// Weighs mentions, replies, names, questions, talkativeness and silence.
    #[default]
    Natural,
    /// Only bots that are mentioned or replied to speak.
    Mention,
    /// Each bot that receives a person's message answers it: for tests and benchmarks.
    Every,
}

impl ChatPolicy {
    /// Returns whether messages of bots are guarded against repetition, contradiction and interruption. Under `Every`,
    /// which is for tests, nothing is guarded.
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
    /// Time for which a chat that reached a limit answers no bots and opens no topics; people's messages shorten it.
    #[serde(default = "cool_down", with = "humantime_serde")]
    pub cool_down: Duration,
    /// Number of bot messages in a row that reach a limit when they say much the same; `None` is no such limit.
    #[serde(default = "stagnation_turns")]
    pub stagnation_turns: Option<u32>,
    /// Most messages of the fleet since a person last spoke.
    #[serde(default = "unheard_max")]
    pub unheard_max: Option<u32>,
}

/// Default of `Physics::cool_down`.
pub fn cool_down() -> Duration {
    Duration::from_mins(10)
}

/// Default of `Physics::person_per_ten_minutes`.
#[allow(clippy::unnecessary_wraps, reason = "the default of an optional limit")]
pub fn person_per_ten_minutes() -> Option<u32> {
    Some(30)
}

/// Default of `Physics::stagnation_turns`.
#[allow(clippy::unnecessary_wraps, reason = "the default of an optional limit")]
pub fn stagnation_turns() -> Option<u32> {
    Some(4)
}

/// Default of `Physics::unheard_max`.
#[allow(clippy::unnecessary_wraps, reason = "the default of an optional limit")]
pub fn unheard_max() -> Option<u32> {
    Some(24)
}

/// Pace of a chat's bots.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pacing {
    /// Bots take time to read and type, and show that they type.
    pub enabled: bool,
    /// Typing speed in characters a second.
    pub chars_per_second: f64,
    /// Longest time spent typing.
    pub typing_max: Duration,
    /// Age from which a turn is stale.
    pub stale_after: Duration,
    /// About how long a chat is quiet before its director considers a new topic; `None` is never.
    pub quiet_tick: Option<Duration>,
}

/// A chat as the manifest gives it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChatSpec {
    /// Name in the manifest.
    pub name: String,
    /// Telegram's id of the chat.
    pub telegram_id: TelegramChatId,
    /// Names of the chat's bots.
    pub bots: Vec<String>,
    /// Policy that chooses who speaks.
    pub policy: ChatPolicy,
    /// Main language of the chat.
    pub language: Language,
    /// IANA name of the time zone.
    pub time_zone: String,
    /// Days that the transcript is kept.
    pub retention_days: u32,
    /// Subjects for bots to bring up when the chat is quiet.
    pub topics: Vec<String>,
    /// Limits of loop physics.
    pub physics: Physics,
    /// Pace of the bots.
    pub pacing: Pacing,
    /// Policy for messages of which nobody knows whether Telegram has them.
    #[serde(default)]
    pub on_unknown: OnUnknown,
    /// Weights of the director.
    #[serde(default)]
    pub strategy: Strategy,
    /// Hours in which no bot speaks, by the chat's clock.
    #[serde(default)]
    pub quiet_hours: Option<Hours>,
    /// Guard against repetition.
    #[serde(default)]
    pub novelty: Novelty,
    /// Guard of the bots' stances.
    #[serde(default)]
    pub consistency: Consistency,
    /// Text that discloses the bots as AI, on joining and on /ai; `None` is the built-in text of the chat's language.
    #[serde(default)]
    pub disclosure: Option<String>,
}

/// A chat as the store knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChatProfile {
    /// Surrogate id of the chat.
    pub id: ChatId,
    /// The chat as the manifest gives it.
    pub spec: ChatSpec,
    /// The chat's bots.
    pub members: Vec<BotId>,
}

/// Bots and chats that the manifest asks for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RosterPlan {
    /// All bots; names and Telegram ids are unique.
    pub bots: Vec<BotSpec>,
    /// All chats; names and Telegram ids are unique.
    pub chats: Vec<ChatSpec>,
}

/// Bots and chats in use after a plan was applied. Those that the plan leaves out stay stored, unused.
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
