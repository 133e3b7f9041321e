//! Holds the manifest's tables as they are written. Part of `config`. Absent keys are `None`; checks come after.

use std::time::Duration;

use botfleet_actors::domain::allowance::{BudgetPeriod, BudgetUnit};
use botfleet_actors::domain::outbox::OnUnknown;
use botfleet_actors::domain::roster::{ChatPolicy, DeliveryMode, Language};
use botfleet_actors::domain::strategy::Consistency;
use serde::Deserialize;

use crate::llm::settings::{Parameter, ProviderKind, Roles};

/// `[defaults]`: values for every bot and chat without its own.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawDefaults {
    pub models: Option<Vec<String>>,
    pub temperature: Option<f64>,
    pub max_tokens: Option<u32>,
    pub context_tokens: Option<u32>,
    pub context_messages: Option<usize>,
    pub hourly_cap: Option<u32>,
    pub delivery: Option<DeliveryMode>,
    pub policy: Option<ChatPolicy>,
    pub language: Option<Language>,
    pub time_zone: Option<String>,
    pub retention_days: Option<u32>,
    pub on_unknown: Option<OnUnknown>,
    pub strategy: Option<String>,
    pub quiet_hours: Option<String>,
    pub novelty: RawNovelty,
    pub consistency: Option<Consistency>,
    pub disclosure: Option<String>,
    pub physics: RawPhysics,
    pub pacing: RawPacing,
}

/// One of `[[providers]]`, without the keys of `ProviderSettings`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawProvider {
    pub name: Option<String>,
    pub kind: Option<ProviderKind>,
    pub base_url: Option<String>,
    pub api_key: Option<String>,
    pub keys: Option<Vec<String>>,
    pub model: Option<String>,
    pub stream: Option<bool>,
    pub roles: Option<Roles>,
    pub omit: Vec<Parameter>,
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Option<Duration>,
    #[serde(with = "humantime_serde")]
    pub first_token_timeout: Option<Duration>,
}

/// The keys of [`RawProvider`].
pub(super) const PROVIDER_KEYS: [&str; 11] = [
    "name",
    "kind",
    "base_url",
    "api_key",
    "keys",
    "model",
    "stream",
    "roles",
    "omit",
    "connect_timeout",
    "first_token_timeout",
];

/// Kind of a budget's owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum BudgetScopeName {
    Fleet,
    Bot,
    Chat,
}

/// One of `[[budgets]]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawBudget {
    pub scope: Option<BudgetScopeName>,
    pub name: Option<String>,
    pub unit: Option<BudgetUnit>,
    pub per: Option<BudgetPeriod>,
    pub limit: Option<f64>,
}

/// One of `[personas.NAME]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawPersona {
    pub language: Option<Language>,
    pub voice: Option<String>,
    pub style: Option<String>,
    pub interests: Vec<String>,
    pub examples: Vec<String>,
    pub talkativeness: Option<f64>,
    pub nicknames: Vec<String>,
    pub stances: Vec<RawStance>,
    pub active_hours: Option<String>,
    pub reactions: Vec<String>,
    pub chars_per_second: Option<f64>,
}

/// One of a persona's stances.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawStance {
    pub topic: Option<String>,
    pub keywords: Vec<String>,
    pub position: Option<String>,
    pub confidence: Option<f64>,
    pub reasons: Vec<String>,
    pub denials: Vec<String>,
    pub version: Option<u32>,
    #[serde(with = "humantime_serde")]
    pub cool_down: Option<Duration>,
}

/// Relationship of a bot to another bot, or to a person.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawRelationship {
    pub to: Option<String>,
    pub affinity: Option<f64>,
    pub note: Option<String>,
}

/// One of `[[bots]]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawBot {
    pub name: Option<String>,
    pub token: Option<String>,
    pub persona: Option<String>,
    pub models: Option<Vec<String>>,
    pub temperature: Option<f64>,
    pub max_tokens: Option<u32>,
    pub context_tokens: Option<u32>,
    pub context_messages: Option<usize>,
    pub hourly_cap: Option<u32>,
    pub delivery: Option<DeliveryMode>,
    pub relationships: Vec<RawRelationship>,
}

/// One of `[[chats]]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawChat {
    pub name: Option<String>,
    pub telegram_id: Option<i64>,
    pub bots: Option<Vec<String>>,
    pub policy: Option<ChatPolicy>,
    pub language: Option<Language>,
    pub time_zone: Option<String>,
    pub retention_days: Option<u32>,
    pub topics: Vec<String>,
    pub on_unknown: Option<OnUnknown>,
    pub strategy: Option<String>,
    pub quiet_hours: Option<String>,
    pub novelty: RawNovelty,
    pub consistency: Option<Consistency>,
    pub disclosure: Option<String>,
    pub physics: RawPhysics,
    pub pacing: RawPacing,
}

/// Loop physics; 0 means no limit.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawPhysics {
    pub chain_depth_max: Option<u32>,
    pub pair_per_ten_minutes: Option<u32>,
    pub person_per_ten_minutes: Option<u32>,
    pub chat_per_minute: Option<u32>,
    pub fleet_per_minute: Option<u32>,
    pub stagnation_turns: Option<u32>,
    pub unheard_max: Option<u32>,
    #[serde(with = "humantime_serde")]
    pub cool_down: Option<Duration>,
}

/// Settings of the guard against repetition.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawNovelty {
    pub enabled: Option<bool>,
    pub limit: Option<f64>,
    pub own: Option<usize>,
    pub chat: Option<usize>,
}

/// Pacing; a `quiet_tick` of 0 means never.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawPacing {
    pub enabled: Option<bool>,
    pub chars_per_second: Option<f64>,
    #[serde(with = "humantime_serde")]
    pub typing_max: Option<Duration>,
    #[serde(with = "humantime_serde")]
    pub stale_after: Option<Duration>,
    #[serde(with = "humantime_serde")]
    pub quiet_tick: Option<Duration>,
}
